// SPDX-License-Identifier: MIT
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

#include "base/roff.h"
#include "cli/command.h"
#include "cli/help.h"

static void add_options(struct buf *out, const struct option *list)
{
    for (; list != NULL && list->name != NULL; list++) {
        if (!list->hidden) {
            char words[HELP_OPTION_SIZE];
            help_option_words(list, words, sizeof words);
            buf_add_string(out, ".TP\n");
            roff_bold(out, words);
            buf_add_char(out, '\n');
            roff_text(out, list->summary);
            buf_add_char(out, '\n');
        }
    }
}

static void add_examples(struct buf *out, const struct command *command)
{
    for (size_t i = 0; command->examples != NULL && command->examples[i] != NULL; i += 2) {
        buf_add_string(out, ".TP\n");
        roff_bold(out, command->examples[i]);
        buf_add_char(out, '\n');
        roff_text(out, command->examples[i + 1]);
        buf_add_char(out, '\n');
    }
}

static void add_command(struct buf *out, const struct command *command)
{
    AUTO(buf_release) struct buf usage;
    buf_init(&usage, HELP_USAGE_MAX);
    help_usage(command, &usage);
    buf_add_string(out, ".TP\n");
    roff_bold(out, buf_string(&usage));
    buf_add_char(out, '\n');
    roff_text(out, command->summary);
    buf_add_string(out, ".\n");
    roff_paragraphs(out, command->help, ".IP", true);
    buf_add_string(out, ".RS\n");
    add_options(out, command->options);
    add_examples(out, command);
    buf_add_string(out, ".RE\n");
}

static void add_commands(struct buf *out)
{
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        buf_printf(out, ".SS %s\n", group->title);
        for (const struct command *command = group->commands; command->name != NULL; command++) {
            if (!command->hidden) {
                add_command(out, command);
            }
        }
    }
}

static void add_exit_codes(struct buf *out)
{
    buf_add_string(out, ".SH EXIT STATUS\n");
    for (const struct help_exit_code *code = help_exit_codes; code->meaning != NULL; code++) {
        buf_printf(out, ".TP\n.B %d\n", code->code);
        roff_text(out, code->meaning);
        buf_add_char(out, '\n');
    }
}

static const char head[] =
    ".SH NAME\nironcron \\- runs scheduled jobs, and accounts for each due time\n"
    ".SH SYNOPSIS\n.B ironcron\n[\\fB\\-c\\fR \\fIFILE\\fR] [\\fB\\-\\-json\\fR] "
    "[\\fB\\-\\-no\\-color\\fR] \\fICOMMAND\\fR …\n"
    ".SH DESCRIPTION\n"
    "ironcron runs jobs on schedule. For every due time of every job it can prove later what "
    "became "
    "of it: run once, failed and how, skipped and why, missed and why.\n"
    ".PP\nThe configuration is described in\n.BR ironcron.yml (5).\n"
    "Data goes to standard output; logs, progress and errors go to standard error. Times are RFC "
    "3339, a date, or\n.B \\-2h\nfor two hours ago.\n";

static const char tail[] =
    ".SH ENVIRONMENT\n"
    ".TP\n.B IRONCRON_CONFIG\nThe configuration, where no\n.B \\-c\nis given.\n"
    ".TP\n.B JOB_DRY_RUN\n1, true, yes or on: nothing is executed. 0, false, no, off or empty: "
    "live.\n"
    ".TP\n.BR NOTIFY_SOCKET \", \" WATCHDOG_USEC \", \" WATCHDOG_PID\n"
    "Set by the service manager for\n.BR serve .\n"
    ".SH FILES\n"
    ".TP\n.I ./ironcron.yml\nThe configuration, where neither\n.B \\-c\nnor\n.B IRONCRON_CONFIG\n"
    "names one; else\n"
    ".TP\n.I /etc/ironcron/ironcron.yml\nThe configuration of the service.\n"
    ".TP\n.I /var/lib/ironcron/ironcron.db\nThe store of the service: runs, slots, audit log.\n"
    ".SH SEE ALSO\n.BR ironcron.yml (5),\n.BR systemd.service (5),\n.BR crontab (5)\n";

void manual_commands(struct buf *out)
{
    buf_printf(out, ".\\\" Made from the table of commands by `ironcron help --man`.\n"
                    ".TH IRONCRON 1 \"\" \"ironcron " IRONCRON_VERSION "\" \"ironcron\"\n"
                    ".nh\n.ad l\n");
    buf_add_string(out, head);
    buf_add_string(out, ".SH OPTIONS\nThey may stand before the command or after it.\n");
    add_options(out, global_options);
    buf_add_string(out, ".SH COMMANDS\n");
    add_commands(out);
    add_exit_codes(out);
    buf_add_string(out, tail);
}
