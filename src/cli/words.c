// SPDX-License-Identifier: MIT
#include "cli/words.h"

#include <stdio.h>

#include "time/format.h"

void words_relative(struct instant t, struct instant now, char out[WORDS_TIME_SIZE])
{
    if (instant_is_none(t)) {
        snprintf(out, WORDS_TIME_SIZE, "-");
        return;
    }
    // Whole seconds: nobody reads the milliseconds of a table.
    int64_t seconds = instant_unix(now) - instant_unix(t);
    char text[FORMAT_DURATION_SIZE];
    format_duration_human(DURATION_S(seconds < 0 ? -seconds : seconds), text);
    if (seconds == 0) {
        snprintf(out, WORDS_TIME_SIZE, "now");
    } else {
        snprintf(out, WORDS_TIME_SIZE, seconds > 0 ? "%s ago" : "in %s", text);
    }
}

const char *words_plural(size_t count)
{
    return count == 1 ? "" : "s";
}
