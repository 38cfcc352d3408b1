// SPDX-License-Identifier: MIT
// `why`: why a slot did or did not run: the answer, the rows that prove it, the next command.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/run.h"
#include "cli/run_text.h"
#include "cli/terminal.h"
#include "cli/why_case.h"
#include "cli/words.h"
#include "document/control_set.h"
#include "time/format.h"

#define LINE_MAX_BYTES 16384

// ---- for people ---------------------------------------------------------------------------------

// One line of evidence; the text is cleaned as it is printed.
static void line(const char *name, const struct buf *text)
{
    printf("  %-9s ", name);
    terminal_put(stdout, COLOUR_NONE, buf_string(text));
    putchar('\n');
}

static const char *at_text(const struct why_case *why, struct instant t, char out[FORMAT_TIME_SIZE])
{
    if (instant_is_none(t)) {
        snprintf(out, FORMAT_TIME_SIZE, "-");
    } else {
        format_in_zone(t, why->facts.zone, out);
    }
    return out;
}

static void print_slot(const struct why_case *why, struct buf *text)
{
    const struct why_facts *facts = &why->facts;
    char at[FORMAT_TIME_SIZE];
    buf_clear(text);
    if (facts->has_row) {
        const char *outcome = slot_outcome_name(facts->outcome);
        const char *reason = slot_reason_name(facts->reason);
        buf_printf(text, "%s%s%s", outcome != NULL ? outcome : "open",
                   *reason != '\0' ? ", reason " : "", reason);
    } else if (instant_is_none(facts->high_water)) {
        buf_add_string(text, "no row; none of the job's slots is decided yet");
    } else {
        buf_printf(text, "no row; the job's slots are decided up to %s",
                   at_text(why, facts->high_water, at));
    }
    line("slot", text);
}

static void print_around(const struct why_case *why, struct buf *text)
{
    const struct why_facts *facts = &why->facts;
    char before[FORMAT_TIME_SIZE];
    char after[FORMAT_TIME_SIZE];
    if (facts->is_slot || facts->is_reboot) {
        return;
    }
    buf_clear(text);
    buf_printf(text, "before %s, after %s", at_text(why, facts->before, before),
               at_text(why, facts->after, after));
    line("slots", text);
}

static void print_run(const struct why_case *why, const char *name, const struct store_run_row *run,
                      struct buf *text)
{
    char id[UUID_TEXT_SIZE];
    char at[FORMAT_TIME_SIZE];
    char took[80];
    char result[512];
    const struct why_facts *facts = &why->facts;
    bool is_own = facts->run != NULL && uuid_equal(facts->run->run_id, run->run_id);
    bool is_cut_off = is_own && run->state == RUN_STARTED && !facts->run_is_with_node;
    uuid_format(run->run_id, id);
    run_duration(run, facts->now, is_cut_off, took, sizeof took);
    run_result(run, result, sizeof result);
    buf_clear(text);
    buf_printf(text, "%s, attempt %d, %s, %s, started %s, took %s%s%s", id, run->attempt,
               run_trigger_name(run->trigger), run_state_name(run->state),
               at_text(why, run->started_at, at), took, *result != '\0' ? ": " : "", result);
    line(name, text);
}

static void print_events(const struct why_case *why, struct buf *text)
{
    char at[FORMAT_TIME_SIZE];
    for (size_t i = 0; i < why->event_count; i++) {
        const struct store_audit_row *row = &why->events[i];
        buf_clear(text);
        if (row->seq > 0) {
            buf_printf(text, "seq %lld, ", (long long)row->seq);
        } else {
            buf_add_string(text, "not sealed yet, ");
        }
        buf_printf(text, "%s at %s", row->event, at_text(why, row->at, at));
        if (row->actor != NULL) {
            buf_printf(text, " by %s", row->actor);
        }
        if (row->detail != NULL) {
            buf_printf(text, " %s", row->detail);
        }
        line("audit", text);
    }
}

static void print_controls(const struct why_case *why, struct buf *text)
{
    char to[FORMAT_TIME_SIZE];
    for (size_t i = 0; i < why->control_count; i++) {
        const struct store_control_row *row = &why->controls[i];
        buf_clear(text);
        buf_printf(text, "%s ", row->job != NULL ? row->job : "all jobs");
        control_set_describe(row, why->facts.zone, text);
        if (!instant_is_none(row->to)) {
            buf_printf(text, ", until %s", at_text(why, row->to, to));
        }
        line("control", text);
    }
}

static void print_node(const struct why_case *why, const char *name,
                       const struct store_node_row *node, struct buf *text)
{
    if (node == NULL) {
        return;
    }
    char id[UUID_TEXT_SIZE];
    char started[FORMAT_TIME_SIZE];
    char seen[FORMAT_TIME_SIZE];
    uuid_format(node->node, id);
    buf_clear(text);
    buf_printf(text, "%s: %s on %s, started %s, last seen %s, %s", name, id, node->host,
               at_text(why, node->started_at, started), at_text(why, node->last_seen, seen),
               node->state);
    line("node", text);
}

static void print_nodes(const struct why_case *why, struct buf *text)
{
    const struct why_facts *facts = &why->facts;
    bool is_future = instant_before(facts->now, facts->at);
    print_node(why, is_future ? "now" : "up then", facts->node_then, text);
    print_node(why, "before, and down then", facts->node_before, text);
    if (facts->node_then == NULL) {
        print_node(why, "after", facts->node_after, text);
    }
    if (!facts->node_is_live) {
        buf_clear(text);
        buf_add_string(text, "none is live now");
        line("node", text);
    }
}

static void print_force(const struct why_case *why, const char *name,
                        const struct store_force_row *row, struct buf *text)
{
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    if (row != NULL) {
        buf_clear(text);
        buf_printf(text, "%s: %s, from %s to %s", name, row->spec, at_text(why, row->from, from),
                   instant_is_none(row->to) ? "now" : at_text(why, row->to, to));
        line("schedule", text);
    }
}

static void print_policy(const struct why_case *why, struct buf *text)
{
    const struct job *job = why->facts.job;
    buf_clear(text);
    if (job == NULL) {
        buf_add_string(text, why->facts.is_config_faulty
                                 ? "not known: the configuration has errors"
                                 : "the job is not in the configuration any more");
        line("policy", text);
        return;
    }
    char within[FORMAT_DURATION_SIZE];
    char timeout[FORMAT_DURATION_SIZE];
    format_duration(job->missed_within, within);
    format_duration(job->timeout, timeout);
    buf_printf(text,
               "overlap: %s, missed: %s, missed_within: %s, on_lost: %s, retries: %d, timeout: %s; "
               "now %d of %d places taken",
               job_overlap_name(job->overlap), job_missed_name(job->missed), within,
               job_on_lost_name(job->on_lost), job->retries->max,
               job->timeout.us > 0 ? timeout : "none", why_places_taken(&why->facts),
               why->facts.max_running);
    line("policy", text);
}

static void print_clock(const struct why_case *why, struct buf *text)
{
    const struct why_clock *clock = &why->facts.clock;
    if (clock->role != WHY_CLOCK_NONE) {
        char at[FORMAT_TIME_SIZE];
        buf_clear(text);
        buf_printf(text, "%s: offset from %+d to %+d min; %d wall time%s of the schedule %s",
                   at_text(why, instant_from_unix(clock->change.change.at), at),
                   (int)(clock->change.change.offset_before / 60),
                   (int)(clock->change.change.offset_after / 60), clock->change.affected,
                   clock->change.affected == 1 ? "" : "s",
                   clock->role == WHY_CLOCK_AGAIN ? "came twice" : "did not exist");
        line("clock", text);
    }
}

static void print_evidence(const struct why_case *why)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, LINE_MAX_BYTES);
    puts("\nevidence");
    print_slot(why, &text);
    print_around(why, &text);
    for (size_t i = 0; i < why->attempt_count; i++) {
        print_run(why, "run", &why->attempts[i], &text);
    }
    if (why->facts.other != NULL) {
        print_run(why, "other run", why->facts.other, &text);
    }
    print_events(why, &text);
    print_controls(why, &text);
    print_nodes(why, &text);
    print_force(why, "before", why->force_before, &text);
    print_force(why, "in force", why->force, &text);
    print_force(why, "after", why->force_after, &text);
    if (why->config_differs) {
        buf_clear(&text);
        buf_printf(&text, "in the file: \"%s\", %s; it counts after `ironcron reload`",
                   why->facts.job->schedule_text, why->facts.job->timezone);
        line("schedule", &text);
    }
    print_clock(why, &text);
    print_policy(why, &text);
}

static void print_case(const struct why_case *why, const struct why *answer)
{
    const struct why_facts *facts = &why->facts;
    char at[FORMAT_TIME_SIZE];
    char ago[WORDS_TIME_SIZE];
    words_relative(facts->at, facts->now, ago);
    terminal_print(stdout, COLOUR_BOLD, "%s", facts->name);
    printf(", %s %s (%s): %s\n", facts->is_slot ? "slot of" : "no slot at",
           at_text(why, facts->at, at), ago, why_cause_name(answer->cause));
    terminal_put(stdout, COLOUR_NONE, buf_string(&answer->text));
    putchar('\n');
    print_evidence(why);
    if (!instant_is_none(why->trouble_at)) {
        const char *outcome = slot_outcome_name(why->trouble);
        printf("\nThe last one that did not succeed, in the day before that: %s; ironcron why %s "
               "--at %s\n",
               outcome != NULL ? outcome : "open", facts->name, at_text(why, why->trouble_at, at));
    }
    printf("\nNext: %s\n", buf_string(&answer->next));
}

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *json_node(const struct store_node_row *node)
{
    return node == NULL ? json_null()
                        : json_pack("{s:o, s:o, s:o, s:o, s:o}", "node", json_uuid(node->node),
                                    "host", json_text(node->host), "started_at",
                                    json_time(node->started_at), "last_seen",
                                    json_time(node->last_seen), "state", json_text(node->state));
}

static json_t *json_force(const struct store_force_row *row)
{
    return row == NULL ? json_null()
                       : json_pack("{s:o, s:o, s:o}", "spec", json_text(row->spec), "from",
                                   json_time(row->from), "to", json_time(row->to));
}

static json_t *json_clock(const struct why_clock *clock)
{
    static const char *const roles[] = {
        [WHY_CLOCK_MADE] = "made", [WHY_CLOCK_GAP] = "gap", [WHY_CLOCK_AGAIN] = "repeated"};
    const struct zone_change *change = &clock->change.change;
    return clock->role == WHY_CLOCK_NONE
               ? json_null()
               : json_pack("{s:s, s:o, s:i, s:i, s:o}", "role", roles[clock->role], "at",
                           json_time(instant_from_unix(change->at)), "offset_before",
                           (int)change->offset_before, "offset_after", (int)change->offset_after,
                           "instead", json_time(clock->instead));
}

static json_t *json_policy(const struct why_facts *facts)
{
    const struct job *job = facts->job;
    return job == NULL
               ? json_null()
               : json_pack("{s:s, s:s, s:o, s:s, s:i, s:o, s:i, s:i}", "overlap",
                           job_overlap_name(job->overlap), "missed", job_missed_name(job->missed),
                           "missed_within_ms", json_duration(job->missed_within), "on_lost",
                           job_on_lost_name(job->on_lost), "retries", job->retries->max,
                           "timeout_ms", json_duration(job->timeout), "running",
                           why_places_taken(facts), "max_running", facts->max_running);
}

static void add_rows(json_t *document, const struct why_case *why)
{
    json_t *attempts = json_array();
    json_t *events = json_array();
    json_t *controls = json_array();
    for (size_t i = 0; i < why->attempt_count; i++) {
        json_array_append_new(attempts, json_run(&why->attempts[i], &why->nodes));
    }
    for (size_t i = 0; i < why->event_count; i++) {
        json_array_append_new(events, json_audit(&why->events[i]));
    }
    for (size_t i = 0; i < why->control_count; i++) {
        json_array_append_new(controls, json_control(&why->controls[i]));
    }
    json_object_set_new(document, "runs", attempts);
    json_object_set_new(document, "events", events);
    json_object_set_new(document, "controls", controls);
    const struct why_facts *facts = &why->facts;
    json_object_set_new(document, "other_run",
                        facts->other != NULL ? json_run(facts->other, &why->nodes) : json_null());
    json_object_set_new(document, "node_then", json_node(facts->node_then));
    json_object_set_new(document, "node_before", json_node(facts->node_before));
    json_object_set_new(document, "node_after", json_node(facts->node_after));
    json_object_set_new(document, "schedule", json_force(why->force));
    json_object_set_new(document, "schedule_before", json_force(why->force_before));
    json_object_set_new(document, "schedule_after", json_force(why->force_after));
}

static json_t *json_case(const struct why_case *why, const struct why *answer)
{
    const struct why_facts *facts = &why->facts;
    const char *outcome = facts->has_row ? slot_outcome_name(facts->outcome) : NULL;
    const char *reason = slot_reason_name(facts->reason);
    json_t *document = json_pack(
        "{s:s, s:o, s:b, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "job",
        facts->name, "at", json_time(facts->at), "is_slot", (int)facts->is_slot, "cause",
        why_cause_name(answer->cause), "known", (int)why_is_known(answer->cause), "answer",
        json_text(buf_string(&answer->text)), "next", json_text(buf_string(&answer->next)),
        "outcome", json_text(outcome), "reason", json_text(*reason != '\0' ? reason : NULL),
        "before", json_time(facts->before), "after", json_time(facts->after), "high_water",
        json_time(facts->high_water), "trouble_at", json_time(why->trouble_at), "node_is_live",
        (int)facts->node_is_live);
    add_rows(document, why);
    json_object_set_new(document, "clock_change", json_clock(&facts->clock));
    json_object_set_new(document, "policy", json_policy(facts));
    return document;
}

bool command_why(struct invocation *invocation, int *exit_out, struct error *err)
{
    AUTO(session_release) struct session session = {0};
    if (!session_config_to_look(&session, invocation, err) || !session_read(&session, err)) {
        return false;
    }
    struct instant at = INSTANT_NONE;
    if (invocation_has(invocation, "at")) {
        // A schedule knows whole seconds.
        at = instant_from_unix(instant_unix(invocation_time(invocation, "at")));
    }
    AUTO(why_case_release) struct why_case why;
    AUTO(why_release) struct why answer = {0};
    if (!why_case_load(&why, &session, invocation->arguments[0], at, err)) {
        return false;
    }
    why_explain(&why.facts, &answer);
    if (invocation->json) {
        json_print(json_case(&why, &answer));
    } else {
        print_case(&why, &answer);
    }
    *exit_out = why_is_known(answer.cause) ? 0 : 1;
    return true;
}
