// SPDX-License-Identifier: MIT
// The short-lived node: where no node lives, a command that acts becomes one for as long as its run
// takes.
#include <unistd.h>

#include "base/log.h"
#include "observe/fanout.h"
#include "serve/node.h"
#include "serve/serve.h"

#define LOOK_MS 50

struct once {
    const struct serve_once_options *options;
    uv_timer_t look;
    int quiet; // looks in a row without anything to do
};

static void tell_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    (void)context;
    (void)outage;
    if (err != NULL) {
        LOG(LOG_ERROR, "store_down", "%s", err->text);
    }
}

// A person waits at the terminal and is told by the command itself; only trouble is logged.
static const struct engine_events trouble = {.on_store = tell_store};

static void on_look(uv_timer_t *timer)
{
    struct node *node = timer->data;
    struct once *once = node->context;
    if (once->options->on_turn != NULL) {
        once->options->on_turn(once->options->context, node->store);
    }
    node_turn(node);
    // Intents are taken in the first turns; two quiet looks later everything has been carried out.
    bool idle = engine_running(node->engine) == 0 && !engine_is_busy(node->engine) &&
                !engine_is_carrying_out(node->engine);
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
    engine_give_up(node->engine, "interrupted at the terminal");
    engine_stop_runs(node->engine, false);
    node_turn(node);
}

bool serve_once(const struct serve_once_options *options, struct error *err)
{
    struct once once = {.options = options};
    struct fanout fanout;
    fanout_init(&fanout);
    fanout_add(&fanout, &trouble);
    struct node node;
    struct node_options node_options = {
        .command = "run", .dry_run = options->dry_run, .events = &fanout.events};
    struct loaded *loaded = loaded_new(options->config, true);
    bool open = node_open(&node, &node_options, loaded, err);
    loaded_release(loaded);
    if (!open) {
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
    bool left = node.fenced ? error_set(err, ERROR_UNAVAILABLE,
                                        "the other nodes have declared this one dead, since the "
                                        "store had no sign of life of it: see `ironcron runs` for "
                                        "what became of it, and try again")
                            : node_leave(&node, err);
    if (options->on_turn != NULL) {
        options->on_turn(options->context, node.store);
    }
    node_close(&node);
    return left;
}
