// SPDX-License-Identifier: MIT
// Which slot of which other job a slot waits or waited for.
#include <jansson.h>
#include <string.h>

#include "cli/why_rows.h"
#include "time/format.h"

// Of one day; a job with more slots a day than this is asked for its first ones.
#define UPSTREAM_SLOTS_MAX 5000

// ---- of a slot that was skipped: its audit row says it ------------------------------------------

static void read_detail(struct why_case *why, const char *detail)
{
    const char *job = NULL;
    const char *due = NULL;
    const char *outcome = NULL;
    struct error ignored = ERROR_INIT;
    json_t *json = detail != NULL ? json_loads(detail, 0, NULL) : NULL;
    struct why_facts *facts = &why->facts;
    if (json != NULL &&
        json_unpack(json, "{s:s, s:s, s:s}", "upstream", &job, "upstream_due_at", &due,
                    "upstream_outcome", &outcome) == 0 &&
        format_parse_time(due, facts->now, &facts->upstream_at, &ignored)) {
        facts->upstream = arena_string(&why->arena, job);
        facts->upstream_outcome = arena_string(&why->arena, outcome);
    }
    json_decref(json);
}

// ---- of one that waits: the slots are looked at, as the node does -------------------------------

// The first instant of the slot's date in its job's zone.
static struct instant date_begins(const struct why_facts *facts)
{
    const struct zone *zone = facts->job->schedule.zone;
    struct civil civil = zone_civil(zone, instant_unix(facts->at));
    civil.hour = civil.minute = civil.second = 0;
    return instant_from_unix(zone_from_local(zone, &civil).first);
}

static bool note_slot(void *context, const struct store_slot_row *row)
{
    *(struct store_slot_row *)context = *row;
    return false;
}

// Sets the facts when a slot of this job stands in the way.
static bool look_at_upstream(struct why_case *why, struct store *store, const struct job *job,
                             struct error *err)
{
    struct why_facts *facts = &why->facts;
    struct instant due =
        schedule_next(&job->schedule, instant_add(date_begins(facts), DURATION_US(-1)));
    for (int i = 0;
         i < UPSTREAM_SLOTS_MAX && !instant_is_none(due) && !instant_before(facts->at, due);
         i++, due = schedule_next(&job->schedule, due)) {
        struct store_slot_row row = {.job = NULL};
        struct store_slot_filter filter = {
            .job = job->name, .since = due, .until = instant_add(due, DURATION_MS(1))};
        if (!store->ops->read_slots(store, &filter, note_slot, &row, err)) {
            return false;
        }
        if (row.job != NULL && row.outcome == SLOT_SUCCESS) {
            continue;
        }
        const char *outcome = row.job != NULL ? slot_outcome_name(row.outcome) : "not decided";
        facts->upstream = job->name;
        facts->upstream_at = due;
        facts->upstream_outcome = outcome != NULL ? outcome : "open";
        return true;
    }
    return true;
}

bool why_rows_after(struct why_case *why, const struct session *session, struct error *err)
{
    struct why_facts *facts = &why->facts;
    facts->upstream_at = INSTANT_NONE;
    if (!facts->has_row || facts->reason != REASON_AFTER) {
        return true;
    }
    if (facts->outcome != SLOT_OPEN) {
        for (size_t i = 0; i < why->event_count; i++) {
            read_detail(why, why->events[i].detail);
        }
        return true;
    }
    const char *const *names = facts->job != NULL ? facts->job->after : NULL;
    for (; names != NULL && *names != NULL && facts->upstream == NULL; names++) {
        const struct job *job = config_job(session->config, *names);
        if (job != NULL && !look_at_upstream(why, session->store, job, err)) {
            return false;
        }
    }
    return true;
}
