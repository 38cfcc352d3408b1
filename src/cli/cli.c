// SPDX-License-Identifier: MIT
// Dispatch: parse the line, run the command, print its error, decide the exit code.
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "time/format.h"

static void log_time(char out[LOG_TIME_SIZE])
{
    format_utc_ms(clock_now(clock_system()), out);
}

static int fail(const struct error *err)
{
    char *text = terminal_clean_lines(err->text, strlen(err->text));
    char *masked = log_mask(text);
    fflush(stdout);
    fprintf(stderr, "ironcron: %s\n", masked);
    free(masked);
    free(text);
    return error_exit_code(err->code);
}

static int show_help(const struct command *command)
{
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1024 * 1024);
    if (strcmp(command->name, "help") == 0) {
        help_overview(&out);
    } else {
        help_command(command, &out);
    }
    fputs(buf_string(&out), stdout);
    return 0;
}

// A full disk behind stdout must not look like success.
static int finish(int exit_code)
{
    struct error err = ERROR_INIT;
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return exit_code;
    }
    error_set(&err, ERROR_IO, "the output could not be written (%s): what was printed is not whole",
              strerror(errno));
    return exit_code != 0 ? exit_code : fail(&err);
}

int cli_main(int argc, char **argv)
{
    struct clock *clock = clock_system();
    struct invocation invocation = {.clock = clock, .now = clock_now(clock)};
    struct error err = ERROR_INIT;
    // Commands speak for themselves; `serve` sets the level of its own logs.
    log_configure(LOG_FORMAT_LOGFMT, LOG_WARN, log_time);
    if (!options_parse(&invocation, argc, argv, &err)) {
        return fail(&err);
    }
    terminal_init(invocation.no_colour);
    if (invocation.wants_help) {
        return finish(show_help(invocation.command));
    }
    int exit_code = 0;
    if (!invocation.command->run(&invocation, &exit_code, &err)) {
        return finish(fail(&err));
    }
    return finish(exit_code);
}
