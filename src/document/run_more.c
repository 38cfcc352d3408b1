// SPDX-License-Identifier: MIT
#include "document/run_more.h"

#include <string.h>

#include "document/json.h"
#include "time/format.h"

#define MORE_MAX        ((size_t)64 * 1024 * 1024)
#define ATTEMPTS_MAX    128  // a slot has 101 at most
#define EVENTS_MAX      1000 // a run has two, and one for each that meddled with it
#define PIECE           5000 // rows of history looked at in one go
#define OUTPUT_STEP_MAX ((int64_t)1 << 40)

static bool is_over(const struct run_more *more)
{
    return more->clock != NULL && !mono_before(clock_mono(more->clock), more->until);
}

// ---- attempts -----------------------------------------------------------------------------------

static bool note_slot(void *context, const struct store_slot_row *row)
{
    *(struct store_slot_row *)context = *row;
    return false;
}

// Newest first: filled from the end.
static bool note_attempt(void *context, const struct store_run_row *row)
{
    struct run_more *more = context;
    bool of_slot = instant_equal(row->due_at, more->run->due_at) && row->trigger != TRIGGER_MANUAL;
    if (of_slot && more->attempt_count < ATTEMPTS_MAX) {
        struct store_run_row *kept = &more->attempts[ATTEMPTS_MAX - 1 - more->attempt_count++];
        *kept = *row;
        kept->job = more->run->job;
        kept->error = row->error != NULL ? arena_string(&more->arena, row->error) : NULL;
    }
    more->has_first = more->has_first || (of_slot && row->attempt <= 1);
    return !more->has_first;
}

static bool note_fence(void *context, const struct store_run_row *row)
{
    *(int64_t *)context = row->fence;
    return false;
}

// From the slot's last attempt back to its first, piece by piece: no more of the history is gone
// through.
static bool read_attempts(struct run_more *more, struct store *store, struct uuid last,
                          struct error *err)
{
    int64_t fence = more->run->fence;
    struct store_run_filter newest = {.run_id = last, .limit = 1};
    if (!store->ops->read_runs(store, &newest, note_fence, &fence, err)) {
        return false;
    }
    more->attempts = arena_alloc(&more->arena, ATTEMPTS_MAX, sizeof *more->attempts);
    struct store_run_filter piece = {.job = more->run->job, .fence_before = fence + 1};
    while (!more->has_first && piece.fence_before > 1) {
        if (is_over(more)) {
            more->is_cut = true;
            break;
        }
        piece.fence_from = piece.fence_before > PIECE ? piece.fence_before - PIECE : 1;
        if (!store->ops->read_runs(store, &piece, note_attempt, more, err)) {
            return false;
        }
        piece.fence_before = piece.fence_from;
    }
    more->attempts += ATTEMPTS_MAX - more->attempt_count;
    return true;
}

static bool read_slot(struct run_more *more, struct store *store, struct error *err)
{
    const struct store_run_row *run = more->run;
    struct store_slot_row row = {.job = NULL};
    struct store_slot_filter filter = {
        .job = run->job, .since = run->due_at, .until = instant_add(run->due_at, DURATION_MS(1))};
    if (run->trigger == TRIGGER_MANUAL) {
        return true;
    }
    if (!store->ops->read_slots(store, &filter, note_slot, &row, err)) {
        return false;
    }
    if (row.job == NULL) {
        return true;
    }
    more->slot.is_known = true;
    more->slot.outcome = row.outcome;
    more->slot.reason = row.reason;
    return read_attempts(more, store, row.run_id, err);
}

// ---- events -------------------------------------------------------------------------------------

static const char *copy(struct run_more *more, const char *text)
{
    return text != NULL ? arena_string(&more->arena, text) : NULL;
}

static void note_facts(struct run_more *more, const struct store_audit_row *row)
{
    bool is_end = strcmp(row->event, run_state_name(more->run->state)) == 0 &&
                  run_state_is_final(more->run->state);
    json_t *detail = is_end && row->detail != NULL ? json_loads(row->detail, 0, NULL) : NULL;
    if (json_is_object(detail)) {
        json_object_update(more->facts, detail);
    }
    json_decref(detail);
}

static bool note_event(void *context, const struct store_audit_row *row)
{
    struct run_more *more = context;
    if (!uuid_equal(row->run_id, more->run->run_id)) {
        return true;
    }
    if (more->event_count == EVENTS_MAX) {
        more->is_cut = true;
        return false;
    }
    note_facts(more, row);
    struct store_audit_row *kept = &more->events[more->event_count++];
    *kept = *row;
    kept->event = copy(more, row->event);
    kept->job = copy(more, row->job);
    kept->actor = copy(more, row->actor);
    kept->detail = copy(more, row->detail);
    return true;
}

// What is not sealed yet comes first, then the newest one that is.
struct newest {
    struct run_more *more;
    int64_t seq; // 0 = nothing is sealed
};

static bool note_newest(void *context, const struct store_audit_row *row)
{
    struct newest *newest = context;
    newest->seq = row->seq;
    return row->seq == 0 && note_event(newest->more, row);
}

static bool note_row(void *context, const struct store_audit_row *row)
{
    struct store_audit_row *found = context;
    found->seq = row->seq;
    found->at = row->at;
    return false;
}

// The first sealed row, up to `high`, that was written at `t` or later. By halves: each look is by
// key.
static bool first_since(struct store *store, struct instant t, int64_t high, int64_t *seq_out,
                        struct error *err)
{
    int64_t low = 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        struct store_audit_row row = {.seq = 0};
        struct store_audit_filter filter = {.seq_from = middle, .seq_before = high, .limit = 1};
        if (!store->ops->read_audit(store, &filter, note_row, &row, err)) {
            return false;
        }
        bool is_earlier = row.seq > 0 && instant_before(row.at, t);
        low = is_earlier ? row.seq + 1 : low;
        high = is_earlier ? high : middle;
    }
    *seq_out = low;
    return true;
}

static bool read_sealed(struct run_more *more, struct store *store, int64_t newest,
                        struct error *err)
{
    const struct store_run_row *run = more->run;
    bool is_early = instant_before(run->due_at, run->started_at);
    struct store_audit_filter filter = {
        .job = run->job,
        .since = instant_add(is_early ? run->due_at : run->started_at, DURATION_S(-60)),
        .until = instant_is_none(run->ended_at) ? INSTANT_NONE
                                                : instant_add(run->ended_at, DURATION_S(3600))};
    int64_t from = 1;
    int64_t to = newest + 1;
    if (more->clock != NULL && (!first_since(store, filter.since, newest + 1, &from, err) ||
                                (!instant_is_none(filter.until) &&
                                 !first_since(store, filter.until, newest + 1, &to, err)))) {
        return false;
    }
    for (; from < to; from += PIECE) {
        if (is_over(more)) {
            more->is_cut = true;
            return true;
        }
        filter.seq_from = from;
        filter.seq_before = to - from > PIECE ? from + PIECE : to;
        if (!store->ops->read_audit(store, &filter, note_event, more, err)) {
            return false;
        }
    }
    return true;
}

static void reverse(struct store_audit_row *rows, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct store_audit_row row = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = row;
    }
}

// The audit log has no index on run ids; the job and the time narrow it down enough.
static bool read_events(struct run_more *more, struct store *store, struct error *err)
{
    struct newest newest = {.more = more};
    struct store_audit_filter unsealed = {.newest_first = true};
    more->events = arena_alloc(&more->arena, EVENTS_MAX, sizeof *more->events);
    if (!store->ops->read_audit(store, &unsealed, note_newest, &newest, err)) {
        return false;
    }
    size_t latest = more->event_count; // these come last, oldest first
    if (!read_sealed(more, store, newest.seq, err)) {
        return false;
    }
    reverse(more->events + latest, more->event_count - latest);
    reverse(more->events, more->event_count);
    return true;
}

// ---- output -------------------------------------------------------------------------------------

static bool has_byte(const struct run_more *more, struct store *store, int64_t offset, bool *out,
                     struct error *err)
{
    char byte;
    size_t got = 0;
    bool read = store->ops->read_output(store, more->run->run_id, offset, &byte, 1, &got, err);
    *out = got > 0;
    return read;
}

// The port gives it by offset only: by steps that double, and then by halves.
static bool read_output_bytes(struct run_more *more, struct store *store, struct error *err)
{
    int64_t step = 1;
    bool has = true;
    while (has && step < OUTPUT_STEP_MAX) {
        if (!has_byte(more, store, step - 1, &has, err)) {
            return false;
        }
        step *= has ? 2 : 1;
    }
    for (step /= 2; step > 0; step /= 2) {
        if (!has_byte(more, store, more->output_bytes + step - 1, &has, err)) {
            return false;
        }
        more->output_bytes += has ? step : 0;
    }
    return true;
}

bool run_more_load(struct run_more *more, struct store *store, const struct store_run_row *run,
                   struct clock *clock, struct duration at_most, struct error *err)
{
    *more = (struct run_more){.run = run, .facts = json_object(), .clock = clock};
    more->until = clock != NULL ? mono_add(clock_mono(clock), at_most) : MONO_NEVER;
    arena_init(&more->arena, MORE_MAX);
    return read_slot(more, store, err) && read_events(more, store, err) &&
           read_output_bytes(more, store, err);
}

void run_more_release(struct run_more *more)
{
    arena_release(&more->arena);
    json_decref(more->facts);
    *more = (struct run_more){0};
}

// ---- what goes on -------------------------------------------------------------------------------

void run_more_next(const struct run_more *more, const struct zone *zone, struct buf *out)
{
    const struct store_run_row *run = more->run;
    char id[UUID_TEXT_SIZE];
    char due[FORMAT_TIME_SIZE];
    uuid_format(run->run_id, id);
    format_in_zone(run->due_at, zone, due);
    if (run->state == RUN_STARTED) {
        buf_printf(out, "ironcron runs output %s -f", id);
    } else if (run->trigger == TRIGGER_MANUAL) {
        buf_printf(out, "ironcron jobs show %s", run->job);
    } else {
        buf_printf(out, "ironcron why %s --at %s", run->job, due);
    }
}

static json_t *json_attempts(const struct run_more *more)
{
    json_t *attempts = json_array();
    for (size_t i = 0; i < more->attempt_count; i++) {
        json_array_append_new(attempts, json_run(&more->attempts[i], more->nodes));
    }
    return attempts;
}

static json_t *json_events(const struct run_more *more)
{
    json_t *events = json_array();
    for (size_t i = 0; i < more->event_count; i++) {
        json_array_append_new(events, json_audit(&more->events[i]));
    }
    return events;
}

json_t *json_run_in_full(const struct run_more *more, const struct zone *zone)
{
    AUTO(buf_release) struct buf next;
    buf_init(&next, 1024);
    run_more_next(more, zone, &next);
    const struct store_run_row *run = more->run;
    bool is_known = more->slot.is_known;
    const char *reason = is_known ? slot_reason_name(more->slot.reason) : "";
    json_t *document = json_run(run, more->nodes);
    json_object_set_new(
        document, "reason",
        json_text(run->failure != FAILURE_NONE ? run_failure_label(run->failure) : NULL));
    json_object_set_new(document, "output_bytes", json_integer(more->output_bytes));
    json_object_set_new(document, "events", json_events(more));
    json_object_set_new(document, "slot_outcome",
                        json_text(is_known ? slot_outcome_name(more->slot.outcome) : NULL));
    json_object_set_new(document, "slot_reason", json_text(*reason != '\0' ? reason : NULL));
    json_object_set(document, "facts", more->facts);
    json_object_set_new(document, "attempts", json_attempts(more));
    json_object_set_new(document, "complete", json_boolean(!more->is_cut));
    json_object_set_new(document, "next", json_text(buf_string(&next)));
    return document;
}
