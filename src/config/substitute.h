// SPDX-License-Identifier: MIT
// ${NAME}, ${file:PATH} and $$ in one scalar. Once: what comes in is not looked at again.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

struct substitution {
    const char *folder; // what a relative PATH is relative to
    bool closed;        // touch neither environment nor files: everything counts as unset
    bool lenient;       // what is unset stays as it is written: for readers without the secrets
    bool has_secrets;   // out: something was registered with the log
    size_t bytes;       // out: how much was put in so far, over all scalars
};

// True: *text_out is `raw` itself when there was nothing to do, or lives in the arena. `secret`
// registers what was put in with the log. The error never holds a value.
bool substitution_expand(struct substitution *substitution, struct arena *arena, const char *raw,
                         bool secret, const char **text_out, struct error *err) MUST_USE;
