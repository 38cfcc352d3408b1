// SPDX-License-Identifier: MIT
// Answers for slots that were SKIPPED or MISSED.
#include "cli/why_text.h"

static void tell_overlap(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was skipped, since the job has overlap: skip and ");
    if (facts->other == NULL) {
        buf_add_string(&why->text,
                       "an earlier slot of it was not over yet: it ran, or waited for its next "
                       "attempt.");
        buf_printf(&why->next, "ironcron runs --job %s", facts->name);
        return;
    }
    bool runs = facts->other->state == RUN_STARTED;
    why_add_id(&why->text, "run ", facts->other, " of it ");
    why_add_time(facts, &why->text, runs ? "still runs, since " : "was still running, from ",
                 facts->other->started_at);
    if (!runs) {
        why_add_time(facts, &why->text, " to ", facts->other->ended_at);
        buf_printf(&why->text, " (%s)", run_state_name(facts->other->state));
    }
    buf_add_char(&why->text, '.');
    why_add_id(&why->next, runs ? "ironcron runs output " : "ironcron runs show ", facts->other,
               runs ? " -f" : "");
}

static void tell_superseded(const struct why_facts *facts, struct why *why)
{
    if (facts->run != NULL) {
        buf_printf(&why->text,
                   "Attempt %d ended %s (%s). It waited for the next one, and was "
                   "given up for a newer slot of the job.",
                   facts->run->attempt, run_state_name(facts->run->state),
                   why_error_of(facts->run, "no reason is known"));
    } else {
        buf_add_string(&why->text, "It waited for a run of the job to end, and a newer slot took "
                                   "its place: only one waits (overlap: queue or replace).");
    }
    buf_printf(&why->next, "ironcron runs --job %s", facts->name);
}

static void tell_paused(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was skipped, since ");
    why_add_control(facts, &why->text, facts->pause, "paused");
    buf_add_string(&why->text, ". Slots of a paused job are never made up.");
    why_next_undo(facts, why, facts->pause);
}

static void tell_throttled(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was skipped, since ");
    why_add_control(facts, &why->text, facts->throttle, "throttled");
    buf_add_char(&why->text, '.');
    if (facts->throttle != NULL) {
        buf_printf(&why->text, " One slot in %d runs.", facts->throttle->value);
    }
    why_next_undo(facts, why, facts->throttle);
}

static void tell_changed(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was skipped, since the job's schedule was changed before it "
                               "could start");
    if (!instant_is_none(facts->in_to)) {
        why_add_time(facts, &why->text, ", at ", facts->in_to);
    }
    buf_add_char(&why->text, '.');
    buf_printf(&why->next, "ironcron next %s", facts->name);
}

static void add_missed_policy(const struct why_facts *facts, struct why *why)
{
    if (facts->job == NULL) {
        return;
    }
    switch (facts->job->missed) {
    case JOB_MISSED_SKIP:
        buf_add_string(&why->text, " It was not made up: the job has missed: skip.");
        break;
    case JOB_MISSED_LAST:
        buf_add_string(&why->text, " It was not made up: the job has missed: last, so only the "
                                   "newest missed slot is.");
        break;
    case JOB_MISSED_ALL:
        break;
    }
}

static void tell_downtime(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was missed, since ");
    why_add_downtime(facts, why);
    buf_add_char(&why->text, '.');
    add_missed_policy(facts, why);
    why_next_run(facts, why);
}

static void tell_too_old(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was missed: nothing could start it in time");
    if (facts->node_before != NULL || facts->node_after != NULL) {
        buf_add_string(&why->text, " (");
        why_add_downtime(facts, why);
        buf_add_char(&why->text, ')');
    }
    buf_add_string(&why->text, ", and then it was too old to be made up");
    if (facts->job != NULL) {
        why_add_length(&why->text, ": the job has missed_within ", facts->job->missed_within);
    }
    buf_add_char(&why->text, '.');
    why_next_run(facts, why);
}

static void tell_limit(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was missed: more than 1,000 slots were to be made up after a "
                               "downtime, and only the newest 1,000 are.");
    why_next_run(facts, why);
}

static void tell_busy(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was missed: a node lived but could not get to it in time; it "
                               "was full, stalled or suspended, or the store did not answer.");
    add_missed_policy(facts, why);
    buf_add_string(&why->next, "ironcron doctor");
}

static void tell_removed(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It did not run, since the job left the configuration");
    if (!instant_is_none(facts->in_to)) {
        why_add_time(facts, &why->text, " at ", facts->in_to);
    }
    buf_add_char(&why->text, '.');
    buf_add_string(&why->next, "ironcron audit --event CONFIG_PUBLISHED");
}

static void tell_after(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was skipped, since it runs after others (after)");
    if (facts->upstream != NULL) {
        buf_printf(&why->text,
                   ", and one of them, %s, had not succeeded in time: ", facts->upstream);
        why_add_upstream(facts, &why->text);
    } else {
        buf_add_string(&why->text, ", and they had not all succeeded in time");
    }
    if (facts->job != NULL) {
        why_add_length(&why->text, "; it waited for ", facts->job->after_within);
    }
    buf_add_char(&why->text, '.');
    if (facts->upstream != NULL) {
        char at[FORMAT_TIME_SIZE];
        buf_printf(&why->next, "ironcron why %s --at %s", facts->upstream,
                   why_time_text(facts, facts->upstream_at, at));
    } else {
        why_next_run(facts, why);
    }
}

bool why_tell_passed(const struct why_facts *facts, struct why *why)
{
    static why_teller *const tellers[WHY_CAUSE_COUNT] = {
        [WHY_OVERLAP] = tell_overlap, [WHY_SUPERSEDED] = tell_superseded,
        [WHY_PAUSED] = tell_paused,   [WHY_THROTTLED] = tell_throttled,
        [WHY_CHANGED] = tell_changed, [WHY_DOWNTIME] = tell_downtime,
        [WHY_TOO_OLD] = tell_too_old, [WHY_LIMIT] = tell_limit,
        [WHY_BUSY] = tell_busy,       [WHY_REMOVED] = tell_removed,
        [WHY_AFTER] = tell_after,
    };
    why_teller *tell = tellers[why->cause];
    if (tell != NULL) {
        tell(facts, why);
    }
    return tell != NULL;
}
