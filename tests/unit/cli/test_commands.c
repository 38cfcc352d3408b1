// SPDX-License-Identifier: MIT
// The table of commands keeps its own rules, and the help says all that is in it.
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/command.h"
#include "cli/help.h"

// The parser must know whether an option takes a value before it knows the command.
static void test_an_option_means_one_thing(void **state)
{
    (void)state;
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        const struct option *a = command->options;
        for (; a != NULL && a->name != NULL; a++) {
            assert_true((a->kind == VALUE_NONE) == (a->placeholder == NULL));
            size_t other_at = 0;
            for (const struct command *other; (other = next_command(&other_at)) != NULL;) {
                const struct option *b = option_by_name(other, a->name, strlen(a->name));
                if (b != NULL && (b->kind == VALUE_NONE) != (a->kind == VALUE_NONE)) {
                    fail_msg("--%s takes a value in %s or %s only", a->name, command->name,
                             other->name);
                }
            }
        }
    }
}

static void test_names_are_unique(void **state)
{
    (void)state;
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        assert_ptr_equal(command_by_name(command->name), command);
        const struct option *option = command->options;
        for (; option != NULL && option->name != NULL; option++) {
            if (option_by_name(command, option->name, strlen(option->name)) != option) {
                fail_msg("%s has --%s twice", command->name, option->name);
            }
            if (option_by_name(NULL, option->name, strlen(option->name)) != NULL) {
                fail_msg("%s hides the global --%s", command->name, option->name);
            }
        }
    }
}

static void test_every_command_is_explained(void **state)
{
    (void)state;
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        assert_non_null(command->run);
        size_t length = strlen(command->summary);
        if (length == 0 || command->summary[length - 1] == '.' ||
            isupper((unsigned char)command->summary[0])) {
            fail_msg("%s: a summary is one line in lower case without a full stop", command->name);
        }
        if (!command->hidden && (command->examples == NULL || command->examples[0] == NULL ||
                                 command->examples[1] == NULL)) {
            fail_msg("%s has no example", command->name);
        }
    }
}

static bool contains(const struct buf *text, const char *words)
{
    return strstr(buf_string(text), words) != NULL;
}

static void test_help_and_manual_are_whole(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf overview;
    AUTO(buf_release) struct buf manual;
    buf_init(&overview, 1024 * 1024);
    buf_init(&manual, 1024 * 1024);
    help_overview(&overview);
    help_markdown(&manual);
    size_t at = 0;
    for (const struct command *command; (command = next_command(&at)) != NULL;) {
        AUTO(buf_release) struct buf usage;
        buf_init(&usage, 4096);
        help_usage(command, &usage);
        if (contains(&overview, command->summary) == command->hidden ||
            contains(&manual, buf_string(&usage)) == command->hidden) {
            fail_msg("%s is missing, or shown though it is hidden", command->name);
        }
    }
    assert_false(overview.overflow || manual.overflow);
}

static void test_usage(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        const char *usage;
    } cases[] = {
        {"pause", "ironcron pause JOB|--all [--cancel-running] [--reason TEXT] [--as NAME]"},
        {"throttle", "ironcron throttle JOB|--all xN|off [--reason TEXT] [--as NAME]"},
        {"runs cancel", "ironcron runs cancel ID|--job JOB [--as NAME] [--reason TEXT]"},
        {"dry-run", "ironcron dry-run on|off [JOB] [--reason TEXT] [--as NAME]"},
        {"help", "ironcron help [COMMAND]…"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        AUTO(buf_release) struct buf usage;
        buf_init(&usage, 4096);
        help_usage(command_by_name(cases[i].command), &usage);
        assert_string_equal(buf_string(&usage), cases[i].usage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_option_means_one_thing),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_every_command_is_explained),
        cmocka_unit_test(test_help_and_manual_are_whole),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
