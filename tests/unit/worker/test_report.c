// SPDX-License-Identifier: MIT
// What becomes of a run by what its worker left, and what the worker is given.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "worker/order.h"
#include "worker/report.h"
#include "worker/sqlite_runner.h"

// ---- a runner of processes that only remembers --------------------------------------------------

struct recorder {
    struct runner port; // first
    char *input;
    char arguments[256];
    struct runner_end end;
    char text[2048];
    int ends;
    uint64_t stopped;
};

static bool record_start(struct runner *port, const struct runner_start *start, struct error *err)
{
    (void)err;
    struct recorder *recorder = CONTAINER_OF(port, struct recorder, port);
    const struct job_command *command = start->job->command;
    free(recorder->input);
    recorder->input = command->input == NULL ? NULL : strdup(command->input);
    recorder->arguments[0] = '\0';
    for (const char *const *argument = command->argv; *argument != NULL; argument++) {
        size_t used = strlen(recorder->arguments);
        snprintf(recorder->arguments + used, sizeof recorder->arguments - used, "%s ", *argument);
    }
    return true;
}

static void record_stop(struct runner *port, uint64_t run, bool at_once)
{
    (void)at_once;
    CONTAINER_OF(port, struct recorder, port)->stopped = run;
}

static void record_feed(struct runner *port, struct mono deadline)
{
    (void)port;
    (void)deadline;
}

static void record_end(void *context, uint64_t run, const struct runner_end *end)
{
    struct recorder *recorder = context;
    assert_int_equal(run, 7);
    recorder->end = *end;
    recorder->ends++;
    const char *text = end->facts != NULL ? end->facts : end->error;
    snprintf(recorder->text, sizeof recorder->text, "%s", text == NULL ? "" : text);
}

static const struct runner_ops record_ops = {record_start, record_stop, record_feed};

static void connect(struct sqlite_runner *sqlite, struct recorder *recorder)
{
    *recorder = (struct recorder){.port = {.ops = &record_ops}};
    sqlite_runner_init(sqlite);
    sqlite_runner_set_processes(sqlite, &recorder->port);
    sqlite->port.events = (struct runner_events){.context = recorder, .on_end = record_end};
}

// ---- tests --------------------------------------------------------------------------------------

static void what_a_worker_left_decides(void **state)
{
    (void)state;
    static const struct {
        enum runner_end_kind kind;
        const char *report;
        enum runner_end_kind expected;
        enum run_failure failure;
        const char *text; // facts or error, begins so
    } rows[] = {
        {RUNNER_EXITED, "{\"stage\":\"done\",\"rows\":3,\"error\":\"\"}", RUNNER_SUCCEEDED, 0,
         "{\"rows\":3}"},
        // The commit was faster than the timeout.
        {RUNNER_TIMED_OUT, "{\"stage\":\"done\",\"rows\":0,\"error\":\"\"}", RUNNER_SUCCEEDED, 0,
         "{\"rows\":0}"},
        {RUNNER_EXITED, "{\"stage\":\"failed\",\"rows\":0,\"error\":\"no such table\"}",
         RUNNER_FAILED, FAILURE_SQL, "no such table"},
        {RUNNER_TIMED_OUT, "{\"stage\":\"stopped\",\"rows\":0,\"error\":\"not done\"}",
         RUNNER_TIMED_OUT, 0, "not done"},
        {RUNNER_CANCELLED, "{\"stage\":\"stopped\",\"rows\":0,\"error\":\"not done\"}",
         RUNNER_CANCELLED, 0, "not done"},
        {RUNNER_EXITED, "{\"stage\":\"stopped\",\"rows\":0,\"error\":\"not done\"}", RUNNER_FAILED,
         FAILURE_SQL, "its worker process was told to stop from outside"},
        {RUNNER_SIGNALLED, "{\"stage\":\"working\",\"rows\":0,\"error\":\"\"}", RUNNER_SIGNALLED, 0,
         "its worker process was ended by signal 9 (Killed) before its commit: nothing"},
        {RUNNER_SIGNALLED, "{\"stage\":\"committing\",\"rows\":0,\"error\":\"\"}", RUNNER_SIGNALLED,
         0, "its worker process was ended by signal 9 (Killed) during its commit: whether"},
        {RUNNER_SIGNALLED, "{\"stage\":\"loose\",\"rows\":0,\"error\":\"\"}", RUNNER_SIGNALLED, 0,
         "its worker process was ended by signal 9 (Killed) before it was done: without"},
        {RUNNER_TIMED_OUT, "{\"stage\":\"working\",\"rows\":0,\"error\":\"\"}", RUNNER_TIMED_OUT, 0,
         "not done after its timeout, and killed before its commit"},
        // Killed before it read its order, which may hold secrets.
        {RUNNER_SIGNALLED, "{\"job\":\"j\",\"params\":{\"password\":\"secret\"}}", RUNNER_SIGNALLED,
         0, "its worker process was ended by signal 9 (Killed) before its commit: nothing of it"},
        {RUNNER_EXITED, "", RUNNER_FAILED, FAILURE_SQL,
         "its worker process ended with exit code 70 before its commit"},
        {RUNNER_EXITED, "{\"stage\":\"done\",\"rows\":", RUNNER_FAILED, FAILURE_SQL, "its worker"},
        {RUNNER_EXITED, "{\"stage\":\"nonsense\",\"rows\":1,\"error\":\"\"}", RUNNER_FAILED,
         FAILURE_SQL, "its worker"},
        {RUNNER_EXITED, "[1]", RUNNER_FAILED, FAILURE_SQL, "its worker"},
        {RUNNER_SPAWN_FAILED, NULL, RUNNER_SPAWN_FAILED, 0, "why"},
        {RUNNER_GONE, NULL, RUNNER_GONE, 0, "why"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct sqlite_runner sqlite;
        struct recorder recorder;
        connect(&sqlite, &recorder);
        struct runner_end end = {.kind = rows[i].kind,
                                 .exit_code = rows[i].kind == RUNNER_EXITED ? 70 : 0,
                                 .signal = rows[i].kind == RUNNER_SIGNALLED ? 9 : 0,
                                 .error = rows[i].report == NULL ? "why" : NULL,
                                 .report = rows[i].report};
        recorder.port.events.on_end(recorder.port.events.context, 7, &end);
        assert_int_equal(recorder.ends, 1);
        if (recorder.end.kind != rows[i].expected || recorder.end.failure != rows[i].failure ||
            strncmp(recorder.text, rows[i].text, strlen(rows[i].text)) != 0 ||
            strstr(recorder.text, "secret") != NULL) {
            fail_msg("%d, %s: kind %d, failure %d, %s", rows[i].kind, rows[i].report,
                     recorder.end.kind, recorder.end.failure, recorder.text);
        }
    }
}

static void a_report_is_written_over_what_was_there(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    fputs("something much longer than any report, so that a rest of it would show; and longer than "
          "that as well",
          file);
    fflush(file);
    struct report report = {.stage = REPORT_FAILED, .error = "\"quoted\"\nbroken \xff"};
    report_write(&report, fileno(file));
    char text[4096] = "";
    assert_true(pread(fileno(file), text, sizeof text - 1, 0) > 0);
    struct report read;
    report_parse(text, &read);
    assert_int_equal(read.stage, REPORT_FAILED);
    assert_string_equal(read.error, "\"quoted\"\nbroken ?");
    fclose(file);
}

static void a_run_becomes_a_worker(void **state)
{
    (void)state;
    static const struct database databases[] = {
        {.name = "pg", .kind = DATABASE_POSTGRESQL, .url = "postgresql://x"},
        {.name = "app", .kind = DATABASE_SQLITE, .path = "/data/app.db"}};
    struct job_sql sql = {.database = "app", .statement = "select 'é'", .transaction = true};
    struct job_command command = {.user = "www-data"};
    struct job job = {.name = "sum", .kind = JOB_SQL, .sql = &sql, .command = &command};
    job.timeout = DURATION_S(90);
    struct job_variable params[] = {{"tenant", "top secret"}, {NULL, NULL}};
    struct runner_start start = {.run = 7, .job = &job, .fence = 12, .params = params};
    struct sqlite_runner sqlite;
    struct recorder recorder;
    connect(&sqlite, &recorder);
    sqlite_runner_set_databases(&sqlite, databases, ARRAY_LENGTH(databases));
    struct error err = ERROR_INIT;
    assert_true(sqlite.port.ops->start(&sqlite.port, &start, &err));
    assert_string_equal(recorder.arguments, "/proc/self/exe worker sum ");
    struct order order;
    assert_true(order_decode(recorder.input, strlen(recorder.input), &order, &err));
    assert_string_equal(order.path, "/data/app.db");
    assert_string_equal(order.statement, "select 'é'");
    assert_string_equal(order.timeout, "1m30s");
    assert_string_equal(order.due_at, "1970-01-01T00:00:00.000Z");
    assert_int_equal(order.fence, 12);
    assert_true(order.transaction);
    assert_string_equal(order.params[0].name, "tenant");
    assert_string_equal(order.params[0].value, "top secret");
    assert_null(order.params[1].name);
    order_release(&order);
    sqlite.port.ops->stop(&sqlite.port, 7, false);
    assert_int_equal(recorder.stopped, 7);

    sql.database = "pg";
    assert_false(sqlite.port.ops->start(&sqlite.port, &start, &err));
    assert_non_null(strstr(err.text, "there is no SQLite database pg"));
    sql.database = "app";
    params[0].value = "\xff";
    bool started = sqlite.port.ops->start(&sqlite.port, &start, &err);
    assert_false(started && strstr(recorder.input, "tenant") != NULL);
    free(recorder.input);
}

static void nonsense_is_no_request(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "{}", "[]", "{\"job\":1}", "\xff", "{\"stage\":\"done\"}"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct order order;
        struct error err = ERROR_INIT;
        assert_false(order_decode(texts[i], strlen(texts[i]), &order, &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_worker_left_decides),
        cmocka_unit_test(a_report_is_written_over_what_was_there),
        cmocka_unit_test(a_run_becomes_a_worker),
        cmocka_unit_test(nonsense_is_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
