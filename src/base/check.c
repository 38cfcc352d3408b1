// SPDX-License-Identifier: MIT
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Exit code 70 is EX_SOFTWARE of sysexits.h. _exit, since the state can no longer be trusted:
// no exit handler may write anything on its behalf.
void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr,
            "ironcron: bug: %s does not hold at %s:%d. Nothing was written on its behalf; please "
            "report this line with what you did.\n",
            condition, file, line);
    fflush(stderr);
    if (getenv("IRONCRON_ABORT") != NULL) {
        abort();
    }
    _exit(70);
}
