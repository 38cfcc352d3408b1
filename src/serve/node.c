// SPDX-License-Identifier: MIT
#include "serve/node.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "call/call_runner.h"
#include "runner/process_runner.h"
#include "serve/definitions.h"
#include "serve/hold_signals.h"
#include "serve/host_boot.h"
#include "serve/node_place.h"
#include "serve/node_reload.h"
#include "serve/node_runners.h"
#include "serve/node_store.h"
#include "sql/sql_runner.h"

// Controls of other processes take effect within two seconds even where no notification works.
#define TICK_MS 1500
// So many ticks at least are in a lease: each feeds the runners, which end all when none comes.
#define TICKS_A_LEASE 10
// So long a turn decides and stores; then it is the turn of what else the loop has: HTTP, signals.
#define TURN_TIME DURATION_MS(20)
// The loop turns more often than this whenever it can.
#define STALL DURATION_S(2)

// The time from the runner's deadline to the last process gone, with room for a clock that runs
// wrong.
static struct duration margin_of(struct duration lease)
{
    return (struct duration){lease.us / 4};
}

static void random_bytes(void *bytes, size_t size)
{
    randombytes_buf(bytes, size);
}

// ---- the pieces ---------------------------------------------------------------------------------

static bool fork_runner(struct node *node, struct error *err)
{
    struct duration lease = node->loaded->config->lease;
    struct duration trusted = {lease.us - margin_of(lease).us};
    struct process_runner_options options = {.lock_fd = node->lock_fd,
                                             .output_max = node->loaded->config->output_max,
                                             .deadline =
                                                 mono_add(clock_mono(node->clock), trusted)};
    memory_give_back(); // the runner would inherit it
    if (!process_runner_new(&options, &node->runner, err)) {
        return false;
    }
    sqlite_runner_set_processes(&node->sqlite, node->runner);
    // Signed before anything can be started under the new mark.
    return node_place_sign(node, process_runner_mark(node->runner), err);
}

static char *labels_of(const struct config *config)
{
    json_t *labels = json_object();
    for (const struct job_variable *at = config->labels; at != NULL && at->name != NULL; at++) {
        json_object_set_new(labels, at->name, json_string(at->value));
    }
    char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(labels);
    return text;
}

static bool start_engine(struct node *node, struct error *err)
{
    const struct config *config = node->loaded->config;
    bool alone = config->store_url == NULL; // the file's lock is ours
    sqlite_runner_protect(&node->sqlite, alone ? config->store_path : NULL);
    node->labels = labels_of(config);
    hold_stop(true); // until there is a loop that takes it: the others would wait for this node
    struct engine_options options = {.node = node->id,
                                     .host = node->host,
                                     .version = IRONCRON_VERSION,
                                     .actor = node->actor,
                                     .max_running = config->max_running,
                                     .lease = config->lease,
                                     .margin = margin_of(config->lease),
                                     .dry_run = node->options.dry_run,
                                     .booted_at = host_booted_at(node->clock),
                                     .boot_id = host_boot_id(),
                                     .schedules = node->options.schedules,
                                     .alone = alone,
                                     .predecessor = node->predecessor,
                                     .grace = {config->lease.us / 6},
                                     .labels = node->labels,
                                     .history = {.runs = config->history_runs,
                                                 .output = config->history_output,
                                                 .audit = config->history_audit},
                                     .clock = node->clock,
                                     .store = node->store,
                                     .runner = &node->router.port,
                                     .random = random_bytes,
                                     .events = node->options.events};
    node->engine = engine_new(&options);
    struct job_set set = loaded_set(node->loaded);
    bool started = engine_start(node->engine, &set, err);
    struct error ignored = ERROR_INIT;
    bool joined = engine_has_joined(node->engine);
    bool is_signed = !joined || node_place_sign(node, process_runner_mark(node->runner),
                                                started ? err : &ignored);
    return started && is_signed;
}

// ---- the loop -----------------------------------------------------------------------------------

// Arms the wall-clock timer; it also wakes when somebody sets the clock.
static void arm(struct node *node, struct instant wake)
{
    if (instant_equal(node->armed, wake)) {
        return;
    }
    node->armed = wake;
    int64_t us = instant_is_none(wake) ? (int64_t)4102444800 * 1000000 : wake.us;
    us = us < 1 ? 1 : us;
    struct itimerspec when = {
        .it_value = {.tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000}};
    CHECK(timerfd_settime(node->wake_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when,
                          NULL) == 0);
}

// Others go on in its place. What it ran ends with it, and its id is never used again.
static void stop_fenced(struct node *node)
{
    LOG(LOG_ERROR, "fenced",
        "the other nodes have declared this one dead, since the store had no sign of life of it "
        "for "
        "the time of the lease: the %d runs here are ended, and are theirs now",
        engine_running(node->engine));
    node->fenced = true;
    uv_stop(&node->loop);
}

static void watch_runner(struct node *node);
static bool replace_runner(struct node *node);

static void on_again(uv_idle_t *idle)
{
    node_turn(idle->data);
}

void node_turn_soon(struct node *node)
{
    uv_idle_start(&node->again, on_again);
}

static bool pump(struct node *node)
{
    struct mono began = clock_mono(node->clock);
    bool more = store_pump(node->store);
    struct duration took = mono_since(clock_mono(node->clock), began);
    // A pump without work is over in no time and no statement.
    if (node->on_statement != NULL && took.us > 20) {
        node->on_statement(node, took);
    }
    return more;
}

// After a stop or a stall the runner may have ended everything and gone, at the trust deadline:
// that is learnt before anything is handed to it.
static bool runner_is_there(struct node *node)
{
    struct mono now = clock_mono(node->clock);
    bool stalled = mono_since(now, node->turned_at).us > STALL.us;
    node->turned_at = now;
    return !stalled || process_runner_read(node->runner) || replace_runner(node);
}

void node_turn(struct node *node)
{
    if (!runner_is_there(node)) {
        return;
    }
    struct instant wake;
    bool more;
    do {
        node_look_at_reload(node);
        wake = engine_turn(node->engine);
        more = pump(node);
        node_runners_end_left(node);
        more = engine_is_busy(node->engine) || more;
    } while (more && mono_since(clock_mono(node->clock), node->turned_at).us < TURN_TIME.us);
    node_look_at_reload(node);
    if (more) {
        node_turn_soon(node);
    } else {
        uv_idle_stop(&node->again);
    }
    watch_runner(node);
    store_watch_arm(&node->store_watch);
    arm(node, wake);
    if (!node->fenced && engine_is_fenced(node->engine)) {
        stop_fenced(node);
    }
    if (node->on_turn != NULL) {
        node->on_turn(node);
    }
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct node *node = poll->data;
    uint64_t expirations;
    if (read(node->wake_fd, &expirations, sizeof expirations) < 0 && errno == ECANCELED) {
        LOG(LOG_WARN, "clock_set", "the system clock was set; all due times are looked at anew");
    }
    node->armed = (struct instant){0}; // it has fired: arm it again, also for the same instant
    node_turn(node);
}

// A runner that is stopped or hangs ends no run at its timeout, and starts none.
static void look_at_runner(struct node *node)
{
    if (process_runner_kill_if_hung(node->runner, node->loaded->config->lease)) {
        LOG(LOG_ERROR, "runner_hung",
            "the runner process did not react for the time of the lease and "
            "was killed: what stopped it, or did it wait for a disk?");
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct node *node = timer->data;
    look_at_runner(node);
    node_store_tick(node);
    if (node->on_tick != NULL) {
        node->on_tick(node);
    }
    node_turn(node);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void poll_runner(struct node *node)
{
    node->runner_poll = alloc_zero(1, sizeof *node->runner_poll);
    uv_poll_init(&node->loop, node->runner_poll, process_runner_fd(node->runner));
    node->runner_poll->data = node;
}

static void tell_of_runner(const struct node *node)
{
    if (engine_is_trusted(node->engine)) {
        LOG(LOG_ERROR, "runner_died",
            "the runner process died; all its processes were ended and its runs are LOST; starting "
            "another");
    } else {
        LOG(LOG_ERROR, "trust_over",
            "the store has acknowledged no sign of life of this node until its trust deadline: %d "
            "runs were ended, and nothing is started before the store answers",
            engine_running(node->engine));
    }
}

// The runner process has died; its runs have had their ends. Another one takes its place. False:
// none could be started, and the node stops.
static bool replace_runner(struct node *node)
{
    tell_of_runner(node);
    uv_poll_stop(node->runner_poll);
    uv_close((uv_handle_t *)node->runner_poll, free_handle);
    process_runner_free(node->runner);
    node->runner = NULL;
    struct error err = ERROR_INIT;
    if (!fork_runner(node, &err)) {
        LOG(LOG_ERROR, "runner_failed", "%s; stopping, since nothing can be run", err.text);
        node->runner_poll = NULL;
        uv_stop(&node->loop);
        return false;
    }
    engine_replace_runner(node->engine, &node->router.port);
    poll_runner(node);
    return true;
}

static void on_runner(uv_poll_t *poll, int status, int events)
{
    struct node *node = poll->data;
    if (events & UV_WRITABLE) {
        process_runner_write(node->runner);
    }
    bool alive = true;
    if (events & UV_READABLE || status < 0) {
        alive = process_runner_read(node->runner);
    }
    if (alive || replace_runner(node)) {
        node_turn(node);
    }
}

static void watch_runner(struct node *node)
{
    int events = UV_READABLE | (process_runner_wants_write(node->runner) ? UV_WRITABLE : 0);
    uv_poll_start(node->runner_poll, events, on_runner);
}

static void on_told(void *context)
{
    node_turn(context);
}

static uint64_t tick_ms(const struct node *node)
{
    int64_t ms = duration_ms(node->loaded->config->lease) / TICKS_A_LEASE;
    return ms < TICK_MS ? (uint64_t)ms : TICK_MS;
}

static bool open_loop(struct node *node, struct error *err)
{
    int result = uv_loop_init(&node->loop);
    if (result != 0) {
        return error_set(err, ERROR_ENVIRONMENT, "cannot watch events: %s", uv_strerror(result));
    }
    node->wake_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (node->wake_fd < 0) {
        return error_set(err, ERROR_ENVIRONMENT, "cannot set a timer: %s", strerror(errno));
    }
    uv_poll_init(&node->loop, &node->wake_poll, node->wake_fd);
    poll_runner(node);
    uv_timer_init(&node->loop, &node->tick);
    uv_idle_init(&node->loop, &node->again);
    node_runners_open(node, on_told);
    engine_feed(node->engine); // those on the loop are new: without it they would trust for ever
    node->wake_poll.data = node->tick.data = node;
    node->again.data = node;
    uv_poll_start(&node->wake_poll, UV_READABLE, on_wake);
    uv_timer_start(&node->tick, on_tick, tick_ms(node), tick_ms(node));
    return node_store_watch(node, err);
}

// ---- life ---------------------------------------------------------------------------------------

static struct uuid new_id(struct clock *clock)
{
    uint8_t bytes[10];
    random_bytes(bytes, sizeof bytes);
    return uuid_v7(instant_ms(clock_now(clock)), bytes);
}

bool node_open(struct node *node, const struct node_options *options, struct loaded *loaded,
               struct error *err)
{
    *node = (struct node){.options = *options,
                          .loaded = loaded,
                          .lock_fd = -1,
                          .wake_fd = -1,
                          .store_watch = {.epoll_fd = -1}};
    loaded->references++;
    CHECK(sodium_init() >= 0);
    runner_router_init(&node->router);
    node_runners_init(node);
    node->clock = clock_system();
    node->id = new_id(node->clock);
    gethostname(node->host, sizeof node->host - 1);
    actor_of_process(node->actor);
    return node_place_take(node, err) && fork_runner(node, err) && node_store_open(node, err) &&
           definitions_begin(node, err) && start_engine(node, err) && open_loop(node, err) &&
           definitions_settle(node, err);
}

bool node_leave(struct node *node, struct error *err)
{
    return engine_leave(node->engine, err) && node_store_remember(node, err);
}

void node_run(struct node *node)
{
    node->turned_at = clock_mono(node->clock);
    hold_stop(false);
    node_turn(node);
    uv_run(&node->loop, UV_RUN_DEFAULT);
}

static void close_handle(uv_handle_t *handle, void *context)
{
    if (!uv_is_closing(handle)) {
        uv_close(handle, handle == context ? free_handle : NULL);
    }
}

void node_close(struct node *node)
{
    hold_stop(false);
    node_store_settle(node);
    if (node->wake_fd >= 0) {
        node_runners_close(node);
        uv_walk(&node->loop, close_handle, node->runner_poll);
        uv_run(&node->loop, UV_RUN_DEFAULT);
        uv_loop_close(&node->loop);
        close(node->wake_fd);
    }
    call_runner_free(node->calls);
    if (node->runner != NULL) {
        process_runner_free(node->runner); // kills what runs, then is gone itself
    }
    store_watch_release(&node->store_watch);
    engine_free(node->engine);
    free(node->labels);
    store_close(node->store);
    loaded_release(node->loaded);
    loaded_release(node->file);
    loaded_release(node->coming);
    if (node->lock_fd >= 0) {
        close(node->lock_fd);
    }
}
