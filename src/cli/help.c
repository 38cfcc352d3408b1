// SPDX-License-Identifier: MIT
#include "cli/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/hint.h"
#include "cli/manual.h"
#include "cli/run.h"
#include "cli/terminal.h"
#include "config/config.h"

#define HELP_MAX   (1024 * 1024)
#define HELP_WIDTH 96

const struct help_exit_code help_exit_codes[] = {
    {0, "yes, or done"},
    {1, "the answer is no: a check failed, the run failed, there is no such job or run"},
    {2, "wrong usage"},
    {70, "a bug in ironcron, with a report"},
    {75, "the store cannot be reached now; try again later"},
    {78, "the configuration is wrong by itself, or the store is of another version"},
    {0, NULL},
};

// Breaks lines between words; a blank line begins a new paragraph.
static void add_wrapped(struct buf *out, const char *text, size_t indent)
{
    size_t column = 0;
    while (*text != '\0') {
        if (*text == '\n') {
            buf_add_string(out, column > 0 ? "\n" : "");
            buf_add_string(out, text[1] == '\n' ? "\n" : "");
            text += strspn(text, "\n");
            column = 0;
        }
        size_t length = strcspn(text, " \n");
        if (column > 0 && column + 1 + length > HELP_WIDTH) {
            buf_add_char(out, '\n');
            column = 0;
        }
        buf_printf(out, "%*s", (int)(column == 0 ? indent : 1), "");
        buf_add(out, text, length);
        column = (column == 0 ? indent : column + 1) + length;
        text += length;
        text += strspn(text, " ");
    }
    buf_add_string(out, column > 0 ? "\n" : "");
}

// ---- usage --------------------------------------------------------------------------------------

static const char *alternative(const struct command *command, const struct argument *argument,
                               char out[80])
{
    const struct option *option =
        option_by_name(command, argument->unless, strlen(argument->unless));
    const char *value = option != NULL ? option->placeholder : NULL;
    snprintf(out, 80, "--%s%s%s", argument->unless, value != NULL ? " " : "",
             value != NULL ? value : "");
    return out;
}

static bool stands_in(const struct command *command, const struct option *option)
{
    for (size_t i = 0; i < command_argument_count(command); i++) {
        const char *unless = command->arguments[i].unless;
        if (unless != NULL && strcmp(unless, option->name) == 0) {
            return true;
        }
    }
    return false;
}

void help_usage(const struct command *command, struct buf *out)
{
    buf_printf(out, "ironcron %s", command->name);
    for (size_t i = 0; i < command_argument_count(command); i++) {
        const struct argument *argument = &command->arguments[i];
        char other[80];
        if (argument->unless != NULL) {
            buf_printf(out, " %s|%s", argument->name, alternative(command, argument, other));
        } else {
            buf_printf(out, argument->optional ? " [%s]" : " %s", argument->name);
        }
        buf_add_string(out, argument->repeats ? "…" : "");
    }
    for (const struct option *o = command->options; o != NULL && o->name != NULL; o++) {
        if (o->hidden || stands_in(command, o)) {
            continue;
        }
        buf_printf(out, " [--%s%s%s]%s", o->name, o->placeholder != NULL ? " " : "",
                   o->placeholder != NULL ? o->placeholder : "", o->repeats ? "…" : "");
    }
}

// ---- for the terminal ---------------------------------------------------------------------------

void help_option_words(const struct option *option, char *out, size_t size)
{
    char letter[8] = "";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    snprintf(out, size, "%s--%s%s%s", letter, option->name, option->placeholder != NULL ? " " : "",
             option->placeholder != NULL ? option->placeholder : "");
}

static void add_options(struct buf *out, const struct option *list)
{
    for (; list != NULL && list->name != NULL; list++) {
        if (!list->hidden) {
            char words[HELP_OPTION_SIZE];
            help_option_words(list, words, sizeof words);
            buf_printf(out, "  %-22s %s\n", words, list->summary);
        }
    }
}

static void add_group(struct buf *out, const struct command_group *group)
{
    buf_printf(out, "\n%s\n", group->title);
    for (const struct command *command = group->commands; command->name != NULL; command++) {
        if (!command->hidden) {
            buf_printf(out, "  %-14s %s\n", command->name, command->summary);
        }
    }
}

void help_overview(struct buf *out)
{
    buf_add_string(out, "ironcron runs scheduled jobs: each slot is claimed once, recorded, and "
                        "accounted for.\n\nUsage: ironcron [-c FILE] [--json] [--no-color] "
                        "COMMAND …\n");
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        add_group(out, group);
    }
    buf_add_string(out, "\nOptions of all commands\n");
    add_options(out, global_options);
    buf_add_string(out, "\nExit codes\n");
    for (const struct help_exit_code *code = help_exit_codes; code->meaning != NULL; code++) {
        buf_printf(out, "  %-14d %s\n", code->code, code->meaning);
    }
    buf_add_string(out, "\nTimes are RFC 3339, a date, or -2h for two hours ago.\n"
                        "More about a command: ironcron help COMMAND. About ironcron.yml: "
                        "ironcron help configuration\n");
}

static void add_examples(struct buf *out, const struct command *command)
{
    buf_add_string(out, command->examples != NULL ? "\nExamples\n" : "");
    for (size_t i = 0; command->examples != NULL && command->examples[i] != NULL; i += 2) {
        buf_printf(out, "  %s\n      %s\n", command->examples[i], command->examples[i + 1]);
    }
}

static bool is_below(const struct command *command, const struct command *above)
{
    size_t length = strlen(above->name);
    return !command->hidden && strncmp(command->name, above->name, length) == 0 &&
           command->name[length] == ' ';
}

void help_command(const struct command *command, struct buf *out)
{
    buf_printf(out, "ironcron %s: %s\n\nUsage: ", command->name, command->summary);
    help_usage(command, out);
    buf_add_string(out, "\n");
    if (*command->help != '\0') {
        buf_add_string(out, "\n");
        add_wrapped(out, command->help, 0);
    }
    if (command->options != NULL) {
        buf_add_string(out, "\nOptions\n");
        add_options(out, command->options);
    }
    buf_add_string(out, "\nOptions of all commands\n");
    add_options(out, global_options);
    add_examples(out, command);
    bool first = true;
    size_t at = 0;
    for (const struct command *other; (other = next_command(&at)) != NULL;) {
        if (is_below(other, command)) {
            buf_add_string(out, first ? "\nSee also\n" : "");
            buf_printf(out, "  ironcron help %-14s %s\n", other->name, other->summary);
            first = false;
        }
    }
}

// ---- Markdown -----------------------------------------------------------------------------------

static void markdown_options(struct buf *out, const struct option *list)
{
    buf_add_string(out, "| option | meaning |\n|---|---|\n");
    for (; list->name != NULL; list++) {
        if (!list->hidden) {
            char words[HELP_OPTION_SIZE];
            help_option_words(list, words, sizeof words);
            buf_printf(out, "| `%s` | %s |\n", words, list->summary);
        }
    }
    buf_add_string(out, "\n");
}

static void markdown_command(struct buf *out, const struct command *command)
{
    buf_printf(out, "### ironcron %s\n\n%c%s.\n\n```\n", command->name,
               command->summary[0] >= 'a' && command->summary[0] <= 'z' ? command->summary[0] - 32
                                                                        : command->summary[0],
               command->summary + 1);
    help_usage(command, out);
    buf_add_string(out, "\n```\n\n");
    if (*command->help != '\0') {
        add_wrapped(out, command->help, 0);
        buf_add_string(out, "\n");
    }
    if (command->options != NULL) {
        markdown_options(out, command->options);
    }
    buf_add_string(out, command->examples != NULL ? "Examples:\n\n```sh\n" : "");
    for (size_t i = 0; command->examples != NULL && command->examples[i] != NULL; i += 2) {
        buf_printf(out, "%s   # %s\n", command->examples[i], command->examples[i + 1]);
    }
    buf_add_string(out, command->examples != NULL ? "```\n\n" : "");
}

static void markdown_group(struct buf *out, const struct command_group *group)
{
    buf_printf(out, "## %s\n\n", group->title);
    for (const struct command *command = group->commands; command->name != NULL; command++) {
        if (!command->hidden) {
            markdown_command(out, command);
        }
    }
}

void help_markdown(struct buf *out)
{
    buf_add_string(out,
                   "# The command line\n\n"
                   "Made from the table of commands by `ironcron help --markdown`; do not edit.\n\n"
                   "```\nironcron [-c FILE] [--json] [--no-color] COMMAND …\n```\n\n"
                   "Data goes to stdout; logs, progress and errors go to stderr. Times are RFC "
                   "3339, a date, or `-2h` for two hours ago.\n\n"
                   "## Options of all commands\n\n");
    markdown_options(out, global_options);
    buf_add_string(out, "They may stand before the command or after it.\n\n"
                        "## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (const struct help_exit_code *code = help_exit_codes; code->meaning != NULL; code++) {
        buf_printf(out, "| %d | %s |\n", code->code, code->meaning);
    }
    buf_add_string(out, "\n");
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        markdown_group(out, group);
    }
}

// ---- the command --------------------------------------------------------------------------------

static bool unknown_topic(const char *name, struct error *err)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        if (!command->hidden) {
            nearest_offer(&nearest, command->name);
        }
    }
    nearest_offer(&nearest, "configuration");
    char hint[HINT_SIZE];
    return error_set(err, ERROR_USAGE, "no help about \"%s\"%s\nAll commands: ironcron help", name,
                     hint_text(&nearest, "", hint));
}

static bool help_topic(const struct invocation *invocation, struct buf *out, struct error *err)
{
    if (strcmp(invocation->rest[0], "configuration") == 0) {
        (invocation_has(invocation, "man") ? config_manual : config_reference)(out);
        return true;
    }
    char *words[REPEAT_MAX];
    char name[256] = "";
    for (size_t i = 0; i < invocation->rest_count; i++) {
        words[i] = alloc_string(invocation->rest[i]);
        size_t used = strlen(name);
        snprintf(name + used, sizeof name - used, "%s%s", i > 0 ? " " : "", words[i]);
    }
    size_t used = 0;
    const struct command *command = command_find(words, invocation->rest_count, &used);
    for (size_t i = 0; i < invocation->rest_count; i++) {
        free(words[i]);
    }
    if (command == NULL || used < invocation->rest_count || command->hidden) {
        return unknown_topic(name, err);
    }
    help_command(command, out);
    return true;
}

bool command_help(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(buf_release) struct buf out;
    buf_init(&out, HELP_MAX);
    if (invocation_has(invocation, "markdown")) {
        help_markdown(&out);
    } else if (invocation_has(invocation, "man") && invocation->rest_count == 0) {
        manual_commands(&out);
    } else if (invocation->rest_count == 0) {
        help_overview(&out);
    } else if (!help_topic(invocation, &out, err)) {
        return false;
    }
    fputs(buf_string(&out), stdout);
    return true;
}
