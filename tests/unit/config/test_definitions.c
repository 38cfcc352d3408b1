// SPDX-License-Identifier: MIT
// Definitions that go through the store: what is this node's own and what is secret stays behind,
// and what comes back is the same, line by line.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/yaml_keep.h"

#define STORE "store: \"postgresql://me@h/d\"\n"
#define JOB   "jobs:\n  - name: a\n    schedule: \"@daily\"\n    shell: x\n"

static struct fixture load_version(const struct config *file, const char *text)
{
    struct fixture fixture = {0};
    config_problems_init(&fixture.problems);
    if (!config_load_version(file, 7, text, &fixture.config, &fixture.problems)) {
        fixture.config = NULL;
    }
    buf_init(&fixture.text, 1024 * 1024);
    config_problems_print(&fixture.problems, &fixture.text);
    return fixture;
}

static void check_refusal(const char *text, const char *expected)
{
    struct fixture fixture = fixture_load(text);
    if (fixture.config != NULL || strstr(buf_string(&fixture.text), expected) == NULL) {
        fail_msg("%s gave: %s", text,
                 fixture.config == NULL ? buf_string(&fixture.text) : "(no complaint)");
    }
    fixture_release(&fixture);
}

// ---- what is kept -------------------------------------------------------------------------------

struct keeping {
    const char *whole, *shared, *own;
};

static const struct keeping keepings[] = {
    {"a: 1\nhttp: x\nb: 2\n", "a: 1\n\nb: 2\n", "\nhttp: x\n"},
    {"http:\n  listen: off # why\n# secret\nb: 2 # two\n", "\n\n\nb: 2\n",
     "http:\n  listen: off\n"},
    {"b:\n- x\n- y: 1\n  z: 2\nhttp: {tokens: [{name: a}]}\n", "b:\n- x\n- y: 1\n  z: 2\n",
     "\n\n\n\nhttp: {tokens: [{name: a}]}\n"},
    {"{http: {a: 1}, b: [c, {http: d}]}", "{              b: [c, {http: d}]}\n",
     "{http: {a: 1},                  }\n"},
    {"{b: c, http: {a: 1}}\n", "{b: c,             }\n", "{      http: {a: 1}}\n"},
    {"b: |  # no\n  # yes\n\n   two\nhttp: >-\n  x\nc: 1\n", "b: |\n  # yes\n\n   two\n\n\nc: 1\n",
     "\n\n\n\nhttp: >-\n  x\n"},
    {"b: |+ # no\n  keep\n\n\nc: \"# in\\\n  # in\" # out\n",
     "b: |+\n  keep\n\n\nc: \"# in\\\n  # in\"\n", ""},
    {"\xEF\xBB\xBFhttp: \xC3\xA9\r\nb: \xC3\xA9\xC3\xA9 # \xC3\xA9\r\nc: 1\r\n",
     "\nb: \xC3\xA9\xC3\xA9\nc: 1\n", "http: \xC3\xA9\n"},
    {"\"http\": {x: \"\xC3\xA9\"}\n? b\n: c\n", "\n? b\n: c\n", "\"http\": {x: \"\xC3\xA9\"}\n"},
    {"---\nhttp:\nb: 1\n...\n", "---\n\nb: 1\n...\n", "---\nhttp:\n\n...\n"},
    {"http: 1\n", "", "http: 1\n"},
    {"", "", ""},
};

static bool is_http(const char *key)
{
    return strcmp(key, "http") == 0;
}

static bool is_not_http(const char *key)
{
    return !is_http(key);
}

static void check_kept(const char *whole, bool (*keeps)(const char *key), const char *expected)
{
    AUTO(buf_release) struct buf out;
    buf_init(&out, 65536);
    yaml_keep(whole, strlen(whole), keeps, &out);
    if (strcmp(buf_string(&out), expected) != 0) {
        fail_msg("of:\n%s\nkept:\n%s\nexpected:\n%s", whole, buf_string(&out), expected);
    }
}

static void what_stays_stands_where_it_stood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(keepings); i++) {
        check_kept(keepings[i].whole, is_not_http, keepings[i].shared);
        check_kept(keepings[i].whole, is_http, keepings[i].own);
    }
}

// ---- there and back -----------------------------------------------------------------------------

static const char *const wholes[] = {
    STORE JOB,
    JOB STORE "node: {labels: {region: eu}}\nhttp: {listen: off}\n",
    "# head\nhttp:\n  listen: off\n" STORE "databases:\n"
    "  - {name: app, url: \"postgresql://u:${IRONCRON_TEST_SET}@h/d\"}\n"
    "defaults: {timeout: 1m} # why\nenvironment: prod\n"
    "jobs:\n- name: a\n  schedule: \"@daily\"\n  shell: |  # here\n    one # not a comment\n\n"
    "    two\n- {name: b, schedule: \"0 0 1 1 *\", sql: {database: app, statement: \"select 1\"},"
    " timeout: 2m}\n",
    ("{store: \"postgresql://me@h/d\", jobs: [{name: a, schedule: \"@daily\", shell: x}], "
     "timezone: Europe/Berlin}\n"),
    STORE,
};

static void what_comes_back_is_the_same(void **state)
{
    (void)state;
    setenv("IRONCRON_TEST_SET", "hunter2", 1);
    for (size_t i = 0; i < ARRAY_LENGTH(wholes); i++) {
        struct fixture file = fixture_load_fine(wholes[i]);
        struct fixture back = load_version(file.config, file.config->definitions);
        if (back.config == NULL) {
            fail_msg("%s\n%s", wholes[i], buf_string(&back.text));
        }
        assert_string_equal(back.config->hash, file.config->hash);
        assert_string_equal(back.config->store_url, file.config->store_url);
        assert_string_equal(back.config->store_path, file.config->store_path);
        assert_int_equal(back.config->http.enabled, file.config->http.enabled);
        assert_int_equal(back.config->version, 7);
        assert_int_equal(back.config->job_count, file.config->job_count);
        for (size_t k = 0; k < file.config->job_count; k++) {
            assert_int_equal(back.config->jobs[k].config_line, file.config->jobs[k].config_line);
            assert_string_equal(back.config->jobs[k].config_file, "t.yml (version 7)");
        }
        AUTO(buf_release) struct buf words;
        buf_init(&words, 1024);
        config_difference(back.config, file.config, &words);
        assert_string_equal(buf_string(&words), "");
        fixture_release(&back);
        fixture_release(&file);
    }
}

static void only_what_is_shared_makes_another_version(void **state)
{
    (void)state;
    struct fixture first = fixture_load_fine(STORE JOB "environment: e\n");
    static const char *const same[] = {
        "# a comment\nenvironment: \"e\"\n" JOB STORE "http: {listen: off}\n",
        "node: {max_running: 3}\nstore: \"postgresql://other@else/x\"\n" JOB "environment: e\n",
    };
    static const char *const other[] = {
        STORE JOB "environment: f\n",
        STORE JOB "environment: e\ndatabases: [{name: a, url: \"sqlite:a\"}]\n",
        STORE JOB "environment: e\ntimezone: Europe/Berlin\n",
        STORE JOB "    nodes: {region: eu}\nenvironment: e\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
        struct fixture fixture = fixture_load_fine(same[i]);
        assert_string_equal(fixture.config->hash, first.config->hash);
        fixture_release(&fixture);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(other); i++) {
        struct fixture fixture = fixture_load_fine(other[i]);
        assert_string_not_equal(fixture.config->hash, first.config->hash);
        fixture_release(&fixture);
    }
    fixture_release(&first);
}

static void a_store_on_sqlite_keeps_none(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(JOB);
    assert_null(fixture.config->definitions);
    assert_null(fixture.config->own);
    assert_int_equal(fixture.config->version, 0);
    fixture_release(&fixture);
}

static void included_files_come_from_the_store(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    char *main_file = fixture_file(folder, "c.yml", "include: [\"jobs.d/*.yml\"]\n" STORE);
    char *included =
        fixture_file(folder, "jobs.d/one.yml",
                     "# first\njobs:\n  - {name: b, schedule: \"@daily\", shell: x}\n");
    struct fixture file = fixture_load_file(main_file);
    assert_non_null(file.config);
    assert_int_equal(unlink(included), 0);
    assert_int_equal(unlink(main_file), 0);
    struct fixture back = load_version(file.config, file.config->definitions);
    assert_non_null(back.config);
    assert_int_equal(back.config->job_count, 1);
    assert_string_equal(back.config->jobs[0].config_file, "jobs.d/one.yml (version 7)");
    assert_int_equal(back.config->jobs[0].config_line, 3);
    assert_int_equal(back.config->file_count, 1);
    assert_string_equal(back.config->files[0], main_file);
    assert_string_equal(back.config->hash, file.config->hash);
    assert_string_equal(file.config->definitions,
                        "{\"files\":[{\"path\":\"c.yml\",\"text\":\"include: "
                        "[\\\"jobs.d/*.yml\\\"]\\n\"},{\"path\":\"jobs.d/one.yml\",\"text\":\"\\n"
                        "jobs:\\n  - {name: b, schedule: \\\"@daily\\\", shell: x}\\n\"}]}");
    fixture_release(&back);
    fixture_release(&file);
    free(main_file);
    free(included);
    fixture_folder_remove(folder);
}

// ---- what is wrong ------------------------------------------------------------------------------

#define DOCUMENT(text) "{\"files\":[{\"path\":\"ironcron.yml\",\"text\":\"" text "\"}]}"
#define JSON_JOB(rest) "jobs:\\n  - name: a\\n    schedule: '@daily'\\n    " rest "\\n"

static void mistakes_are_told_of_the_version(void **state)
{
    (void)state;
    unsetenv("IRONCRON_TEST_UNSET");
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {DOCUMENT("\\n" JSON_JOB("shell: ${IRONCRON_TEST_UNSET}")),
         "ironcron.yml (version 7):5:12: shell: the environment variable IRONCRON_TEST_UNSET is"},
        {DOCUMENT(JSON_JOB("later: x")), "ironcron.yml (version 7):4:5: unknown key \"later\""},
        {DOCUMENT("jobs: [\\n"), "ironcron.yml (version 7):2:1: not valid YAML"},
        {DOCUMENT("x: 1\\n"), "ironcron.yml (version 7):1:1: unknown key \"x\""},
        {"{}", "t.yml: version 7 of the definitions in the store cannot be read"},
        {"{\"files\":[{\"path\":1}]}", "version 7 of the definitions in the store cannot be read"},
        {"nonsense", "put those of this file into force: ironcron reload"},
    };
    struct fixture file = fixture_load_fine(STORE JOB);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct fixture back = load_version(file.config, cases[i].text);
        if (back.config != NULL || strstr(buf_string(&back.text), cases[i].expected) == NULL) {
            fail_msg("%s gave: %s", cases[i].text, buf_string(&back.text));
        }
        fixture_release(&back);
    }
    struct fixture empty = load_version(file.config, DOCUMENT(""));
    assert_non_null(empty.config);
    assert_int_equal(empty.config->job_count, 0);
    fixture_release(&empty);
    fixture_release(&file);
}

static void a_secret_may_not_go_into_the_store(void **state)
{
    (void)state;
    setenv("IRONCRON_TEST_SET", "app", 1);
#define DATABASE(url) STORE "databases: [{name: app, url: \"" url "\"}]\n"
#define HTTP(rest)    STORE JOB "    http: {url: \"http://h/\", " rest "}\n"
    check_refusal(DATABASE("postgresql://u:pw-secret@h/d"),
                  "t.yml:2:30: url: a secret may not stand here, since the store keeps this file "
                  "for all nodes: write ${NAME} or ${file:PATH}");
    check_refusal(DATABASE("postgresql://u:pw-secret@${IRONCRON_TEST_SET}/d"),
                  "2:30: url: a secret");
    check_refusal(DATABASE("postgresql://u@h/d?password=pw-secret"), "2:30: url: a secret may");
    check_refusal(STORE JOB "    env: {DB_PASSWORD: pw-secret}\n", "6:24: DB_PASSWORD: a secret");
    check_refusal(STORE "jobs:\n  - name: a\n    schedule: \"@daily\"\n"
                        "    http: {url: \"http://h/\", secret: pw-secret}\n",
                  "5:38: secret: a secret may not stand here");
    check_refusal(STORE "jobs:\n  - name: a\n    schedule: \"@daily\"\n"
                        "    http: {url: \"http://h/\", headers: {Authorization: Bearer pw}}\n",
                  "5:55: Authorization: a secret may not stand here");
    static const char *const fine[] = {
        DATABASE("postgresql://app:${IRONCRON_TEST_SET}@h/app"),
        DATABASE("postgresql://app@h/app?password=${IRONCRON_TEST_SET}"),
        "store: \"postgresql://me:pw-of-the-store@h/d\"\n" JOB,
        STORE JOB "    env: {DB_PASSWORD: \"${IRONCRON_TEST_SET}\"}\n",
        STORE JOB "http: {listen: off, tokens: [{name: a, role: viewer, token: pw-token}]}\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(fine); i++) {
        struct fixture fixture = fixture_load_fine(fine[i]);
        assert_null(strstr(fixture.config->definitions, "pw-"));
        fixture_release(&fixture);
    }
}

static void a_difference_is_told_by_names(void **state)
{
    (void)state;
#define NAMED(name, rest) "  - {name: " name ", schedule: \"@daily\", shell: x" rest "}\n"
    struct fixture old =
        fixture_load_fine(STORE "jobs:\n" NAMED("a", "") NAMED("b", "") NAMED("c", ""));
    struct fixture new = fixture_load_fine(
        STORE "jobs:\n" NAMED("d", "") NAMED("c", ", timeout: 1s") NAMED("a", "") NAMED("e", "")
            NAMED("f", "") NAMED("g", "") NAMED("h", "") NAMED("i", ""));
    struct fixture settings = fixture_load_fine(
        STORE "timezone: Europe/Berlin\njobs:\n" NAMED("a", "") NAMED("b", "") NAMED("c", ""));
    AUTO(buf_release) struct buf words;
    buf_init(&words, 1024);
    config_difference(new.config, old.config, &words);
    assert_string_equal(buf_string(&words), "adds d, e, f, g, h and 1 more; lacks b; changes c");
    buf_clear(&words);
    config_difference(settings.config, old.config, &words);
    assert_string_equal(buf_string(&words), "changes settings for all jobs");
    fixture_release(&old);
    fixture_release(&new);
    fixture_release(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_stands_where_it_stood),
        cmocka_unit_test(what_comes_back_is_the_same),
        cmocka_unit_test(only_what_is_shared_makes_another_version),
        cmocka_unit_test(a_store_on_sqlite_keeps_none),
        cmocka_unit_test(included_files_come_from_the_store),
        cmocka_unit_test(mistakes_are_told_of_the_version),
        cmocka_unit_test(a_secret_may_not_go_into_the_store),
        cmocka_unit_test(a_difference_is_told_by_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
