// SPDX-License-Identifier: MIT
#include "document/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "store/chain.h"
#include "time/format.h"

json_t *json_text(const char *text)
{
    if (text == NULL) {
        return json_null();
    }
    json_t *value = json_string(text);
    if (value == NULL) {
        char *clean = alloc_zero(strlen(text) + 1, 1);
        utf8_sanitise(text, strlen(text), clean);
        value = json_string(clean);
        free(clean);
    }
    return value;
}

json_t *json_time(struct instant t)
{
    if (instant_is_none(t)) {
        return json_null();
    }
    char text[FORMAT_TIME_SIZE];
    format_utc_ms(t, text);
    return json_string(text);
}

json_t *json_uuid(struct uuid id)
{
    if (uuid_is_nil(id)) {
        return json_null();
    }
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    return json_string(text);
}

json_t *json_duration(struct duration d)
{
    return json_integer(duration_ms(d));
}

json_t *json_run(const struct store_run_row *row, const struct cut_off *nodes)
{
    bool ended = !instant_is_none(row->ended_at);
    return json_pack("{s:o, s:o, s:o, s:i, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:b}",
                     "run_id", json_uuid(row->run_id), "job", json_text(row->job), "due_at",
                     json_time(row->due_at), "attempt", row->attempt, "trigger",
                     run_trigger_name(row->trigger), "state", run_state_name(row->state), "node",
                     json_uuid(row->node), "fence", (json_int_t)row->fence, "started_at",
                     json_time(row->started_at), "ended_at", json_time(row->ended_at),
                     "duration_ms", ended ? json_duration(row->duration) : json_null(), "exit_code",
                     row->has_exit_code ? json_integer(row->exit_code) : json_null(), "error",
                     json_text(row->error), "cut_off", (int)cut_off_is(nodes, row));
}

json_t *json_slot(const struct store_slot_row *row)
{
    const char *reason = slot_reason_name(row->reason);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "job", json_text(row->job), "due_at", json_time(row->due_at),
        "outcome", json_text(row->outcome == SLOT_OPEN ? NULL : slot_outcome_name(row->outcome)),
        "run_id", json_uuid(row->run_id), "reason", json_text(reason[0] == '\0' ? NULL : reason));
}

// The detail stays the text that is hashed: an object would lose its exact bytes.
json_t *json_audit(const struct store_audit_row *row)
{
    char prev_hash[CHAIN_HEX_SIZE];
    char hash[CHAIN_HEX_SIZE];
    chain_hex(row->prev_hash, prev_hash);
    chain_hex(row->hash, hash);
    bool sealed = row->seq > 0;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "seq",
                     sealed ? json_integer(row->seq) : json_null(), "at", json_time(row->at),
                     "event", json_text(row->event), "job", json_text(row->job), "run_id",
                     json_uuid(row->run_id), "node", json_uuid(row->node), "actor",
                     json_text(row->actor), "detail", json_text(row->detail), "prev_hash",
                     json_text(sealed ? prev_hash : NULL), "hash", json_text(sealed ? hash : NULL));
}

json_t *json_control(const struct store_control_row *row)
{
    return json_pack("{s:s, s:o, s:i, s:o, s:o, s:o, s:o}", "control",
                     store_control_name(row->kind), "job", json_text(row->job), "value", row->value,
                     "from", json_time(row->from), "to", json_time(row->to), "actor",
                     json_text(row->actor), "reason", json_text(row->reason));
}

json_t *json_intent(const struct store_intent *intent)
{
    static const char *const states[] = {
        [INTENT_PENDING] = "pending", [INTENT_DONE] = "done", [INTENT_REFUSED] = "refused"};
    return json_pack("{s:o, s:s, s:o, s:o, s:s, s:o}", "intent_id", json_uuid(intent->intent_id),
                     "intent", store_intent_name(intent->kind), "job", json_text(intent->job),
                     "run_id", json_uuid(intent->run_id), "state", states[intent->state], "answer",
                     json_text(intent->answer));
}

json_t *json_version(int64_t version)
{
    return version > 0 ? json_integer((json_int_t)version) : json_null();
}

json_t *json_node_row(const struct store_node_row *row, const char *state)
{
    json_t *labels = row->labels == NULL ? NULL : json_loads(row->labels, 0, NULL);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o}",
        "node", json_uuid(row->node), "host", json_text(row->host), "version",
        json_text(row->version), "started_at", json_time(row->started_at), "last_seen",
        json_time(row->last_seen), "state", state, "running", row->running, "max_running",
        row->max_running > 0 ? json_integer(row->max_running) : json_null(), "dry_run",
        (int)row->dry_run, "draining", (int)row->draining, "labels",
        labels == NULL ? json_null() : labels, "valid_until", json_time(row->valid_until),
        "draining_since", json_time(row->draining_since), "draining_by",
        json_text(row->draining_by), "draining_as", json_text(row->draining_as), "draining_reason",
        json_text(row->draining_reason), "definitions", json_version(row->definitions), "refused",
        json_text(row->refused));
}
