// SPDX-License-Identifier: MIT
// A node that others have declared dead begins anew: the same program, with the same arguments, as
// a node of a fresh id.
#pragma once

#include "base/error.h"
#include "time/instant.h"

// Replaces this process; no descriptor but the standard ones is handed on. Returns only when it
// could not be done.
// `tries`: how often it has come to nothing so far; `since`: the node was declared dead. Both for
// start_again_was.
void start_again(int tries, struct instant since, struct error *err);
// What the process told that this one has replaced; -1 = it replaced none. Asked once.
int start_again_was(struct instant *since_out);
