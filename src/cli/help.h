// SPDX-License-Identifier: MIT
// What the table says, as text: the overview, one command, and docs/cli.md.
#pragma once

#include "base/buf.h"
#include "cli/command.h"

#define HELP_OPTION_SIZE 80
#define HELP_USAGE_MAX   4096

struct help_exit_code {
    int code;
    const char *meaning; // NULL ends
};
extern const struct help_exit_code help_exit_codes[];

// "-n, --count N"
void help_option_words(const struct option *option, char *out, size_t size);
void help_overview(struct buf *out);
// A command, and below it those whose names begin with its name.
void help_command(const struct command *command, struct buf *out);
void help_markdown(struct buf *out);
// "ironcron pause JOB|--all [--cancel-running] [--reason TEXT] [--as NAME]"
void help_usage(const struct command *command, struct buf *out);
