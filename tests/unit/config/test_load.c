// SPDX-License-Identifier: MIT
// What a configuration means: values, defaults, inheritance, types by the schema alone.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_KEY                                                                                  \
    "environment: staging\nrevision: no\nstore: \"sqlite:data/x.db\"\ntimezone: Europe/Berlin\n"   \
    "node: { max_running: 8, drain: 5s, lease: 20s, labels: { region: eu } }\n"                    \
    "history: { runs: 1d, output: 2d, output_max: 2M, audit: 3d }\n"                               \
    "http:\n  listen: \"[::]:0\"\n  tls_terminated: true\n  metrics_public: yes\n"                 \
    "  tls: { cert: a.pem, key: /b.pem }\n"                                                        \
    "  tokens: [ { name: oncall, role: operator, token: \"the-token\" } ]\n"                       \
    "defaults: { timeout: 1m, overlap: queue, user: root, limits: { nice: 5, open_files: 64 } }\n" \
    "jobs:\n"                                                                                      \
    "  - name: 0600\n    description: 1e3\n    schedule: \"15 2 * * mon-fri\"\n"                   \
    "    timezone: UTC\n    dst: skip\n    jitter: 30s\n    command: [./bin/x, no, 0600, \"\"]\n"  \
    "    workdir: w\n    env: { A: yes, B: $$x }\n    pass_env: [HOME]\n"                          \
    "    limits: { memory: 512M, cpu_time: 1500ms, nice: -1 }\n"                                   \
    "    retries: { max: 3, backoff: 1s, factor: 2.5, max_backoff: 2m, jitter: 0.25 }\n"           \
    "    timeout: 0s\n    kill_after: 3s\n    overlap: replace\n    missed: all\n"                 \
    "    missed_within: 2d\n    on_lost: retry\n    must_succeed_within: 26h\n"                    \
    "    after: [two]\n    after_within: 3h\n    nodes: { region: eu, disk: fast }\n"              \
    "    owner: o\n    runbook: r\n    params: { day: today, no: ~x, tilde: \"~\" }\n"             \
    "  - name: two\n    schedule: \"@reboot\"\n    shell: |\n      a\n      b\n"

static void every_setting_is_read(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(EVERY_KEY);
    const struct config *config = fixture.config;
    assert_string_equal(config->environment, "staging");
    assert_string_equal(config->revision, "no");
    assert_string_equal(config->store, "sqlite:/folder/data/x.db");
    assert_string_equal(config->store_path, "/folder/data/x.db");
    assert_string_equal(config->timezone, "Europe/Berlin");
    assert_int_equal(config->max_running, 8);
    assert_int_equal(config->drain.us, 5000000);
    assert_int_equal(config->lease.us, 20000000);
    assert_string_equal(config->labels[0].value, "eu");
    assert_null(config->labels[1].name);
    assert_int_equal(config->history_runs.us, 86400000000);
    assert_int_equal(config->history_output.us, 2 * 86400000000);
    assert_int_equal(config->history_audit.us, 3 * 86400000000);
    assert_int_equal(config->output_max, 2 << 20);
    assert_string_equal(config->http.host, "::");
    assert_int_equal(config->http.port, 0);
    assert_true(config->http.enabled && config->http.metrics_public && config->http.tls_terminated);
    assert_string_equal(config->http.tls_cert, "/folder/a.pem");
    assert_string_equal(config->http.tls_key, "/b.pem");
    assert_int_equal(config->http.token_count, 1);
    assert_int_equal(config->http.tokens[0].role, CONFIG_ROLE_OPERATOR);
    // printf the-token | sha256sum
    assert_int_equal(config->http.tokens[0].sha256[0], 0xc2);
    assert_int_equal(config->http.tokens[0].sha256[31], 0xae);
    fixture_release(&fixture);
}

static void databases_are_read(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(
        "databases:\n"
        "  - { name: app, url: \"postgresql://me:pass-word@h1,h2:6000/d?sslmode=prefer\" }\n"
        "  - { name: local, url: \"postgres://\", connections: 9 }\n"
        "  - { name: lite, url: \"sqlite:x/y.db\" }\n"
        "jobs:\n  - name: a\n    schedule: \"@daily\"\n"
        "    sql: { database: app, statement: \"select $due_at\", role: writer }\n"
        "  - name: b\n    schedule: \"@daily\"\n"
        "    sql: { database: lite, statement: vacuum, transaction: false }\n");
    const struct config *config = fixture.config;
    assert_int_equal(config->database_count, 3);
    const struct database *app = database_find(config->databases, 3, "app");
    assert_int_equal(app->kind, DATABASE_POSTGRESQL);
    assert_string_equal(app->place, "d at h1,h2:6000 as me");
    assert_int_equal(app->connections, 4);
    assert_int_equal(config->databases[1].connections, 9);
    assert_string_equal(config->databases[1].place, "its default at the local socket");
    assert_int_equal(config->databases[2].kind, DATABASE_SQLITE);
    assert_string_equal(config->databases[2].path, "/folder/x/y.db");
    assert_null(database_find(config->databases, 3, "ap"));
    const struct job *a = config_job(config, "a");
    assert_int_equal(a->kind, JOB_SQL);
    assert_string_equal(a->sql->database, "app");
    assert_string_equal(a->sql->statement, "select $due_at");
    assert_string_equal(a->sql->role, "writer");
    assert_true(a->sql->transaction);
    assert_false(config_job(config, "b")->sql->transaction);
    assert_null(config_job(config, "b")->sql->role);
    fixture_release(&fixture);
}

static void check_first_job(const struct job *job)
{
    assert_string_equal(job->name, "0600");
    assert_string_equal(job->description, "1e3");
    assert_string_equal(job->timezone, "UTC");
    assert_int_equal(job->schedule.dst, SCHEDULE_DST_SKIP);
    assert_int_equal(job->jitter.us, 30000000);
    assert_int_equal(job->timeout.us, 0);
    assert_int_equal(job->kill_after.us, 3000000);
    assert_int_equal(job->missed_within.us, 2 * 86400000000);
    assert_int_equal(job->must_succeed_within.us, 26 * 3600000000);
    assert_int_equal(job->overlap, JOB_OVERLAP_REPLACE);
    assert_int_equal(job->missed, JOB_MISSED_ALL);
    assert_int_equal(job->on_lost, JOB_LOST_RETRY);
    assert_int_equal(job->retries->max, 3);
    assert_true(job->retries->factor == 2.5 && job->retries->jitter == 0.25);
    assert_int_equal(job->retries->max_backoff.us, 120000000);
    assert_int_equal(job->config_line, 15);
    assert_string_equal(job->config_file, "t.yml");
    assert_string_equal(job->after[0], "two");
    assert_null(job->after[1]);
    assert_int_equal(job->after_within.us, 3 * 3600000000);
    assert_string_equal(job->nodes[0].name, "region");
    assert_string_equal(job->nodes[1].value, "fast");
    assert_null(job->nodes[2].name);
    assert_string_equal(job->params[0].name, "day");
    assert_string_equal(job->params[0].value, "today");
    assert_string_equal(job->params[1].value, "~x");
    assert_string_equal(job->params[2].value, "~"); // quoted, it is a text
    assert_null(job->params[3].name);
}

static void check_first_command(const struct job_command *command)
{
    assert_string_equal(command->argv[0], "/folder/bin/x");
    assert_string_equal(command->argv[1], "no");
    assert_string_equal(command->argv[2], "0600");
    assert_string_equal(command->argv[3], "");
    assert_null(command->argv[4]);
    assert_string_equal(command->workdir, "/folder/w");
    assert_string_equal(command->env[0].value, "yes");
    assert_string_equal(command->env[1].value, "$x");
    assert_null(command->env[2].name);
    assert_string_equal(command->pass_env[0], "HOME");
    assert_int_equal(command->limits.memory, 512 << 20);
    assert_int_equal(command->limits.cpu_time, 2);
    assert_int_equal(command->limits.nice, -1);
    assert_int_equal(command->limits.open_files, 64); // of the defaults: limits are joined
    assert_string_equal(command->user, "root");
}

static void every_job_key_is_read(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(EVERY_KEY);
    assert_int_equal(fixture.config->job_count, 2);
    check_first_job(&fixture.config->jobs[0]);
    check_first_command(fixture.config->jobs[0].command);
    const struct job *two = config_job(fixture.config, "two");
    assert_non_null(two);
    assert_int_equal(two->kind, JOB_SHELL);
    assert_string_equal(two->command->argv[0], "/bin/sh");
    assert_string_equal(two->command->argv[2], "a\nb\n");
    assert_int_equal(two->schedule.kind, SCHEDULE_REBOOT);
    assert_int_equal(two->timeout.us, 60000000);
    assert_int_equal(two->overlap, JOB_OVERLAP_QUEUE);
    assert_int_equal(two->command->limits.nice, 5);
    assert_string_equal(two->timezone, "Europe/Berlin");
    fixture_release(&fixture);
}

static void a_store_on_postgresql_leaves_the_node_files_of_its_own(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine("store: postgresql://ic@db/jobs\n");
    assert_string_equal(fixture.config->store, "postgresql://ic@db/jobs");
    assert_string_equal(fixture.config->store_url, "postgresql://ic@db/jobs");
    assert_string_equal(fixture.config->store_path, "/folder/ironcron.node");
    fixture_release(&fixture);
    fixture = fixture_load_fine("store: postgres://db\nnode: {state: /run/ic/n}\n");
    assert_string_equal(fixture.config->store, "postgresql://db/");
    assert_string_equal(fixture.config->store_path, "/run/ic/n");
    fixture_release(&fixture);
    fixture = fixture_load_fine("store: sqlite:x.db\nnode: {state: n}\n");
    assert_null(fixture.config->store_url);
    assert_string_equal(fixture.config->store_path, "/folder/x.db");
    fixture_release(&fixture);
}

static void the_defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct fixture fixture =
        fixture_load_fine("jobs: [{name: a, schedule: \"@daily\", shell: x}]\n");
    const struct config *config = fixture.config;
    const struct job *job = &config->jobs[0];
    assert_string_equal(config->store_path, "/folder/ironcron.db");
    assert_string_equal(config->timezone, "UTC");
    assert_int_equal(config->max_running, 64);
    assert_int_equal(config->drain.us, 30000000);
    assert_int_equal(config->lease.us, 60000000);
    assert_int_equal(config->history_runs.us, 90 * 86400000000);
    assert_int_equal(config->history_output.us, 7 * 86400000000);
    assert_int_equal(config->history_audit.us, 400 * 86400000000);
    assert_int_equal(config->output_max, 1 << 20);
    assert_string_equal(config->http.host, "127.0.0.1");
    assert_int_equal(config->http.port, 8321);
    assert_int_equal(job->timeout.us, 600000000);
    assert_int_equal(job->kill_after.us, 10000000);
    assert_int_equal(job->missed_within.us, 86400000000);
    assert_int_equal(job->overlap, JOB_OVERLAP_SKIP);
    assert_int_equal(job->missed, JOB_MISSED_LAST);
    assert_int_equal(job->on_lost, JOB_LOST_FAIL);
    assert_int_equal(job->retries->max, 0);
    assert_int_equal(job->schedule.dst, SCHEDULE_DST_RUN);
    assert_int_equal(job->must_succeed_within.us, 0);
    assert_null(job->command->user);
    fixture_release(&fixture);
}

static void retries_have_defaults(void **state)
{
    (void)state;
    struct fixture fixture =
        fixture_load_fine("jobs: [{name: a, schedule: \"@daily\", shell: x, retries: {max: 2}}]\n");
    const struct job_retries *retries = fixture.config->jobs[0].retries;
    assert_int_equal(retries->max, 2);
    assert_int_equal(retries->backoff.us, 10000000);
    assert_int_equal(retries->max_backoff.us, 300000000);
    assert_true(retries->factor == 2.0 && retries->jitter == 0.2);
    fixture_release(&fixture);
}

static void listening_can_be_off(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine("http: {listen: off}\n");
    assert_false(fixture.config->http.enabled);
    fixture_release(&fixture);
    fixture = fixture_load_fine("http: {listen: \"localhost:0\"}\n");
    assert_string_equal(fixture.config->http.host, "127.0.0.1");
    fixture_release(&fixture);
}

static void a_byte_order_mark_is_no_part_of_the_text(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine("\xEF\xBB\xBFhttp: {listen: off}\njobs: []\n");
    assert_false(fixture.config->http.enabled);
    fixture_release(&fixture);
}

static void only_what_is_defined_changes_the_hash(void **state)
{
    (void)state;
    static const char *const same[] = {
        "jobs:\n  - name: a\n    schedule: \"@daily\"\n    shell: x\n"
        "  - name: b\n    schedule: \"@daily\"\n    shell: y\n",
        "# a comment\nhttp: {listen: off}\nnode: {max_running: 3}\njobs:\n"
        "- {shell: 'y', name: \"b\", schedule: '@daily'}\n\n"
        "- {schedule: \"@daily\", name: a, shell: x} # another\n",
    };
    static const char *const other =
        "jobs:\n  - name: a\n    schedule: \"@daily\"\n    shell: x\n"
        "  - name: b\n    schedule: \"@daily\"\n    shell: y \n    owner: me\n";
    struct fixture first = fixture_load_fine(same[0]);
    struct fixture second = fixture_load_fine(same[1]);
    struct fixture third = fixture_load_fine(other);
    assert_string_equal(first.config->hash, second.config->hash);
    assert_string_not_equal(first.config->hash, third.config->hash);
    fixture_release(&first);
    fixture_release(&second);
    fixture_release(&third);
}

static void mistyped_jobs_find_their_neighbour(void **state)
{
    (void)state;
    struct fixture fixture =
        fixture_load_fine("jobs: [{name: rollup-daily, schedule: \"@daily\", shell: x},\n"
                          "       {name: send-digest, schedule: \"@daily\", shell: x}]\n");
    assert_string_equal(config_nearest_job(fixture.config, "rolup_daily"), "rollup-daily");
    assert_string_equal(config_nearest_job(fixture.config, "SEND-DIGSET"), "send-digest");
    assert_null(config_nearest_job(fixture.config, "warm-cache"));
    assert_null(config_job(fixture.config, "rollup"));
    fixture_release(&fixture);
}

static void the_template_loads(void **state)
{
    (void)state;
    struct fixture fixture = fixture_load_fine(config_template);
    assert_true(fixture.config->job_count >= 2);
    fixture_release(&fixture);
}

// The jobs that the template shows in comments must be right as well.
static void the_commented_jobs_of_the_template_load(void **state)
{
    (void)state;
    setenv("JOB_SECRET", "0123456789abcdef", 1);
    const char *example = strstr(config_template, "  # - name: nightly-report");
    assert_non_null(example);
    struct buf text;
    buf_init(&text, 65536);
    buf_add_string(&text, "jobs:\n");
    while (*example != '\0') {
        size_t length = strcspn(example, "\n");
        if (length > 0) {
            assert_memory_equal(example, "  # ", 4);
            buf_printf(&text, "  %.*s\n", (int)length - 4, example + 4);
        }
        example += length + 1;
    }
    struct fixture fixture = fixture_load_fine(buf_string(&text));
    assert_int_equal(fixture.config->job_count, 2);
    fixture_release(&fixture);
    buf_release(&text);
}

static void the_reference_names_every_key(void **state)
{
    (void)state;
    static const char *const rows[] = {"| `max_running` | whole number, 1 to 10000 | `64` |",
                                       "| `overlap` | word: `skip`, `queue`, `allow`, `replace` |",
                                       "## `jobs[].retries`",
                                       "Refused in this version: delete old rows"};
    struct buf out;
    buf_init(&out, (size_t)1024 * 1024);
    config_reference(&out);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if (strstr(buf_string(&out), rows[i]) == NULL) {
            fail_msg("the reference lacks %s", rows[i]);
        }
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_is_read),
        cmocka_unit_test(databases_are_read),
        cmocka_unit_test(every_job_key_is_read),
        cmocka_unit_test(a_store_on_postgresql_leaves_the_node_files_of_its_own),
        cmocka_unit_test(the_defaults_are_those_of_the_contract),
        cmocka_unit_test(retries_have_defaults),
        cmocka_unit_test(listening_can_be_off),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_text),
        cmocka_unit_test(only_what_is_defined_changes_the_hash),
        cmocka_unit_test(mistyped_jobs_find_their_neighbour),
        cmocka_unit_test(the_template_loads),
        cmocka_unit_test(the_commented_jobs_of_the_template_load),
        cmocka_unit_test(the_reference_names_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
