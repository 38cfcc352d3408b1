// SPDX-License-Identifier: MIT
#include "serve/rewind.h"

#include <jansson.h>
#include <stdlib.h>

#include "serve/node_lock.h"
#include "serve/node_state.h"

static bool write_audit(struct store *store, const struct store_op_identity *now, const char *actor,
                        const struct error *why, struct error *err)
{
    json_t *facts = json_pack("{s:I, s:I, s:s, s:s, s:I}", "audit_seq", (json_int_t)now->sealed,
                              "database", (json_int_t)now->database, "reason", why->text, "system",
                              now->system, "timeline", (json_int_t)now->timeline);
    char *detail = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    struct store_op_audit audit = {
        .op = {.kind = STORE_AUDIT}, .event = "REWIND_ACCEPTED", .actor = actor, .detail = detail};
    bool done = store_call(store, &audit.op, err);
    if (done) {
        store_op_release(&audit.op);
    }
    json_decref(facts);
    free(detail);
    return done || error_wrap(err, "writing to the audit that it was accepted");
}

static bool accept_this(const struct config *config, struct store *store, const char *actor,
                        const struct store_op_identity *now, bool *news_out, struct error *err)
{
    struct error why = ERROR_INIT;
    *news_out = !node_state_check(config->store_path, now, &why);
    return !*news_out || (write_audit(store, now, actor, &why, err) &&
                          node_state_write(config->store_path, now, err));
}

bool rewind_accept(const struct config *config, struct store *store, const char *actor,
                   bool *news_out, struct error *err)
{
    struct node_lock_holder holder;
    if (config->store_url == NULL) {
        return error_set(err, ERROR_USAGE,
                         "the store is a file on this host, which is not remembered: there is "
                         "nothing to accept");
    }
    if (node_lock_is_held(config->store_path, &holder)) {
        return error_set(err, ERROR_REFUSED,
                         "a node of this host is at work on the store (process %d): stop it first",
                         holder.pid);
    }
    struct store_op_identity now = {.op = {.kind = STORE_IDENTITY},
                                    .asked = node_state_seen(config->store_path)};
    if (!store_call(store, &now.op, err)) {
        return error_wrap(err, "asking the store who it is");
    }
    bool done = accept_this(config, store, actor, &now, news_out, err);
    store_op_release(&now.op);
    return done;
}
