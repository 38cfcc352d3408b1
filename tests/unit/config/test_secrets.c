// SPDX-License-Identifier: MIT
// Substitution, and that what it brings in is never seen again outside the job.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SECRET "hunter2-correct-horse"
#define JOB    "jobs:\n  - name: a\n    schedule: \"@daily\"\n"

static int set_environment(void **state)
{
    (void)state;
    setenv("IRONCRON_TEST_SECRET", SECRET, 1);
    setenv("IRONCRON_TEST_WORD", "word", 1);
    setenv("IRONCRON_TEST_NESTED", "${IRONCRON_TEST_WORD}", 1);
    setenv("IRONCRON_TEST_BYTES", "a\xff", 1);
    setenv("IRONCRON_TEST_EMPTY", "", 1);
    return 0;
}

struct expansion {
    const char *raw;
    const char *expected; // NULL: refused
};

static const struct expansion expansions[] = {
    {"plain", "plain"},
    {"${IRONCRON_TEST_WORD}", "word"},
    {"a${IRONCRON_TEST_WORD}b${IRONCRON_TEST_WORD}", "awordbword"},
    {"$${IRONCRON_TEST_WORD}", "${IRONCRON_TEST_WORD}"},
    {"$$$${x", "$${x"},
    {"$HOME $(date) $1 $", "$HOME $(date) $1 $"},
    {"${IRONCRON_TEST_NESTED}", "${IRONCRON_TEST_WORD}"},
    {"-${IRONCRON_TEST_EMPTY}-", "--"},
    {"${IRONCRON_TEST_UNSET}", NULL},
    {"${IRONCRON_TEST_BYTES}", NULL},
    {"${IRONCRON_TEST_WORD:-x}", NULL},
    {"${ IRONCRON_TEST_WORD }", NULL},
    {"${}", NULL},
    {"${", NULL},
};

static void each_reference_is_put_in_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(expansions); i++) {
        struct buf text;
        buf_init(&text, 4096);
        buf_printf(&text, "%s    shell: '%s'\n", JOB, expansions[i].raw);
        struct fixture fixture = fixture_load(buf_string(&text));
        const char *got = fixture.config == NULL ? NULL : fixture.config->jobs[0].command->argv[2];
        bool same = got == NULL || expansions[i].expected == NULL
                        ? got == expansions[i].expected
                        : strcmp(got, expansions[i].expected) == 0;
        if (!same) {
            fail_msg("%s gave %s, expected %s: %s", expansions[i].raw,
                     got == NULL ? "(refused)" : got,
                     expansions[i].expected == NULL ? "(refused)" : expansions[i].expected,
                     buf_string(&fixture.text));
        }
        fixture_release(&fixture);
        buf_release(&text);
    }
}

static void a_file_gives_its_content_less_one_newline(void **state)
{
    (void)state;
    char *folder = fixture_folder();
    char *secret = fixture_file(folder, "secret", "from-file\n\n");
    char *path = fixture_file(folder, "c.yml", JOB "    shell: \"[${file:secret}]\"\n");
    struct fixture fixture = fixture_load_file(path);
    assert_non_null(fixture.config);
    assert_string_equal(fixture.config->jobs[0].command->argv[2], "[from-file\n]");
    fixture_release(&fixture);
    free(secret);
    free(path);
    fixture_folder_remove(folder);
}

// Where a value from outside can be wrong, the complaint must not show it.
static void no_complaint_shows_what_was_put_in(void **state)
{
    (void)state;
    static const char *const texts[] = {
        JOB "    shell: x\n    timeout: ${IRONCRON_TEST_SECRET}\n",
        JOB "    shell: x\n    overlap: ${IRONCRON_TEST_SECRET}\n",
        JOB "    shell: x\n    timezone: ${IRONCRON_TEST_SECRET}\n",
        JOB "    shell: x\n    limits: {memory: \"${IRONCRON_TEST_SECRET}\"}\n",
        JOB "    shell: x\n    retries: {max: \"${IRONCRON_TEST_SECRET}\"}\n",
        JOB "    shell: x\n    pass_env: [\"${IRONCRON_TEST_SECRET}\"]\n",
        JOB "    command: x${IRONCRON_TEST_SECRET}\n",
        "jobs: [{name: a, shell: x, schedule: \"${IRONCRON_TEST_SECRET}\"}]\n",
        "jobs: [{name: \"${IRONCRON_TEST_SECRET} x\", shell: x, schedule: \"@daily\"}]\n",
        "timezone: ${IRONCRON_TEST_SECRET}\n",
        "store: \"postgresql://u:${IRONCRON_TEST_SECRET}@h:x/d\"\n",
        "store: x${IRONCRON_TEST_SECRET}\n",
        "databases: [{name: a, url: \"x${IRONCRON_TEST_SECRET}\"}]\n",
        "databases: [{name: a, url: \"postgresql://u:${IRONCRON_TEST_SECRET}@h:x/d\"}]\n",
        "databases: [{name: a, url: \"postgresql://u:" SECRET "@h/d?x=%zz\"}]\n",
        "databases: [{name: \"${IRONCRON_TEST_SECRET} x\", url: \"sqlite:x\"}]\n",
        "http: {listen: \"${IRONCRON_TEST_SECRET}\"}\n",
        "http: {tokens: [{name: a, role: viewer, token_sha256: \"${IRONCRON_TEST_SECRET}\"}]}\n",
        "http: {tokens: [{name: a, role: \"${IRONCRON_TEST_SECRET}\", token: abcdef}]}\n",
        "http: {tls_terminated: \"${IRONCRON_TEST_SECRET}\"}\n",
        "include: [\"${IRONCRON_TEST_SECRET}\"]\n",
        // A token of this file, put in a second place by mistake.
        "http: {tokens: [{name: a, role: viewer, token: hunter2-again}]}\n" JOB
        "    shell: x\n    timezone: hunter2-again\n",
        "store: \"postgresql://u:" SECRET "@h/d?x=%zz\"\n",
        "http: {tokens: [{name: a, role: viewer, token_sha256: " SECRET "}]}\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct fixture fixture = fixture_load(texts[i]);
        if (fixture.config != NULL || strstr(buf_string(&fixture.text), "hunter2") != NULL) {
            fail_msg("%s\n%s", texts[i], buf_string(&fixture.text));
        }
        fixture_release(&fixture);
    }
}

struct registration {
    const char *text;
    const char *secret; // must be masked after the load
};

static void secrets_are_registered_with_the_log(void **state)
{
    (void)state;
    static const struct registration registrations[] = {
        {"http: {tokens: [{name: a, role: viewer, token: written-in-the-file}]}\n",
         "written-in-the-file"},
        {JOB "    shell: x\n    env: {A: \"x${IRONCRON_TEST_S1}\"}\n", "secret-of-env"},
        {JOB "    shell: \"curl ${IRONCRON_TEST_S2}\"\n", "secret-of-shell"},
        {JOB "    command: [curl, \"${IRONCRON_TEST_S3}\"]\n", "secret-of-command"},
        {JOB "    shell: x\n    env: {DB_PASSWORD: secret-written}\n", "secret-written"},
        {"databases: [{name: a, url: \"postgresql://u:secret-of%3aurl@h/d\"}]\n", "secret-of:url"},
        {"databases: [{name: a, url: \"postgresql://u:secret-of%3aurl@h/d\"}]\n",
         "secret-of%3aurl"},
        {"databases: [{name: a, url: \"postgresql://h/d?password=secret-behind\"}]\n",
         "secret-behind"},
        {"store: \"postgresql://u:secret-of%3astore@h/d\"\n", "secret-of:store"},
        {"store: \"postgresql://u:secret-of%3astore@h/d\"\n", "secret-of%3astore"},
    };
    setenv("IRONCRON_TEST_S1", "secret-of-env", 1);
    setenv("IRONCRON_TEST_S2", "secret-of-shell", 1);
    setenv("IRONCRON_TEST_S3", "secret-of-command", 1);
    for (size_t i = 0; i < ARRAY_LENGTH(registrations); i++) {
        struct fixture fixture = fixture_load_fine(registrations[i].text);
        char *masked = log_mask(registrations[i].secret);
        assert_string_equal(masked, "***");
        free(masked);
        fixture_release(&fixture);
    }
}

// A password in the file is told, one that comes from outside is not the file's.
static void the_url_of_the_store_is_shown_without_its_password(void **state)
{
    (void)state;
    struct fixture fixture =
        fixture_load_fine("store: \"postgresql://u:hunter3@h:6000,i:6001/d?sslmode=require\"\n");
    assert_string_equal(fixture.config->store, "postgresql://u@h:6000,i:6001/d");
    assert_non_null(strstr(fixture.config->store_url, "hunter3"));
    assert_true(fixture.config->holds_secrets);
    fixture_release(&fixture);
    setenv("IRONCRON_TEST_S1", "postgresql://u:secret-of-env@h/d", 1);
    fixture = fixture_load_fine("store: ${IRONCRON_TEST_S1}\n");
    assert_string_equal(fixture.config->store, "postgresql://u@h/d");
    assert_false(fixture.config->holds_secrets);
    fixture_release(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reference_is_put_in_once),
        cmocka_unit_test(a_file_gives_its_content_less_one_newline),
        cmocka_unit_test(no_complaint_shows_what_was_put_in),
        cmocka_unit_test(secrets_are_registered_with_the_log),
        cmocka_unit_test(the_url_of_the_store_is_shown_without_its_password),
    };
    return cmocka_run_group_tests(tests, set_environment, NULL);
}
