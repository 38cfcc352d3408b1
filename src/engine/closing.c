// SPDX-License-Identifier: MIT
// The last slots of a schedule that goes out of force: everything that it demanded up to that
// instant is decided, so that the ledger has no gap at the border.
#include "engine/engine_private.h"

#include <jansson.h>
#include <string.h>

static bool closing_flush(struct closing *closing, struct error *err)
{
    if (closing->count == 0) {
        return true;
    }
    struct store_op_decide decide = {.op = {.kind = STORE_DECIDE},
                                     .node = closing->engine->options.node,
                                     .version = closing->version,
                                     .slots = closing->slots,
                                     .slot_count = closing->count};
    closing->count = 0;
    bool done = store_call(closing->engine->options.store, &decide.op, err);
    if (done) {
        store_op_release(&decide.op);
    }
    return done;
}

// What other nodes were about to start when the definitions changed was not missed.
static bool was_changed(const struct closing *closing, struct instant due, struct instant until)
{
    return closing->decision == DECIDE_MISS && closing->reason == REASON_DOWNTIME &&
           engine_member_count(closing->engine) > 1 &&
           instant_since(until, due).us <= LATE_LIMIT.us;
}

static bool closing_add(struct closing *closing, struct instant due, struct instant until,
                        struct error *err)
{
    bool paused = pauses_cover(&closing->engine->pauses, closing->job, due);
    bool changed = was_changed(closing, due, until);
    closing->slots[closing->count++] =
        (struct store_slot){.job_id = closing->job_id,
                            .due_at = due,
                            .attempt = 1,
                            .decision = paused || changed ? DECIDE_SKIP : closing->decision,
                            .reason = paused    ? REASON_PAUSED
                                      : changed ? REASON_CHANGED
                                                : closing->reason,
                            .trigger = TRIGGER_SCHEDULE};
    return closing->count < STORE_BATCH_MAX || closing_flush(closing, err);
}

bool closing_run(struct closing *closing, const struct schedule *schedule, struct instant after,
                 struct instant until, struct error *err)
{
    if (schedule->kind == SCHEDULE_REBOOT) {
        return true;
    }
    for (struct instant t = schedule_next(schedule, after);
         !instant_is_none(t) && !instant_before(until, t); t = schedule_next(schedule, t)) {
        if (!closing_add(closing, t, until, err)) {
            return false;
        }
    }
    return closing_flush(closing, err);
}

// Reads a schedule that was recorded as in force. One that this machine can't read any more (its
// zone is gone) is left as it is: `audit verify` will name it.
bool closing_read_spec(const char *spec, const char *name, struct zone_cache *zones,
                       struct schedule *schedule_out)
{
    const char *text;
    const char *zone_text;
    const char *dst;
    struct error ignored = ERROR_INIT;
    const struct zone *zone;
    json_t *json = json_loads(spec, 0, NULL);
    bool read =
        json != NULL &&
        json_unpack(json, "{s:s, s:s, s:s}", "schedule", &text, "timezone", &zone_text, "dst",
                    &dst) == 0 &&
        zone_cache_get(zones, zone_text, &zone, &ignored) &&
        schedule_parse(text, zone, strcmp(dst, "skip") == 0 ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN,
                       name, schedule_out, &ignored);
    json_decref(json);
    return read;
}
