// SPDX-License-Identifier: MIT
// Which schedules and which definitions are in force, and what a scheduler loads.
#include "store/model/model_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

// ---- load ---------------------------------------------------------------------------------------

static const char *spec_now(const struct model_job *job)
{
    if (job->force_count == 0) {
        return NULL;
    }
    const struct model_force *last = &job->forces[job->force_count - 1];
    return instant_is_none(last->to) ? last->spec : NULL;
}

struct store_job model_job_row(const struct model_job *job)
{
    return (struct store_job){.job_id = job->job_id,
                              .name = job->name,
                              .spec = spec_now(job),
                              .high_water = job->high_water,
                              .last_success = job->last_success,
                              .throttle_count = job->throttle_count};
}

static int compare_retries(const void *a, const void *b)
{
    const struct store_retry *x = a;
    const struct store_retry *y = b;
    int64_t differences[] = {x->retry_at.us - y->retry_at.us, x->due_at.us - y->due_at.us,
                             x->job_id - y->job_id};
    for (size_t i = 0; i < ARRAY_LENGTH(differences); i++) {
        if (differences[i] != 0) {
            return differences[i] < 0 ? -1 : 1;
        }
    }
    return 0;
}

struct store_retry *model_retries(struct model_store *store, int64_t node_no, struct arena *arena,
                                  size_t *count_out)
{
    struct store_retry *retries = arena_alloc(arena, store->waiting_count, sizeof *retries);
    size_t count = 0;
    for (size_t i = 0; i < store->waiting_count; i++) {
        struct model_job *job = store->waiting[i].job;
        const struct model_slot *slot = model_slot_at(job, store->waiting[i].due_at);
        if (node_no == 0 || slot->node_no == node_no) {
            retries[count++] = (struct store_retry){.job_id = job->job_id,
                                                    .due_at = slot->due_at,
                                                    .attempt = slot->attempt + 1,
                                                    .retry_at = slot->retry_at};
        }
    }
    if (count > 0) {
        qsort(retries, count, sizeof *retries, compare_retries);
    }
    *count_out = count;
    return retries;
}

enum store_result model_load(struct model_store *store, struct store_op *base)
{
    struct store_op_load *op = CONTAINER_OF(base, struct store_op_load, op);
    struct arena *arena = &base->arena;
    op->job_count = store->job_count;
    op->jobs = arena_alloc(arena, store->job_count, sizeof *op->jobs);
    for (size_t i = 0; i < store->job_count; i++) {
        op->jobs[i] = model_job_row(store->jobs[i]);
        op->jobs[i].name = arena_string(arena, op->jobs[i].name);
        op->jobs[i].spec = op->jobs[i].spec == NULL ? NULL : arena_string(arena, op->jobs[i].spec);
    }
    op->retries = model_retries(store, 0, arena, &op->retry_count);
    return STORE_OK;
}

// ---- publish ------------------------------------------------------------------------------------

static struct model_job *job_add(struct model_store *store, const char *name, struct instant at)
{
    struct model_job *job = alloc_zero(1, sizeof *job);
    ARRAY_RESERVE(store->jobs, store->job_count, store->job_capacity);
    store->jobs[store->job_count++] = job;
    job->job_id = (int64_t)store->job_count;
    job->name = alloc_string(name);
    job->high_water = at;
    job->last_success = INSTANT_NONE;
    map_put(&store->jobs_by_name, job->name, job);
    return job;
}

static void force_close(struct model_job *job, struct instant at)
{
    struct model_force *last = &job->forces[job->force_count - 1];
    if (instant_before(last->from, at)) {
        last->to = at;
    } else { // it was in force for no time at all
        free(last->spec);
        job->force_count--;
    }
}

static void force_open(struct model_job *job, const char *spec, struct instant at)
{
    ARRAY_RESERVE(job->forces, job->force_count, job->force_capacity);
    job->forces[job->force_count++] = (struct model_force){alloc_string(spec), at, INSTANT_NONE};
    job->high_water = at;
}

static bool changes(const struct model_job *job, const struct store_publish_item *item)
{
    const char *now = spec_now(job);
    return item->spec == NULL ? now != NULL : now == NULL || strcmp(now, item->spec) != 0;
}

static bool publish_item(struct model_store *store, struct store_publish_item *item,
                         struct instant at)
{
    struct model_job *job = map_get(&store->jobs_by_name, item->name);
    if (job == NULL && item->spec == NULL) {
        return false;
    }
    if (job == NULL) {
        job = job_add(store, item->name, at);
    }
    item->job_id = job->job_id;
    const char *now = spec_now(job);
    if (!changes(job, item)) {
        return false;
    }
    struct instant mark = instant_before(at, job->high_water) ? job->high_water : at;
    for (size_t i = 0; i < job->force_count; i++) {
        struct instant to = job->forces[i].to;
        mark = !instant_is_none(to) && instant_before(mark, to) ? to : mark;
    }
    if (now != NULL) {
        force_close(job, mark);
    }
    if (item->spec != NULL) {
        force_open(job, item->spec, mark);
    }
    return true;
}

static bool is_locked_out(const struct model_store *store, const struct store_op_publish *op)
{
    for (size_t i = 0; i < op->item_count; i++) {
        const struct model_job *job = map_get(&store->jobs_by_name, op->items[i].name);
        if (job != NULL && job->holder != NULL && changes(job, &op->items[i])) {
            return true;
        }
    }
    return false;
}

enum store_result model_publish(struct model_store *store, struct store_op *base)
{
    struct store_op_publish *op = CONTAINER_OF(base, struct store_op_publish, op);
    if (!uuid_is_nil(op->node) && model_live_node(store, op->node) == 0) {
        return model_not_live(&base->err);
    }
    struct instant at = instant_from_ms(instant_ms(op->at));
    op->changed = false;
    op->outdated = op->version != store->active;
    if (!op->outdated && is_locked_out(store, op)) {
        base->locked_out = true;
        (void)error_set(&base->err, ERROR_STORE, "somebody else has a job in hand that changes");
        return STORE_UNAVAILABLE;
    }
    for (size_t i = 0; i < op->item_count; i++) {
        op->items[i].job_id = 0;
        op->changed |= !op->outdated && publish_item(store, &op->items[i], at);
    }
    if (op->changed) {
        const struct uuid nil = {{0}};
        model_audit_add(store, "CONFIG_PUBLISHED", NULL, nil, op->node, op->actor, op->detail);
    }
    return STORE_OK;
}

// ---- versions -----------------------------------------------------------------------------------

// The newest one.
static struct store_version *version_by_hash(struct model_store *store, const char *hash)
{
    for (size_t i = store->version_count; i > 0; i--) {
        if (strcmp(store->versions[i - 1].hash, hash) == 0) {
            return &store->versions[i - 1];
        }
    }
    return NULL;
}

static struct store_version *version_add(struct model_store *store,
                                         const struct store_op_version *op)
{
    ARRAY_RESERVE(store->versions, store->version_count, store->version_capacity);
    struct store_version *version = &store->versions[store->version_count++];
    *version = (struct store_version){.version = (int64_t)store->version_count,
                                      .hash = alloc_string(op->hash),
                                      .text = alloc_string(op->text),
                                      .actor = alloc_optional(op->actor),
                                      .published_at = store->now};
    return version;
}

static void activate(struct model_store *store, const struct store_op_version *op,
                     const struct store_version *version)
{
    const struct uuid nil = {{0}};
    char *detail = operation_version_detail(version->hash, version->version);
    store->active = version->version;
    store->changes++;
    model_audit_add(store, "VERSION_ACTIVATED", NULL, nil, op->node, op->actor, detail);
    free(detail);
}

enum store_result model_version(struct model_store *store, struct store_op *base)
{
    struct store_op_version *op = CONTAINER_OF(base, struct store_op_version, op);
    if (model_live_node(store, op->node) == 0) {
        return model_not_live(&base->err);
    }
    const struct store_version *version = version_by_hash(store, op->hash);
    op->activated = version == NULL || (op->always && version->version != store->active);
    if (op->activated) {
        activate(store, op, version_add(store, op));
    }
    op->version = store->active;
    return STORE_OK;
}

enum store_result model_definitions(struct model_store *store, struct store_op *base)
{
    struct store_op_definitions *op = CONTAINER_OF(base, struct store_op_definitions, op);
    struct arena *arena = &base->arena;
    int64_t wanted = op->wanted == 0 ? store->active : op->wanted;
    op->text = (struct store_version){.version = 0};
    if (wanted >= 1 && wanted <= (int64_t)store->version_count) {
        const struct store_version *found = &store->versions[wanted - 1];
        op->text = *found;
        op->text.hash = arena_string(arena, found->hash);
        op->text.text = arena_string(arena, found->text);
        op->text.actor = found->actor == NULL ? NULL : arena_string(arena, found->actor);
        op->text.active = wanted == store->active;
    }
    return STORE_OK;
}
