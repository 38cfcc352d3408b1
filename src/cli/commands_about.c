// SPDX-License-Identifier: MIT
// Commands about ironcron itself, and what only other programs call.
#include "cli/commands.h"
#include "cli/run.h"

static const struct option help_options[] = {
    {"markdown", 0, VALUE_NONE, false, true, NULL, "all commands, as docs/cli.md"},
    {"man", 0, VALUE_NONE, false, true, NULL, "ironcron(1); of the configuration: ironcron.yml(5)"},
    END};

const struct command commands_about[] = {
    {
        .name = "completion",
        .arguments = ONE("SHELL", VALUE_SHELL),
        .summary = "a completion script for your shell",
        .help = "bash: source <(ironcron completion bash)\n\n"
                "zsh: ironcron completion zsh >\"${fpath[1]}/_ironcron\"\n\n"
                "fish: ironcron completion fish >~/.config/fish/completions/ironcron.fish",
        .examples = EXAMPLES("source <(ironcron completion bash)", "in this shell"),
        .run = command_completion,
    },
    {
        .name = "version",
        .summary = "version of ironcron and of the time zone data",
        .help = "",
        .examples = EXAMPLES("ironcron version", "also: ironcron --version"),
        .run = command_version,
    },
    {
        .name = "help",
        .arguments = {{"COMMAND", VALUE_COMMAND, true, true, NULL}},
        .options = help_options,
        .summary = "this overview, or all about one command",
        .help = "`ironcron help configuration` prints the reference of ironcron.yml.",
        .examples = EXAMPLES("ironcron help runs output", "one command"),
        .run = command_help,
    },
    {
        .name = "worker",
        .hidden = true,
        .arguments = {{"JOB", VALUE_TEXT, true, false, NULL}},
        .summary = "what ironcron starts for a SQL job on a SQLite database",
        .help = "",
        .run = command_worker,
    },
    {
        .name = "__complete",
        .hidden = true,
        .arguments = {{"WORD", VALUE_TEXT, true, true, NULL}},
        .summary = "what the completion scripts ask",
        .help = "",
        .run = command_complete,
    },
    {.name = NULL},
};
