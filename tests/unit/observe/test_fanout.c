// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/fanout.h"

// Each function writes its letter, so that one text shows who was told what in which order.
static char heard[64];

static void hear(const void *context, char what)
{
    size_t length = strlen(heard);
    heard[length] = *(const char *)context;
    heard[length + 1] = what;
}

static void started(void *context, const struct engine_run *run, struct duration delay)
{
    (void)run;
    assert_int_equal(delay.us, 1);
    hear(context, 's');
}
static void handed_over(void *context, const struct engine_run *run, struct duration queue)
{
    (void)run;
    assert_int_equal(queue.us, 2);
    hear(context, 'h');
}
static void ended(void *context, const struct engine_run *run, enum run_state state,
                  enum run_failure failure, struct duration duration, const char *error)
{
    (void)run;
    assert_int_equal(state, RUN_FAILED);
    assert_int_equal(failure, FAILURE_EXIT);
    assert_int_equal(duration.us, 3);
    assert_string_equal(error, "why");
    hear(context, 'e');
}
static void passed_over(void *context, const struct job *job, struct instant due_at,
                        enum slot_outcome outcome, enum slot_reason reason)
{
    (void)job;
    assert_int_equal(due_at.us, 4);
    assert_int_equal(outcome, SLOT_SKIPPED);
    assert_int_equal(reason, REASON_OVERLAP);
    hear(context, 'p');
}
static void lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)job;
    assert_int_equal(result, LOCK_TAKEN);
    hear(context, 'l');
}
static void stale(void *context, const struct engine_run *run)
{
    (void)run;
    hear(context, 't');
}
static void store(void *context, const struct error *err, const struct engine_outage *outage)
{
    assert_non_null(outage);
    assert_null(err);
    hear(context, 'o');
}
static void fenced(void *context, struct uuid node)
{
    (void)node;
    hear(context, 'f');
}

static void kept_back(void *context, const struct job *job, const char *holder)
{
    (void)job;
    assert_string_equal(holder, "who");
    hear(context, 'k');
}

static void tells_all_in_order_and_skips_the_deaf(void **state)
{
    (void)state;
    const struct engine_events full = {
        .on_started = started,
        .on_handed_over = handed_over,
        .on_ended = ended,
        .on_passed_over = passed_over,
        .on_lock = lock,
        .on_stale = stale,
        .on_store = store,
        .on_fenced = fenced,
        .on_kept_back = kept_back,
    };
    struct engine_events a = full;
    struct engine_events b = {.context = NULL};
    struct engine_events c = full;
    a.context = (void *)(uintptr_t) "A";
    c.context = (void *)(uintptr_t) "C";
    struct fanout fanout;
    fanout_init(&fanout);
    fanout_add(&fanout, &a);
    fanout_add(&fanout, &b);
    fanout_add(&fanout, &c);
    const struct engine_events *e = &fanout.events;
    const struct engine_run run = {0};
    memset(heard, 0, sizeof heard);
    e->on_started(e->context, &run, DURATION_US(1));
    e->on_handed_over(e->context, &run, DURATION_US(2));
    e->on_ended(e->context, &run, RUN_FAILED, FAILURE_EXIT, DURATION_US(3), "why");
    e->on_passed_over(e->context, NULL, (struct instant){4}, SLOT_SKIPPED, REASON_OVERLAP);
    e->on_lock(e->context, NULL, LOCK_TAKEN);
    e->on_stale(e->context, &run);
    e->on_store(e->context, NULL, &(struct engine_outage){0});
    e->on_fenced(e->context, (struct uuid){0});
    e->on_kept_back(e->context, NULL, "who");
    assert_string_equal(heard, "AsCsAhChAeCeApCpAlClAtCtAoCoAfCfAkCk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_all_in_order_and_skips_the_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
