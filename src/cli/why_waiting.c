// SPDX-License-Identifier: MIT
// Answers for slots that are due and have no row yet.
#include "cli/why_text.h"

static void tell_unrecorded(const struct why_facts *facts, struct why *why)
{
    char since[FORMAT_TIME_SIZE];
    buf_add_string(&why->text, "Nobody can tell: by the schedule that was in force it was due, "
                               "its job is decided beyond it, and the ledger has no row of it. "
                               "The ledger must not have such a gap.");
    format_in_zone(instant_add(facts->at, DURATION_S(-1)), facts->zone, since);
    buf_printf(&why->next, "ironcron audit verify --since %s", since);
}

static void tell_jitter(const struct why_facts *facts, struct why *why)
{
    struct instant start = instant_add(facts->at, job_jitter(facts->job, facts->at));
    why_add_length(&why->text, "It waits for its jitter, which is up to ", facts->job->jitter);
    why_add_time(facts, &why->text, ": it starts at ", start);
    buf_add_char(&why->text, '.');
    buf_printf(&why->next, "ironcron jobs show %s", facts->name);
}

static void tell_no_node(const struct why_facts *facts, struct why *why)
{
    const struct store_node_row *last =
        facts->node_before != NULL ? facts->node_before : facts->node_then;
    buf_add_string(&why->text, "It is due and not yet decided: no node is live");
    if (last != NULL) {
        buf_printf(&why->text, "; the last one, on %s, was last seen", last->host);
        why_add_time(facts, &why->text, " at ", last->last_seen);
    }
    buf_add_string(&why->text, ". The next node makes it up or records it as MISSED, by the job's "
                               "`missed`.");
    buf_add_string(&why->next, "ironcron serve");
}

static void tell_node_stopped(const struct why_facts *facts, struct why *why)
{
    buf_printf(&why->text,
               "It is due and not yet decided: the node's process %d is stopped by a "
               "signal.",
               facts->node_pid);
    buf_printf(&why->next, "kill -CONT %d", facts->node_pid);
}

static void tell_waits_overlap(const struct why_facts *facts, struct why *why)
{
    why_add_id(&why->text, "It waits for run ", facts->other,
               " of the job to end, which runs since ");
    why_add_time(facts, &why->text, "", facts->other->started_at);
    buf_printf(&why->text, " (overlap: %s).",
               facts->job != NULL ? job_overlap_name(facts->job->overlap) : "?");
    why_add_id(&why->next, "ironcron runs output ", facts->other, " -f");
}

static void tell_draining(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It is due and no node can take it: all live nodes");
    if (facts->job != NULL && facts->job->nodes != NULL) {
        buf_add_string(&why->text, " with the labels that the job demands (nodes: ");
        job_labels_describe(facts->job->nodes, &why->text);
        buf_add_char(&why->text, ')');
    }
    buf_add_string(&why->text, " are draining. One that takes jobs again makes it up or records it "
                               "as MISSED, by the job's `missed`.");
    char id[UUID_TEXT_SIZE];
    uuid_format(facts->drain_node, id); // more than one may live on its host
    buf_printf(&why->next, "ironcron nodes resume %s", id);
}

static void tell_no_labels(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It is due and not yet decided: no node that lives has the labels "
                               "that the job demands (nodes: ");
    job_labels_describe(facts->job->nodes, &why->text);
    buf_add_string(&why->text,
                   "). The first one that has them makes it up or records it as MISSED, "
                   "by the job's `missed`.");
    buf_add_string(&why->next, "ironcron nodes");
}

static void tell_waits_capacity(const struct why_facts *facts, struct why *why)
{
    int taken = why_places_taken(facts);
    buf_printf(&why->text, "It waits for a free place: %d run%s, and ", taken,
               taken == 1 ? " goes on" : "s go on");
    if (facts->nodes_fit > 1) {
        buf_printf(&why->text, "the %d nodes that may run it have %d places (node.max_running).",
                   facts->nodes_fit, facts->max_running);
    } else {
        buf_printf(&why->text, "node.max_running is %d.", facts->max_running);
    }
    buf_add_string(&why->next, "ironcron runs --state started");
}

static void tell_starting(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It has just become due and is being started.");
    buf_printf(&why->next, "ironcron why %s", facts->name);
}

static void tell_undecided(const struct why_facts *facts, struct why *why)
{
    why_add_length(&why->text, "It is late by ", instant_since(facts->now, facts->at));
    buf_add_string(&why->text, " and undecided, though a node lives and has free places; nothing "
                               "that is recorded says why.");
    buf_add_string(&why->next, "ironcron doctor");
}

static void tell_waits_after(const struct why_facts *facts, struct why *why)
{
    char at[FORMAT_TIME_SIZE];
    if (facts->upstream != NULL) {
        buf_printf(&why->text, "It waits for %s to succeed (after): ", facts->upstream);
        why_add_upstream(facts, &why->text);
        buf_printf(&why->next, "ironcron why %s --at %s", facts->upstream,
                   why_time_text(facts, facts->upstream_at, at));
    } else {
        buf_add_string(&why->text, "It waits for the jobs that it runs after (after); none of "
                                   "their slots stands in its way any more");
    }
    if (facts->job != NULL) {
        why_add_time(facts, &why->text, ". It waits until ",
                     instant_add(instant_add(facts->at, job_jitter(facts->job, facts->at)),
                                 facts->job->after_within));
        buf_add_string(&why->text, ", and is SKIPPED then");
    }
    buf_add_char(&why->text, '.');
    if (!facts->node_is_live) {
        buf_add_string(&why->text, " No node is live to go on with it.");
        buf_clear(&why->next);
        buf_add_string(&why->next, "ironcron serve");
    } else if (facts->upstream == NULL) {
        buf_printf(&why->next, "ironcron jobs show %s", facts->name);
    }
}

bool why_tell_waiting(const struct why_facts *facts, struct why *why)
{
    static why_teller *const tellers[WHY_CAUSE_COUNT] = {
        [WHY_UNRECORDED] = tell_unrecorded,
        [WHY_JITTER] = tell_jitter,
        [WHY_NO_NODE] = tell_no_node,
        [WHY_NODE_STOPPED] = tell_node_stopped,
        [WHY_DRAINING] = tell_draining,
        [WHY_NO_LABELS] = tell_no_labels,
        [WHY_WAITS_OVERLAP] = tell_waits_overlap,
        [WHY_WAITS_CAPACITY] = tell_waits_capacity,
        [WHY_WAITS_AFTER] = tell_waits_after,
        [WHY_STARTING] = tell_starting,
        [WHY_UNDECIDED] = tell_undecided,
    };
    why_teller *tell = tellers[why->cause];
    if (tell != NULL) {
        tell(facts, why);
    }
    return tell != NULL;
}
