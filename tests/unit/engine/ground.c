// SPDX-License-Identifier: MIT
#include "ground.h"

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "time/format.h"

struct instant ground_time(const char *text)
{
    struct instant t;
    struct error err = ERROR_INIT;
    if (!format_parse_time(text, instant_from_unix(0), &t, &err)) {
        fail_msg("%s", err.text);
    }
    return t;
}

void ground_random(uint64_t *state, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
        at[i] = (uint8_t)(*state >> 56);
    }
}

void ground_job(struct job *job, const char *name, const char *schedule, struct zone_cache *zones)
{
    static const struct job_retries no_retries;
    static const struct job_command no_command;
    const struct zone *zone;
    struct error err = ERROR_INIT;
    *job = (struct job){.name = name,
                        .schedule_text = schedule,
                        .timezone = "UTC",
                        .kill_after = DURATION_S(10),
                        .missed_within = DURATION_S(86400),
                        .retries = &no_retries,
                        .command = &no_command,
                        .missed = JOB_MISSED_LAST};
    assert_true(zone_cache_get(zones, "UTC", &zone, &err));
    if (!schedule_parse(schedule, zone, SCHEDULE_DST_RUN, name, &job->schedule, &err)) {
        fail_msg("%s", err.text);
    }
}

static bool found_slot(void *context, const struct store_slot_row *row)
{
    const char *outcome = slot_outcome_name(row->outcome);
    snprintf(context, 64, "%s%s%s", outcome == NULL ? "open" : outcome,
             row->reason == REASON_NONE ? "" : " ", slot_reason_name(row->reason));
    return true;
}

const char *ground_outcome(struct store *store, const char *job, const char *due)
{
    static char text[64];
    struct error err = ERROR_INIT;
    struct instant due_at = ground_time(due);
    struct store_slot_filter filter = {
        .job = job, .since = due_at, .until = instant_add(due_at, DURATION_MS(1))};
    text[0] = '\0';
    if (!store->ops->read_slots(store, &filter, found_slot, text, &err)) {
        fail_msg("%s", err.text);
    }
    return text;
}

const char *ground_answer(struct store *store, struct uuid intent)
{
    static const char *const states[] = {"PENDING", "DONE", "REFUSED"};
    static char text[1024];
    struct store_intent found;
    struct arena arena;
    struct error err = ERROR_INIT;
    arena_init(&arena, (size_t)1 << 20);
    if (!store->ops->read_intent(store, intent, &arena, &found, &err)) {
        fail_msg("%s", err.text);
    }
    snprintf(text, sizeof text, "%s %s", states[found.state],
             found.answer == NULL ? "" : found.answer);
    arena_release(&arena);
    return text;
}
