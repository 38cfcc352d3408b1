// SPDX-License-Identifier: MIT
#include "serve/node.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "call/call_runner.h"
#include "runner/process_runner.h"
#include "serve/host_boot.h"
#include "serve/node_lock.h"
#include "serve/node_runners.h"
#include "serve/open_store.h"

// Controls of other processes take effect within two seconds even where no notification works.
#define TICK_MS 1500
// So many ticks at least are in a lease: each feeds the runners, which end all when none comes.
#define TICKS_A_LEASE 10
// So long a turn decides and stores; then it is the turn of what else the loop has: HTTP, signals.
#define TURN_TIME DURATION_MS(20)
// The loop turns more often than this whenever it can.
#define STALL     DURATION_S(2)
#define LOCK_WAIT DURATION_S(90)

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

static bool sign_lock(const struct node *node, uint64_t mark, struct error *err)
{
    struct node_lock_holder mine = {
        .pid = getpid(), .started_at = clock_now(node->clock), .mark = mark};
    uuid_format(node->id, mine.node);
    snprintf(mine.host, sizeof mine.host, "%s", node->host);
    snprintf(mine.command, sizeof mine.command, "%s", node->options.command);
    return node_lock_sign(node->lock_fd, &mine, err);
}

// Where scheduler and runner were killed together nobody ended what they ran, and the lock is free
// all the same.
static bool end_left(uint64_t mark)
{
    int left = mark == 0 ? 0 : process_runner_end_left(mark);
    if (left > 0) {
        LOG(LOG_ERROR, "processes_left",
            "%d processes of the node before could not be ended: they hang inside the kernel, or "
            "belong to a user whom this one may not signal",
            left);
    }
    return true;
}

// Where the scheduler before has died, its runner may still be ending what it ran: that is waited
// for.
static bool take_lock(struct node *node, const char *store_path, struct error *err)
{
    struct node_lock_holder holder;
    struct mono until = mono_add(clock_mono(node->clock), LOCK_WAIT);
    bool told = false;
    while (!node_lock_take(store_path, &node->lock_fd, &holder, err)) {
        bool gone = err->code == ERROR_REFUSED && holder.pid > 0 && kill(holder.pid, 0) != 0 &&
                    errno == ESRCH;
        if (!gone || !mono_before(clock_mono(node->clock), until)) {
            return false;
        }
        if (!told) {
            LOG(LOG_WARN, "waiting_for_lock", "%s; waiting for it", err->text);
            told = true;
        }
        error_reset(err);
        usleep(100 * 1000);
    }
    return sign_lock(node, holder.mark, err) && end_left(holder.mark);
}

static bool fork_runner(struct node *node, struct error *err)
{
    struct duration lease = node->loaded->config->lease;
    struct duration trusted = {lease.us - margin_of(lease).us};
    struct process_runner_options options = {.lock_fd = node->lock_fd,
                                             .output_max = node->loaded->config->output_max,
                                             .deadline =
                                                 mono_add(clock_mono(node->clock), trusted)};
    if (!process_runner_new(&options, &node->runner, err)) {
        return false;
    }
    lite_runner_set_processes(&node->lite, node->runner);
    // Signed before anything can be started under the new mark.
    return sign_lock(node, process_runner_mark(node->runner), err);
}

struct loaded *loaded_new(const struct config *config, bool borrowed)
{
    struct loaded *loaded = alloc_zero(1, sizeof *loaded);
    *loaded = (struct loaded){.config = config, .borrowed = borrowed, .references = 1};
    return loaded;
}

void loaded_release(struct loaded *loaded)
{
    if (loaded == NULL || --loaded->references > 0) {
        return;
    }
    if (!loaded->borrowed) {
        config_free((struct config *)(uintptr_t)loaded->config);
    }
    free(loaded);
}

static void release_set(void *owner)
{
    loaded_release(owner);
}

static struct job_set set_of(struct loaded *loaded)
{
    const struct config *config = loaded->config;
    loaded->references++;
    return (struct job_set){.jobs = config->jobs,
                            .count = config->job_count,
                            .hash = config->hash,
                            .zones = config->zones,
                            .owner = loaded,
                            .release = release_set};
}

static bool start_engine(struct node *node, struct error *err)
{
    const struct config *config = node->loaded->config;
    lite_runner_protect(&node->lite, config->store_path);
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
                                     .alone = true,
                                     .history = {.runs = config->history_runs,
                                                 .output = config->history_output,
                                                 .audit = config->history_audit},
                                     .clock = node->clock,
                                     .store = node->store,
                                     .runner = &node->router.port,
                                     .random = random_bytes,
                                     .events = node->options.events};
    node->engine = engine_new(&options);
    struct job_set set = set_of(node->loaded);
    return engine_start(node->engine, &set, err);
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

static void watch_runner(struct node *node);
static bool replace_runner(struct node *node);

static void on_again(uv_idle_t *idle)
{
    node_turn(idle->data);
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
        wake = engine_turn(node->engine);
        more = pump(node);
        more = engine_is_busy(node->engine) || more;
    } while (more && mono_since(clock_mono(node->clock), node->turned_at).us < TURN_TIME.us);
    if (more) {
        uv_idle_start(&node->again, on_again);
    } else {
        uv_idle_stop(&node->again);
    }
    watch_runner(node);
    arm(node, wake);
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

// Did another process write to the store? Only asked when its file has changed.
static void look_at_store(struct node *node)
{
    if (node->store->ops->changed(node->store)) {
        engine_store_changed(node->engine);
    }
}

static int64_t stamp_of(const char *path)
{
    struct stat st;
    if (path == NULL || stat(path, &st) != 0) {
        return 0;
    }
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec + st.st_size;
}

static void on_watch(uv_fs_event_t *handle, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    struct node *node = handle->data;
    look_at_store(node);
    // Not at once: what a turn writes is the next event, and libuv reads events until none is left.
    if (engine_is_busy(node->engine)) {
        uv_idle_start(&node->again, on_again);
    }
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
    // In case that the notification does not work here: one stat, no statement.
    int64_t stamp = stamp_of(node->store->ops->watch_path(node->store));
    if (stamp != node->store_stamp) {
        node->store_stamp = stamp;
        look_at_store(node);
    }
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
    uv_fs_event_init(&node->loop, &node->watch);
    node_runners_open(node, on_told);
    engine_feed(node->engine); // those on the loop are new: without it they would trust for ever
    node->wake_poll.data = node->tick.data = node;
    node->again.data = node->watch.data = node;
    uv_poll_start(&node->wake_poll, UV_READABLE, on_wake);
    uv_timer_start(&node->tick, on_tick, tick_ms(node), tick_ms(node));
    const char *path = node->store->ops->watch_path(node->store);
    node->watching = path != NULL && uv_fs_event_start(&node->watch, on_watch, path, 0) == 0;
    return true;
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
    *node = (struct node){.options = *options, .loaded = loaded, .lock_fd = -1, .wake_fd = -1};
    loaded->references++;
    CHECK(sodium_init() >= 0);
    runner_router_init(&node->router);
    node_runners_init(node);
    node->clock = clock_system();
    node->id = new_id(node->clock);
    gethostname(node->host, sizeof node->host - 1);
    actor_of_process(node->actor);
    return take_lock(node, loaded->config->store_path, err) && fork_runner(node, err) &&
           open_store(loaded->config, OPEN_STORE_WRITE, options->command, node->clock, &node->store,
                      err) &&
           node_runners_note_left(node, err) && start_engine(node, err) && open_loop(node, err);
}

bool node_reload(struct node *node, struct loaded *loaded, struct error *err)
{
    struct job_set set = set_of(loaded);
    if (!engine_reload(node->engine, &set, err)) {
        return false;
    }
    loaded->references++;
    loaded_release(node->loaded);
    node->loaded = loaded;
    node_runners_reload(node);
    return true;
}

void node_run(struct node *node)
{
    node->turned_at = clock_mono(node->clock);
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
    buf_release(&node->left);
    engine_free(node->engine);
    store_close(node->store);
    loaded_release(node->loaded);
    if (node->lock_fd >= 0) {
        close(node->lock_fd);
    }
}
