// SPDX-License-Identifier: MIT
// The glossary's words go both ways, and what is stored or shared between nodes never changes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "job/job.h"
#include "job/run.h"

static void words_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < RUN_STATE_COUNT; i++) {
        enum run_state read;
        assert_true(run_state_parse(run_state_name((enum run_state)i), &read));
        assert_int_equal(read, i);
    }
    for (int i = 0; i < TRIGGER_COUNT; i++) {
        enum run_trigger read;
        assert_true(run_trigger_parse(run_trigger_name((enum run_trigger)i), &read));
        assert_int_equal(read, i);
    }
    for (int i = 0; i < SLOT_REASON_COUNT; i++) {
        enum slot_reason read;
        assert_true(slot_reason_parse(slot_reason_name((enum slot_reason)i), &read));
        assert_int_equal(read, i);
    }
    enum slot_outcome outcome;
    assert_true(slot_outcome_parse("MISSED", &outcome));
    assert_int_equal(outcome, SLOT_MISSED);
    assert_false(slot_outcome_parse("missed", &outcome));
    assert_null(slot_outcome_name(SLOT_OPEN));
    assert_int_equal(slot_outcome_of(RUN_TIMED_OUT), SLOT_TIMED_OUT);
    for (int i = 0; i < SLOT_OUTCOME_COUNT; i++) {
        bool is_bad =
            i == SLOT_FAILED || i == SLOT_TIMED_OUT || i == SLOT_LOST || i == SLOT_CANCELLED;
        assert_int_equal(slot_outcome_is_retryable((enum slot_outcome)i), is_bad);
    }
    assert_false(run_state_is_final(RUN_STARTED));
    assert_true(run_state_is_final(RUN_LOST));
}

static void the_spec_is_one_sorted_line(void **state)
{
    (void)state;
    struct job job = {.name = "a", .schedule_text = "15 2 * * *", .timezone = "Europe/Berlin"};
    char *spec = job_schedule_spec(&job);
    assert_string_equal(
        spec, "{\"dst\":\"run\",\"schedule\":\"15 2 * * *\",\"timezone\":\"Europe/Berlin\"}");
    free(spec);
    job.schedule_text = "0 0 \\ \" *";
    job.timezone = "M\xC3\xBCnchen";
    job.schedule.dst = SCHEDULE_DST_SKIP;
    spec = job_schedule_spec(&job);
    assert_string_equal(spec, "{\"dst\":\"skip\",\"schedule\":\"0 0 \\\\ \\\" *\",\"timezone\":"
                              "\"M\xC3\xBCnchen\"}");
    free(spec);
}

static void jitter_is_stable_and_bounded(void **state)
{
    (void)state;
    struct job job = {.name = "a", .jitter = DURATION_S(30)};
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (int i = 0; i < 1000; i++) {
        struct instant due = instant_from_unix(1700000000 + 60 * i);
        struct duration jitter = job_jitter(&job, due);
        assert_int_equal(jitter.us, job_jitter(&job, due).us);
        assert_true(jitter.us >= 0 && jitter.us <= job.jitter.us);
        least = jitter.us < least ? jitter.us : least;
        most = jitter.us > most ? jitter.us : most;
    }
    assert_true(least < 1000000 && most > 29000000); // it really spreads
    job.jitter = DURATION_S(0);
    assert_int_equal(job_jitter(&job, instant_from_unix(1700000000)).us, 0);
}

static void a_job_fits_a_node_that_has_all_its_labels(void **state)
{
    (void)state;
    const struct job_variable wanted[] = {{"region", "eu"}, {"disk", "fast"}, {0}};
    const struct job_variable less[] = {{"disk", "fast"}, {0}};
    const struct job_variable other[] = {{"disk", "fast"}, {"region", "us"}, {0}};
    const struct job_variable more[] = {{"disk", "fast"}, {"gpu", "no"}, {"region", "eu"}, {0}};
    struct job job = {.name = "a"};
    assert_true(job_fits(&job, NULL));
    assert_true(job_fits(&job, more));
    job.nodes = wanted;
    assert_false(job_fits(&job, NULL));
    assert_false(job_fits(&job, less));
    assert_false(job_fits(&job, other));
    assert_true(job_fits(&job, wanted));
    assert_true(job_fits(&job, more));
    AUTO(buf_release) struct buf text;
    buf_init(&text, 64);
    job_labels_describe(wanted, &text);
    assert_string_equal(buf_string(&text), "region=eu, disk=fast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_go_both_ways),
        cmocka_unit_test(the_spec_is_one_sorted_line),
        cmocka_unit_test(jitter_is_stable_and_bounded),
        cmocka_unit_test(a_job_fits_a_node_that_has_all_its_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
