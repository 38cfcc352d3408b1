// SPDX-License-Identifier: MIT
// Answers for times at which nothing was due, and for slots of which nothing is kept.
#include "cli/why_text.h"

static void tell_pruned(const struct why_facts *facts, struct why *why)
{
    if (facts->has_row) {
        buf_printf(&why->text, "The slot's outcome is %s; its run has been pruned (history.runs).",
                   slot_outcome_name(facts->outcome));
        buf_printf(&why->next, "ironcron audit --job %s", facts->name);
        return;
    }
    why_add_time(facts, &why->text, "Nobody can tell any more: slots before ",
                 facts->pruned_before);
    buf_add_string(&why->text, " may have been pruned (history.runs). The audit log is kept "
                               "longer, if history.audit says so.");
    buf_printf(&why->next, "ironcron audit --job %s", facts->name);
}

static void tell_not_published(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "The job was not in force: it stands in the configuration, but no "
                               "node has taken it over yet.");
    buf_add_string(&why->next, facts->node_is_live ? "ironcron reload" : "ironcron serve");
}

static void tell_not_configured(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "The job was not in force then");
    if (!instant_is_none(facts->in_to)) {
        why_add_time(facts, &why->text, ": it left the configuration at ", facts->in_to);
    }
    if (!instant_is_none(facts->in_from)) {
        why_add_time(facts, &why->text,
                     instant_is_none(facts->in_to) ? ": it came into force at "
                                                   : " and came back at ",
                     facts->in_from);
    }
    buf_add_char(&why->text, '.');
    buf_add_string(&why->next, "ironcron audit --event CONFIG_PUBLISHED");
}

static void add_offsets(struct buf *text, const struct zone_change *change)
{
    int minutes = (change->offset_after - change->offset_before) / 60;
    buf_printf(text, " the clock was put %s by %d min", minutes < 0 ? "back" : "forward",
               minutes < 0 ? -minutes : minutes);
}

static void next_explain(const struct why_facts *facts, struct why *why)
{
    char from[FORMAT_TIME_SIZE];
    format_in_zone(instant_add(facts->at, DURATION_S(-86400)), facts->zone, from);
    buf_printf(&why->next, "ironcron next %s --from %s --explain", facts->name, from);
}

static void tell_gap(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "A clock change is the reason: at ",
                 instant_from_unix(facts->clock.change.change.at));
    add_offsets(&why->text, &facts->clock.change.change);
    buf_add_string(&why->text, ", and this wall time did not exist. ");
    if (facts->clock.change.effect == SCHEDULE_CHANGE_STRETCHED) {
        buf_add_string(&why->text, "The schedule has every hour in it and so follows elapsed time: "
                                   "what falls into a gap is not made up.");
    } else if (instant_is_none(facts->clock.instead)) {
        buf_add_string(&why->text, "The job has dst: skip, so nothing ran in its place.");
    } else {
        why_add_time(facts, &why->text, "The slot in its place is ", facts->clock.instead);
        buf_add_char(&why->text, '.');
    }
    if (instant_is_none(facts->clock.instead)) {
        next_explain(facts, why);
    } else {
        char at[FORMAT_TIME_SIZE];
        buf_printf(&why->next, "ironcron why %s --at %s", facts->name,
                   why_time_text(facts, facts->clock.instead, at));
    }
}

static void tell_repeat(const struct why_facts *facts, struct why *why)
{
    char at[FORMAT_TIME_SIZE];
    why_add_time(facts, &why->text, "A clock change is the reason: at ",
                 instant_from_unix(facts->clock.change.change.at));
    add_offsets(&why->text, &facts->clock.change.change);
    buf_add_string(&why->text, ", and this wall time came twice. A schedule at fixed hours runs "
                               "at the first pass only");
    why_add_time(facts, &why->text, ", which is ", facts->clock.instead);
    buf_add_char(&why->text, '.');
    buf_printf(&why->next, "ironcron why %s --at %s", facts->name,
               why_time_text(facts, facts->clock.instead, at));
}

static void tell_at_boot(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "The schedule is @reboot: it is due once for each boot of a host "
                               "that runs a node, and this was none.");
    buf_printf(&why->next, "ironcron runs --job %s", facts->name);
}

static void tell_not_due(const struct why_facts *facts, struct why *why)
{
    char at[FORMAT_TIME_SIZE];
    buf_add_string(&why->text, "The job was not due then; no clock change is the reason.");
    if (!instant_is_none(facts->before)) {
        why_add_time(facts, &why->text, " The slot before is ", facts->before);
    }
    if (!instant_is_none(facts->after)) {
        why_add_time(facts, &why->text,
                     instant_is_none(facts->before) ? " The next slot is " : ", the one after ",
                     facts->after);
    }
    bool has_one = !instant_is_none(facts->before) || !instant_is_none(facts->after);
    buf_add_string(&why->text, has_one ? "." : " It has no slot before or after.");
    if (instant_is_none(facts->before)) {
        buf_printf(&why->next, "ironcron next %s", facts->name);
    } else {
        buf_printf(&why->next, "ironcron why %s --at %s", facts->name,
                   why_time_text(facts, facts->before, at));
    }
}

// What will keep it from being executed, if nobody does something about it.
static bool add_hindrance(const struct why_facts *facts, struct why *why)
{
    if (why_is_in_force(facts->pause)) {
        buf_add_string(&why->text, " It will be skipped unless that is lifted before: ");
        why_add_control(facts, &why->text, facts->pause, "paused");
        why_next_undo(facts, why, facts->pause);
    } else if (!facts->node_is_live) {
        buf_add_string(&why->text, " No node is live to run it");
        buf_add_string(&why->next, "ironcron serve");
    } else if (why_is_in_force(facts->dry_run)) {
        buf_add_string(&why->text, " It will be recorded and not executed: ");
        why_add_control(facts, &why->text, facts->dry_run, "in dry-run");
        why_next_undo(facts, why, facts->dry_run);
    } else if (facts->node_is_dry_run) {
        buf_add_string(&why->text, " It will be recorded and not executed: the node was started "
                                   "with --dry-run or JOB_DRY_RUN");
        buf_add_string(&why->next, "ironcron nodes");
    } else if (why_is_in_force(facts->throttle)) {
        buf_printf(&why->text,
                   " It runs if it is the one in %d that is let through: ", facts->throttle->value);
        why_add_control(facts, &why->text, facts->throttle, "throttled");
        why_next_undo(facts, why, facts->throttle);
    } else {
        return false;
    }
    buf_add_char(&why->text, '.');
    return true;
}

static void tell_future(const struct why_facts *facts, struct why *why)
{
    why_add_length(&why->text, "It is not due yet: it comes in ",
                   instant_since(facts->at, facts->now));
    buf_add_char(&why->text, '.');
    if (!add_hindrance(facts, why)) {
        buf_printf(&why->next, "ironcron next %s --explain", facts->name);
    }
}

static void tell_clock_back(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It will not run: the job's slots are decided up to ",
                 facts->high_water);
    buf_add_string(&why->text, ", which lies ahead of the clock now, so the clock was set back "
                               "since. A slot is never decided twice.");
    buf_add_string(&why->next, "ironcron doctor");
}

bool why_tell_none(const struct why_facts *facts, struct why *why)
{
    static why_teller *const tellers[WHY_CAUSE_COUNT] = {
        [WHY_PRUNED] = tell_pruned,
        [WHY_NOT_PUBLISHED] = tell_not_published,
        [WHY_NOT_CONFIGURED] = tell_not_configured,
        [WHY_GAP] = tell_gap,
        [WHY_REPEAT] = tell_repeat,
        [WHY_AT_BOOT] = tell_at_boot,
        [WHY_NOT_DUE] = tell_not_due,
        [WHY_FUTURE] = tell_future,
        [WHY_CLOCK_BACK] = tell_clock_back,
    };
    why_teller *tell = tellers[why->cause];
    if (tell != NULL) {
        tell(facts, why);
    }
    return tell != NULL;
}
