// SPDX-License-Identifier: MIT
// What comes into force while the node runs: this node's files at a reload, the store's active
// definitions, new rules of time zones. Or it does not, and the old stay. Nothing here waits for
// the store: each turn looks how far it is, and goes on.
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "config/validate.h"
#include "serve/definitions.h"
#include "serve/node_lock.h"
#include "serve/serve_private.h"
#include "serve/validate_store.h"

#define ZONES_EVERY DURATION_S(10)
// What this node could not execute is tried again.
#define VERSION_AGAIN DURATION_S(10)
// And so is what the store did not answer.
#define ASK_AGAIN DURATION_S(1)

// ---- configuration and validation ---------------------------------------------------------------

static void log_problems(const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *p = &problems->list[i];
        LOG(LOG_ERROR, "config_problem", "%s:%d:%d: %s", p->file, p->line, p->column, p->text);
    }
}

static void tell_problems(const struct config_problems *problems, struct error *err)
{
    const struct config_problem *first = &problems->list[0];
    if (problems->count == 1) {
        (void)error_set(err, ERROR_CONFIG, "%s:%d:%d: %s", first->file, first->line, first->column,
                        first->text);
    } else {
        (void)error_set(err, ERROR_CONFIG,
                        "the configuration has %zu errors, all in the log; the first: %s:%d:%d: %s",
                        problems->count, first->file, first->line, first->column, first->text);
    }
}

struct config *serve_load(const char *path, struct error *err)
{
    struct config_problems problems;
    struct config *config = NULL;
    config_problems_init(&problems);
    if (!config_load(path, &config, &problems)) {
        log_problems(&problems);
        tell_problems(&problems, err);
        config = NULL;
    }
    config_problems_release(&problems);
    return config;
}

static void log_check(const struct validate_check *check)
{
    bool failed = check->result == VALIDATE_FAILED;
    struct log_field fields[] = {{"check", check->name}, {NULL, NULL}};
    log_record(failed ? LOG_ERROR : LOG_WARN, failed ? "check_failed" : "check_warning", fields,
               "%s%s%s", check->detail, check->remedy == NULL ? "" : ": ",
               check->remedy == NULL ? "" : check->remedy);
}

bool serve_validate(const struct config *config, bool is_node, struct error *err)
{
    // A second node is then refused by the lock, which tells who the first one is.
    struct node_lock_holder holder;
    struct validate_options options = {
        .is_node = is_node, .check_store = validate_postgresql_store, .clock = clock_system()};
    options.node_lives = !is_node && node_lock_is_held(config->store_path, &holder);
    struct validate_report report;
    validate_config(config, &options, &report);
    for (size_t i = 0; i < report.count; i++) {
        const struct validate_check *check = &report.checks[i];
        if (check->result == VALIDATE_OK) {
            continue;
        }
        log_check(check);
        if (check->result == VALIDATE_FAILED && err->code == ERROR_NONE) {
            (void)error_set(err, report.code, "the check `%s` failed: %s", check->name,
                            check->detail);
        }
    }
    bool passed = report.failed == 0;
    validate_report_release(&report);
    return passed;
}

// ---- reload -------------------------------------------------------------------------------------

// A million jobs take a while, in which the loop does not turn: that is no reason for the runner to
// end what runs, nor for the service manager to end us.
static void show_life(struct serve *serve)
{
    engine_feed(serve->node.engine);
    notify_turn(&serve->notify);
}

static bool same_store(const struct config *config, const struct config *other)
{
    return strcmp(config->store, other->store) == 0 &&
           strcmp(config->store_path, other->store_path) == 0;
}

static struct config *read_files(struct serve *serve, struct error *err)
{
    show_life(serve);
    struct config *config = serve_load(serve->options->config_path, err);
    show_life(serve);
    if (config == NULL) {
        return NULL;
    }
    bool same = same_store(config, serve->node.loaded->config) ||
                error_set(err, ERROR_CONFIG,
                          "the store cannot be changed by a reload: restart `ironcron serve` for "
                          "that");
    if (!same || !serve_validate(config, true, err)) {
        config_free(config);
        return NULL;
    }
    show_life(serve);
    return config;
}

// After it was refused.
static const char *what_is_in_force(const struct reload *reload)
{
    if (reload->is_late) {
        return ""; // that is what the refusal says
    }
    return reload->is_active  ? "; the new configuration is in force for the other nodes"
           : reload->is_asked ? "; whether the store has the new configuration is not known"
                              : "; the old configuration stays in force";
}

static void answer(struct serve *serve, const struct error *err)
{
    engine_reload_done(serve->node.engine, err);
    if (err == NULL) {
        LOG(LOG_INFO, "reloaded", "%zu jobs are in force", serve->node.loaded->config->job_count);
    } else {
        LOG(LOG_ERROR, "reload_refused", "%s%s", err->text, what_is_in_force(&serve->reload));
    }
    notify_ready(&serve->notify);
    node_turn_soon(&serve->node); // it may have been asked for once more
}

static void end(struct serve *serve, const struct error *err)
{
    struct reload *reload = &serve->reload;
    answer(serve, err);
    loaded_release(reload->files);
    reload->files = NULL;
    reload->is_asked = reload->is_active = reload->is_late = false;
}

void serve_reload(struct serve *serve)
{
    serve->reload.is_wanted = true;
}

static void begin(struct serve *serve)
{
    struct reload *reload = &serve->reload;
    struct error err = ERROR_INIT;
    reload->is_wanted = reload->is_told = false;
    engine_reload_begins(serve->node.engine);
    notify_reloading(&serve->notify);
    struct config *config = read_files(serve, &err);
    if (config == NULL) {
        end(serve, &err);
        return;
    }
    reload->files = loaded_new(config, false);
}

static void tell_waiting(struct serve *serve, const char *why)
{
    if (!serve->reload.is_told) {
        serve->reload.is_told = true;
        LOG(LOG_WARN, "reload_waits",
            "%s; the new configuration is right, and comes into force as soon as the store answers",
            why);
    }
}

static void have_version(struct serve *serve, int64_t version)
{
    struct reload *reload = &serve->reload;
    reload->files->version = version;
    reload->is_active = true;
}

// One question at a time; the next one a moment later.
static struct serve *answered(struct reload *reload)
{
    struct serve *serve = CONTAINER_OF(reload, struct serve, reload);
    reload->is_asking = false;
    reload->again_at = mono_add(clock_mono(serve->node.clock), ASK_AGAIN);
    return serve;
}

static void ask(struct serve *serve, struct store_op *op, void (*done)(struct store_op *op))
{
    serve->reload.is_asking = true;
    op->done = done;
    store_submit(serve->node.store, op);
    node_turn_soon(&serve->node);
}

static bool may_ask(const struct serve *serve)
{
    const struct reload *reload = &serve->reload;
    bool later = mono_before(clock_mono(serve->node.clock), reload->again_at);
    return !reload->is_asking && !later && engine_store_is_up(serve->node.engine);
}

static void on_version(struct store_op *op)
{
    struct reload *reload = CONTAINER_OF(op, struct reload, version.op);
    struct serve *serve = answered(reload);
    if (op->result == STORE_OK) {
        have_version(serve, reload->version.version);
    } else if (op->result == STORE_REFUSED && !reload->is_stopped) {
        reload->is_asked = false;
        end(serve, &op->err);
    } else if (!reload->is_stopped) {
        tell_waiting(serve, op->err.text);
    }
    store_op_release(op);
}

// What a reload does next: in a fleet the store gets the files first, for all nodes; then they come
// into force here, as what another node has put into force does.
static void go_on(struct serve *serve)
{
    struct reload *reload = &serve->reload;
    struct node *node = &serve->node;
    if (!engine_hears_store(node->engine)) {
        tell_waiting(serve, "the store does not answer now");
    }
    if (reload->files->config->store_url != NULL && !reload->is_active) {
        if (may_ask(serve)) {
            reload->before =
                reload->is_asked ? reload->before : engine_active_version(node->engine);
            reload->is_asked = true;
            definitions_activation(node, reload->files->config, true, &reload->version);
            ask(serve, &reload->version.op, on_version);
        }
    } else if (node->coming == NULL) {
        definitions_are_of(node, reload->files);
        node_reload(node, reload->files);
    }
}

// ---- definitions of the store -------------------------------------------------------------------

static bool check_version(const struct loaded *loaded, struct error *err)
{
    struct error why = ERROR_INIT;
    return serve_validate(loaded->config, true, &why) ||
           error_set(err, ERROR_ENVIRONMENT,
                     "version %" PRId64 " of the definitions cannot be executed by this node: %s",
                     loaded->version, why.text);
}

bool serve_check_version(struct serve *serve, struct error *err)
{
    const struct loaded *loaded = serve->node.loaded;
    if (loaded == serve->node.file) {
        return true;
    }
    metrics_set_jobs(serve->metrics, loaded->config->jobs, loaded->config->job_count);
    return check_version(loaded, err);
}

// Where they cannot be executed here nothing more is claimed, and they are tried again now and
// then: a file or a program may come.
static void refuse(struct serve *serve, int64_t version, const char *why)
{
    struct reload *reload = &serve->reload;
    if (version == engine_version(serve->node.engine)) {
        LOG(LOG_ERROR, "reload_refused", "%s; the old time zone data stay in force", why);
        return;
    }
    if (reload->refused_version != version) {
        LOG(LOG_ERROR, "definitions_refused",
            "%s; this node claims nothing more until it can, or others are in force", why);
    }
    health_set(&serve->health, HEALTH_DEFINITIONS, why);
    engine_refuses(serve->node.engine, why);
    reload->refused_version = version;
    reload->refused_at = clock_mono(serve->node.clock);
}

// Once for each version: what is tried again each second is one trouble.
static void tell_following(struct serve *serve, int64_t version, const char *why)
{
    if (serve->reload.waiting_version != version) {
        serve->reload.waiting_version = version;
        LOG(LOG_WARN, "definitions_wait",
            "%s; version %" PRId64 " of the definitions is not in force here yet, and nothing "
            "begins here until it is: that is tried until it succeeds; see `ironcron doctor` for "
            "what stands in the way in the store",
            why, version);
    }
}

static void take(struct serve *serve, const struct store_op_definitions *read, bool anew)
{
    struct error err = ERROR_INIT;
    struct loaded *loaded = NULL;
    show_life(serve);
    bool done = definitions_take(&serve->node, read, anew, &loaded, &err);
    show_life(serve);
    if (done && check_version(loaded, &err)) {
        node_reload(&serve->node, loaded);
    } else {
        refuse(serve, read->wanted, err.text);
    }
    loaded_release(loaded);
}

// Others were put into force while a reload waited for the store. Or these are what it waits for,
// and only the answer was lost.
static bool are_own(struct serve *serve, const struct store_version *row)
{
    struct error err = ERROR_INIT;
    if (serve->reload.files == NULL || row->version == 0) {
        return false;
    }
    if (strcmp(row->hash, serve->reload.files->config->hash) == 0) {
        have_version(serve, row->version);
        return true;
    }
    serve->reload.is_late = true;
    (void)error_set(&err, ERROR_UNAVAILABLE,
                    "other definitions came into force meanwhile: this node goes on with those");
    end(serve, &err);
    return false;
}

static void on_definitions(struct store_op *op)
{
    struct reload *reload = CONTAINER_OF(op, struct reload, definitions.op);
    struct serve *serve = answered(reload);
    bool anew = reload->is_anew;
    if (op->result == STORE_OK && !reload->is_stopped) {
        reload->is_anew = false;
        if (!are_own(serve, &reload->definitions.text)) {
            take(serve, &reload->definitions, anew);
        }
    } else if (!reload->is_stopped) {
        tell_following(serve, reload->definitions.wanted, op->err.text);
    }
    store_op_release(op);
}

// Another node has put other definitions into force, or those in force are to be read again.
static void follow(struct serve *serve)
{
    struct reload *reload = &serve->reload;
    const struct engine *engine = serve->node.engine;
    int64_t wanted = engine_wants_version(engine);
    int64_t version = wanted == 0 && reload->is_anew ? engine_version(engine) : wanted;
    struct duration since = mono_since(clock_mono(serve->node.clock), reload->refused_at);
    bool is_refused = reload->refused_version == version && since.us < VERSION_AGAIN.us;
    if (version > 0 && !is_refused && serve->node.coming == NULL && may_ask(serve)) {
        reload->definitions =
            (struct store_op_definitions){.op = {.kind = STORE_DEFINITIONS}, .wanted = version};
        ask(serve, &reload->definitions.op, on_definitions);
    }
}

// ---- in force -----------------------------------------------------------------------------------

static void be_in_force(struct serve *serve, const struct loaded *loaded)
{
    serve->has_loaded = true;
    serve->reload.refused_version = serve->reload.waiting_version = 0;
    metrics_set_jobs(serve->metrics, loaded->config->jobs, loaded->config->job_count);
    doors_configure(&serve->doors, loaded->config);
    health_set(&serve->health, HEALTH_DEFINITIONS, NULL);
    engine_refuses(serve->node.engine, NULL);
}

// What others have put into force is not in force here: the store did not take it yet, or refused
// it. Where still others came into force meanwhile those are next.
static void say_why_not(struct serve *serve, const struct loaded *loaded,
                        enum engine_reloading state, const struct error *err)
{
    if (state == RELOADING_WAITS) {
        tell_following(serve, loaded->version, err->text);
    } else if (err->code != ERROR_UNAVAILABLE && !serve->reload.is_stopped) {
        refuse(serve, loaded->version, err->text);
    }
}

void serve_on_reload(struct node *node, struct loaded *loaded, enum engine_reloading state,
                     const struct error *err)
{
    struct serve *serve = node->context;
    bool is_own = loaded == serve->reload.files && !serve->reload.is_stopped;
    if (is_own && state == RELOADING_WAITS) {
        tell_waiting(serve, err->text);
        return;
    }
    bool done = state == RELOADING_DONE;
    if (done) {
        be_in_force(serve, loaded);
    }
    if (is_own) {
        serve->reload.is_late = !done && err->code == ERROR_UNAVAILABLE;
        end(serve, done ? NULL : err);
    } else if (done) {
        definitions_log(node, "definitions_adopted");
    } else {
        say_why_not(serve, loaded, state, err);
    }
}

// ---- each turn ----------------------------------------------------------------------------------

// What the store still has of it is not looked at any more.
static void stop(struct serve *serve)
{
    struct reload *reload = &serve->reload;
    struct error err = ERROR_INIT;
    if (reload->is_stopped) {
        return;
    }
    reload->is_stopped = true;
    if (reload->is_wanted || reload->files != NULL || engine_wants_reload(serve->node.engine)) {
        (void)error_set(&err, ERROR_UNAVAILABLE, "the node is stopping");
        engine_reload_begins(serve->node.engine);
        answer(serve, &err);
    }
}

// The store was asked in vain, and now others are in force than at that time: perhaps these.
static bool is_overtaken(const struct serve *serve)
{
    const struct reload *reload = &serve->reload;
    int64_t wanted = engine_wants_version(serve->node.engine);
    return reload->is_asked && !reload->is_active && wanted != 0 && wanted != reload->before;
}

void serve_reload_turn(struct serve *serve)
{
    struct reload *reload = &serve->reload;
    if (serve->stopping != STOP_NOT || serve->node.fenced) {
        stop(serve);
        return;
    }
    bool is_idle = reload->files == NULL && !reload->is_asking && serve->node.coming == NULL;
    if (is_idle && (reload->is_wanted || engine_wants_reload(serve->node.engine))) {
        begin(serve);
    }
    if (reload->files == NULL || is_overtaken(serve)) {
        follow(serve);
    }
    if (reload->files != NULL) {
        go_on(serve);
    }
}

void serve_reload_release(struct serve *serve)
{
    loaded_release(serve->reload.files);
    serve->reload.files = NULL;
}

// ---- time zones ---------------------------------------------------------------------------------

void serve_look_at_zones(struct serve *serve)
{
    struct mono now = clock_mono(serve->node.clock);
    const struct config *config = serve->node.loaded->config;
    if (mono_since(now, serve->zones_looked_at).us < ZONES_EVERY.us) {
        return;
    }
    serve->zones_looked_at = now;
    bool comes = serve->reload.is_wanted || serve->reload.is_anew || serve->node.coming != NULL;
    if (!comes && serve->reload.files == NULL && zone_cache_is_stale(config->zones)) {
        LOG(LOG_WARN, "zones_changed", "the time zone data of this host have changed; reloading");
        *(config->store_url == NULL ? &serve->reload.is_wanted : &serve->reload.is_anew) = true;
    }
}
