// SPDX-License-Identifier: MIT
#include "cli/run_text.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "time/format.h"

enum colour run_state_colour(enum run_state state)
{
    static const enum colour colours[RUN_STATE_COUNT] = {
        [RUN_STARTED] = COLOUR_BOLD,  [RUN_SUCCESS] = COLOUR_GOOD, [RUN_FAILED] = COLOUR_BAD,
        [RUN_TIMED_OUT] = COLOUR_BAD, [RUN_LOST] = COLOUR_BAD,     [RUN_CANCELLED] = COLOUR_WARN,
        [RUN_DRY_RUN] = COLOUR_DIM,
    };
    return colours[state];
}

void run_duration(const struct store_run_row *row, struct instant now, bool is_cut_off, char *out,
                  size_t size)
{
    char text[FORMAT_DURATION_SIZE];
    bool runs = row->state == RUN_STARTED;
    struct duration d = runs ? instant_since(now, row->started_at) : row->duration;
    if (row->state == RUN_LOST || is_cut_off) {
        snprintf(out, size, "-");
        return;
    }
    format_duration_human(d.us < 0 ? DURATION_US(0) : d, text);
    snprintf(out, size, "%s%s", text, runs ? " so far" : "");
}

void run_result(const struct store_run_row *row, char *out, size_t size)
{
    out[0] = '\0';
    if (row->error != NULL && row->error[0] != '\0') {
        snprintf(out, size, "%.*s", (int)strcspn(row->error, "\n"), row->error);
        utf8_trim_partial(out);
    } else if (row->has_exit_code && row->exit_code != 0) {
        snprintf(out, size, "exit code %d", row->exit_code);
    }
}

void run_conclusion(const struct store_run_row *row, struct buf *out)
{
    char id[UUID_TEXT_SIZE];
    char took[FORMAT_DURATION_SIZE];
    char result[1024];
    uuid_format(row->run_id, id);
    format_duration_human(row->duration, took);
    run_result(row, result, sizeof result);
    if (row->state == RUN_DRY_RUN) {
        buf_printf(out, "run %s of %s: DRY_RUN, nothing was executed", id, row->job);
        return;
    }
    buf_printf(out, "run %s of %s: %s after %s%s%s", id, row->job, run_state_name(row->state), took,
               *result != '\0' ? ": " : "", result);
    if (row->state != RUN_SUCCESS) {
        buf_printf(out, ". More: ironcron runs show %s", id);
    }
}
