// SPDX-License-Identifier: MIT
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cli/hint.h"
#include "cli/values.h"

// An option as it was typed.
struct typed {
    const char *name; // NULL for a letter
    size_t length;
    char letter;
    const char *value; // NULL = none
    bool attached;     // "--name=value"
};

struct scan {
    char **words;
    size_t word_count;
    struct typed *options;
    size_t option_count;
};

static void scan_release(struct scan *scan)
{
    free(scan->words);
    free(scan->options);
}

// Whether an option takes a value must be known before the command is. An option of one name takes
// a value in all commands or in none.
static bool takes_value(const struct typed *typed)
{
    const struct option *found = NULL;
    size_t at = 0;
    for (const struct command *command; found == NULL && (command = next_command(&at)) != NULL;) {
        found = typed->name != NULL ? option_by_name(command, typed->name, typed->length)
                                    : option_by_letter(command, typed->letter);
    }
    return found != NULL && found->kind != VALUE_NONE;
}

static struct typed typed_read(const char *word)
{
    struct typed typed = {0};
    if (word[1] == '-') {
        typed.name = word + 2;
        typed.length = strcspn(typed.name, "=");
        typed.attached = typed.name[typed.length] == '=';
        typed.value = typed.attached ? typed.name + typed.length + 1 : NULL;
    } else {
        typed.letter = word[1];
        typed.attached = word[2] != '\0';
        typed.value = typed.attached ? word + 2 : NULL;
    }
    return typed;
}

static void scan_words(struct scan *scan, int argc, char *const *argv)
{
    scan->words = alloc_zero((size_t)argc + 1, sizeof *scan->words);
    scan->options = alloc_zero((size_t)argc + 1, sizeof *scan->options);
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
            scan->words[scan->word_count++] = argv[i];
        } else {
            struct typed *typed = &scan->options[scan->option_count++];
            *typed = typed_read(argv[i]);
            if (!typed->attached && takes_value(typed) && i + 1 < argc) {
                typed->value = argv[++i];
            }
        }
    }
}

// ---- the command --------------------------------------------------------------------------------

// The first word alone of "import crontab" and "import pg_cron".
static bool is_half(const char *word, struct error *err)
{
    char names[HINT_SIZE] = "";
    size_t length = strlen(word);
    size_t used = 0;
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        const char *name = command->name;
        if (strncmp(name, word, length) == 0 && name[length] == ' ' && used < sizeof names) {
            used += (size_t)snprintf(names + used, sizeof names - used, "%s\"%s\"",
                                     used > 0 ? " or " : "", name);
        }
    }
    if (used > 0) {
        (void)error_set(err, ERROR_USAGE, "\"%s\" needs another word: %s", word, names);
    }
    return used > 0;
}

static bool unknown_command(const struct scan *scan, struct error *err)
{
    struct nearest nearest;
    nearest_init(&nearest, scan->words[0]);
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        if (!command->hidden) {
            nearest_offer(&nearest, command->name);
        }
    }
    char hint[HINT_SIZE];
    return error_set(err, ERROR_USAGE, "unknown command \"%s\"%s\nAll commands: ironcron help",
                     scan->words[0], hint_text(&nearest, "", hint));
}

static bool find_command(struct invocation *invocation, const struct scan *scan, size_t *used_out,
                         struct error *err)
{
    invocation->command = command_find(scan->words, scan->word_count, used_out);
    if (invocation->command != NULL) {
        return true;
    }
    for (size_t i = 0; i < scan->option_count; i++) {
        const struct typed *typed = &scan->options[i];
        if (typed->name != NULL && typed->length == 7 && strncmp(typed->name, "version", 7) == 0) {
            invocation->command = command_by_name("version");
            return true;
        }
    }
    if (invocation->wants_help) {
        invocation->command = command_by_name("help");
        return true;
    }
    if (scan->word_count == 0) {
        return error_set(err, ERROR_USAGE,
                         "say what to do: ironcron COMMAND\n"
                         "All commands: ironcron help");
    }
    return !is_half(scan->words[0], err) && unknown_command(scan, err);
}

// ---- options ------------------------------------------------------------------------------------

static bool unknown_option(const struct command *command, const struct typed *typed,
                           struct error *err)
{
    char hint[HINT_SIZE] = "";
    if (typed->name != NULL) {
        char *name = alloc_bytes(typed->name, typed->length);
        struct nearest nearest;
        nearest_init(&nearest, name);
        const struct option *lists[] = {command->options, global_options};
        for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
            for (const struct option *o = lists[i]; o != NULL && o->name != NULL; o++) {
                nearest_offer(&nearest, o->name);
            }
        }
        hint_text(&nearest, "--", hint);
        error_set(err, ERROR_USAGE, "\"%s\" has no option \"--%s\"%s\nSee: ironcron help %s",
                  command->name, name, hint, command->name);
        free(name);
        return false;
    }
    return error_set(err, ERROR_USAGE, "\"%s\" has no option \"-%c\"\nSee: ironcron help %s",
                     command->name, typed->letter, command->name);
}

static bool check_option_value(const struct command *command, const struct option *option,
                               const struct typed *typed, struct error *err)
{
    if (option->kind == VALUE_NONE && typed->attached) {
        return error_set(err, ERROR_USAGE, "--%s takes no value\nSee: ironcron help %s",
                         option->name, command->name);
    }
    if (option->kind != VALUE_NONE && typed->value == NULL) {
        return error_set(err, ERROR_USAGE, "--%s needs a value: --%s %s\nSee: ironcron help %s",
                         option->name, option->name, option->placeholder, command->name);
    }
    return true;
}

static bool use_option(struct invocation *invocation, const struct typed *typed, struct error *err)
{
    const struct command *command = invocation->command;
    const struct option *option = typed->name != NULL
                                      ? option_by_name(command, typed->name, typed->length)
                                      : option_by_letter(command, typed->letter);
    if (option == NULL) {
        bool is_version = typed->name != NULL && strcmp(typed->name, "version") == 0 &&
                          strcmp(command->name, "version") == 0;
        return is_version || unknown_option(command, typed, err);
    }
    if (!check_option_value(command, option, typed, err)) {
        return false;
    }
    if (!option->repeats && option->kind != VALUE_NONE &&
        invocation_has(invocation, option->name)) {
        return error_set(err, ERROR_USAGE, "--%s was given twice: give it once", option->name);
    }
    if (invocation->use_count == REPEAT_MAX) {
        return error_set(err, ERROR_USAGE, "more than %d options: leave some out", REPEAT_MAX);
    }
    struct option_use *use = &invocation->uses[invocation->use_count];
    *use = (struct option_use){.option = option, .time = INSTANT_NONE};
    char what[80];
    snprintf(what, sizeof what, "--%s", option->name);
    if (option->kind != VALUE_NONE &&
        !value_check(option->kind, what, typed->value, invocation->now, use, err)) {
        return false;
    }
    invocation->use_count++;
    return true;
}

static void take_globals(struct invocation *invocation)
{
    invocation->config_path = invocation_text(invocation, "config");
    invocation->json = invocation_has(invocation, "json");
    invocation->no_colour = invocation_has(invocation, "no-color");
}

// ---- arguments ----------------------------------------------------------------------------------

static bool missing_argument(const struct command *command, const struct argument *argument,
                             struct error *err)
{
    if (argument->unless != NULL) {
        return error_set(err, ERROR_USAGE, "\"%s\" needs %s or --%s\nSee: ironcron help %s",
                         command->name, argument->name, argument->unless, command->name);
    }
    return error_set(err, ERROR_USAGE, "\"%s\" needs %s\nSee: ironcron help %s", command->name,
                     argument->name, command->name);
}

static bool take_rest(struct invocation *invocation, char *const *words, size_t count,
                      struct error *err)
{
    if (count > REPEAT_MAX) {
        return error_set(err, ERROR_USAGE, "\"%s\" takes %d words at most; leave some out",
                         invocation->command->name, REPEAT_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        invocation->rest[invocation->rest_count++] = words[i];
    }
    return true;
}

// A word too much after a command with subcommands is usually a mistyped subcommand; after one that
// takes a schedule, a schedule that the shell took apart.
static bool word_too_much(const struct command *command, const char *word, struct error *err)
{
    struct nearest nearest;
    nearest_init(&nearest, word);
    size_t length = strlen(command->name);
    size_t at = 0;
    for (const struct command *other; (other = next_command(&at)) != NULL;) {
        if (strncmp(other->name, command->name, length) == 0 && other->name[length] == ' ') {
            nearest_offer(&nearest, other->name + length + 1);
        }
    }
    char before[64];
    snprintf(before, sizeof before, "%s ", command->name);
    char hint[HINT_SIZE];
    hint_text(&nearest, before, hint);
    if (command->arguments[0].kind == VALUE_SCHEDULE) {
        return error_set(err, ERROR_USAGE,
                         "\"%s\": the word \"%s\" is too much; put the schedule into quotes: "
                         "ironcron %s \"15 2 * * *\"",
                         command->name, word, command->name);
    }
    return error_set(err, ERROR_USAGE,
                     "\"%s\": the word \"%s\" is too much%s\nSee: ironcron help %s", command->name,
                     word, hint, command->name);
}

static bool use_argument(struct invocation *invocation, size_t index, const char *word,
                         struct error *err)
{
    const struct argument *argument = &invocation->command->arguments[index];
    struct option_use use = {.time = INSTANT_NONE};
    if (!value_check(argument->kind, argument->name, word, invocation->now, &use, err)) {
        return false;
    }
    invocation->arguments[index] = word;
    invocation->numbers[index] = use.number;
    return true;
}

static bool take_arguments(struct invocation *invocation, char *const *words, size_t count,
                           struct error *err)
{
    const struct command *command = invocation->command;
    size_t wanted = command_argument_count(command);
    size_t next = 0;
    for (size_t i = 0; i < wanted; i++) {
        const struct argument *argument = &command->arguments[i];
        if (argument->repeats) {
            return take_rest(invocation, words + next, count - next, err);
        }
        if (argument->unless != NULL && invocation_has(invocation, argument->unless)) {
            continue;
        }
        if (next == count) {
            if (argument->optional) {
                continue;
            }
            return missing_argument(command, argument, err);
        }
        if (!use_argument(invocation, i, words[next++], err)) {
            return false;
        }
    }
    return next == count || word_too_much(command, words[next], err);
}

static bool asks_for_help(const struct scan *scan)
{
    for (size_t i = 0; i < scan->option_count; i++) {
        const struct typed *typed = &scan->options[i];
        if (typed->letter == 'h' ||
            (typed->name != NULL && typed->length == 4 && strncmp(typed->name, "help", 4) == 0)) {
            return true;
        }
    }
    return false;
}

bool options_parse(struct invocation *invocation, int argc, char *const *argv, struct error *err)
{
    AUTO(scan_release) struct scan scan = {0};
    scan_words(&scan, argc, argv);
    invocation->wants_help = asks_for_help(&scan);
    size_t used = 0;
    if (!find_command(invocation, &scan, &used, err)) {
        return false;
    }
    if (invocation->wants_help) {
        return true;
    }
    for (size_t i = 0; i < scan.option_count; i++) {
        if (!use_option(invocation, &scan.options[i], err)) {
            return false;
        }
    }
    take_globals(invocation);
    return take_arguments(invocation, scan.words + used, scan.word_count - used, err);
}
