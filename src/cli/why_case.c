// SPDX-License-Identifier: MIT
#include "cli/why_case.h"

#include <stdlib.h>
#include <string.h>

#include "cli/why_rows.h"
#include "document/recorded.h"

#define CASE_MAX  ((size_t)1 << 30)
#define LOOK_BACK DURATION_S(86400)

// ---- slots by the schedule ----------------------------------------------------------------------

// The last slot at or before `until` and after `floor`, looked for in doubling steps.
static struct instant slot_before(const struct schedule *schedule, struct instant floor,
                                  struct instant until)
{
    for (struct duration back = DURATION_S(60);; back.us *= 4) {
        struct instant from = instant_add(until, (struct duration){-back.us});
        bool whole = instant_before(from, floor);
        struct instant found = INSTANT_NONE;
        struct instant t = schedule_next(schedule, whole ? floor : from);
        while (!instant_is_none(t) && !instant_before(until, t)) {
            found = t;
            t = schedule_next(schedule, t);
        }
        if (!instant_is_none(found) || whole) {
            return found;
        }
    }
}

// Where to stop looking back: a schedule that fires once in years is still found.
static struct instant look_back_limit(const struct why_case *why, struct instant at)
{
    if (why->force != NULL && why->force->from.us < at.us) {
        return why->force->from;
    }
    return instant_add(at, DURATION_S(-10LL * 366 * 86400));
}

static void place_among_slots(struct why_case *why)
{
    struct why_facts *facts = &why->facts;
    const struct schedule *schedule = &why->in_use;
    facts->is_reboot = schedule->kind == SCHEDULE_REBOOT;
    facts->before = facts->after = INSTANT_NONE;
    if (facts->is_reboot) {
        return;
    }
    struct instant just_before = instant_add(facts->at, DURATION_US(-1));
    facts->is_slot = instant_equal(schedule_next(schedule, just_before), facts->at);
    facts->before = slot_before(schedule, look_back_limit(why, just_before), just_before);
    facts->after = schedule_next(schedule, facts->at);
    facts->clock = why_clock_look(schedule, facts->at);
}

// ---- the schedule in force ----------------------------------------------------------------------

static bool choose_schedule(struct why_case *why, const struct session *session, struct instant at,
                            struct error *err)
{
    struct why_facts *facts = &why->facts;
    const struct store_force_row *row = why->force != NULL ? why->force : why->force_before;
    bool coming = facts->job != NULL && instant_before(facts->now, at);
    facts->is_published = row != NULL || why->force_after != NULL;
    facts->is_in_force = why->force != NULL;
    if (why->force != NULL) {
        facts->in_from = why->force->from;
        facts->in_to = why->force->to;
    } else {
        facts->in_to = why->force_before != NULL ? why->force_before->to : INSTANT_NONE;
        facts->in_from = why->force_after != NULL ? why->force_after->from : INSTANT_NONE;
    }
    if (facts->job != NULL) {
        char *spec = job_schedule_spec(facts->job);
        why->config_differs = why->force != NULL && instant_is_none(why->force->to) &&
                              strcmp(spec, why->force->spec) != 0;
        free(spec);
    }
    // Before the job was there, and for what no node has seen yet, its file speaks.
    if (facts->job != NULL && (row == NULL || (coming && !facts->is_in_force))) {
        why->in_use = facts->job->schedule;
        facts->zone = why->in_use.zone;
        return true;
    }
    row = row != NULL ? row : why->force_after;
    if (!recorded_schedule(row->spec, facts->name, session->config->zones, &why->in_use, err)) {
        return false;
    }
    facts->zone = why->in_use.zone;
    return true;
}

// ---- gathering ----------------------------------------------------------------------------------

static bool gather(struct why_case *why, const struct session *session, struct error *err)
{
    if (session->store == NULL) {
        return true;
    }
    struct store *store = session->store;
    return why_rows_slot(why, store, err) && why_rows_runs(why, store, err) &&
           why_rows_events(why, store, err) && why_rows_controls(why, store, err) &&
           why_rows_nodes(why, session, err) && why_rows_after(why, session, err) &&
           why_rows_other(why, store, err) && why_rows_output(why, store, err);
}

static bool read_marks(struct why_case *why, const struct session *session, struct error *err)
{
    struct why_facts *facts = &why->facts;
    facts->high_water = facts->pruned_before = INSTANT_NONE;
    facts->in_from = facts->in_to = INSTANT_NONE;
    if (session->store == NULL) {
        return true;
    }
    struct store_anchor anchor;
    if (!session->store->ops->read_anchor(session->store, &anchor, err) ||
        !why_rows_mark(why, session->store, err)) {
        return false;
    }
    facts->pruned_before = anchor.slots_from;
    return true;
}

// The newest slot that is due; where there is none yet, the first to come.
static struct instant newest(struct why_case *why, const struct session *session, struct error *err)
{
    struct why_facts *facts = &why->facts;
    struct instant now = facts->now;
    if (why->in_use.kind == SCHEDULE_REBOOT) {
        // Only a boot moves the mark of such a job, or its publishing.
        return instant_is_none(facts->high_water) ? now : facts->high_water;
    }
    struct instant last = slot_before(&why->in_use, look_back_limit(why, now), now);
    if (instant_is_none(last) && why->force_before != NULL && why->force != NULL &&
        recorded_schedule(why->force_before->spec, facts->name, session->config->zones,
                          &why->in_use, err)) {
        // Nothing was due since the schedule was changed: the last slot of the one before.
        last = slot_before(&why->in_use, why->force_before->from, why->force_before->to);
    }
    if (instant_is_none(last)) {
        last = schedule_next(&why->in_use, now);
    }
    return instant_is_none(last) ? now : last;
}

static bool find_time(struct why_case *why, const struct session *session, struct instant at,
                      struct error *err)
{
    why->was_asked = !instant_is_none(at);
    why->facts.at = why->was_asked ? at : why->facts.now;
    if (!why_rows_force(why, session->store, err) ||
        !choose_schedule(why, session, why->facts.at, err)) {
        return false;
    }
    if (why->was_asked) {
        return true;
    }
    why->facts.at = newest(why, session, err);
    return why_rows_force(why, session->store, err) &&
           choose_schedule(why, session, why->facts.at, err);
}

bool why_case_load(struct why_case *why, const struct session *session, const char *job,
                   struct instant at, struct error *err)
{
    *why = (struct why_case){.trouble_at = INSTANT_NONE};
    arena_init(&why->arena, CASE_MAX);
    struct why_facts *facts = &why->facts;
    facts->now = session_now(session);
    facts->name = arena_string(&why->arena, job);
    facts->zone = session->zone;
    facts->job = config_job(session->config, job);
    facts->max_running = session->config->max_running;
    facts->clock.instead = INSTANT_NONE;
    if (!read_marks(why, session, err)) {
        return false;
    }
    facts->is_config_faulty = session->config->is_faulty;
    if (facts->job == NULL && instant_is_none(facts->high_water)) {
        return session_job(session, job, err) != NULL;
    }
    if (!find_time(why, session, at, err)) {
        return false;
    }
    place_among_slots(why);
    if (!gather(why, session, err)) {
        return false;
    }
    bool succeeded = why->facts.has_row && why->facts.outcome == SLOT_SUCCESS;
    return why->was_asked || !succeeded ||
           why_rows_trouble(why, session->store,
                            instant_add(facts->at, (struct duration){-LOOK_BACK.us}), err);
}

void why_case_release(struct why_case *why)
{
    arena_release(&why->arena);
}
