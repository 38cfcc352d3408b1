// SPDX-License-Identifier: MIT
#include "cli/slot_strip.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/recorded.h"

#define STRIP_MAX ((size_t)64 * 1024 * 1024)
#define LOOK_BACK ((int64_t)20 * 366 * 86400) // a schedule of leap years is still found
#define FORCE_MAX 64                          // schedules that a job had, the newest ones

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

bool slot_strip_load(struct slot_strip *strip, const struct session *session,
                     const struct job_view *view, struct instant now, struct error *err)
{
    *strip = (struct slot_strip){.count = 0};
    arena_init(&strip->arena, STRIP_MAX);
    struct store *store = session->store;
    if (store == NULL || !view->is_known) {
        return true;
    }
    struct periods periods = {.arena = &strip->arena};
    if (!store->ops->read_force(store, view->job->name, note_period, &periods, err)) {
        return false;
    }
    struct dues dues = {.count = 0};
    for (size_t i = periods.count; i > 0 && dues.count < SLOT_STRIP_MAX; i--) {
        if (!add_period(&dues, &periods, i - 1, view, session->config->zones, now, err)) {
            return false;
        }
    }
    strip->marks = arena_alloc(&strip->arena, dues.count + 1, sizeof *strip->marks);
    for (size_t i = dues.count; i > 0; i--) {
        struct slot_mark *mark = &strip->marks[strip->count++];
        mark->due_at = dues.list[i - 1];
        if (!read_mark(strip, mark, store, view, err)) {
            return false;
        }
    }
    return true;
}

void slot_strip_release(struct slot_strip *strip)
{
    arena_release(&strip->arena);
    *strip = (struct slot_strip){0};
}
