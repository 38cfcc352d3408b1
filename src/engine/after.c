// SPDX-License-Identifier: MIT
// Slots that wait for other jobs (`after`). Such a slot is first written as waiting, with the
// instant until which it may, so that neither a crash nor a later slot of its job can hurt it. Then
// the store is asked what became of the slots of the others: at first, when something of theirs has
// changed, and from time to time, since other nodes may run them. What was found good stays so and
// is not asked for again.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "time/format.h"

#define POLL       DURATION_S(30)
#define POLL_FLEET DURATION_S(1) // other nodes do not say what became of their runs
#define ASKED_MAX  64            // slots asked for in one operation

// ---- waiting ------------------------------------------------------------------------------------

void after_add(struct engine *engine, struct engine_job *job, struct instant due_at,
               struct instant until, enum run_trigger trigger)
{
    struct engine_after *after = alloc_zero(1, sizeof *after);
    *after = (struct engine_after){.job = job,
                                   .due_at = due_at,
                                   .until = until,
                                   .trigger = trigger,
                                   .since = INSTANT_NONE,
                                   .check_at = (struct instant){0},
                                   .next = engine->afters};
    engine->afters = after;
    job->afters++;
    engine->after_dirty = true;
    engine->busy = true;
}

void after_free(struct engine *engine, struct engine_after *after)
{
    struct engine_after **link = &engine->afters;
    while (*link != after) {
        link = &(*link)->next;
    }
    *link = after->next;
    after->job->afters--;
    free(after->detail);
    free(after);
}

void after_keep(struct engine *engine, struct engine_after *after)
{
    after->proposed = false;
    after->check_at = after->not_before = instant_add(engine_now(engine), DURATION_S(1));
    engine->after_dirty = true;
}

void after_changed(struct engine *engine, struct engine_job *job)
{
    job->changes++;
    engine->after_dirty = engine->afters != NULL;
}

static void forget(struct engine_after *after)
{
    after->index = 0;
    after->since = INSTANT_NONE;
    after->check_at = (struct instant){0};
    after->cleared = after->dry = false;
}

// Definitions are new: what they wait for may be another.
void after_forget(struct engine *engine)
{
    for (struct engine_after *after = engine->afters; after != NULL; after = after->next) {
        forget(after);
    }
    engine->after_dirty = true;
}

struct instant after_wake(const struct engine *engine)
{
    return engine->afters == NULL ? INSTANT_NONE : engine->after_at;
}

// ---- what it waits for --------------------------------------------------------------------------

// The first instant of the slot's date in its job's zone.
static struct instant date_begins(const struct engine_after *after)
{
    const struct zone *zone = after->job->job->schedule.zone;
    struct civil civil = zone_civil(zone, instant_unix(after->due_at));
    civil.hour = civil.minute = civil.second = 0;
    return instant_from_unix(zone_from_local(zone, &civil).first);
}

// The job that is asked for next; NULL when there is none left. One that is not there (any more)
// has no slots.
static struct engine_job *upstream_of(const struct engine *engine, struct engine_after *after)
{
    const char *const *names = after->job->job->after;
    while (names != NULL && names[after->index] != NULL) {
        struct engine_job *job = map_get(&engine->jobs, names[after->index]);
        if (job != NULL && !job->removed) {
            return job;
        }
        after->index++;
        after->since = INSTANT_NONE;
    }
    return NULL;
}

// Up to where the other's slots must be decided.
static struct instant last_due(const struct engine_job *upstream, struct instant since,
                               struct instant until)
{
    struct instant last;
    const struct schedule *schedule = &upstream->job->schedule;
    if (schedule->kind == SCHEDULE_REBOOT ||
        !catchup_last(schedule, instant_add(since, DURATION_US(-1)), until, &last)) {
        return INSTANT_NONE;
    }
    return last;
}

static void blocked_by(struct engine_after *after, const struct engine_job *upstream,
                       struct instant due_at, const char *outcome)
{
    char own[FORMAT_TIME_SIZE];
    char theirs[FORMAT_TIME_SIZE];
    format_utc_ms(after->due_at, own);
    format_utc_ms(due_at, theirs);
    json_t *detail = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "due_at", own, "reason",
                               slot_reason_name(REASON_AFTER), "trigger",
                               run_trigger_name(after->trigger), "upstream", upstream->job->name,
                               "upstream_due_at", theirs, "upstream_outcome", outcome);
    free(after->detail);
    after->detail = json_dumps(detail, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(detail);
}

// ---- asking -------------------------------------------------------------------------------------

struct after_ask {
    struct store_op_slots slots; // first
    struct store_slots_item items[ASKED_MAX];
    struct engine_after *afters[ASKED_MAX];
};

// Is a found slot one that stands in the way? In a dry-run rehearsals are as good as the real
// thing.
static bool is_in_the_way(const struct engine *engine, const struct engine_after *after,
                          const struct store_found_slot *found)
{
    return found->outcome != SLOT_DRY_RUN || !decide_is_dry(engine, after->job);
}

// What the store says of one other job: goes on to the next one when it is done with.
static void understand(struct engine *engine, struct engine_after *after,
                       const struct store_slots_item *item)
{
    struct engine_job *upstream = upstream_of(engine, after);
    if (upstream == NULL || upstream->job_id != item->job_id) {
        return; // the definitions have changed meanwhile
    }
    for (size_t i = 0; i < item->found_count; i++) {
        const struct store_found_slot *found = &item->found[i];
        if (is_in_the_way(engine, after, found)) {
            const char *outcome = slot_outcome_name(found->outcome);
            blocked_by(after, upstream, found->due_at, outcome == NULL ? "open" : outcome);
            after->since = found->due_at;
            return;
        }
    }
    after->since = instant_add(item->seen, DURATION_MS(1));
    after->more = instant_before(item->seen, item->until);
    if (after->more) {
        return;
    }
    struct instant last = last_due(upstream, date_begins(after), after->due_at);
    if (!instant_is_none(last) && instant_before(item->high_water, last)) {
        blocked_by(after, upstream, last, "not decided");
        after->since = instant_add(item->high_water, DURATION_MS(1));
        return;
    }
    after->index++;
    after->since = INSTANT_NONE;
    after->more = true;
}

static void ask_on_done(struct store_op *op)
{
    struct after_ask *ask = CONTAINER_OF(op, struct after_ask, slots.op);
    struct engine *engine = op->context;
    struct instant now = engine_now(engine);
    engine->after_asking = false;
    engine->after_dirty = true;
    engine->busy = true;
    link_answered(op);
    for (size_t i = 0; i < ask->slots.item_count; i++) {
        struct engine_after *after = ask->afters[i];
        after->asking = false;
        after->more = false;
        after->answered = after->answered || op->result == STORE_OK;
        bool waits = op->result == STORE_OK && engine->options.alone;
        after->check_at = instant_add(now, waits ? POLL : POLL_FLEET);
        if (op->result == STORE_OK) {
            understand(engine, after, &ask->items[i]);
        }
    }
    link_free(op);
}

static void ask_add(const struct engine *engine, struct after_ask *ask, struct engine_after *after,
                    struct engine_job *upstream)
{
    if (instant_is_none(after->since)) {
        after->since = date_begins(after);
    }
    size_t at = ask->slots.item_count++;
    ask->afters[at] = after;
    ask->items[at] = (struct store_slots_item){.job_id = upstream->job_id,
                                               .since = after->since,
                                               .until = after->due_at,
                                               .unsuccessful = true,
                                               .limit = 64};
    after->asking = true;
    after->dry = after->dry || decide_is_dry(engine, after->job);
    after->seen = upstream->changes;
}

static void ask_submit(struct engine *engine, struct after_ask *ask)
{
    if (ask->slots.item_count == 0) {
        free(ask);
        return;
    }
    ask->slots.op.kind = STORE_SLOTS;
    ask->slots.op.done = ask_on_done;
    ask->slots.items = ask->items;
    engine->after_asking = true;
    link_submit(engine, &ask->slots.op);
}

// ---- its turn -----------------------------------------------------------------------------------

static void propose(struct engine *engine, struct engine_after *after, enum store_decision decision,
                    enum slot_reason reason)
{
    after->proposed = true;
    decide_awaited(engine, after, decision, reason);
}

// overlap: queue has one waiting place, for the newest.
static bool is_superseded(const struct engine *engine, const struct engine_after *after)
{
    for (const struct engine_after *other = engine->afters; other != NULL; other = other->next) {
        if (other->job == after->job && other->cleared &&
            instant_before(after->due_at, other->due_at)) {
            return true;
        }
    }
    return false;
}

// Nothing to wait for any more: from here it is like any other slot that is due.
static void take_place(struct engine *engine, struct engine_after *after, struct instant now)
{
    struct engine_job *job = after->job;
    bool dry = decide_is_dry(engine, job);
    bool scheduled = after->trigger == TRIGGER_SCHEDULE;
    bool overlaps = decide_overlaps(job) && !dry;
    if (decide_is_paused(engine, job)) {
        propose(engine, after, DECIDE_SKIP, REASON_PAUSED);
    } else if (dry) {
        propose(engine, after, DECIDE_DRY_RUN, REASON_NONE);
    } else if (!overlaps && decide_has_capacity(engine)) {
        propose(engine, after, DECIDE_RUN, REASON_NONE);
    } else if (overlaps && scheduled && job->job->overlap == JOB_OVERLAP_SKIP &&
               !decide_is_ending(job)) {
        propose(engine, after, DECIDE_SKIP, REASON_OVERLAP);
    } else if (overlaps && job->job->overlap == JOB_OVERLAP_QUEUE && is_superseded(engine, after)) {
        propose(engine, after, DECIDE_SKIP, REASON_SUPERSEDED);
    } else {
        if (overlaps && scheduled && job->job->overlap == JOB_OVERLAP_REPLACE) {
            replace_older(engine, job);
        }
        after->check_at = instant_add(now, DURATION_S(1));
    }
}

static bool is_over(const struct engine_after *after, struct instant now)
{
    struct instant end = after->answered ? after->until : instant_add(after->until, LATE_LIMIT);
    return !instant_before(now, end);
}

// Whether it wants to be asked for.
static bool consider(struct engine *engine, struct engine_after *after, struct instant now,
                     struct engine_job **upstream_out)
{
    if (after->job->removed) {
        propose(engine, after, DECIDE_SKIP, REASON_REMOVED);
        return false;
    }
    // What was good enough for a rehearsal is not for the real thing.
    if (after->dry && !decide_is_dry(engine, after->job)) {
        forget(after);
    }
    struct engine_job *upstream = upstream_of(engine, after);
    after->cleared = after->cleared || (upstream == NULL && !is_over(after, now));
    if (after->cleared) {
        take_place(engine, after, now);
        return false;
    }
    if (is_over(after, now)) {
        propose(engine, after, DECIDE_SKIP, REASON_AFTER);
        return false;
    }
    *upstream_out = upstream;
    return after->more || after->seen != upstream->changes || !after->answered ||
           !instant_before(now, after->check_at);
}

static struct instant sooner(struct instant a, struct instant b)
{
    return instant_is_none(a) || instant_before(b, a) ? b : a;
}

void after_turn(struct engine *engine, struct instant now)
{
    if (engine->afters == NULL || (!engine->after_dirty && instant_before(now, engine->after_at))) {
        return;
    }
    struct after_ask *ask = alloc_zero(1, sizeof *ask);
    struct instant wake = INSTANT_NONE;
    engine->after_dirty = false;
    for (struct engine_after *after = engine->afters; after != NULL; after = after->next) {
        struct engine_job *upstream = NULL;
        if (after->proposed || after->asking || after->job->in_flight > 0) {
            continue; // what ends that comes back here
        }
        if (instant_before(now, after->not_before)) {
            wake = sooner(wake, after->not_before);
            continue;
        }
        if (consider(engine, after, now, &upstream)) {
            if (!engine->after_asking && ask->slots.item_count < ASKED_MAX) {
                ask_add(engine, ask, after, upstream);
            }
            continue; // the answer to what is asked for makes this go through all again
        }
        wake = sooner(wake, sooner(after->until, after->check_at));
    }
    engine->after_at = instant_is_none(wake) ? instant_add(now, POLL) : wake;
    ask_submit(engine, ask);
}
