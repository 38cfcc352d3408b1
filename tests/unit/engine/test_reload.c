// SPDX-License-Identifier: MIT
// Definitions come into force in virtual time, where the store fails at any of the questions.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define START "2026-03-10T00:00:30Z"

static void change(struct world *w, size_t job, const char *schedule)
{
    struct error err = ERROR_INIT;
    struct job *changes = &w->jobs[job];
    changes->schedule_text = schedule;
    assert_true(schedule_parse(schedule, changes->schedule.zone, SCHEDULE_DST_RUN, changes->name,
                               &changes->schedule, &err));
}

static void begin(struct world *w)
{
    static const struct world_script scripts[] = {{"slow", 100, 0, 0}};
    world_init(w, START);
    world_script(w, scripts, 1);
    world_job(w, "stays", "* * * * * *");
    world_job(w, "changes", "* * * * * *");
    world_job(w, "goes", "* * * * * *");
    world_job(w, "slow", "* * * * *")->overlap = JOB_OVERLAP_QUEUE;
    world_start(w);
    world_advance(w, DURATION_S(95));
}

// Whatever was known of the answer, the ledger has neither gap nor overlap at the border.
static void fails_at_some_question(enum model_fault fault, int failures)
{
    struct world w;
    begin(&w);
    struct job goes = w.jobs[2];
    change(&w, 1, "*/5 * * * * *");
    w.jobs[2] = w.jobs[3];
    w.job_count = 3;
    world_fault(&w, fault, failures);
    world_reload(&w);
    world_advance(&w, DURATION_S(30));
    w.jobs[w.job_count++] = goes;
    world_fault(&w, fault, failures);
    world_begin_reload(&w);
    world_advance(&w, DURATION_S(120));
    struct error err = ERROR_INIT;
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_DONE);
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_NOTHING);
    assert_string_equal(world_outcome(&w, "goes", "2026-03-10T00:04:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:04:01Z"), "");
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:04:05Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "stays", "2026-03-10T00:04:01Z"), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

static void the_store_fails(void **state)
{
    (void)state;
    static const enum model_fault faults[] = {MODEL_FAULT_UNAVAILABLE, MODEL_FAULT_UNKNOWN_LOST,
                                              MODEL_FAULT_UNKNOWN_APPLIED};
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        for (int failures = 0; failures < 8; failures++) {
            fails_at_some_question(faults[i], failures);
        }
    }
}

static void why_it_waits_is_told(void **state)
{
    (void)state;
    struct world w;
    struct error err = ERROR_INIT;
    begin(&w);
    change(&w, 1, "*/5 * * * * *");
    world_fault(&w, MODEL_FAULT_UNAVAILABLE, 3);
    world_begin_reload(&w);
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_WAITS);
    assert_non_null(strstr(err.text, "unavailable"));
    int before = world_count(&w, "stays");
    world_advance(&w, DURATION_S(20));
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_DONE);
    assert_true(world_count(&w, "stays") > before + 10); // what came due at once was overlap
    world_verify(&w);
    world_release(&w);
}

static void the_node_stops_meanwhile(void **state)
{
    (void)state;
    struct world w;
    struct error err = ERROR_INIT;
    begin(&w);
    change(&w, 1, "*/5 * * * * *");
    world_fault(&w, MODEL_FAULT_UNAVAILABLE, 2);
    world_begin_reload(&w);
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_WAITS);
    engine_drain(w.engine);
    world_advance(&w, DURATION_S(10));
    assert_int_equal(engine_reloading(w.engine, &err), RELOADING_FAILED);
    assert_string_equal(err.text, "the node is stopping");
    world_stop(&w);
    world_start(&w);
    world_advance(&w, DURATION_S(60));
    world_verify(&w);
    world_release(&w);
}

// Whoever asks while one goes on has perhaps changed the files since they were read.
static void who_asks_meanwhile_is_answered_by_the_next(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct uuid first = world_intent(&w, INTENT_RELOAD, NULL);
    world_advance(&w, DURATION_S(2));
    assert_true(engine_wants_reload(w.engine));
    engine_reload_begins(w.engine);
    assert_false(engine_wants_reload(w.engine));
    struct uuid second = world_intent(&w, INTENT_RELOAD, NULL);
    world_advance(&w, DURATION_S(2));
    engine_reload_done(w.engine, NULL);
    world_advance(&w, DURATION_S(2));
    assert_string_equal(world_answer(&w, first), "DONE reloaded");
    assert_true(engine_wants_reload(w.engine));
    struct error err = ERROR_INIT;
    (void)error_set(&err, ERROR_CONFIG, "no");
    engine_reload_begins(w.engine);
    engine_reload_done(w.engine, &err);
    world_advance(&w, DURATION_S(2));
    assert_string_equal(world_answer(&w, second), "REFUSED no");
    assert_false(engine_wants_reload(w.engine));
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_store_fails), cmocka_unit_test(why_it_waits_is_told),
        cmocka_unit_test(the_node_stops_meanwhile),
        cmocka_unit_test(who_asks_meanwhile_is_answered_by_the_next)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
