// SPDX-License-Identifier: MIT
// Controls and intents.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static struct store_control_row *control_now(struct model_store *store,
                                             const struct store_op_control *op)
{
    for (size_t i = 0; i < store->control_count; i++) {
        struct store_control_row *row = &store->controls[i];
        if (instant_is_none(row->to) && row->kind == op->kind && same_text(row->job, op->job)) {
            return row;
        }
    }
    return NULL;
}

enum store_result model_control(struct model_store *store, struct store_op *base)
{
    struct store_op_control *op = CONTAINER_OF(base, struct store_op_control, op);
    struct store_control_row *now = control_now(store, op);
    op->changed = op->value != (now == NULL ? 0 : now->value);
    if (!op->changed) {
        return STORE_OK;
    }
    struct instant at = store->now;
    store->changes++;
    if (now != NULL) {
        at = instant_before(at, now->from) ? now->from : at;
        now->to = at;
    }
    if (op->value != 0) {
        ARRAY_RESERVE(store->controls, store->control_count, store->control_capacity);
        store->controls[store->control_count++] =
            (struct store_control_row){.job = alloc_optional(op->job),
                                       .kind = op->kind,
                                       .value = op->value,
                                       .from = at,
                                       .to = INSTANT_NONE,
                                       .actor = alloc_optional(op->actor),
                                       .reason = alloc_optional(op->reason)};
    }
    char *detail = operation_control_detail(op);
    const struct uuid nil = {{0}};
    model_audit_add(store, operation_control_event(op), op->job, nil, nil, op->actor, detail);
    free(detail);
    return STORE_OK;
}

// ---- intents ------------------------------------------------------------------------------------

static struct store_intent *intent_find(struct model_store *store, struct uuid intent_id)
{
    for (size_t i = 0; i < store->intent_count; i++) {
        if (uuid_equal(store->intents[i].intent_id, intent_id)) {
            return &store->intents[i];
        }
    }
    return NULL;
}

enum store_result model_intent_put(struct model_store *store, struct store_op *base)
{
    struct store_intent *intent = &CONTAINER_OF(base, struct store_op_intent_put, op)->intent;
    intent->created_at = store->now;
    intent->state = INTENT_PENDING;
    if (intent_find(store, intent->intent_id) != NULL) {
        return STORE_OK;
    }
    struct store_intent kept = *intent;
    kept.job = alloc_optional(intent->job);
    kept.params = alloc_optional(intent->params);
    kept.actor = alloc_optional(intent->actor);
    kept.as = alloc_optional(intent->as);
    kept.reason = alloc_optional(intent->reason);
    kept.answer = NULL;
    kept.node = (struct uuid){{0}};
    store->changes++;
    ARRAY_RESERVE(store->intents, store->intent_count, store->intent_capacity);
    store->intents[store->intent_count++] = kept;
    return STORE_OK;
}

static char *arena_text(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_string(arena, text);
}

static struct store_intent intent_copy(struct model_store *store, const struct store_intent *intent,
                                       struct arena *arena)
{
    struct store_intent copy = *intent;
    copy.node = model_live_node(store, intent->node) != 0 ? intent->node : (struct uuid){{0}};
    copy.job = arena_text(arena, intent->job);
    copy.params = arena_text(arena, intent->params);
    copy.actor = arena_text(arena, intent->actor);
    copy.as = arena_text(arena, intent->as);
    copy.reason = arena_text(arena, intent->reason);
    copy.answer = arena_text(arena, intent->answer);
    return copy;
}

enum store_result model_intent_take(struct model_store *store, struct store_op *base)
{
    struct store_op_intent_take *op = CONTAINER_OF(base, struct store_op_intent_take, op);
    struct arena *arena = &base->arena;
    op->intent_count = 0;
    op->control_count = 0;
    op->intents = arena_alloc(arena, store->intent_count, sizeof *op->intents);
    op->controls = arena_alloc(arena, store->control_count, sizeof *op->controls);
    for (size_t i = 0; i < store->intent_count; i++) {
        if (store->intents[i].state == INTENT_PENDING) {
            op->intents[op->intent_count++] = intent_copy(store, &store->intents[i], arena);
        }
    }
    for (size_t i = 0; i < store->control_count; i++) {
        struct store_control_row row = store->controls[i];
        if (instant_is_none(row.to) ||
            (operation_has(op->ended_since) && instant_before(op->ended_since, row.to))) {
            row.job = arena_text(arena, row.job);
            row.actor = arena_text(arena, row.actor);
            row.reason = arena_text(arena, row.reason);
            op->controls[op->control_count++] = row;
        }
    }
    return STORE_OK;
}

// Of the backfills of one job one goes on.
static struct uuid behind(const struct model_store *store, const struct store_intent *intent)
{
    bool asked = intent->kind == INTENT_BACKFILL && intent->job != NULL;
    for (size_t i = 0; asked && i < store->intent_count; i++) {
        const struct store_intent *other = &store->intents[i];
        bool goes_on = other->state == INTENT_PENDING && other->kind == INTENT_BACKFILL &&
                       other->job != NULL && strcmp(other->job, intent->job) == 0;
        if (goes_on && (other < intent || (other != intent && !uuid_is_nil(other->node)))) {
            return other->intent_id;
        }
    }
    return (struct uuid){{0}};
}

// Two backfills of one job do not begin at once, so the job is held for a moment.
static bool is_in_hand(const struct model_store *store, const struct store_intent *intent)
{
    bool backfills = intent->kind == INTENT_BACKFILL && intent->job != NULL;
    const struct model_job *job = backfills ? map_get(&store->jobs_by_name, intent->job) : NULL;
    return job != NULL && job->holder != NULL && uuid_is_nil(intent->node);
}

enum store_result model_intent_own(struct model_store *store, struct store_op *base)
{
    struct store_op_intent_own *op = CONTAINER_OF(base, struct store_op_intent_own, op);
    struct store_intent *intent = intent_find(store, op->intent_id);
    if (model_live_node(store, op->node) == 0) {
        return model_not_live(&base->err);
    }
    bool pending = intent != NULL && intent->state == INTENT_PENDING && !is_in_hand(store, intent);
    op->behind = pending && uuid_is_nil(intent->node) ? behind(store, intent) : (struct uuid){{0}};
    op->own = pending && uuid_is_nil(op->behind) &&
              (uuid_equal(intent->node, op->node) || model_live_node(store, intent->node) == 0);
    if (op->own) {
        intent->node = op->node;
    }
    return STORE_OK;
}

enum store_result model_intent_note(struct model_store *store, struct store_op *base)
{
    const struct store_op_intent_note *op = CONTAINER_OF(base, struct store_op_intent_note, op);
    struct store_intent *intent = intent_find(store, op->intent_id);
    if (intent != NULL && intent->state == INTENT_PENDING) {
        free((char *)(uintptr_t)intent->answer);
        intent->answer = alloc_optional(op->answer);
    }
    return STORE_OK;
}

enum store_result model_intent_end(struct model_store *store, struct store_op *base)
{
    const struct store_op_intent_end *op = CONTAINER_OF(base, struct store_op_intent_end, op);
    struct store_intent *intent = intent_find(store, op->intent_id);
    if (intent == NULL) {
        return operation_refuse(&base->err, "the request is not in the store any more");
    }
    if (intent->state == INTENT_PENDING) {
        intent->state = op->state;
        intent->run_id = uuid_is_nil(op->run_id) ? intent->run_id : op->run_id;
        free((char *)(uintptr_t)intent->answer);
        intent->answer = alloc_optional(op->answer);
        free((char *)(uintptr_t)intent->params);
        intent->params = NULL;
    }
    return STORE_OK;
}

bool model_read_intent(struct store *port, struct uuid intent_id, struct arena *arena,
                       struct store_intent *intent_out, struct error *err)
{
    const struct store_intent *intent = intent_find(model_of(port), intent_id);
    if (intent == NULL) {
        return error_set(err, ERROR_NOT_FOUND, "the request is not in the store any more");
    }
    *intent_out = intent_copy(model_of(port), intent, arena);
    return true;
}
