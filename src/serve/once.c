// SPDX-License-Identifier: MIT
// The short-lived node: where no node lives, a command that acts becomes one for as long as its run takes.
#include <unistd.h>

#include "base/log.h"
#include "serve/node.h"
#include "serve/serve.h"

#define LOOK_MS 50

struct once {
    const struct serve_once_options *options;
    uv_timer_t look;
    int quiet; // looks in a row without anything to do
};

static void ignore_run(void *context, const struct engine_run *run, struct duration delay)
{
    (void)context, (void)run, (void)delay;
}

static void ignore_end(void *context, const struct engine_run *run, enum run_state state,
                       enum run_failure failure, struct duration duration, const char *error)
{
    (void)context, (void)run, (void)state, (void)failure, (void)duration, (void)error;
}

static void ignore_passed(void *context, const struct job *job, struct instant due_at,
                          enum slot_outcome outcome, enum slot_reason reason)
{
    (void)context, (void)job, (void)due_at, (void)outcome, (void)reason;
}

static void ignore_lock(void *context, const struct job *job, enum engine_lock_result result)
{
    (void)context, (void)job, (void)result;
}

static void ignore_stale(void *context, const struct engine_run *run)
{
    (void)context, (void)run;
}

static void tell_store(void *context, const struct error *err)
{
    (void)context;
    if (err != NULL) {
        LOG(LOG_ERROR, "store_down", "%s", err->text);
    }
}

static const struct engine_events quiet_events = {
    .on_started = ignore_run, .on_handed_over = ignore_run, .on_ended = ignore_end,
    .on_passed_over = ignore_passed, .on_lock = ignore_lock, .on_stale = ignore_stale,
    .on_store = tell_store};

static void on_look(uv_timer_t *timer)
{
    struct node *node = timer->data;
    struct once *once = node->context;
    if (once->options->on_turn != NULL) {
        once->options->on_turn(once->options->context, node->store);
    }
    node_turn(node);
    // Intents are taken in the first turns; two quiet looks later everything has been carried out.
    bool idle = engine_running(node->engine) == 0 && !engine_is_busy(node->engine);
    once->quiet = idle ? once->quiet + 1 : 0;
    if (once->quiet >= 2) {
        engine_drain(node->engine);
        node_turn(node);
        if (engine_is_drained(node->engine)) {
            uv_stop(&node->loop);
        }
    }
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    struct node *node = signal->data;
    engine_stop_runs(node->engine, false);
    node_turn(node);
}

bool serve_once(const struct serve_once_options *options, struct error *err)
{
    struct once once = {.options = options};
    struct node_options node_options = {.command = "run", .dry_run = options->dry_run,
                                        .events = &quiet_events};
    struct node node;
    // The node reads the configuration only; the caller keeps it.
    struct config *config = (struct config *)(uintptr_t)options->config;
    if (!node_open(&node, &node_options, config, false, err)) {
        node_close(&node);
        return false;
    }
    node.context = &once;
    uv_signal_t interrupt;
    uv_signal_t terminate;
    uv_signal_init(&node.loop, &interrupt);
    uv_signal_init(&node.loop, &terminate);
    uv_timer_init(&node.loop, &once.look);
    interrupt.data = terminate.data = once.look.data = &node;
    uv_signal_start(&interrupt, on_signal, SIGINT);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_timer_start(&once.look, on_look, 0, LOOK_MS);
    node_run(&node);
    bool left = engine_leave(node.engine, err);
    if (options->on_turn != NULL) {
        options->on_turn(options->context, node.store);
    }
    node_close(&node);
    return left;
}
