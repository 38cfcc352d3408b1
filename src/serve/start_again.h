// SPDX-License-Identifier: MIT
// A node that others have declared dead begins anew: the same program, with the same arguments, as
// a node of a fresh id.
#pragma once

#include "base/error.h"

// Replaces this process; no descriptor but the standard ones is handed on. Returns only when it
// could not be done.
void start_again(struct error *err);
