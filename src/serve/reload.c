// SPDX-License-Identifier: MIT
// What comes into force while the node runs: this node's files at a reload, the store's active
// definitions, new rules of time zones. Or it does not, and the old stay.
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

static bool put_in_force(struct serve *serve, struct loaded *loaded, struct error *err)
{
    struct loaded *old = serve->node.loaded;
    old->references++; // the metrics point to its jobs until they are told of the new ones
    bool done = node_reload(&serve->node, loaded, err);
    serve->has_loaded = true;
    if (done) {
        metrics_set_jobs(serve->metrics, loaded->config->jobs, loaded->config->job_count);
        doors_configure(&serve->doors, loaded->config);
        health_set(&serve->health, HEALTH_DEFINITIONS, NULL);
        engine_refuses(serve->node.engine, NULL);
    }
    loaded_release(old);
    return done;
}

// In a fleet, once the store has it, all nodes follow, and this one as well.
static bool reload_with(struct serve *serve, struct config *config, bool *old_stays,
                        struct error *err)
{
    struct loaded *loaded = loaded_new(config, false);
    bool is_published = definitions_publish(&serve->node, loaded, err);
    bool done = is_published && put_in_force(serve, loaded, err);
    *old_stays = !is_published || config->store_url == NULL;
    if (!done && !*old_stays) {
        (void)error_wrap(err, "in force for all nodes, and here as soon as the store answers");
    }
    loaded_release(loaded);
    return done;
}

// A million jobs take a while, in which the loop does not turn: that is no reason for the runner to
// end what runs, nor for the service manager to end us.
static void show_life(struct serve *serve)
{
    if (engine_hears_store(serve->node.engine)) {
        engine_feed(serve->node.engine);
    }
    notify_turn(&serve->notify);
}

static bool same_store(const struct config *config, const struct config *other)
{
    return strcmp(config->store, other->store) == 0 &&
           strcmp(config->store_path, other->store_path) == 0;
}

void serve_reload(struct serve *serve)
{
    struct error err = ERROR_INIT;
    bool old_stays = true;
    // The loop stands still until the store has answered: not where it is known that it does not.
    bool hears = engine_hears_store(serve->node.engine);
    notify_reloading(&serve->notify);
    show_life(serve);
    struct config *config = hears ? serve_load(serve->options->config_path, &err) : NULL;
    show_life(serve);
    bool done = false;
    if (!hears) {
        error_set(&err, ERROR_UNAVAILABLE,
                  "the store does not answer now: reload when it does (`ironcron doctor`)");
    } else if (config != NULL && !same_store(config, serve->node.loaded->config)) {
        config_free(config);
        error_set(&err, ERROR_CONFIG,
                  "the store cannot be changed by a reload: restart `ironcron serve` for that");
    } else if (config != NULL && !serve_validate(config, true, &err)) {
        config_free(config);
    } else if (config != NULL) {
        show_life(serve);
        done = reload_with(serve, config, &old_stays, &err);
    }
    engine_reload_done(serve->node.engine, done ? NULL : &err);
    if (done) {
        LOG(LOG_INFO, "reloaded", "%zu jobs are in force", serve->node.loaded->config->job_count);
    } else {
        LOG(LOG_ERROR, "reload_refused", "%s%s", err.text,
            old_stays ? "; the old configuration stays in force" : "");
    }
    notify_ready(&serve->notify);
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

static bool adopt(struct serve *serve, int64_t version, bool anew, struct error *err)
{
    struct loaded *loaded = NULL;
    show_life(serve);
    bool done = definitions_load(&serve->node, version, anew, &loaded, err);
    show_life(serve);
    done = done && check_version(loaded, err) && put_in_force(serve, loaded, err);
    loaded_release(loaded);
    return done;
}

// Another node has put other definitions into force. Where they cannot be executed here nothing
// more is claimed, and they are tried again now and then: a file or a program may come.
void serve_follow_version(struct serve *serve)
{
    int64_t version = engine_wants_version(serve->node.engine);
    struct mono now = clock_mono(serve->node.clock);
    bool is_refused = serve->refused_version == version &&
                      mono_since(now, serve->refused_at).us < VERSION_AGAIN.us;
    if (version == 0 || is_refused || serve->stopping != STOP_NOT ||
        !engine_hears_store(serve->node.engine)) {
        return;
    }
    struct error err = ERROR_INIT;
    if (adopt(serve, version, false, &err)) {
        serve->refused_version = 0;
        definitions_log(&serve->node, "definitions_adopted");
        return;
    }
    if (serve->refused_version != version) {
        LOG(LOG_ERROR, "definitions_refused",
            "%s; this node claims nothing more until it can, or others are in force", err.text);
    }
    health_set(&serve->health, HEALTH_DEFINITIONS, err.text);
    engine_refuses(serve->node.engine, err.text);
    serve->refused_version = version;
    serve->refused_at = now;
}

static void reload_zones(struct serve *serve)
{
    struct error err = ERROR_INIT;
    const struct loaded *loaded = serve->node.loaded;
    if (loaded->config->store_url == NULL) {
        serve_reload(serve);
    } else if (!adopt(serve, loaded->version, true, &err)) {
        LOG(LOG_ERROR, "reload_refused", "%s; the old time zone data stay in force", err.text);
    }
}

void serve_look_at_zones(struct serve *serve)
{
    struct mono now = clock_mono(serve->node.clock);
    if (mono_since(now, serve->zones_looked_at).us < ZONES_EVERY.us) {
        return;
    }
    serve->zones_looked_at = now;
    if (zone_cache_is_stale(serve->node.loaded->config->zones)) {
        LOG(LOG_WARN, "zones_changed", "the time zone data of this host have changed; reloading");
        reload_zones(serve);
    }
}
