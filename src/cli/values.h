// SPDX-License-Identifier: MIT
// The kinds of values that words and options stand for: how each is checked.
#pragma once

#include "cli/command.h"

// Checks `text` and fills use->text, and time or number where the kind has one. `what` names the
// option or argument in the error ("--since").
bool value_check(enum value_kind kind, const char *what, const char *text, struct instant now,
                 struct option_use *use, struct error *err) MUST_USE;
// The fixed words of a kind ("on", "off"), NULL-terminated; NULL when it has none.
const char *const *value_words(enum value_kind kind);
