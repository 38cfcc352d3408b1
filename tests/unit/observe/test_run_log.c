// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "base/log.h"
#include "observe/run_log.h"

static const struct engine_outage outage = {.since = {1767225600000000}, .lasted = {42000000}};

static char logged[16384];
static int pipe_fds[2];
static int saved_stderr;

static void catch_begin(void)
{
    assert_int_equal(pipe2(pipe_fds, O_NONBLOCK), 0);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}

static void catch_end(void)
{
    fflush(stderr);
    dup2(saved_stderr, STDERR_FILENO);
    ssize_t length = read(pipe_fds[0], logged, sizeof logged - 1);
    logged[length < 0 ? 0 : length] = '\0';
    close(saved_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static const struct job job = {.name = "rollup-daily"};

static struct engine_run some_run(void)
{
    struct engine_run run = {.job = &job,
                             .due_at = instant_from_unix(1800000000),
                             .attempt = 2,
                             .trigger = TRIGGER_RETRY};
    assert_true(uuid_parse("0190b8f0-0000-7000-8000-0000000000ab", &run.run_id));
    return run;
}

static void expect_logged(const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(logged, parts[i]) == NULL) {
            fail_msg("\"%s\" is not in:\n%s", parts[i], logged);
        }
    }
}

static void ends_are_told_by_their_kind(void **state)
{
    (void)state;
    static const struct {
        enum run_state state;
        enum run_failure failure;
        const char *error;
        const char *parts[6];
    } cases[] = {
        {RUN_SUCCESS,
         FAILURE_NONE,
         NULL,
         {"info", "run_ended", "rollup-daily succeeded in 3s", "attempt"}},
        {RUN_DRY_RUN, FAILURE_NONE, NULL, {"info", "run_dry", "not executed"}},
        {RUN_CANCELLED, FAILURE_NONE, NULL, {"info", "run_cancelled", "cancelled after 3s"}},
        {RUN_FAILED,
         FAILURE_EXIT,
         "ended with exit code 7",
         {"error", "run_failed", "FAILED after 3s: ended with exit code 7", "exit",
          "ironcron runs show 0190b8f0-0000-7000-8000-0000000000ab"}},
        {RUN_TIMED_OUT,
         FAILURE_TIMEOUT,
         NULL,
         {"error", "run_failed", "TIMED_OUT after 3s; see", "timeout"}},
        {RUN_LOST,
         FAILURE_LOST,
         "its node died",
         {"error", "run_failed", "LOST after 3s: its node died"}},
    };
    const struct engine_events *e = run_log_events();
    const struct engine_run run = some_run();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t parts = 0;
        while (parts < ARRAY_LENGTH(cases[i].parts) && cases[i].parts[parts] != NULL) {
            parts++;
        }
        catch_begin();
        e->on_ended(e->context, &run, cases[i].state, cases[i].failure, DURATION_S(3),
                    cases[i].error);
        catch_end();
        expect_logged(cases[i].parts, parts);
        assert_ptr_equal(strchr(logged, '\n'), logged + strlen(logged) - 1); // one line
    }
}

static void slots_and_store_are_told(void **state)
{
    (void)state;
    static const char *const missed[] = {"warn", "slot_missed", "2027-01-15T08:00:00.000Z",
                                         "downtime", "ironcron jobs show rollup-daily"};
    static const char *const skipped[] = {"warn", "slot_skipped", "overlap"};
    static const char *const down[] = {"error", "store_down", "disk full", "ironcron validate"};
    static const char *const up[] = {"info", "store_up", "since", "2026-01-01T00:00:00.000Z",
                                     "did not for 42s"};
    static const char *const stale[] = {"error", "run_stale", "killed",
                                        "ironcron runs show 0190b8f0"};
    static const char *const fenced[] = {"warn", "node_fenced", "0190b8f0", "ironcron nodes"};
    static const char *const kept_back[] = {"error", "job_lock_held", "session 7 (psql)",
                                            "pg_terminate_backend(7)"};
    static const char *const free_again[] = {"info", "job_lock_free", "starts again"};
    const struct engine_events *e = run_log_events();
    const struct engine_run run = some_run();
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_STORE, "disk full");
    catch_begin();
    e->on_passed_over(e->context, &job, run.due_at, SLOT_MISSED, REASON_DOWNTIME);
    catch_end();
    expect_logged(missed, ARRAY_LENGTH(missed));
    catch_begin();
    e->on_passed_over(e->context, &job, run.due_at, SLOT_SKIPPED, REASON_OVERLAP);
    catch_end();
    expect_logged(skipped, ARRAY_LENGTH(skipped));
    catch_begin();
    e->on_store(e->context, &err, &outage);
    catch_end();
    expect_logged(down, ARRAY_LENGTH(down));
    catch_begin();
    e->on_store(e->context, NULL, &outage);
    catch_end();
    expect_logged(up, ARRAY_LENGTH(up));
    catch_begin();
    e->on_stale(e->context, &run);
    catch_end();
    expect_logged(stale, ARRAY_LENGTH(stale));
    catch_begin();
    e->on_fenced(e->context, run.run_id);
    catch_end();
    expect_logged(fenced, ARRAY_LENGTH(fenced));
    catch_begin();
    e->on_kept_back(e->context, &job, "session 7 (psql): select pg_terminate_backend(7)");
    catch_end();
    expect_logged(kept_back, ARRAY_LENGTH(kept_back));
    catch_begin();
    e->on_kept_back(e->context, &job, NULL);
    catch_end();
    expect_logged(free_again, ARRAY_LENGTH(free_again));
}

static void starts_are_for_debugging(void **state)
{
    (void)state;
    static const char *const parts[] = {"debug",   "run_started", "run_executing",
                                        "trigger", "retry",       "claim"};
    const struct engine_events *e = run_log_events();
    const struct engine_run run = some_run();
    catch_begin();
    e->on_started(e->context, &run, DURATION_MS(20));
    e->on_handed_over(e->context, &run, DURATION_MS(2));
    e->on_lock(e->context, &job, LOCK_WON);
    catch_end();
    assert_string_equal(logged, "");
    log_configure(LOG_FORMAT_LOGFMT, LOG_DEBUG, NULL);
    catch_begin();
    e->on_started(e->context, &run, DURATION_MS(20));
    e->on_handed_over(e->context, &run, DURATION_MS(2));
    e->on_lock(e->context, &job, LOCK_WON);
    catch_end();
    log_configure(LOG_FORMAT_LOGFMT, LOG_INFO, NULL);
    expect_logged(parts, ARRAY_LENGTH(parts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_told_by_their_kind),
        cmocka_unit_test(slots_and_store_are_told),
        cmocka_unit_test(starts_are_for_debugging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
