// SPDX-License-Identifier: MIT
#include "cli/why_text.h"

#include <stdio.h>

#include "document/control_set.h"

const char *why_time_text(const struct why_facts *facts, struct instant t,
                          char out[FORMAT_TIME_SIZE])
{
    if (instant_is_none(t)) {
        snprintf(out, FORMAT_TIME_SIZE, "an unknown time");
    } else {
        format_in_zone(t, facts->zone, out);
    }
    return out;
}

void why_add_time(const struct why_facts *facts, struct buf *text, const char *before,
                  struct instant t)
{
    char at[FORMAT_TIME_SIZE];
    buf_printf(text, "%s%s", before, why_time_text(facts, t, at));
}

void why_add_length(struct buf *text, const char *before, struct duration length)
{
    char words[FORMAT_DURATION_SIZE];
    format_duration_human(length.us < 0 ? DURATION_S(0) : length, words);
    buf_printf(text, "%s%s", before, words);
}

void why_add_id(struct buf *text, const char *before, const struct store_run_row *run,
                const char *after)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(run->run_id, id);
    buf_printf(text, "%s%s%s", before, id, after);
}

const char *why_error_of(const struct store_run_row *run, const char *otherwise)
{
    return run->error != NULL && run->error[0] != '\0' ? run->error : otherwise;
}

void why_next_run(const struct why_facts *facts, struct why *why)
{
    if (facts->job != NULL) {
        buf_printf(&why->next, "ironcron run %s", facts->name);
    } else {
        buf_printf(&why->next, "ironcron audit --job %s", facts->name);
    }
}

bool why_is_in_force(const struct store_control_row *control)
{
    return control != NULL && instant_is_none(control->to);
}

// Lifts what held the slot back; a control that is over needs no lifting.
void why_next_undo(const struct why_facts *facts, struct why *why,
                   const struct store_control_row *control)
{
    if (!why_is_in_force(control)) {
        why_next_run(facts, why);
        return;
    }
    char command[256];
    control_set_undo(control->kind, control->job, command, sizeof command);
    buf_add_string(&why->next, command);
}

// "the job is paused since … by … (…), with all jobs"; "the job was paused since …, until …"
void why_add_control(const struct why_facts *facts, struct buf *text,
                     const struct store_control_row *control, const char *otherwise)
{
    if (control == NULL) {
        buf_printf(text, "the job was %s; by whom is not recorded any more", otherwise);
        return;
    }
    buf_add_string(text, why_is_in_force(control) ? "the job is " : "the job was ");
    control_set_describe(control, facts->zone, text);
    if (control->job == NULL) {
        buf_add_string(text, ", with all jobs");
    }
    if (!instant_is_none(control->to)) {
        why_add_time(facts, text, ", until ", control->to);
    }
}

void why_add_downtime(const struct why_facts *facts, struct why *why)
{
    const struct store_node_row *before = facts->node_before;
    const struct store_node_row *after = facts->node_after;
    if (facts->node_then != NULL) {
        buf_printf(&why->text, "the node on %s was draining, stopping or stalled",
                   facts->node_then->host);
        why_add_time(facts, &why->text, ", and last seen at ", facts->node_then->last_seen);
    } else if (before == NULL) {
        buf_add_string(&why->text, "no node was running");
    } else {
        buf_printf(&why->text, "no node was running: the last one before, on %s, was %s",
                   before->host, before->state);
        why_add_time(facts, &why->text, " and last seen at ", before->last_seen);
    }
    if (after != NULL) {
        why_add_time(facts, &why->text, "; the next started at ", after->started_at);
    }
}

void why_add_upstream(const struct why_facts *facts, struct buf *text)
{
    why_add_time(facts, text, "its slot of ", facts->upstream_at);
    buf_printf(text, " is %s", facts->upstream_outcome);
}
