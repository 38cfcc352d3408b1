// SPDX-License-Identifier: MIT
#include "cli/hint.h"

#include <stdio.h>

const char *hint_text(const struct nearest *nearest, const char *before, char out[HINT_SIZE])
{
    out[0] = '\0';
    if (nearest->best != NULL) {
        snprintf(out, HINT_SIZE, "; did you mean \"%s%s\"?", before, nearest->best);
    }
    return out;
}
