// SPDX-License-Identifier: MIT
// The last slots of a schedule that goes out of force: everything that it demanded up to that
// instant is decided, so that the ledger has no gap at the border.
#include "engine/engine_private.h"

#include <jansson.h>
#include <string.h>

// What other nodes were about to start when the definitions changed was not missed.
static bool was_changed(const struct closing *closing, struct instant due)
{
    return closing->decision == DECIDE_MISS && closing->reason == REASON_DOWNTIME &&
           engine_member_count(closing->engine) > 1 &&
           instant_since(closing->until, due).us <= LATE_LIMIT.us;
}

static void add(struct closing *closing, struct instant due)
{
    bool paused = pauses_cover(&closing->engine->pauses, closing->job, due);
    bool changed = was_changed(closing, due);
    closing->decide.slots[closing->decide.slot_count++] =
        (struct store_slot){.job_id = closing->job_id,
                            .due_at = due,
                            .attempt = 1,
                            .decision = paused || changed ? DECIDE_SKIP : closing->decision,
                            .reason = paused    ? REASON_PAUSED
                                      : changed ? REASON_CHANGED
                                                : closing->reason,
                            .trigger = TRIGGER_SCHEDULE,
                            .in_force_at = closing->since};
}

bool closing_add(struct closing *closing)
{
    const struct schedule *schedule = &closing->schedule;
    if (schedule->kind == SCHEDULE_REBOOT) {
        return true;
    }
    struct instant due = schedule_next(schedule, closing->after);
    while (!instant_is_none(due) && !instant_before(closing->until, due)) {
        if (closing->decide.slot_count == STORE_BATCH_MAX) {
            return false;
        }
        add(closing, due);
        closing->after = due;
        due = schedule_next(schedule, due);
    }
    return true;
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
