// SPDX-License-Identifier: MIT
// From argv to an invocation. Global options may stand before and after the command; "--" ends
// options;
// "--name=value", "--name value", "-n value" and "-nvalue" mean the same.
#pragma once

#include "cli/command.h"

// False: ERROR_USAGE with the word, the nearest valid one and the help to look at. `invocation`
// needs clock and now set. With --help the rest is not checked.
bool options_parse(struct invocation *invocation, int argc, char *const *argv,
                   struct error *err) MUST_USE;
