// SPDX-License-Identifier: MIT
// What came of a wish to set or lift a control, and how to take it back.
#pragma once

#include <jansson.h>

#include "document/control_set.h"

struct control_outcome {
    enum store_control_kind kind;
    const char *job; // NULL = all
    int value;       // 0 = lifted
    bool changed;
    struct instant at;
    const char *actor;
    const char *as;     // NULL
    const char *reason; // NULL
    bool node_is_live;
    size_t cancelled; // runs that were told to end
};

// The command that takes it back. `before`: the controls in force before it.
void control_outcome_undo(const struct control_outcome *outcome, const struct control_set *before,
                          char *out, size_t size);
json_t *json_control_outcome(const struct control_outcome *outcome,
                             const struct control_set *before);
