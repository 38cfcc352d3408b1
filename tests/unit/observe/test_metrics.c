// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "fake_jobs.h"
#include "strict.h"

struct world {
    struct fake_jobs fake;
    struct metrics *metrics;
    const struct engine_events *events;
    struct strict strict;
    struct buf text;
};

static const struct engine_outage outage = {.since = {1767225600000000}, .lasted = {42000000}};

static void world_open(struct world *world, const char *const *names, size_t count)
{
    *world = (struct world){0};
    fake_jobs_init(&world->fake, names, count);
    world->metrics =
        metrics_new(&(struct metrics_options){.version = "1.2.3", .revision = "abc\"def"});
    world->events = metrics_events(world->metrics);
    metrics_set_jobs(world->metrics, world->fake.jobs, count);
    metrics_set_source(world->metrics, fake_jobs_each, &world->fake);
}

static void world_close(struct world *world)
{
    metrics_free(world->metrics);
    fake_jobs_release(&world->fake);
}

static void scrape(struct world *world, enum exposition_format format)
{
    buf_init(&world->text, (size_t)256 << 20);
    metrics_render(world->metrics, format, &world->text);
    strict_read(&world->strict, format, world->text.data, world->text.length);
    if (world->strict.error[0] != '\0') {
        fail_msg("%s", world->strict.error);
    }
}

static void scrape_end(struct world *world)
{
    strict_release(&world->strict);
    buf_release(&world->text);
}

struct expectation {
    const char *key, *value; // value NULL: no such series
};

static void expect(struct world *world, enum exposition_format format,
                   const struct expectation *list, size_t count)
{
    scrape(world, format);
    for (size_t i = 0; i < count; i++) {
        const char *value = strict_value(&world->strict, list[i].key);
        const char *expected = list[i].value == NULL ? "(absent)" : list[i].value;
        if (strcmp(value == NULL ? "(absent)" : value, expected) != 0) {
            fail_msg("%s: %s, expected %s", list[i].key, value == NULL ? "(absent)" : value,
                     expected);
        }
    }
    scrape_end(world);
}

static const char *const two_names[] = {"rollup-daily", "send.digest_2"};

static void counters_are_there_from_the_start(void **state)
{
    (void)state;
    static const struct expectation list[] = {
        {"job_runs_total{job_name=\"rollup-daily\",status=\"success\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"failed\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"timed_out\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"lost\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"cancelled\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"dry_run\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"started\"}", NULL},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"exit\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"signal\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"timeout\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"lost\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"http\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"sql\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"gate\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"spawn\"}", "0"},
        {"job_failures_total{job_name=\"send.digest_2\",reason=\"none\"}", NULL},
        {"job_slots_missed_total{job_name=\"rollup-daily\",reason=\"downtime\"}", "0"},
        {"job_slots_missed_total{job_name=\"rollup-daily\",reason=\"overlap\"}", NULL},
        {"job_slots_skipped_total{job_name=\"rollup-daily\",reason=\"overlap\"}", "0"},
        {"job_slots_skipped_total{job_name=\"rollup-daily\",reason=\"downtime\"}", NULL},
        {"job_lock_acquire_total{job_name=\"rollup-daily\",result=\"won\"}", "0"},
        {"job_running{job_name=\"rollup-daily\"}", "0"},
        {"job_last_success_timestamp_seconds{job_name=\"rollup-daily\"}", "0"},
        {"job_next_run_timestamp_seconds{job_name=\"rollup-daily\"}", NULL},
        {"job_duration_ms_count{job_name=\"rollup-daily\"}", NULL},
        {"job_duration_seconds_count{job_name=\"rollup-daily\"}", NULL},
        {"job_start_delay_seconds_count{job_name=\"rollup-daily\"}", NULL},
        {"job_info{job_name=\"rollup-daily\",schedule=\"* * * * "
         "*\",timezone=\"UTC\",kind=\"command\"}",
         "1"},
        {"ironcron_audit_rows_total{event=\"STARTED\"}", "0"},
        {"ironcron_audit_rows_total{event=\"STALE\"}", "0"},
        {"ironcron_store_up", "1"},
        {"ironcron_store_reconnects_total", "0"},
        {"ironcron_store_statement_duration_seconds_count", NULL},
        {"ironcron_store_locks_ratio", "0"},
        {"ironcron_clock_skew_seconds", "0"},
        {"ironcron_nodes_live", "1"},
        {"ironcron_fenced_total", "0"},
        {"ironcron_node_draining", "0"},
        {"ironcron_definitions_refused", "0"},
    };
    struct world world;
    world_open(&world, two_names, 2);
    expect(&world, EXPOSITION_TEXT, list, ARRAY_LENGTH(list));
    expect(&world, EXPOSITION_OPENMETRICS, list, ARRAY_LENGTH(list));
    scrape(&world, EXPOSITION_TEXT);
    assert_non_null(
        strstr(world.text.data, "ironcron_build_info{version=\"1.2.3\",revision=\"abc\\\"def\","));
    scrape_end(&world);
    world_close(&world);
}

// A morning of one job, event by event.
static void play(struct world *world, const struct job *job)
{
    const struct engine_events *e = world->events;
    struct engine_run run = fake_run(job);
    e->on_lock(e->context, job, LOCK_WON);
    e->on_started(e->context, &run, DURATION_MS(20));
    e->on_handed_over(e->context, &run, DURATION_MS(3));
    e->on_ended(e->context, &run, RUN_SUCCESS, FAILURE_NONE, DURATION_MS(5), NULL);
    run.trigger = TRIGGER_RETRY; // not late, though its slot was due long ago
    e->on_started(e->context, &run, DURATION_S(9000));
    e->on_ended(e->context, &run, RUN_FAILED, FAILURE_EXIT, DURATION_US(1234567), "exit 1");
    e->on_started(e->context, &run, DURATION_S(9000));
    e->on_ended(e->context, &run, RUN_TIMED_OUT, FAILURE_TIMEOUT, DURATION_S(3601), "too long");
    e->on_ended(e->context, &run, RUN_LOST, FAILURE_LOST, DURATION_S(7), NULL);
    e->on_ended(e->context, &run, RUN_FAILED, FAILURE_SPAWN, DURATION_US(0), "no such file");
    e->on_ended(e->context, &run, RUN_DRY_RUN, FAILURE_NONE, DURATION_US(0), NULL);
    e->on_passed_over(e->context, job, INSTANT_NONE, SLOT_MISSED, REASON_DOWNTIME);
    e->on_passed_over(e->context, job, INSTANT_NONE, SLOT_SKIPPED, REASON_OVERLAP);
    e->on_passed_over(e->context, job, INSTANT_NONE, SLOT_SKIPPED, REASON_DOWNTIME); // unusual
    e->on_lock(e->context, job, LOCK_TAKEN);
    e->on_stale(e->context, &run);
    e->on_fenced(e->context, run.run_id);
    e->on_fenced(e->context, run.run_id);
}

static void events_are_counted(void **state)
{
    (void)state;
#define J "job_name=\"send.digest_2\""
    static const struct expectation list[] = {
        {"job_runs_total{" J ",status=\"success\"}", "1"},
        {"job_runs_total{" J ",status=\"failed\"}", "2"},
        {"job_runs_total{" J ",status=\"timed_out\"}", "1"},
        {"job_runs_total{" J ",status=\"lost\"}", "1"},
        {"job_runs_total{" J ",status=\"dry_run\"}", "1"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"success\"}", "0"},
        {"job_failures_total{" J ",reason=\"exit\"}", "1"},
        {"job_failures_total{" J ",reason=\"spawn\"}", "1"},
        {"job_failures_total{" J ",reason=\"timeout\"}", "1"},
        {"job_duration_ms_bucket{" J ",le=\"5\"}", "1"},
        {"job_duration_ms_bucket{" J ",le=\"1000\"}", "1"},
        {"job_duration_ms_bucket{" J ",le=\"2500\"}", "2"},
        {"job_duration_ms_bucket{" J ",le=\"3600000\"}", "2"},
        {"job_duration_ms_bucket{" J ",le=\"+Inf\"}", "3"},
        {"job_duration_ms_sum{" J "}", "3602239.567"},
        {"job_duration_ms_count{" J "}", "3"},
        {"job_duration_seconds_bucket{" J ",le=\"0.005\"}", "1"},
        {"job_duration_seconds_bucket{" J ",le=\"2.5\"}", "2"},
        {"job_duration_seconds_bucket{" J ",le=\"3600\"}", "2"},
        {"job_duration_seconds_bucket{" J ",le=\"+Inf\"}", "3"},
        {"job_duration_seconds_sum{" J "}", "3602.239567"},
        {"job_start_delay_seconds_bucket{" J ",le=\"0.01\"}", "0"},
        {"job_start_delay_seconds_bucket{" J ",le=\"0.025\"}", "1"},
        {"job_start_delay_seconds_count{" J "}", "1"},
        {"job_queue_seconds_count{" J "}", "1"},
        {"job_queue_seconds_sum{" J "}", "0.003"},
        {"job_queue_seconds_count{job_name=\"rollup-daily\"}", NULL},
        {"job_slots_missed_total{" J ",reason=\"downtime\"}", "1"},
        {"job_slots_skipped_total{" J ",reason=\"overlap\"}", "1"},
        {"job_slots_skipped_total{" J ",reason=\"downtime\"}", "1"},
        {"job_lock_acquire_total{" J ",result=\"won\"}", "1"},
        {"job_lock_acquire_total{" J ",result=\"taken\"}", "1"},
        {"ironcron_audit_rows_total{event=\"STARTED\"}", "3"},
        {"ironcron_audit_rows_total{event=\"FAILED\"}", "2"},
        {"ironcron_audit_rows_total{event=\"SKIPPED\"}", "2"},
        {"ironcron_audit_rows_total{event=\"MISSED\"}", "1"},
        {"ironcron_audit_rows_total{event=\"STALE\"}", "1"},
        {"ironcron_fenced_total", "2"},
    };
    static const struct expectation open[] = {
        {"job_duration_ms_bucket{" J ",le=\"5.0\"}", "1"},
        {"job_duration_ms_bucket{" J ",le=\"3600000.0\"}", "2"},
        {"job_duration_seconds_bucket{" J ",le=\"0.005\"}", "1"},
        {"job_duration_seconds_bucket{" J ",le=\"1.0\"}", "1"},
        {"job_runs_total{" J ",status=\"failed\"}", "2"},
    };
    struct world world;
    world_open(&world, two_names, 2);
    play(&world, &world.fake.jobs[1]);
    expect(&world, EXPOSITION_TEXT, list, ARRAY_LENGTH(list));
    expect(&world, EXPOSITION_OPENMETRICS, open, ARRAY_LENGTH(open));
    world_close(&world);
}

static void the_node_is_shown(void **state)
{
    (void)state;
    static const struct expectation list[] = {
        {"ironcron_store_up", "0"},
        {"ironcron_store_reconnects_total", "1"},
        {"ironcron_store_locks_ratio", "0.75"},
        {"ironcron_clock_skew_seconds", "-0.25"},
        {"ironcron_nodes_live", "3"},
        {"ironcron_node_draining", "1"},
        {"ironcron_definitions_refused", "1"},
        {"ironcron_audit_rows_total{event=\"PAUSED\"}", "2"},
        {"ironcron_store_statement_duration_seconds_bucket{le=\"0.0025\"}", "1"},
        {"ironcron_store_statement_duration_seconds_count", "1"},
        {"job_running{" J "}", "2"},
        {"job_next_run_timestamp_seconds{" J "}", "1800000060"},
        {"job_last_success_timestamp_seconds{" J "}", "1800000000.123"},
        {"job_running{job_name=\"rollup-daily\"}", "0"},
    };
    struct world world;
    world_open(&world, two_names, 2);
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_STORE, "disk full");
    world.events->on_store(world.events->context, &err, &outage);
    world.events->on_store(world.events->context, &err, &outage);
    world.events->on_store(world.events->context, NULL, &outage);
    world.events->on_store(world.events->context, NULL, &outage);
    world.events->on_store(world.events->context, &err, &outage);
    metrics_set_locks(world.metrics, 4800, 6400);
    metrics_set_clock_skew(world.metrics, DURATION_MS(-250));
    metrics_set_nodes_live(world.metrics, 3);
    metrics_set_draining(world.metrics, true);
    metrics_set_refuses(world.metrics, true);
    metrics_audit_row(world.metrics, "PAUSED");
    metrics_audit_row(world.metrics, "PAUSED");
    metrics_store_statement(world.metrics, DURATION_MS(2));
    world.fake.views[1].running = 2;
    world.fake.views[1].next_due = instant_from_unix(1800000060);
    world.fake.views[1].last_success = instant_from_ms(1800000000123);
    expect(&world, EXPOSITION_TEXT, list, ARRAY_LENGTH(list));
    // Views in another order than the jobs go to the right ones.
    struct engine_job_view first = world.fake.views[0];
    world.fake.views[0] = world.fake.views[1];
    world.fake.views[1] = first;
    expect(&world, EXPOSITION_TEXT, list, ARRAY_LENGTH(list));
    world_close(&world);
}

static void a_reload_keeps_what_remains(void **state)
{
    (void)state;
    static const char *const after_names[] = {"new", "send.digest_2"};
    static const struct expectation list[] = {
        {"job_runs_total{" J ",status=\"success\"}", "2"},
        {"job_duration_ms_count{" J "}", "6"},
        {"job_runs_total{job_name=\"new\",status=\"success\"}", "0"},
        {"job_runs_total{job_name=\"rollup-daily\",status=\"success\"}", NULL},
        {"job_info{job_name=\"rollup-daily\",schedule=\"* * * * "
         "*\",timezone=\"UTC\",kind=\"command\"}",
         NULL},
        {"ironcron_audit_rows_total{event=\"SUCCESS\"}", "3"},
    };
    static const struct expectation back[] = {
        {"job_runs_total{job_name=\"rollup-daily\",status=\"success\"}", "0"},
        {"job_runs_total{" J ",status=\"success\"}", "2"},
    };
    struct world world;
    struct fake_jobs after;
    world_open(&world, two_names, 2);
    fake_jobs_init(&after, after_names, 2);
    play(&world, &world.fake.jobs[1]);
    metrics_set_jobs(world.metrics, after.jobs, 2);
    metrics_set_source(world.metrics, fake_jobs_each, &after);
    play(&world, &world.fake.jobs[1]); // a run of the old definition ends under the new one
    play(&world, &world.fake.jobs[0]); // a removed job's run ends: only the node's numbers move
    expect(&world, EXPOSITION_TEXT, list, ARRAY_LENGTH(list));
    metrics_set_jobs(world.metrics, world.fake.jobs, 2);
    expect(&world, EXPOSITION_TEXT, back, ARRAY_LENGTH(back));
    metrics_set_jobs(world.metrics, NULL, 0);
    expect(&world, EXPOSITION_TEXT, NULL, 0);
    fake_jobs_release(&after);
    world_close(&world);
}

static void any_label_is_escaped(void **state)
{
    (void)state;
    struct world world;
    world_open(&world, two_names, 2);
    char longest[4000];
    memset(longest, '"', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    world.fake.jobs[0].schedule_text = "\"quoted\" \\ \n\xff";
    world.fake.jobs[1].schedule_text = longest;
    expect(&world, EXPOSITION_TEXT, NULL, 0);
    expect(&world, EXPOSITION_OPENMETRICS, NULL, 0);
    scrape(&world, EXPOSITION_TEXT);
    assert_non_null(strstr(world.text.data, "schedule=\"\\\"quoted\\\" \\\\ \\n?\""));
    scrape_end(&world);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_there_from_the_start),
        cmocka_unit_test(events_are_counted),
        cmocka_unit_test(the_node_is_shown),
        cmocka_unit_test(a_reload_keeps_what_remains),
        cmocka_unit_test(any_label_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
