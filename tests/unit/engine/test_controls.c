// SPDX-License-Identifier: MIT
// What operators do to a node in virtual time: pause, throttle, dry-run, reload, manual runs.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

#define START "2026-03-10T00:00:00Z"

static const struct world_script slow[] = {{"slow", 150000, 0, 0}};

static void pause_and_resume(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "minutely", "* * * * *");
    world_job(&w, "other", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(90));
    world_control(&w, "minutely", CONTROL_PAUSE, 1);
    world_advance(&w, DURATION_S(180));
    world_control(&w, "minutely", CONTROL_PAUSE, 0);
    world_advance(&w, DURATION_S(60));
    assert_int_equal(world_count(&w, "minutely"), 2);
    assert_int_equal(world_count(&w, "other"), 5);
    assert_string_equal(world_outcome(&w, "minutely", "2026-03-10T00:03:00Z"), "SKIPPED paused");
    world_verify(&w);
    world_release(&w);
}

// Slots of a pause are not made up, not even those of a downtime within it.
static void a_pause_covers_the_downtime(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "all", "*/10 * * * *")->missed = JOB_MISSED_ALL;
    world_start(&w);
    world_advance(&w, DURATION_S(65));
    world_control(&w, NULL, CONTROL_PAUSE, 1);
    world_advance(&w, DURATION_S(10));
    world_crash(&w);
    world_advance(&w, DURATION_S(3600));
    world_control(&w, NULL, CONTROL_PAUSE, 0);
    world_advance(&w, DURATION_S(1800));
    world_start(&w);
    world_advance(&w, DURATION_S(30));
    assert_string_equal(world_outcome(&w, "all", "2026-03-10T00:50:00Z"), "SKIPPED paused");
    assert_string_equal(world_outcome(&w, "all", "2026-03-10T01:20:00Z"), "SUCCESS");
    world_verify(&w);
    world_release(&w);
}

// The schedule changes while no node runs: slots of the pause stay SKIPPED, the rest is MISSED.
static void a_pause_covers_a_change(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "changes", "*/10 * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(65));
    world_control(&w, "changes", CONTROL_PAUSE, 1);
    world_crash(&w);
    world_advance(&w, DURATION_S(1800));
    world_control(&w, "changes", CONTROL_PAUSE, 0);
    world_advance(&w, DURATION_S(1800));
    w.job_count = 0;
    free((char *)(uintptr_t)w.jobs[0].name);
    world_job(&w, "changes", "*/7 * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(30));
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:20:00Z"), "SKIPPED paused");
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:50:00Z"), "MISSED downtime");
    world_verify(&w);
    world_release(&w);
}

// Stopped (SIGSTOP, a suspended laptop), paused meanwhile, and let go on: the pause holds from the
// first slot.
static void a_pause_during_a_freeze_is_obeyed(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "seconds", "@every 2s");
    world_job(&w, "minutely", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(31));
    int before = world_count(&w, NULL);
    world_freeze(&w, DURATION_S(4));
    w.is_deaf = true;
    world_control(&w, NULL, CONTROL_PAUSE, 1);
    world_freeze(&w, DURATION_S(110));
    world_advance(&w, DURATION_S(20));
    // Slots of the four seconds before the pause are made up by policy; nothing of the pause is.
    assert_true(world_count(&w, "minutely") == 0);
    assert_true(world_count(&w, NULL) - before <= 1);
    assert_string_equal(world_outcome(&w, "minutely", "2026-03-10T00:01:00Z"), "SKIPPED paused");
    world_verify(&w);
    world_release(&w);
}

static void throttle(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "tens", "@every 10s");
    world_start(&w);
    world_control(&w, "tens", CONTROL_THROTTLE, 4);
    world_advance(&w, DURATION_S(400));
    assert_int_equal(world_count(&w, "tens"), 10);
    assert_int_equal(w.skipped[REASON_THROTTLED], 30);
    world_crash(&w); // the count goes on over a restart
    world_start(&w);
    world_advance(&w, DURATION_S(200));
    assert_int_equal(world_count(&w, "tens"), 15);
    world_verify(&w);
    world_release(&w);
}

static void dry_run_executes_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "tens", "@every 10s");
    world_job(&w, "live", "@every 10s");
    world_start(&w);
    world_control(&w, "tens", CONTROL_DRY_RUN, 1);
    world_advance(&w, DURATION_S(101));
    assert_int_equal(world_count(&w, "tens"), 0);
    assert_int_equal(world_count(&w, "live"), 10);
    assert_int_equal(w.ended[RUN_DRY_RUN], 10);
    world_crash(&w);
    w.dry_run = true;
    world_start(&w);
    world_advance(&w, DURATION_S(100));
    assert_int_equal(world_count(&w, "live"), 10);
    world_verify(&w);
    world_release(&w);
}

static void reload(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "stays", "* * * * *");
    world_job(&w, "slow", "* * * * *")->overlap = JOB_OVERLAP_QUEUE;
    world_job(&w, "changes", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(130)); // slow runs, and a slot of it waits
    struct job *changes = &w.jobs[2];
    changes->schedule_text = "*/5 * * * *";
    struct error err = ERROR_INIT;
    assert_true(schedule_parse("*/5 * * * *", changes->schedule.zone, SCHEDULE_DST_RUN, "changes",
                               &changes->schedule, &err));
    struct job removed = w.jobs[1];
    w.jobs[1] = w.jobs[2];
    w.job_count = 2; // slow is gone while it runs
    world_reload(&w);
    world_job(&w, "new", "* * * * *");
    world_reload(&w);
    world_advance(&w, DURATION_S(600));
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:01:00Z"), "SUCCESS");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:02:00Z"), "MISSED removed");
    assert_string_equal(world_outcome(&w, "slow", "2026-03-10T00:03:00Z"), "");
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:03:00Z"), "");
    assert_string_equal(world_outcome(&w, "changes", "2026-03-10T00:05:00Z"), "SUCCESS");
    assert_int_equal(world_count(&w, "stays"), 12);
    assert_int_equal(world_count(&w, "new"), 10);
    w.jobs[w.job_count++] = removed; // it comes back
    world_reload(&w);
    world_advance(&w, DURATION_S(120));
    assert_int_equal(world_count(&w, "slow"), 2);
    world_verify(&w);
    world_release(&w);
}

// Its definition before is held by nothing but the attempt that waits.
static void comes_back_while_it_waits(void **state)
{
    (void)state;
    static const struct job_retries patient = {
        .max = 1, .backoff = {600000000}, .factor = 1, .max_backoff = {600000000}};
    static const struct world_script fails[] = {{"goes", 100, 1, 0}};
    struct world w;
    world_init(&w, START);
    world_script(&w, fails, 1);
    world_job(&w, "stays", "* * * * *");
    world_job(&w, "goes", "0 * * * *")->retries = &patient;
    world_start(&w);
    world_advance(&w, DURATION_S(3630));
    assert_int_equal(world_count(&w, "goes"), 1);
    w.job_count = 1;
    world_reload(&w);
    w.job_count = 2;
    world_reload(&w);
    world_advance(&w, DURATION_S(700));
    assert_int_equal(world_count(&w, "goes"), 2);
    assert_string_equal(world_outcome(&w, "goes", "2026-03-10T01:00:00Z"), "FAILED");
    world_verify(&w);
    world_release(&w);
}

static void manual_runs(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "0 0 1 1 *");
    world_start(&w);
    world_advance(&w, DURATION_S(5));
    struct uuid first = world_intent(&w, INTENT_RUN, "slow");
    world_advance(&w, DURATION_S(5));
    struct uuid second = world_intent(&w, INTENT_RUN, "slow");
    struct uuid unknown = world_intent(&w, INTENT_RUN, "nobody");
    world_advance(&w, DURATION_S(5));
    struct arena arena;
    struct store_intent intent;
    struct error err = ERROR_INIT;
    arena_init(&arena, 1 << 20);
    assert_true(w.store->ops->read_intent(w.store, first, &arena, &intent, &err));
    assert_int_equal(intent.state, INTENT_DONE);
    assert_false(uuid_is_nil(intent.run_id));
    assert_true(w.store->ops->read_intent(w.store, second, &arena, &intent, &err));
    assert_int_equal(intent.state, INTENT_REFUSED);
    assert_true(w.store->ops->read_intent(w.store, unknown, &arena, &intent, &err));
    assert_int_equal(intent.state, INTENT_REFUSED);
    world_intent(&w, INTENT_CANCEL, "slow");
    world_advance(&w, DURATION_S(5));
    assert_int_equal(w.ended[RUN_CANCELLED], 1);
    assert_int_equal(world_count(&w, "slow"), 1);
    arena_release(&arena);
    world_verify(&w);
    world_release(&w);
}

// A short-lived node leaves when nothing is carried out any more: an answer to come counts.
static void a_wish_that_is_being_read_is_carried_out(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_job(&w, "a", "0 0 1 1 *");
    world_start(&w);
    world_advance(&w, DURATION_S(5));
    assert_false(engine_is_carrying_out(w.engine));
    world_intent(&w, INTENT_RUN, "a");
    engine_store_changed(w.engine);
    (void)engine_turn(w.engine); // it asks, and the store has not answered yet
    assert_true(engine_is_carrying_out(w.engine));
    world_advance(&w, DURATION_S(5));
    assert_false(engine_is_carrying_out(w.engine));
    assert_int_equal(world_count(&w, "a"), 1);
    world_verify(&w);
    world_release(&w);
}

static bool first_node(void *context, const struct store_node_row *row)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    snprintf(context, UUID_TEXT_SIZE + 16, "{\"node\":\"%s\"}", id);
    return false;
}

static struct uuid order(struct world *w, enum store_intent_kind kind)
{
    char params[UUID_TEXT_SIZE + 16];
    struct error err = ERROR_INIT;
    assert_true(w->store->ops->read_nodes(w->store, first_node, params, &err));
    struct uuid id = world_wish(w, kind, NULL, params, false);
    world_advance(w, DURATION_S(1));
    return id;
}

// Where there is no other node its work waits, and is made up as after a downtime.
static void the_only_node_drains(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, START);
    world_script(&w, slow, 1);
    world_job(&w, "slow", "1 0 * * *");
    world_job(&w, "minutely", "* * * * *");
    world_start(&w);
    world_advance(&w, DURATION_S(70));
    struct uuid drain = order(&w, INTENT_DRAIN);
    assert_string_equal(world_answer(&w, drain),
                        "DONE 1 run goes on there; no other node takes jobs: nothing starts until "
                        "one does");
    struct uuid run = world_intent(&w, INTENT_RUN, "minutely");
    world_advance(&w, DURATION_S(300)); // 00:06:11
    assert_memory_equal(world_answer(&w, run), "REFUSED", 7);
    assert_int_equal(world_count(&w, "minutely"), 1);
    assert_int_equal(w.ended[RUN_SUCCESS], 2);
    order(&w, INTENT_RESUME);
    world_advance(&w, DURATION_S(60));
    assert_int_equal(world_count(&w, "minutely"), 3);
    assert_string_equal(world_outcome(&w, "minutely", "2026-03-10T00:03:00Z"), "MISSED downtime");
    assert_string_equal(world_outcome(&w, "minutely", "2026-03-10T00:06:00Z"), "SUCCESS");
    struct uuid gone = world_wish(&w, INTENT_DRAIN, NULL,
                                  "{\"node\":\"00000000-0000-0000-0000-000000000001\"}", false);
    world_advance(&w, DURATION_S(1));
    assert_memory_equal(world_answer(&w, gone), "REFUSED that node is not there", 30);
    world_verify(&w);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause_and_resume),
        cmocka_unit_test(the_only_node_drains),
        cmocka_unit_test(a_pause_covers_the_downtime),
        cmocka_unit_test(a_pause_covers_a_change),
        cmocka_unit_test(a_pause_during_a_freeze_is_obeyed),
        cmocka_unit_test(throttle),
        cmocka_unit_test(dry_run_executes_nothing),
        cmocka_unit_test(reload),
        cmocka_unit_test(comes_back_while_it_waits),
        cmocka_unit_test(manual_runs),
        cmocka_unit_test(a_wish_that_is_being_read_is_carried_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
