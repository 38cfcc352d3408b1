// SPDX-License-Identifier: MIT
// What was decided against what operators had ordered.
#include <stdio.h>
#include <string.h>

#include "audit/verification.h"
#include "base/alloc.h"
#include "time/format.h"

bool decision_member(const char *detail, const char *key, char *out, size_t size)
{
    char pattern[32];
    snprintf(pattern, sizeof pattern, "\"%s\":\"", key);
    const char *start = detail != NULL ? strstr(detail, pattern) : NULL;
    if (start == NULL) {
        return false;
    }
    start += strlen(pattern);
    size_t length = strcspn(start, "\"");
    if (length >= size || start[length] == '\0') {
        return false;
    }
    memcpy(out, start, length);
    out[length] = '\0';
    return true;
}

struct decision decision_read(const char *detail)
{
    struct decision decision = {0};
    char text[64];
    struct error err = ERROR_INIT;
    decision.has_due_at = decision_member(detail, "due_at", text, sizeof text) &&
                          format_parse_time(text, INSTANT_NONE, &decision.due_at, &err);
    decision.has_trigger = decision_member(detail, "trigger", text, sizeof text) &&
                           run_trigger_parse(text, &decision.trigger);
    decision.has_reason = decision_member(detail, "reason", text, sizeof text) &&
                          slot_reason_parse(text, &decision.reason);
    return decision;
}

// ---- modes of nodes -----------------------------------------------------------------------------

static void note_node(struct verification *v, const struct store_audit_row *row)
{
    ARRAY_RESERVE(v->nodes, v->node_count, v->node_capacity);
    v->nodes[v->node_count++] = (struct verification_node){
        .node = row->node,
        .dry_run = row->detail != NULL && strstr(row->detail, "\"dry_run\":true") != NULL,
    };
}

// NULL when its start is not kept.
static const struct verification_node *find_node(const struct verification *v, struct uuid node)
{
    // Nearly every row is of the node that started last.
    for (size_t i = v->node_count; i > 0; i--) {
        if (uuid_equal(v->nodes[i - 1].node, node)) {
            return &v->nodes[i - 1];
        }
    }
    return NULL;
}

// ---- rules --------------------------------------------------------------------------------------

// A node learns of the others' modes a moment after they have begun.
#define SLACK ((struct duration){CONTROLS_SLACK_US})

struct look {
    struct verification *v;
    const struct store_audit_row *row;
    const struct decision *decision;
};

static void contradict(const struct look *look, const char *what)
{
    const struct store_audit_row *row = look->row;
    char at[FORMAT_TIME_SIZE];
    char due_at[FORMAT_TIME_SIZE] = "of unknown time";
    format_utc_ms(row->at, at);
    if (look->decision->has_due_at) {
        format_utc_ms(look->decision->due_at, due_at);
    }
    verification_find(look->v, VERIFY_SLOT_POLICY, row->job, row->at,
                      "job %s, slot %s: %s at %s (audit row %lld)", row->job, due_at, what, at,
                      (long long)row->seq);
}

static bool surely(const struct look *look, enum store_control_kind kind, struct instant at)
{
    return controls_surely(&look->v->controls, kind, look->row->job, at);
}

// Controls go with the slots that were decided under them, while the audit may be kept for longer.
static bool perhaps(const struct look *look, enum store_control_kind kind, struct instant at)
{
    const struct verification *v = look->v;
    return verification_is_old(at, v->report->anchor.slots_from) ||
           controls_perhaps(&v->controls, kind, look->row->job, at);
}

static bool triggered_by(const struct look *look, enum run_trigger trigger)
{
    return look->decision->has_trigger && look->decision->trigger == trigger;
}

// Another node of the fleet was in dry-run, and so was this one once it had learned of it. What was
// written while we read may be of a node that we have not seen.
static bool others_surely_dry(const struct look *look)
{
    const struct verification *v = look->v;
    struct instant at = look->row->at;
    for (size_t i = 0; i < v->dry_count; i++) {
        struct instant known = instant_add(v->dry[i].from, SLACK);
        if (instant_before(known, at) && instant_before(at, v->dry[i].until)) {
            return true;
        }
    }
    return false;
}

static bool others_perhaps_dry(const struct look *look)
{
    const struct verification *v = look->v;
    struct instant at = look->row->at;
    for (size_t i = 0; i < v->dry_count; i++) {
        struct instant over =
            v->dry[i].gone.us == INT64_MAX ? v->dry[i].gone : instant_add(v->dry[i].gone, SLACK);
        if (!instant_before(at, v->dry[i].from) && !instant_before(over, at)) {
            return true;
        }
    }
    return !instant_is_none(v->settled) && !instant_before(at, v->settled);
}

static void look_at_start(const struct look *look)
{
    const struct verification_node *node = find_node(look->v, look->row->node);
    const char *actor = look->row->actor;
    bool has_actor = actor != NULL && actor[0] != '\0'; // for the chain these are the same
    // What a person asks for by name runs in a pause too, but nothing runs in a dry-run.
    bool asked_for = triggered_by(look, TRIGGER_MANUAL) || triggered_by(look, TRIGGER_BACKFILL) ||
                     (triggered_by(look, TRIGGER_RETRY) && has_actor);
    if (node != NULL && node->dry_run) {
        contradict(look, "was executed by a node that is in dry-run,");
    } else if (others_surely_dry(look)) {
        contradict(look, "was executed although another node was in dry-run, and so all are,");
    } else if (surely(look, CONTROL_DRY_RUN, look->row->at)) {
        contradict(look, "was executed although a dry-run was in force");
    }
    if (!asked_for && surely(look, CONTROL_PAUSE, look->row->at)) {
        contradict(look, "was executed although the job was paused");
    } else if (triggered_by(look, TRIGGER_CATCHUP) && look->decision->has_due_at &&
               surely(look, CONTROL_PAUSE, look->decision->due_at)) {
        contradict(look, "was made up although the job was paused when it was due, executed");
    }
}

static void look_at_dry_run(const struct look *look)
{
    const struct verification_node *node = find_node(look->v, look->row->node);
    if (node != NULL && !node->dry_run && !triggered_by(look, TRIGGER_MANUAL) &&
        !triggered_by(look, TRIGGER_BACKFILL) && !perhaps(look, CONTROL_DRY_RUN, look->row->at) &&
        !others_perhaps_dry(look)) {
        contradict(look, "was a dry-run although none was in force");
    }
}

static void look_at_skip(const struct look *look)
{
    const struct decision *decision = look->decision;
    if (!decision->has_reason) {
        return;
    }
    if (decision->reason == REASON_PAUSED && !perhaps(look, CONTROL_PAUSE, look->row->at) &&
        !(decision->has_due_at && perhaps(look, CONTROL_PAUSE, decision->due_at))) {
        contradict(look, "was skipped as paused although nothing was paused");
    }
    if (decision->reason == REASON_THROTTLED && !perhaps(look, CONTROL_THROTTLE, look->row->at)) {
        contradict(look, "was skipped as throttled although no throttle was in force");
    }
}

static void look_at_miss(const struct look *look)
{
    const struct decision *decision = look->decision;
    bool removed = decision->has_reason && decision->reason == REASON_REMOVED;
    if (decision->has_due_at && !removed && surely(look, CONTROL_PAUSE, decision->due_at)) {
        contradict(look,
                   "was missed instead of skipped although the job was paused when it was due,");
    }
}

void verify_policy(struct verification *v, const struct store_audit_row *row,
                   const struct decision *decision)
{
    static const struct {
        const char *event;
        void (*look)(const struct look *look);
    } rules[] = {{"STARTED", look_at_start},
                 {"DRY_RUN", look_at_dry_run},
                 {"SKIPPED", look_at_skip},
                 {"MISSED", look_at_miss}};
    if (strcmp(row->event, "NODE_STARTED") == 0) {
        note_node(v, row);
        return;
    }
    struct look look = {.v = v, .row = row, .decision = decision};
    for (size_t i = 0; i < ARRAY_LENGTH(rules) && row->job != NULL; i++) {
        if (strcmp(row->event, rules[i].event) == 0) {
            rules[i].look(&look);
        }
    }
}
