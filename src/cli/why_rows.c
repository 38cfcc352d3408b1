// SPDX-License-Identifier: MIT
// Slot, runs, events: what became of the slot.
#include "cli/why_rows.h"

#include <stdio.h>
#include <string.h>

#include "time/format.h"

static const char *copy(struct why_case *why, const char *text)
{
    return text != NULL ? arena_string(&why->arena, text) : NULL;
}

// ---- the job's mark -----------------------------------------------------------------------------

static bool note_mark(void *context, const struct store_job *row)
{
    struct why_case *why = context;
    if (strcmp(row->name, why->facts.name) != 0) {
        return true;
    }
    why->facts.high_water = row->high_water;
    return false;
}

bool why_rows_mark(struct why_case *why, struct store *store, struct error *err)
{
    return store->ops->read_jobs(store, NULL, note_mark, why, err);
}

// ---- the slot -----------------------------------------------------------------------------------

static bool note_slot(void *context, const struct store_slot_row *row)
{
    struct why_case *why = context;
    why->row = *row;
    why->row.job = why->facts.name;
    why->facts.has_row = true;
    return false;
}

// A time is asked for in seconds; a boot's slot has milliseconds.
bool why_rows_slot(struct why_case *why, struct store *store, struct error *err)
{
    struct why_facts *facts = &why->facts;
    struct instant until = instant_add(facts->at, DURATION_S(1));
    struct store_slot_filter filter = {.job = facts->name, .since = facts->at, .until = until};
    if (!store->ops->read_slots(store, &filter, note_slot, why, err)) {
        return false;
    }
    bool is_exact = facts->has_row && instant_equal(why->row.due_at, facts->at);
    if (!is_exact && !(facts->has_row && facts->is_reboot)) {
        facts->has_row = false;
        return true;
    }
    facts->at = why->row.due_at;
    facts->is_slot = true;
    facts->outcome = why->row.outcome;
    facts->reason = why->row.reason;
    return true;
}

// ---- its runs -----------------------------------------------------------------------------------

static void keep_run(struct why_case *why, struct store_run_row *out,
                     const struct store_run_row *row)
{
    *out = *row;
    out->job = copy(why, row->job);
    out->error = copy(why, row->error);
}

// Newest first: filled from the end.
static bool note_attempt(void *context, const struct store_run_row *row)
{
    struct why_case *why = context;
    bool of_slot = instant_equal(row->due_at, why->facts.at) && row->trigger != TRIGGER_MANUAL;
    if (of_slot && why->attempt_count < WHY_ATTEMPTS_MAX) {
        why->attempt_count++;
        keep_run(why, &why->attempts[WHY_ATTEMPTS_MAX - why->attempt_count], row);
    }
    return !of_slot || row->attempt > 1;
}

static bool note_run(void *context, const struct store_run_row *row)
{
    struct why_case *why = context;
    why->attempt_count = 1;
    keep_run(why, &why->attempts[WHY_ATTEMPTS_MAX - 1], row);
    return false;
}

bool why_rows_runs(struct why_case *why, struct store *store, struct error *err)
{
    struct why_facts *facts = &why->facts;
    if (!facts->has_row || uuid_is_nil(why->row.run_id)) {
        return true;
    }
    why->attempts = arena_alloc(&why->arena, WHY_ATTEMPTS_MAX, sizeof *why->attempts);
    struct store_run_filter last = {
        .run_id = why->row.run_id, .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1};
    if (!store->ops->read_runs(store, &last, note_run, why, err)) {
        return false;
    }
    struct store_run_row *run = &why->attempts[WHY_ATTEMPTS_MAX - 1];
    if (why->attempt_count == 1 && run->attempt > 1) {
        struct store_run_filter all = {.job = facts->name,
                                       .since = INSTANT_NONE,
                                       .until = instant_add(run->started_at, DURATION_MS(1))};
        why->attempt_count = 0;
        if (!store->ops->read_runs(store, &all, note_attempt, why, err)) {
            return false;
        }
    }
    facts->run = why->attempt_count > 0 ? run : NULL;
    why->attempts += WHY_ATTEMPTS_MAX - why->attempt_count;
    return true;
}

// ---- its audit rows -----------------------------------------------------------------------------

struct event_search {
    struct why_case *why;
    char due[64];
};

static bool is_of_slot(const struct event_search *search, const struct store_audit_row *row)
{
    const struct why_case *why = search->why;
    for (size_t i = 0; i < why->attempt_count; i++) {
        if (uuid_equal(why->attempts[i].run_id, row->run_id)) {
            return true;
        }
    }
    return uuid_is_nil(row->run_id) && row->detail != NULL &&
           strstr(row->detail, search->due) != NULL;
}

static bool note_event(void *context, const struct store_audit_row *row)
{
    struct event_search *search = context;
    struct why_case *why = search->why;
    if (!is_of_slot(search, row)) {
        return true;
    }
    struct store_audit_row *event = &why->events[why->event_count++];
    *event = *row;
    event->event = copy(why, row->event);
    event->job = copy(why, row->job);
    event->actor = copy(why, row->actor);
    event->detail = copy(why, row->detail);
    // A slot that was passed over has one row only.
    return why->event_count < WHY_EVENTS_MAX && !uuid_is_nil(row->run_id);
}

static bool has_end(const struct why_case *why)
{
    for (size_t i = 0; i < why->event_count; i++) {
        enum run_state state;
        if (uuid_equal(why->events[i].run_id, why->facts.run->run_id) &&
            run_state_parse(why->events[i].event, &state) && run_state_is_final(state)) {
            return true;
        }
    }
    return false;
}

// What ended while the store was away was recorded when it was back.
static bool read_late_events(struct event_search *search, struct store *store,
                             struct store_audit_filter filter, struct error *err)
{
    if (instant_is_none(filter.until) || has_end(search->why) ||
        search->why->event_count == WHY_EVENTS_MAX) {
        return true;
    }
    filter.since = filter.until;
    filter.until = instant_add(filter.since, DURATION_S(86400));
    return store->ops->read_audit(store, &filter, note_event, search, err);
}

bool why_rows_events(struct why_case *why, struct store *store, struct error *err)
{
    struct why_facts *facts = &why->facts;
    if (!facts->has_row) {
        return true;
    }
    why->events = arena_alloc(&why->arena, WHY_EVENTS_MAX, sizeof *why->events);
    struct event_search search = {.why = why};
    char due[FORMAT_TIME_SIZE];
    format_utc_ms(facts->at, due);
    snprintf(search.due, sizeof search.due, "\"due_at\":\"%s\"", due);
    struct store_audit_filter filter = {.job = facts->name,
                                        .since = instant_add(facts->at, DURATION_S(-60)),
                                        .until = INSTANT_NONE};
    bool is_over = facts->outcome != SLOT_OPEN && facts->reason == REASON_NONE;
    if (facts->run != NULL && is_over && !instant_is_none(facts->run->ended_at)) {
        filter.until = instant_add(facts->run->ended_at, DURATION_S(60));
    }
    return store->ops->read_audit(store, &filter, note_event, &search, err) &&
           read_late_events(&search, store, filter, err);
}

// ---- output, and trouble before -----------------------------------------------------------------

bool why_rows_output(struct why_case *why, struct store *store, struct error *err)
{
    char piece[16384];
    size_t length = 0;
    const struct store_run_row *run = why->facts.run;
    if (run == NULL || run->state != RUN_STARTED) {
        return true;
    }
    do {
        if (!store->ops->read_output(store, run->run_id, why->facts.output_bytes, piece,
                                     sizeof piece, &length, err)) {
            return false;
        }
        why->facts.output_bytes += (int64_t)length;
    } while (length > 0);
    return true;
}

static bool note_trouble(void *context, const struct store_slot_row *row)
{
    struct why_case *why = context;
    if (row->outcome != SLOT_SUCCESS) {
        why->trouble_at = row->due_at;
        why->trouble = row->outcome;
    }
    return true;
}

bool why_rows_trouble(struct why_case *why, struct store *store, struct instant since,
                      struct error *err)
{
    struct store_slot_filter filter = {
        .job = why->facts.name, .since = since, .until = why->facts.at};
    return store->ops->read_slots(store, &filter, note_trouble, why, err);
}
