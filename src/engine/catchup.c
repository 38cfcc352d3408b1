// SPDX-License-Identifier: MIT
// What becomes of slots that nobody could start in time: which are MISSED, which are made up. Sets
// two marks on the job, miss_until and catchup_until; decide.c then goes through the slots in
// order.
#include "engine/engine_private.h"

#include "base/check.h"

// The last `count` slots at or before `now` and after `after`: returns the first of them in
// *first_out and the last in *last_out. Looks back in doubling steps, so that a year of seconds
// costs no more than it must.
static bool last_slots(const struct schedule *schedule, struct instant after, struct instant now,
                       int count, struct instant *first_out, struct instant *last_out)
{
    struct instant ring[CATCHUP_MAX];
    CHECK(count >= 1 && count <= CATCHUP_MAX);
    for (struct duration back = DURATION_S(60);; back.us *= 2) {
        struct instant from = instant_add(now, (struct duration){-back.us});
        bool whole = !instant_before(after, from);
        if (whole) {
            from = after;
        }
        int seen = 0;
        for (struct instant t = schedule_next(schedule, from);
             !instant_is_none(t) && !instant_before(now, t); t = schedule_next(schedule, t)) {
            ring[seen % count] = t;
            seen++;
        }
        if (seen >= count || whole) {
            if (seen == 0) {
                return false;
            }
            *first_out = ring[seen >= count ? seen % count : 0];
            *last_out = ring[(seen - 1) % count];
            return true;
        }
    }
}

bool catchup_last(const struct schedule *schedule, struct instant after, struct instant until,
                  struct instant *last_out)
{
    struct instant first;
    return last_slots(schedule, after, until, 1, &first, last_out);
}

// The slot before which everything is too old to be made up.
static struct instant oldest_wanted(const struct engine_job *job, struct instant now)
{
    return instant_add(now, (struct duration){-job->job->missed_within.us});
}

static void miss_all(struct engine_job *job, struct instant now, enum slot_reason reason)
{
    job->miss_until = now;
    job->miss_reason = reason;
    job->catchup_until = now;
}

void catchup_plan(struct engine *engine, struct engine_job *job, struct instant now)
{
    // A node that has just started speaks of downtime, one that lived of its own lateness.
    bool lived = engine->live && !instant_before(job->next_due, engine->joined_at) &&
                 !instant_before(job->next_due, engine->drain.ended_at);
    enum slot_reason reason = lived ? REASON_BUSY : REASON_DOWNTIME;
    if (job->job->schedule.kind == SCHEDULE_REBOOT) {
        job->catchup_until = now; // late by nature: it is due at the boot, before any node
        return;
    }
    if (job->job->missed == JOB_MISSED_SKIP) {
        job->too_old_before = (struct instant){0};
        miss_all(job, now, reason);
        return;
    }
    struct instant oldest = oldest_wanted(job, now);
    struct instant after =
        instant_before(job->cursor, oldest) ? instant_add(oldest, DURATION_US(-1)) : job->cursor;
    int count = job->job->missed == JOB_MISSED_ALL ? CATCHUP_MAX : 1;
    struct instant first;
    struct instant last;
    job->too_old_before = oldest;
    if (!last_slots(&job->job->schedule, after, now, count, &first, &last)) {
        miss_all(job, now, reason);
        return;
    }
    job->miss_until = instant_add(first, DURATION_US(-1));
    job->miss_reason = job->job->missed == JOB_MISSED_ALL ? REASON_LIMIT : reason;
    job->catchup_until = last;
}

// Why a slot up to miss_until is not made up: its age comes first.
enum slot_reason catchup_miss_reason(const struct engine_job *job, struct instant due)
{
    return instant_before(due, job->too_old_before) ? REASON_TOO_OLD : job->miss_reason;
}
