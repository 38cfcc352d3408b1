// SPDX-License-Identifier: MIT
// Looking things up in the table and in an invocation.
#include "cli/command.h"

#include <string.h>

const struct option global_options[] = {
    {"config", 'c', VALUE_FILE, false, false, "FILE",
     "configuration file (else $IRONCRON_CONFIG, ./ironcron.yml, /etc/ironcron/ironcron.yml)"},
    {"json", 0, VALUE_NONE, false, false, NULL,
     "print JSON: one document, or one a line where the command streams"},
    {"no-color", 0, VALUE_NONE, false, false, NULL,
     "no colours (also with NO_COLOR set, and when stdout is not a terminal)"},
    {"help", 'h', VALUE_NONE, false, false, NULL, "help for the command"},
    {NULL, 0, VALUE_NONE, false, false, NULL, NULL},
};

static const struct option_use *use_of(const struct invocation *invocation, const char *name)
{
    for (size_t i = invocation->use_count; i > 0; i--) {
        if (strcmp(invocation->uses[i - 1].option->name, name) == 0) {
            return &invocation->uses[i - 1];
        }
    }
    return NULL;
}

bool invocation_has(const struct invocation *invocation, const char *name)
{
    return use_of(invocation, name) != NULL;
}

const char *invocation_text(const struct invocation *invocation, const char *name)
{
    const struct option_use *use = use_of(invocation, name);
    return use != NULL ? use->text : NULL;
}

struct instant invocation_time(const struct invocation *invocation, const char *name)
{
    const struct option_use *use = use_of(invocation, name);
    return use != NULL ? use->time : INSTANT_NONE;
}

int64_t invocation_number(const struct invocation *invocation, const char *name, int64_t otherwise)
{
    const struct option_use *use = use_of(invocation, name);
    return use != NULL ? use->number : otherwise;
}

const struct command *next_command(size_t *at)
{
    size_t left = (*at)++;
    for (const struct command_group *group = command_groups; group->title != NULL; group++) {
        for (const struct command *command = group->commands; command->name != NULL; command++) {
            if (left-- == 0) {
                return command;
            }
        }
    }
    return NULL;
}

// How many of the words the name takes; 0 = they do not name it.
static size_t words_matched(const char *name, char *const *words, size_t count)
{
    size_t used = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        if (used == count || strlen(words[used]) != length ||
            strncmp(words[used], name, length) != 0) {
            return 0;
        }
        used++;
        name += length;
        name += strspn(name, " ");
    }
    return used;
}

const struct command *command_find(char *const *words, size_t count, size_t *used_out)
{
    const struct command *found = NULL;
    size_t best = 0;
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        size_t used = words_matched(command->name, words, count);
        if (used > best) {
            best = used;
            found = command;
        }
    }
    *used_out = best;
    return found;
}

const struct command *command_by_name(const char *name)
{
    const struct command *command;
    size_t at = 0;
    do {
        command = next_command(&at);
    } while (command != NULL && strcmp(command->name, name) != 0);
    return command;
}

static const struct option *in_list(const struct option *list, const char *name, size_t length,
                                    char letter)
{
    for (; list != NULL && list->name != NULL; list++) {
        bool named =
            name != NULL && strlen(list->name) == length && strncmp(list->name, name, length) == 0;
        if (named || (letter != 0 && list->letter == letter)) {
            return list;
        }
    }
    return NULL;
}

const struct option *option_by_name(const struct command *command, const char *name, size_t length)
{
    const struct option *own = command != NULL ? in_list(command->options, name, length, 0) : NULL;
    return own != NULL ? own : in_list(global_options, name, length, 0);
}

const struct option *option_by_letter(const struct command *command, char letter)
{
    const struct option *own = command != NULL ? in_list(command->options, NULL, 0, letter) : NULL;
    return own != NULL ? own : in_list(global_options, NULL, 0, letter);
}

size_t command_argument_count(const struct command *command)
{
    size_t count = 0;
    while (count < sizeof command->arguments / sizeof command->arguments[0] &&
           command->arguments[count].name != NULL) {
        count++;
    }
    return count;
}
