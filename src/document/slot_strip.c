// SPDX-License-Identifier: MIT
#include "document/slot_strip.h"

#include <stdlib.h>
#include <string.h>

#include "document/json.h"
#include "document/recorded.h"

#define STRIP_MAX  ((size_t)64 * 1024 * 1024)
#define LOOK_BACK  ((int64_t)20 * 366 * 86400) // a schedule of leap years is still found
#define RUNS_SHOWN 10
#define FORCE_MAX  64 // schedules that a job had, the newest ones

// The schedules that were in force, the newest last.
struct periods {
    struct arena *arena;
    const char *specs[FORCE_MAX];
    struct instant from[FORCE_MAX], to[FORCE_MAX];
    size_t count;
};

static bool note_period(void *context, const struct store_force_row *row)
{
    struct periods *periods = context;
    if (periods->count == FORCE_MAX) {
        periods->count--;
        memmove(periods->specs, periods->specs + 1, periods->count * sizeof *periods->specs);
        memmove(periods->from, periods->from + 1, periods->count * sizeof *periods->from);
        memmove(periods->to, periods->to + 1, periods->count * sizeof *periods->to);
    }
    size_t i = periods->count++;
    periods->specs[i] = arena_string(periods->arena, row->spec);
    periods->from[i] = row->from;
    periods->to[i] = row->to;
    return true;
}

// ---- due times ----------------------------------------------------------------------------------

// A ring of the newest due times, newest first from `newest` on backwards.
struct dues {
    struct instant list[SLOT_STRIP_MAX]; // newest first
    size_t count;
};

// The last slots after `floor` and up to `until`, at most `wanted`, newest first. Looked for from
// ever further back on, so that not many are gone through in vain.
static size_t last_slots(const struct schedule *schedule, struct instant floor,
                         struct instant until, size_t wanted, struct instant *out)
{
    struct instant ring[SLOT_STRIP_MAX];
    for (int64_t back = 60;; back *= 4) {
        struct instant from = instant_add(until, DURATION_S(-back));
        bool whole = back > LOOK_BACK || instant_before(from, floor);
        size_t seen = 0;
        struct instant t = schedule_next(schedule, whole ? floor : from);
        while (!instant_is_none(t) && !instant_before(until, t)) {
            ring[seen++ % wanted] = t;
            t = schedule_next(schedule, t);
        }
        if (seen >= wanted || whole) {
            size_t count = seen < wanted ? seen : wanted;
            for (size_t i = 0; i < count; i++) {
                out[i] = ring[(seen - 1 - i) % wanted];
            }
            return count;
        }
    }
}

static bool add_period(struct dues *dues, const struct periods *periods, size_t i,
                       const struct job_view *view, struct zone_cache *zones, struct instant now,
                       struct error *err)
{
    struct schedule schedule;
    if (!recorded_schedule(periods->specs[i], view->job->name, zones, &schedule, err)) {
        return false;
    }
    struct instant until = periods->to[i];
    until = instant_is_none(until) || instant_before(now, until) ? now : until;
    if (schedule.kind == SCHEDULE_REBOOT) {
        // Only a boot, or its publishing, moves the mark of such a job.
        if (dues->count == 0 && !instant_is_none(view->high_water)) {
            dues->list[dues->count++] = view->high_water;
        }
        return true;
    }
    struct instant floor = instant_add(until, DURATION_S(-LOOK_BACK));
    floor = instant_before(floor, periods->from[i]) ? periods->from[i] : floor;
    dues->count +=
        last_slots(&schedule, floor, until, SLOT_STRIP_MAX - dues->count, dues->list + dues->count);
    return true;
}

// ---- rows ---------------------------------------------------------------------------------------

static bool note_slot(void *context, const struct store_slot_row *row)
{
    *(struct store_slot_row *)context = *row;
    return false;
}

static enum slot_mark_kind kind_of(const struct slot_mark *mark, const struct job_view *view)
{
    static const enum slot_mark_kind kinds[SLOT_OUTCOME_COUNT] = {
        [SLOT_SUCCESS] = MARK_SUCCESS,     [SLOT_FAILED] = MARK_FAILED,
        [SLOT_TIMED_OUT] = MARK_TIMED_OUT, [SLOT_LOST] = MARK_LOST,
        [SLOT_CANCELLED] = MARK_CANCELLED, [SLOT_DRY_RUN] = MARK_DRY_RUN,
        [SLOT_SKIPPED] = MARK_SKIPPED,     [SLOT_MISSED] = MARK_MISSED,
    };
    if (!mark->has_row) {
        return instant_before(view->high_water, mark->due_at) ? MARK_UNDECIDED : MARK_UNKNOWN;
    }
    if (mark->outcome != SLOT_OPEN) {
        return kinds[mark->outcome];
    }
    return mark->run != NULL && mark->run->state == RUN_STARTED ? MARK_RUNNING : MARK_WAITING;
}

static bool read_mark(struct slot_strip *strip, struct slot_mark *mark, struct store *store,
                      const struct job_view *view, struct error *err)
{
    struct store_slot_row row = {.job = NULL};
    struct store_slot_filter filter = {.job = view->job->name,
                                       .since = mark->due_at,
                                       .until = instant_add(mark->due_at, DURATION_MS(1))};
    if (!store->ops->read_slots(store, &filter, note_slot, &row, err)) {
        return false;
    }
    mark->has_row = row.job != NULL;
    mark->outcome = row.outcome;
    mark->reason = row.reason;
    if (mark->has_row && !uuid_is_nil(row.run_id)) {
        struct run_kept *kept = arena_alloc(&strip->arena, 1, sizeof *kept);
        if (!run_kept_read(kept, store, row.run_id, err)) {
            return false;
        }
        mark->run = kept->is_there ? &kept->row : NULL;
    }
    mark->kind = kind_of(mark, view);
    return true;
}

// The newest first, since that is what is wanted when the time does not do.
static bool read_marks(struct slot_strip *strip, const struct dues *dues, struct store *store,
                       const struct job_view *view, struct clock *clock, struct duration at_most,
                       struct error *err)
{
    struct slot_mark *marks = arena_alloc(&strip->arena, dues->count + 1, sizeof *marks);
    struct mono until = clock != NULL ? mono_add(clock_mono(clock), at_most) : MONO_NEVER;
    size_t first = dues->count;
    while (first > 0 && !strip->is_cut) {
        struct slot_mark *mark = &marks[--first];
        mark->due_at = dues->list[dues->count - 1 - first];
        if (!read_mark(strip, mark, store, view, err)) {
            return false;
        }
        strip->is_cut = first > 0 && clock != NULL && !mono_before(clock_mono(clock), until);
    }
    strip->marks = marks + first;
    strip->count = dues->count - first;
    return true;
}

bool slot_strip_load(struct slot_strip *strip, struct store *store, struct zone_cache *zones,
                     const struct job_view *view, struct instant now, struct clock *clock,
                     struct duration at_most, struct error *err)
{
    *strip = (struct slot_strip){.count = 0};
    arena_init(&strip->arena, STRIP_MAX);
    if (store == NULL || !view->is_known) {
        return true;
    }
    struct periods periods = {.arena = &strip->arena};
    if (!store->ops->read_force(store, view->job->name, note_period, &periods, err)) {
        return false;
    }
    struct dues dues = {.count = 0};
    for (size_t i = periods.count; i > 0 && dues.count < SLOT_STRIP_MAX; i--) {
        if (!add_period(&dues, &periods, i - 1, view, zones, now, err)) {
            return false;
        }
    }
    return read_marks(strip, &dues, store, view, clock, at_most, err);
}

void slot_strip_release(struct slot_strip *strip)
{
    arena_release(&strip->arena);
    *strip = (struct slot_strip){0};
}

// ---- what it says -----------------------------------------------------------------------------

const char *slot_mark_name(enum slot_mark_kind kind)
{
    static const char *const names[MARK_KIND_COUNT] = {
        [MARK_SUCCESS] = "success",           [MARK_FAILED] = "failed",
        [MARK_TIMED_OUT] = "timed out",       [MARK_LOST] = "lost",
        [MARK_CANCELLED] = "cancelled",       [MARK_DRY_RUN] = "dry-run",
        [MARK_SKIPPED] = "skipped",           [MARK_MISSED] = "missed",
        [MARK_RUNNING] = "running",           [MARK_WAITING] = "waits",
        [MARK_UNDECIDED] = "not decided yet", [MARK_UNKNOWN] = "not kept",
    };
    return names[kind];
}

bool slot_mark_has_duration(const struct slot_mark *mark)
{
    return mark->run != NULL && run_state_is_final(mark->run->state) &&
           mark->run->state != RUN_DRY_RUN;
}

static int by_length(const void *a, const void *b)
{
    int64_t left = ((const struct duration *)a)->us;
    int64_t right = ((const struct duration *)b)->us;
    return (left > right) - (left < right);
}

size_t slot_strip_durations(const struct slot_strip *strip, struct duration out[SLOT_STRIP_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < strip->count; i++) {
        if (slot_mark_has_duration(&strip->marks[i])) {
            out[count++] = strip->marks[i].run->duration;
        }
    }
    qsort(out, count, sizeof *out, by_length);
    return count;
}

static bool is_failure(const struct store_run_row *run)
{
    return run->state == RUN_FAILED || run->state == RUN_TIMED_OUT || run->state == RUN_LOST;
}

const struct store_run_row *slot_strip_last_failure(const struct slot_strip *strip,
                                                    const struct job_view *view)
{
    if (view->last != NULL && is_failure(view->last)) {
        return view->last;
    }
    for (size_t i = strip->count; i > 0; i--) {
        const struct store_run_row *run = strip->marks[i - 1].run;
        if (run != NULL && is_failure(run)) {
            return run;
        }
    }
    return NULL;
}

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *json_mark(const struct slot_mark *mark, const struct cut_off *nodes)
{
    const char *outcome = mark->has_row ? slot_outcome_name(mark->outcome) : NULL;
    const char *reason = mark->has_row ? slot_reason_name(mark->reason) : "";
    return json_pack("{s:o, s:s, s:o, s:o, s:o}", "due_at", json_time(mark->due_at), "mark",
                     slot_mark_name(mark->kind), "outcome", json_text(outcome), "reason",
                     json_text(*reason != '\0' ? reason : NULL), "run",
                     mark->run != NULL ? json_run(mark->run, nodes) : json_null());
}

static void add_slots(const struct slot_strip *strip, const struct job_view *view, json_t *document)
{
    struct duration sorted[SLOT_STRIP_MAX];
    size_t count = slot_strip_durations(strip, sorted);
    json_t *slots = json_array();
    for (size_t i = 0; i < strip->count; i++) {
        json_array_append_new(slots, json_mark(&strip->marks[i], view->nodes));
    }
    json_t *durations = json_null();
    if (count > 0) {
        durations = json_pack("{s:o, s:o, s:o, s:I}", "min_ms", json_duration(sorted[0]),
                              "median_ms", json_duration(sorted[count / 2]), "max_ms",
                              json_duration(sorted[count - 1]), "count", (json_int_t)count);
    }
    const struct store_run_row *failure = slot_strip_last_failure(strip, view);
    json_object_set_new(document, "slots", slots);
    json_object_set_new(document, "durations", durations);
    json_object_set_new(document, "last_success_at", json_time(view->last_success));
    json_object_set_new(document, "last_failure",
                        failure != NULL ? json_run(failure, NULL) : json_null());
}

static json_t *json_runs(const struct job_view *view, const struct slot_strip *strip)
{
    json_t *runs = json_array();
    struct uuid newest = {.bytes = {0}};
    for (size_t i = strip->count; i > 0 && json_array_size(runs) < RUNS_SHOWN; i--) {
        const struct store_run_row *run = strip->marks[i - 1].run;
        if (run != NULL) {
            newest = json_array_size(runs) == 0 ? run->run_id : newest;
            json_array_append_new(runs, json_run(run, view->nodes));
        }
    }
    // A manual run has no slot.
    if (view->last != NULL && view->last->trigger == TRIGGER_MANUAL &&
        !uuid_equal(newest, view->last->run_id)) {
        json_array_insert_new(runs, 0, json_run(view->last, NULL));
    }
    return runs;
}

static json_t *json_next(const struct job *job, struct instant now, size_t count)
{
    json_t *next = json_array();
    struct instant slot = schedule_next(&job->schedule, now);
    for (size_t i = 0; i < count && !instant_is_none(slot); i++) {
        json_array_append_new(next, json_time(slot));
        slot = schedule_next(&job->schedule, slot);
    }
    return next;
}

json_t *json_job_in_full(const struct job_view *view, const struct slot_strip *strip,
                         struct instant now, size_t next_count)
{
    json_t *document = json_job(view);
    json_object_set_new(document, "definition",
                        view->is_recorded ? json_null() : json_definition(view->job));
    json_object_set_new(document, "next", json_next(view->job, now, next_count));
    json_object_set_new(document, "runs", json_runs(view, strip));
    add_slots(strip, view, document);
    json_object_set_new(document, "complete", json_boolean(!strip->is_cut));
    return document;
}
