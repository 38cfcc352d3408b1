// SPDX-License-Identifier: MIT
// What a run may be given, and what it then gets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "job/params.h"

static const struct job_variable declared[] = {{"day", "today"}, {"tenant", NULL}, {NULL, NULL}};

static void names_are_those_of_sql_and_shell(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "_", "day", "day_2", "_x9"};
    static const char *const bad[] = {"", "Day", "9a", "a-b", "a.b", "\xc3\xa4", "a b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(job_param_is_name(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(job_param_is_name(bad[i]));
    }
    char longest[JOB_PARAM_NAME_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[JOB_PARAM_NAME_MAX + 1] = '\0';
    assert_false(job_param_is_name(longest));
    longest[JOB_PARAM_NAME_MAX] = '\0';
    assert_true(job_param_is_name(longest));
}

static void what_is_declared_decides_what_is_taken(void **state)
{
    (void)state;
    const struct job some = {.name = "j", .params = declared};
    const struct job none = {.name = "j", .kind = JOB_SHELL};
    const struct job sql = {.name = "j", .kind = JOB_SQL};
    const struct {
        const struct job *job;
        const char *given;
        const char *complaint; // NULL = fine
    } cases[] = {
        {&some, "{\"tenant\":\"a\"}", NULL},
        {&some, "{\"tenant\":\"a\",\"day\":\"b\"}", NULL},
        {&some, "{\"tenant\":\"\"}", NULL},
        {&some, NULL, "needs the param \"tenant\""},
        {&some, "{\"day\":\"b\"}", "needs the param \"tenant\""},
        {&some, "{\"tenant\":\"a\",\"dya\":\"b\"}",
         "takes no param \"dya\"; it takes: day, tenant (required)"},
        {&some, "{\"tenant\":1}", "must be a text"},
        {&some, "[]", "must be a JSON object"},
        {&some, "{", "must be a JSON object"},
        {&none, NULL, NULL},
        {&none, "{\"ANY\":\"b\"}", NULL},
        {&sql, NULL, NULL},
        {&sql, "{\"day\":\"b\"}", "takes no params: declare \"day\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = ERROR_INIT;
        bool fine = job_params_check(cases[i].job, cases[i].given, &err);
        if (fine != (cases[i].complaint == NULL) ||
            (!fine && strstr(err.text, cases[i].complaint) == NULL)) {
            fail_msg("case %zu: %s", i, err.text);
        }
        assert_true(fine || err.code == ERROR_USAGE);
    }
}

static void the_given_ones_go_over_the_defaults(void **state)
{
    (void)state;
    const struct job some = {.name = "j", .params = declared};
    const struct job none = {.name = "j"};
    struct job_variable list[JOB_PARAMS_MAX + 1];
    job_params_fill(&some, NULL, list);
    assert_string_equal(list[0].value, "today");
    assert_null(list[1].name); // what must be given and is not stays out
    json_t *given = json_pack("{s:s, s:s}", "tenant", "t", "day", "monday");
    job_params_fill(&some, given, list);
    assert_string_equal(list[0].value, "monday");
    assert_string_equal(list[1].value, "t");
    assert_null(list[2].name);
    job_params_fill(&none, given, list);
    assert_string_equal(list[0].name, "tenant");
    assert_string_equal(list[1].name, "day");
    assert_null(list[2].name);
    json_decref(given);
}

static void more_than_64_are_refused(void **state)
{
    (void)state;
    const struct job none = {.name = "j"};
    struct job_variable list[JOB_PARAMS_MAX + 1];
    json_t *given = json_object();
    for (int i = 0; i <= JOB_PARAMS_MAX; i++) {
        char name[8] = {'p', (char)('a' + i / 10), (char)('0' + i % 10)};
        json_object_set_new(given, name, json_string("v"));
    }
    char text[4096];
    size_t length = json_dumpb(given, text, sizeof text - 1, 0);
    text[length] = '\0';
    struct error err = ERROR_INIT;
    assert_false(job_params_check(&none, text, &err));
    assert_non_null(strstr(err.text, "64 is the most"));
    job_params_fill(&none, given, list); // even then nothing is written beyond the list
    assert_null(list[JOB_PARAMS_MAX].name);
    json_decref(given);
}

static void a_list_is_asked_by_name(void **state)
{
    (void)state;
    const struct job_variable list[] = {{"day", "monday"}, {"tenant", "t"}, {NULL, NULL}};
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(list, names);
    assert_string_equal(names[0], "day");
    assert_string_equal(names[1], "tenant");
    assert_null(names[2]);
    assert_string_equal(job_params_find(list, "tenant")->value, "t");
    assert_null(job_params_find(list, "tenan"));
    assert_null(job_params_find(NULL, "day"));
    job_params_names(NULL, names);
    assert_null(names[0]);
}

static void no_more_than_64_names_are_listed(void **state)
{
    (void)state;
    struct job_variable list[JOB_PARAMS_MAX + 2] = {0};
    for (size_t i = 0; i <= JOB_PARAMS_MAX; i++) {
        list[i].name = "p";
    }
    const char *names[JOB_PARAMS_MAX + 1];
    job_params_names(list, names);
    assert_non_null(names[JOB_PARAMS_MAX - 1]);
    assert_null(names[JOB_PARAMS_MAX]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_sql_and_shell),
        cmocka_unit_test(what_is_declared_decides_what_is_taken),
        cmocka_unit_test(the_given_ones_go_over_the_defaults),
        cmocka_unit_test(more_than_64_are_refused),
        cmocka_unit_test(a_list_is_asked_by_name),
        cmocka_unit_test(no_more_than_64_names_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
