// SPDX-License-Identifier: MIT
// One runner in front of several: who gets what, and that the owner hears all of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/attributes.h"
#include "runner/router.h"

// A runner that counts, and can be made to tell.
struct scripted {
    struct runner port; // first
    int starts, stops, feeds;
    uint64_t run;
    bool at_once;
    struct mono deadline;
    bool refuses;
};

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct scripted *runner = CONTAINER_OF(port, struct scripted, port);
    if (runner->refuses) {
        return error_set(err, ERROR_SPAWN, "refused");
    }
    runner->starts++;
    runner->run = start->run;
    return true;
}

static void stop(struct runner *port, uint64_t run, bool at_once)
{
    struct scripted *runner = CONTAINER_OF(port, struct scripted, port);
    runner->stops++;
    runner->run = run;
    runner->at_once = at_once;
}

static void feed(struct runner *port, struct mono deadline)
{
    struct scripted *runner = CONTAINER_OF(port, struct scripted, port);
    runner->feeds++;
    runner->deadline = deadline;
}

static const struct runner_ops ops = {start, stop, feed};

struct owner {
    int started, outputs, ends;
    uint64_t run;
    enum runner_end_kind kind;
    char output[16];
};

static void on_started(void *context, uint64_t run, int pid)
{
    struct owner *owner = context;
    owner->started++;
    owner->run = run;
    assert_int_equal(pid, 7);
}

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    struct owner *owner = context;
    owner->outputs++;
    owner->run = run;
    assert_true(length < sizeof owner->output);
    memcpy(owner->output, bytes, length);
}

static void on_end(void *context, uint64_t run, const struct runner_end *end)
{
    struct owner *owner = context;
    owner->ends++;
    owner->run = run;
    owner->kind = end->kind;
}

struct setting {
    struct owner owner;
    struct runner_router router;
    struct scripted process, sql; // the first one has two kinds
};

static int set_up(void **state)
{
    static struct setting setting;
    setting = (struct setting){.process.port.ops = &ops, .sql.port.ops = &ops};
    runner_router_init(&setting.router);
    runner_router_set(&setting.router, JOB_COMMAND, &setting.process.port);
    runner_router_set(&setting.router, JOB_SHELL, &setting.process.port);
    runner_router_set(&setting.router, JOB_SQL, &setting.sql.port);
    setting.router.port.events =
        (struct runner_events){&setting.owner, on_started, on_output, on_end};
    *state = &setting;
    return 0;
}

static bool start_kind(struct setting *setting, enum job_kind kind, uint64_t run, struct error *err)
{
    struct job job = {.name = "a", .kind = kind};
    struct runner_start start = {.run = run, .job = &job};
    return setting->router.port.ops->start(&setting->router.port, &start, err);
}

static void each_kind_goes_to_its_runner(void **state)
{
    struct setting *setting = *state;
    struct error err = ERROR_INIT;
    assert_true(start_kind(setting, JOB_COMMAND, 1, &err));
    assert_true(start_kind(setting, JOB_SHELL, 2, &err));
    assert_true(start_kind(setting, JOB_SQL, 3, &err));
    assert_int_equal(setting->process.starts, 2);
    assert_int_equal(setting->process.run, 2);
    assert_int_equal(setting->sql.starts, 1);
    assert_int_equal(setting->sql.run, 3);
}

static void a_kind_without_a_runner_is_refused(void **state)
{
    struct setting *setting = *state;
    struct error err = ERROR_INIT;
    assert_false(start_kind(setting, JOB_HTTP, 1, &err));
    assert_non_null(strstr(err.text, "without jobs of kind http"));
    runner_router_set(&setting->router, JOB_SQL, NULL);
    error_reset(&err);
    assert_false(start_kind(setting, JOB_SQL, 1, &err));
    assert_int_equal(err.code, ERROR_SPAWN);
}

static void a_refusal_comes_through(void **state)
{
    struct setting *setting = *state;
    struct error err = ERROR_INIT;
    setting->sql.refuses = true;
    assert_false(start_kind(setting, JOB_SQL, 1, &err));
    assert_string_equal(err.text, "refused");
}

static void stop_and_feed_reach_each_runner_once(void **state)
{
    struct setting *setting = *state;
    struct runner *port = &setting->router.port;
    port->ops->stop(port, 9, true);
    port->ops->feed(port, (struct mono){5});
    assert_int_equal(setting->process.stops, 1);
    assert_int_equal(setting->sql.stops, 1);
    assert_true(setting->sql.at_once);
    assert_int_equal(setting->sql.run, 9);
    assert_int_equal(setting->process.feeds, 1);
    assert_int_equal(setting->sql.feeds, 1);
    assert_int_equal(setting->sql.deadline.us, 5);
}

static void the_owner_hears_all_of_them(void **state)
{
    struct setting *setting = *state;
    struct scripted *runners[] = {&setting->process, &setting->sql};
    for (uint64_t i = 0; i < ARRAY_LENGTH(runners); i++) {
        const struct runner_events *events = &runners[i]->port.events;
        struct runner_end end = {.kind = RUNNER_CANCELLED};
        events->on_started(events->context, 10 + i, 7);
        assert_int_equal(setting->owner.run, 10 + i);
        events->on_output(events->context, 20 + i, "text", 4);
        assert_int_equal(setting->owner.run, 20 + i);
        events->on_end(events->context, 30 + i, &end);
        assert_int_equal(setting->owner.run, 30 + i);
    }
    assert_int_equal(setting->owner.started, 2);
    assert_int_equal(setting->owner.outputs, 2);
    assert_int_equal(setting->owner.ends, 2);
    assert_int_equal(setting->owner.kind, RUNNER_CANCELLED);
    assert_string_equal(setting->owner.output, "text");
}

// The engine sets its events after the routes are there, and again when it is replaced.
static void events_may_change_later(void **state)
{
    struct setting *setting = *state;
    struct owner other = {.ends = 0};
    setting->router.port.events = (struct runner_events){&other, on_started, on_output, on_end};
    struct runner_end end = {.kind = RUNNER_GONE};
    setting->sql.port.events.on_end(setting->sql.port.events.context, 1, &end);
    assert_int_equal(other.ends, 1);
    assert_int_equal(setting->owner.ends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_kind_goes_to_its_runner, set_up),
        cmocka_unit_test_setup(a_kind_without_a_runner_is_refused, set_up),
        cmocka_unit_test_setup(a_refusal_comes_through, set_up),
        cmocka_unit_test_setup(stop_and_feed_reach_each_runner_once, set_up),
        cmocka_unit_test_setup(the_owner_hears_all_of_them, set_up),
        cmocka_unit_test_setup(events_may_change_later, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
