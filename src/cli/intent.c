// SPDX-License-Identifier: MIT
#include "cli/intent.h"

#include <poll.h>
#include <stddef.h>

#define LOOK_EVERY_MS 100

void intent_pause(void)
{
    poll(NULL, 0, LOOK_EVERY_MS);
}

bool intent_put(const struct session *session, const struct invocation *invocation,
                struct store_intent *intent, struct error *err)
{
    intent->intent_id = session_new_id(session);
    intent->actor = session->actor;
    intent->as = invocation_text(invocation, "as");
    intent->reason = invocation_text(invocation, "reason");
    intent->created_at = clock_now(session->clock);
    struct store_op_intent_put put = {.op.kind = STORE_INTENT_PUT, .intent = *intent};
    if (!store_call(session->store, &put.op, err)) {
        return false;
    }
    store_op_release(&put.op);
    return true;
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
                             "status");
        }
        intent_pause();
    }
}
