// SPDX-License-Identifier: MIT
// `ironcron serve`, in the order in which it happens: environment, configuration, startup
// validation, the node, HTTP; then the loop, with reloads; then the stop.
#include "serve/serve_private.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "observe/run_log.h"
#include "serve/come_back.h"
#include "serve/definitions.h"
#include "serve/hold_signals.h"
#include "serve/node_lock.h"
#include "serve/start_again.h"
#include "serve/store_owner.h"
#include "time/format.h"

// How long after the end of `drain` the ends may take to reach the store before we give up: the
// next node then records those runs as LOST.
#define LAST_WAIT DURATION_S(30)
// A loop that has not turned for so long is not alive.
#define LOOP_LIMIT DURATION_S(10)
// The time between tries to be a node again doubles from 1 s so often.
#define TRY_DOUBLINGS 4
// The lock of a node that has just died is waited for, and a store may have to be migrated.
#define START_PATIENCE DURATION_S(180)

// ---- what is told and checked -------------------------------------------------------------------

static void timestamp(char out[LOG_TIME_SIZE])
{
    format_utc_ms(clock_now(clock_system()), out);
}

static int fail(const struct error *err)
{
    LOG(LOG_ERROR, "start_refused", "%s", err->text);
    return error_exit_code(err->code);
}

// ---- what the service manager is told -----------------------------------------------------------

static void tell_status(struct serve *serve)
{
    static const char *const stages[] = {[STOP_DRAINING] = "stopping, running jobs may finish",
                                         [STOP_ENDING] = "stopping, running jobs are ended",
                                         [STOP_AT_ONCE] = "stopping at once"};
    struct engine *engine = serve->node.engine;
    char text[NOTIFY_SIZE];
    snprintf(text, sizeof text, "%s: %zu jobs, %d running%s",
             serve->stopping != STOP_NOT ? stages[serve->stopping]
             : serve->drains             ? "draining"
             : engine_is_dry_run(engine) ? "dry-run"
                                         : "live",
             serve->node.loaded->config->job_count, engine_running(engine),
             serve->reload.files != NULL ? ", a reload waits for the store" : "");
    notify_status(&serve->notify, text);
}

// A manager that loses patience would kill what `drain` lets finish.
static void ask_for_patience(struct serve *serve, struct mono now)
{
    struct duration left = mono_since(serve->stop_deadline, now);
    notify_extend(&serve->notify, (struct duration){left.us + LAST_WAIT.us});
}

// ---- stopping -----------------------------------------------------------------------------------

static void stop_next(struct serve *serve)
{
    struct node *node = &serve->node;
    struct mono now = clock_mono(node->clock);
    struct duration drain = node->loaded->config->drain;
    switch (serve->stopping) {
    case STOP_NOT:
        serve->stopping = STOP_DRAINING;
        serve->stop_deadline = mono_add(now, drain);
        notify_stopping(&serve->notify);
        health_set(&serve->health, HEALTH_DRAINING, "the node is stopping");
        LOG(LOG_INFO, "draining", "no new runs; %d running may finish",
            engine_running(node->engine));
        engine_drain(node->engine);
        break;
    case STOP_DRAINING:
        serve->stopping = STOP_ENDING;
        serve->stop_deadline = mono_add(now, LAST_WAIT);
        LOG(LOG_WARN, "ending_runs", "%d runs did not finish in time and are ended",
            engine_running(node->engine));
        engine_stop_runs(node->engine, false);
        break;
    case STOP_ENDING:
    case STOP_AT_ONCE:
        LOG(LOG_ERROR, "stop_forced",
            "the ends of %d runs could not be stored; the next node records "
            "them as LOST",
            engine_running(node->engine));
        serve->exit_code = 75;
        uv_stop(&node->loop);
        break;
    }
}

static void stop_at_once(struct serve *serve, const char *why)
{
    notify_stopping(&serve->notify);
    serve->stopping = STOP_AT_ONCE;
    serve->stop_deadline = mono_add(clock_mono(serve->node.clock), LAST_WAIT);
    LOG(LOG_WARN, "stop_at_once", "%s: %d runs are killed", why,
        engine_running(serve->node.engine));
    engine_drain(serve->node.engine);
    engine_stop_runs(serve->node.engine, true);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct serve *serve = handle->data;
    if (number == SIGHUP) {
        serve_reload(serve);
    } else if (serve->stopping == STOP_NOT) {
        stop_next(serve);
    } else {
        stop_at_once(serve, "second signal");
    }
    node_turn(&serve->node);
}

// ---- draining, as an operator wants it ----------------------------------------------------------

static void note_order(struct serve *serve, const struct engine_drain_order *order)
{
    char since[FORMAT_TIME_SIZE];
    AUTO(buf_release) struct buf text;
    buf_init(&text, HEALTH_REASON_SIZE);
    format_utc_ms(order->since, since);
    buf_printf(&text, "since %s nothing new begins here, by %s%s%s%s%s", since,
               order->by == NULL ? "?" : order->by, order->as == NULL ? "" : " as ",
               order->as == NULL ? "" : order->as, order->reason == NULL ? "" : ": ",
               order->reason == NULL ? "" : order->reason);
    health_note(&serve->health, HEALTH_DRAINING, buf_string(&text));
    LOG(LOG_WARN, "drained", "%s; %d running go on. Undo: ironcron nodes resume", buf_string(&text),
        engine_running(serve->node.engine));
}

static void follow_order(struct serve *serve)
{
    struct engine_drain_order order;
    bool drains = engine_told_to_drain(serve->node.engine, &order);
    if (drains == serve->drains) {
        return;
    }
    serve->drains = drains;
    metrics_set_draining(serve->metrics, drains);
    if (drains) {
        note_order(serve, &order);
    } else {
        health_note(&serve->health, HEALTH_DRAINING, NULL);
        LOG(LOG_INFO, "resumed", "jobs begin here again, by %s", order.by == NULL ? "?" : order.by);
    }
    tell_status(serve);
}

static void note_version(struct serve *serve)
{
    int64_t version = engine_version(serve->node.engine);
    char text[48];
    snprintf(text, sizeof text, "version %" PRId64, version);
    health_note(&serve->health, HEALTH_DEFINITIONS, version > 0 ? text : NULL);
    metrics_set_refuses(serve->metrics, engine_refused(serve->node.engine) != NULL);
}

// ---- each turn, each second ---------------------------------------------------------------------

static void on_turn(struct node *node)
{
    struct serve *serve = node->context;
    health_tick(&serve->health);
    if (!serve->notify.is_ready) {
        notify_ready(&serve->notify);
        tell_status(serve);
    }
    notify_turn(&serve->notify);
    doors_turn(&serve->doors);
    serve_reload_turn(serve);
    follow_order(serve);
    if (serve->stopping != STOP_NOT && engine_is_drained(node->engine)) {
        uv_stop(&node->loop);
    }
}

static void on_statement(struct node *node, struct duration took)
{
    struct serve *serve = node->context;
    metrics_store_statement(serve->metrics, took);
}

// Without its file the lock keeps nobody out: a second node could run the same jobs beside us.
static void look_at_lock(struct serve *serve)
{
    const char *path = serve->node.loaded->config->store_path;
    if (serve->stopping == STOP_AT_ONCE || node_lock_is_ours(path, serve->node.lock_fd)) {
        return;
    }
    LOG(LOG_ERROR, "lock_lost",
        "the lock file %s.lock was removed or replaced while this node holds it, and another node "
        "may have started: stopping",
        path);
    serve->exit_code = 75;
    health_set(&serve->health, HEALTH_DRAINING, "the node is stopping: its lock file is gone");
    stop_at_once(serve, "the lock file is gone");
}

// A moment after a start or a reload, when what follows at once has been done as well.
static void give_memory_back(struct serve *serve)
{
    if (serve->has_loaded) {
        serve->has_loaded = false;
        memory_give_back();
    }
}

static void on_tick(struct node *node)
{
    struct serve *serve = node->context;
    give_memory_back(serve);
    look_at_lock(serve);
    serve_look_at_zones(serve);
    doors_tick(&serve->doors);
    metrics_set_nodes_live(serve->metrics, (int)engine_member_count(node->engine));
    metrics_set_locks(serve->metrics, node->memory.locks, node->memory.locks_most);
    metrics_set_clock_skew(serve->metrics, engine_clock_skew(node->engine));
    note_version(serve);
    tell_status(serve);
    struct mono now = clock_mono(node->clock);
    if (serve->stopping != STOP_NOT && !mono_before(now, serve->stop_deadline)) {
        stop_next(serve);
    }
    if (serve->stopping != STOP_NOT) {
        ask_for_patience(serve, now);
    }
}

// ---- the start ----------------------------------------------------------------------------------

static void watch(struct serve *serve, const struct config *config)
{
    serve->has_loaded = true;
    metrics_set_jobs(serve->metrics, config->jobs, config->job_count);
    fanout_init(&serve->fanout);
    fanout_add(&serve->fanout, metrics_events(serve->metrics));
    fanout_add(&serve->fanout, run_log_events());
    fanout_add(&serve->fanout, health_events(&serve->health));
    fanout_add(&serve->fanout, event_hub_events(&serve->doors.api.events));
}

static void watch_signals(struct serve *serve)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        uv_signal_init(&serve->node.loop, &serve->signals[i]);
        serve->signals[i].data = serve;
        uv_signal_start(&serve->signals[i], on_signal, numbers[i]);
    }
}

static void log_start(const struct serve *serve, const struct config *config)
{
    char node[UUID_TEXT_SIZE];
    char jobs[24];
    uuid_format(serve->node.id, node);
    snprintf(jobs, sizeof jobs, "%zu", config->job_count);
    bool dry = engine_is_dry_run(serve->node.engine);
    struct log_field fields[] = {
        {"node", node},
        {"jobs", jobs},
        {"store", config->store_url == NULL ? config->store_path : config->store},
        {"mode", dry ? "dry-run" : "live"},
        {"version", IRONCRON_VERSION},
        {NULL, NULL}};
    log_record(LOG_INFO, "started", fields, "%s",
               dry ? "dry-run: slots are claimed and audited, nothing is executed" : "jobs run");
}

// It has joined already: the others would count it, and wait for the end of its lease.
static void leave_unstarted(struct serve *serve)
{
    struct error err = ERROR_INIT;
    engine_drain(serve->node.engine);
    if (engine_is_drained(serve->node.engine) && !node_leave(&serve->node, &err)) {
        LOG(LOG_WARN, "not_left", "%s", err.text);
    }
}

static bool start(struct serve *serve, struct config *config, bool dry_run, struct error *err)
{
    serve->metrics = metrics_new(
        &(struct metrics_options){.version = IRONCRON_VERSION, .revision = config->revision});
    health_init(&serve->health, clock_system(), LOOP_LIMIT);
    doors_init(&serve->doors, &serve->node, serve->metrics, &serve->health);
    watch(serve, config);
    struct node_options options = {
        .command = "serve", .dry_run = dry_run, .schedules = true, .events = &serve->fanout.events};
    struct loaded *loaded = loaded_new(config, false);
    notify_extend(&serve->notify, START_PATIENCE);
    bool open = node_open(&serve->node, &options, loaded, err);
    loaded_release(loaded);
    if (!open) {
        return false;
    }
    serve->node.context = serve;
    serve->node.on_turn = on_turn;
    serve->node.on_tick = on_tick;
    serve->node.on_reload = serve_on_reload;
    serve->node.on_statement = on_statement;
    metrics_watch_engine(serve->metrics, serve->node.engine);
    watch_signals(serve);
    if (!serve_check_version(serve, err) || !doors_open(&serve->doors, config, err)) {
        leave_unstarted(serve);
        return false;
    }
    health_set(&serve->health, HEALTH_STORE, NULL);
    health_set(&serve->health, HEALTH_RUNNER, NULL);
    return true;
}

static void leave(struct serve *serve)
{
    struct error err = ERROR_INIT;
    if (!engine_is_drained(serve->node.engine)) {
        return;
    }
    if (!node_leave(&serve->node, &err)) {
        serve->exit_code = fail(&err);
        return;
    }
    LOG(LOG_INFO, "stopped", "all runs have ended and are recorded");
}

// What others have declared dead begins anew. Does not return, but when it fails.
static void begin_again(struct serve *serve)
{
    struct error err = ERROR_INIT;
    LOG(LOG_WARN, "starting_again", "all that ran here has ended; starting anew as another node");
    notify_hand_over(&serve->notify);
    start_again(0, clock_now(serve->node.clock), &err);
    LOG(LOG_ERROR, "stopped", "%s", err.text);
}

// What ran before goes on trying, as it does when the store is away, where a first start ends with
// 75. Does not return, but when it fails.
static void keep_trying(struct serve *serve)
{
    struct error err = ERROR_INIT;
    int seconds = serve->tries < TRY_DOUBLINGS ? 1 << serve->tries : 1 << TRY_DOUBLINGS;
    LOG(LOG_WARN, "trying_again",
        "this node was declared dead and cannot be one of them again yet: another try in %d s",
        seconds);
    notify_status(&serve->notify, "declared dead by the others; it cannot join them again yet");
    struct config *config = serve_load(serve->options->config_path, &err);
    come_back_wait(config, &serve->notify, seconds, serve->fenced_at, serve->why.text);
    config_free(config);
    error_reset(&err);
    notify_hand_over(&serve->notify);
    start_again(serve->tries + 1, serve->fenced_at, &err);
    LOG(LOG_ERROR, "stopped", "%s", err.text);
}

static int serve_config(struct serve *serve, struct config *config, bool dry_run)
{
    struct error err = ERROR_INIT;
    serve->started = start(serve, config, dry_run, &err);
    if (serve->started) {
        log_start(serve, serve->node.loaded->config);
        definitions_log(&serve->node, "definitions");
        hold_reload(false);
        node_run(&serve->node);
        hold_reload(true);
        if (serve->node.runner == NULL) {
            serve->exit_code = error_exit_code(ERROR_SPAWN);
        }
        if (serve->node.store_is_wrong || serve->node.fenced) {
            serve->exit_code = error_exit_code(ERROR_UNAVAILABLE);
        } else {
            leave(serve);
        }
    } else {
        serve->exit_code = fail(&err);
        serve->why = err;
    }
    doors_close(&serve->doors);
    metrics_watch_engine(serve->metrics, NULL);
    node_close(&serve->node);
    serve_reload_release(serve);
    doors_release(&serve->doors);
    metrics_free(serve->metrics);
    if (serve->node.fenced && serve->stopping == STOP_NOT) {
        begin_again(serve);
    }
    return serve->exit_code;
}

static int serve_files(struct serve *serve)
{
    const struct serve_options *options = serve->options;
    struct error err = ERROR_INIT;
    bool dry_run = false;
    if (!serve_dry_run_from_environment(&dry_run, &err)) {
        return fail(&err);
    }
    struct config *config = serve_load(options->config_path, &err);
    if (config == NULL) {
        return error_exit_code(ERROR_CONFIG);
    }
    if (!store_owner_allows(config->store_path, false, &err)) {
        config_free(config);
        return fail(&err);
    }
    if (!serve_validate(config, false, &err)) {
        config_free(config);
        serve->why = err;
        LOG(LOG_ERROR, "start_refused", "startup validation failed: see `ironcron validate`");
        return error_exit_code(err.code);
    }
    return serve_config(serve, config, dry_run || options->dry_run);
}

int serve_run(const struct serve_options *options)
{
    log_configure(options->json_logs ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT, LOG_INFO, timestamp);
    signal(SIGPIPE, SIG_IGN);
    hold_reload(true);
    static struct serve serve; // large, and one for the process
    serve = (struct serve){.options = options};
    serve.tries = start_again_was(&serve.fenced_at);
    notify_open(&serve.notify, clock_system());
    int code = serve_files(&serve);
    if (!serve.started && serve.tries >= 0 && code == error_exit_code(ERROR_UNAVAILABLE)) {
        keep_trying(&serve);
    }
    notify_close(&serve.notify);
    return code;
}
