// SPDX-License-Identifier: MIT
#include "document/control_outcome.h"

#include <stdio.h>

#include "document/json.h"

static void redo(const struct control_outcome *outcome, const struct control_set *before, char *out,
                 size_t size)
{
    const struct store_control_row *row = control_set_exact(before, outcome->job, outcome->kind);
    bool is_dry_run = outcome->kind == CONTROL_DRY_RUN;
    const char *name = outcome->job != NULL ? outcome->job : is_dry_run ? "" : "--all";
    switch (outcome->kind) {
    case CONTROL_PAUSE:
        snprintf(out, size, "ironcron pause %s", name);
        break;
    case CONTROL_DRY_RUN:
        snprintf(out, size, "ironcron dry-run on%s%s", *name != '\0' ? " " : "", name);
        break;
    default:
        snprintf(out, size, "ironcron throttle %s x%d", name, row != NULL ? row->value : 2);
        break;
    }
}

void control_outcome_undo(const struct control_outcome *outcome, const struct control_set *before,
                          char *out, size_t size)
{
    if (outcome->value != 0) {
        control_set_undo(outcome->kind, outcome->job, out, size);
    } else {
        redo(outcome, before, out, size);
    }
}

json_t *json_control_outcome(const struct control_outcome *outcome,
                             const struct control_set *before)
{
    char back[256];
    control_outcome_undo(outcome, before, back, sizeof back);
    return json_pack("{s:s, s:o, s:i, s:b, s:o, s:s, s:o, s:o, s:s, s:b, s:i}", "control",
                     store_control_name(outcome->kind), "job", json_text(outcome->job), "value",
                     outcome->value, "changed", (int)outcome->changed, "at", json_time(outcome->at),
                     "actor", outcome->actor, "as", json_text(outcome->as), "reason",
                     json_text(outcome->reason), "undo", back, "node_is_live",
                     (int)outcome->node_is_live, "cancelled", (int)outcome->cancelled);
}
