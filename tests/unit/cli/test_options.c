// SPDX-License-Identifier: MIT
// What a command line means, and what is said about one that means nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "cli/command.h"
#include "cli/options.h"

#define WORDS_MAX 12
#define NOON      1795521600 // 2026-11-24T12:00:00Z

struct line {
    const char *words[WORDS_MAX];
    const char *command; // NULL = refused
    const char *says;    // part of the error, or "NAME=VALUE NAME …" of what was understood
};

static const struct line lines[] = {
    // where options may stand
    {{"runs"}, "runs", ""},
    {{"runs", "show", "0123"}, "runs show", "#0=0123"},
    {{"--json", "runs", "show", "0123"}, "runs show", "json #0=0123"},
    {{"runs", "--json", "show", "0123", "--no-color"}, "runs show", "json no-color #0=0123"},
    {{"runs", "show", "--json", "0123"}, "runs show", "json #0=0123"},
    {{"-c", "a.yml", "jobs"}, "jobs", "config=a.yml"},
    {{"-ca.yml", "jobs"}, "jobs", "config=a.yml"},
    {{"jobs", "--config=a.yml"}, "jobs", "config=a.yml"},
    {{"jobs", "--config", "a.yml"}, "jobs", "config=a.yml"},
    {{"run", "--", "a-job"}, "run", "#0=a-job"},
    {{"next", "--", "-5 * * * *"}, "next", "#0=-5 * * * *"},
    {{"--version"}, "version", ""},
    {{"--help"}, "help", "help"},
    {{"runs", "show", "-h"}, "runs show", "help"},
    {{"pause", "--help", "--nonsense"}, "pause", "help"},
    // values
    {{"runs", "--since", "-2h"}, "runs", "since=-2h"},
    {{"runs", "--state", "Timed_Out", "--limit", "7"}, "runs", "state=Timed_Out limit=7"},
    {{"run", "a", "--param", "k=v", "--param", "l=x=y"}, "run", "param=k=v param=l=x=y #0=a"},
    {{"runs", "output", "0123", "-f"}, "runs output", "follow #0=0123"},
    {{"next", "* * * * *", "-n", "3"}, "next", "count=3 #0=* * * * *"},
    // arguments that an option stands in for
    {{"pause", "a"}, "pause", "#0=a"},
    {{"pause", "--all"}, "pause", "all"},
    {{"throttle", "a", "x4"}, "throttle", "#0=a #1=x4"},
    {{"throttle", "--all", "off"}, "throttle", "all #1=off"},
    {{"runs", "cancel", "--job", "a"}, "runs cancel", "job=a"},
    {{"dry-run", "on"}, "dry-run", "#0=on"},
    {{"dry-run", "off", "a"}, "dry-run", "#0=off #1=a"},
    {{"help", "runs", "output"}, "help", "rest=runs rest=output"},
    // refused
    {{NULL}, NULL, "say what to do"},
    {{"pasue", "a"}, NULL, "unknown command \"pasue\"; did you mean \"pause\"?"},
    {{"zzzzzz"}, NULL, "unknown command \"zzzzzz\"\n"},
    {{"import"}, NULL, "\"import\" needs another word: \"import crontab\" or \"import pg_cron\""},
    {{"__complet"}, NULL, "unknown command \"__complet\"\n"},
    {{"runs", "shwo"}, NULL, "\"shwo\" is too much; did you mean \"runs show\"?"},
    {{"runs", "--limt", "3"}, NULL, "no option \"--limt\"; did you mean \"--limit\"?"},
    {{"jobs", "--limit", "3"}, NULL, "\"jobs\" has no option \"--limit\""},
    {{"jobs", "-x"}, NULL, "no option \"-x\""},
    {{"runs", "--limit"}, NULL, "--limit needs a value: --limit N"},
    {{"runs", "--limit", "0"}, NULL, "--limit: \"0\" is not a whole number"},
    {{"runs", "--limit", "3x"}, NULL, "--limit: \"3x\" is not a whole number"},
    {{"runs", "--limit", "1000001"}, NULL, "is not a whole number"},
    {{"runs", "--limit", "3", "--limit", "4"}, NULL, "--limit was given twice"},
    {{"runs", "--state", "sucess"}, NULL, "did you mean \"success\"?"},
    {{"runs", "--since", "yesterday"}, NULL, "--since: "},
    {{"run", "a", "--wait=yes"}, NULL, "--wait takes no value"},
    {{"run", "a", "--param", "novalue"}, NULL, "--param: \"novalue\" is not KEY=VALUE"},
    {{"run", "a", "--param", "1x=2"}, NULL, "is not KEY=VALUE"},
    {{"run", "../x"}, NULL, "is not a job's name"},
    {{"run"}, NULL, "\"run\" needs JOB"},
    {{"run", "a", "b"}, NULL, "\"b\" is too much"},
    {{"pause"}, NULL, "\"pause\" needs JOB or --all"},
    {{"pause", "--all", "a"}, NULL, "\"a\" is too much"},
    {{"throttle", "a"}, NULL, "needs xN|off"},
    {{"throttle", "a", "4"}, NULL, "\"4\" is not x2 to x1000"},
    {{"throttle", "a", "x1"}, NULL, "is not x2 to x1000"},
    {{"throttle", "a", "x1001"}, NULL, "is not x2 to x1000"},
    {{"dry-run", "onn"}, NULL, "\"onn\" is not on or off; did you mean \"on\"?"},
    {{"next", "15", "2", "*"}, NULL, "put the schedule into quotes"},
    {{"completion", "tcsh"}, NULL, "is not bash, zsh or fish"},
    {{"runs", "show", ""}, NULL, "is not anything"},
};

static void understood(const struct invocation *invocation, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    if (invocation->wants_help) {
        used += (size_t)snprintf(out, size, "help ");
    }
    for (size_t i = 0; i < invocation->use_count; i++) {
        const struct option_use *use = &invocation->uses[i];
        used += (size_t)snprintf(out + used, size - used, "%s%s%s ", use->option->name,
                                 use->text != NULL ? "=" : "", use->text != NULL ? use->text : "");
    }
    for (size_t i = 0; i < ARGUMENT_MAX; i++) {
        if (invocation->arguments[i] != NULL) {
            used +=
                (size_t)snprintf(out + used, size - used, "#%zu=%s ", i, invocation->arguments[i]);
        }
    }
    for (size_t i = 0; i < invocation->rest_count; i++) {
        used += (size_t)snprintf(out + used, size - used, "rest=%s ", invocation->rest[i]);
    }
    if (used > 0) {
        out[used - 1] = '\0';
    }
}

static bool parse(const struct line *line, struct invocation *invocation, struct error *err)
{
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "ironcron"};
    int argc = 1;
    while (argc <= WORDS_MAX && line->words[argc - 1] != NULL) {
        argv[argc] = (char *)(uintptr_t)line->words[argc - 1];
        argc++;
    }
    *invocation = (struct invocation){.now = instant_from_unix(NOON)};
    return options_parse(invocation, argc, argv, err);
}

static void describe(const struct line *line, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; line->words[i] != NULL; i++) {
        used += (size_t)snprintf(out + used, size - used, "[%s] ", line->words[i]);
    }
}

static void test_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct invocation invocation;
        struct error err = ERROR_INIT;
        char typed[512];
        char got[512];
        describe(&lines[i], typed, sizeof typed);
        bool ok = parse(&lines[i], &invocation, &err);
        if (ok != (lines[i].command != NULL)) {
            fail_msg("%s: %s: %s", typed, ok ? "accepted" : "refused", err.text);
        }
        if (!ok) {
            assert_int_equal(err.code, ERROR_USAGE);
            if (strstr(err.text, lines[i].says) == NULL) {
                fail_msg("%s: said \"%s\", not \"%s\"", typed, err.text, lines[i].says);
            }
            continue;
        }
        understood(&invocation, got, sizeof got);
        if (strcmp(invocation.command->name, lines[i].command) != 0 ||
            strcmp(got, lines[i].says) != 0) {
            fail_msg("%s: %s with \"%s\", expected %s with \"%s\"", typed, invocation.command->name,
                     got, lines[i].command, lines[i].says);
        }
    }
}

static void test_values_are_read(void **state)
{
    (void)state;
    struct invocation invocation;
    struct error err = ERROR_INIT;
    const struct line runs = {.words = {"runs", "--since", "-2h", "--state", "failed"}};
    assert_true(parse(&runs, &invocation, &err));
    assert_int_equal(instant_unix(invocation_time(&invocation, "since")), NOON - 7200);
    assert_true(instant_is_none(invocation_time(&invocation, "until")));
    assert_int_equal(invocation_number(&invocation, "state", -1), 2);
    assert_int_equal(invocation_number(&invocation, "limit", 20), 20);
    const struct line throttle = {.words = {"throttle", "--all", "x30"}};
    assert_true(parse(&throttle, &invocation, &err));
    assert_null(invocation.arguments[0]);
    assert_int_equal(invocation.numbers[1], 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_values_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
