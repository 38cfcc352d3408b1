// SPDX-License-Identifier: MIT
#include "cli/intent.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "cli/live.h"
#include "document/json.h"

#define LOOK_EVERY_MS 100

void intent_pause(void)
{
    poll(NULL, 0, LOOK_EVERY_MS);
}

static void add_text(json_t *body, const char *key, const char *text_or_null)
{
    if (text_or_null != NULL) {
        json_object_set_new(body, key, json_text(text_or_null));
    }
}

static void add_id(json_t *body, const char *key, struct uuid id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    add_text(body, key, uuid_is_nil(id) ? NULL : text);
}

static void add_range(json_t *body, const json_t *params)
{
    static const char *const texts[] = {"from", "to"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        json_object_set(body, texts[i], json_object_get(params, texts[i]));
    }
    const char *parallel = json_string_value(json_object_get(params, "max_parallel"));
    if (parallel != NULL) {
        json_object_set_new(body, "max_parallel", json_integer(strtol(parallel, NULL, 10)));
    }
    if (json_object_get(params, "force") != NULL) {
        json_object_set_new(body, "force", json_true());
    }
}

// What the way of the request already says is not in its body.
static json_t *body_of(const struct store_intent *intent)
{
    json_t *params = intent->params == NULL ? NULL : json_loads(intent->params, 0, NULL);
    json_t *body = json_object();
    if (intent->kind == INTENT_BACKFILL) {
        add_range(body, params);
    } else if (intent->kind == INTENT_RUN && params != NULL) {
        json_object_set(body, "params", params);
    }
    json_decref(params);
    add_id(body, "intent_id", intent->intent_id);
    add_text(body, "as", intent->as);
    add_text(body, "reason", intent->reason);
    if (intent->dry_run) {
        json_object_set_new(body, "dry_run", json_true());
    }
    return body;
}

static void node_path(const struct store_intent *intent, char *out, size_t size)
{
    json_t *params = json_loads(intent->params, 0, NULL);
    snprintf(out, size, "nodes/%s/%s", json_string_value(json_object_get(params, "node")),
             store_intent_name(intent->kind));
    json_decref(params);
}

static void path_of(const struct store_intent *intent, char *out, size_t size)
{
    char run[UUID_TEXT_SIZE];
    uuid_format(intent->run_id, run);
    switch (intent->kind) {
    case INTENT_RUN:
        snprintf(out, size, "jobs/%s/run", intent->job);
        return;
    case INTENT_BACKFILL:
        snprintf(out, size, "jobs/%s/backfill", intent->job);
        return;
    case INTENT_CANCEL:
        snprintf(out, size, intent->job != NULL ? "jobs/%s/cancel" : "runs/%s/cancel",
                 intent->job != NULL ? intent->job : run);
        return;
    case INTENT_RETRY:
        snprintf(out, size, "runs/%s/retry", run);
        return;
    case INTENT_DRAIN:
    case INTENT_RESUME:
        node_path(intent, out, size);
        return;
    default:
        snprintf(out, size, "reload");
        return;
    }
}

static bool put_into_store(const struct session *session, const struct store_intent *intent,
                           struct error *err)
{
    struct store_op_intent_put put = {.op.kind = STORE_INTENT_PUT, .intent = *intent};
    if (intent->kind == INTENT_RETRY) {
        put.intent.run_id = (struct uuid){{0}}; // there it is the answer: the new attempt
    }
    if (!store_call(session->store, &put.op, err)) {
        return false;
    }
    store_op_release(&put.op);
    return true;
}

bool intent_put(const struct session *session, const struct invocation *invocation,
                struct store_intent *intent, struct error *err)
{
    intent->intent_id = session_new_id(session);
    intent->actor = session->actor;
    intent->as = invocation_text(invocation, "as");
    intent->reason = invocation_text(invocation, "reason");
    intent->created_at = clock_now(session->clock);
    char path[256];
    path_of(intent, path, sizeof path);
    json_t *answer = NULL;
    enum live_answer live = live_post(session, path, body_of(intent), &answer, err);
    json_decref(answer);
    return live == LIVE_DONE || (live == LIVE_ABSENT && put_into_store(session, intent, err));
}

static bool node_is_gone(struct session *session)
{
    session_look_for_node(session);
    return !session->has_node;
}

bool intent_wait(struct session *session, struct uuid intent_id, struct duration patience,
                 struct arena *arena, struct store_intent *intent_out, struct error *err)
{
    struct mono deadline = mono_add(clock_mono(session->clock), patience);
    while (true) {
        // Asked before the store is read: what a node did before it went is seen.
        bool is_gone = node_is_gone(session);
        if (!session->store->ops->read_intent(session->store, intent_id, arena, intent_out, err)) {
            return false;
        }
        if (intent_out->state != INTENT_PENDING) {
            return true;
        }
        if (is_gone) {
            return error_set(err, ERROR_REFUSED,
                             "the node stopped before it got to this; the next one will carry it "
                             "out. See: ironcron nodes");
        }
        if (!mono_before(clock_mono(session->clock), deadline)) {
            return error_set(err, ERROR_UNAVAILABLE,
                             "the node has not answered yet; it will when it can. See: ironcron "
                             "doctor");
        }
        intent_pause();
    }
}

void intent_withdraw(struct session *session, struct uuid intent_id, const struct error *why)
{
    struct error ignored = ERROR_INIT;
    struct store_op_intent_end end = {.op.kind = STORE_INTENT_END,
                                      .intent_id = intent_id,
                                      .state = INTENT_REFUSED,
                                      .answer = why->text};
    if (session_write(session, &ignored) && store_call(session->store, &end.op, &ignored)) {
        store_op_release(&end.op);
    }
}
