// SPDX-License-Identifier: MIT
// A node: the ports wired to one engine, and what turns it. Shared by `serve` and by the
// short-lived node of commands that act. Owns the lock, the runner, the store, the engine and the
// current configuration.
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "api/actor.h"
#include "base/error.h"
#include "base/uuid.h"
#include "config/config.h"
#include "engine/engine.h"
#include "runner/router.h"
#include "serve/store_watch.h"
#include "store/store.h"
#include "worker/sqlite_runner.h"

// A configuration that several hold: the node, and the engine for the runs that were started under
// it.
struct loaded {
    const struct config *config;
    int64_t version; // of the store's definitions that these are; 0 = it keeps none
    bool borrowed;   // somebody else frees it
    int references;
};
struct loaded *loaded_new(const struct config *config,
                          bool borrowed); // one reference, the caller's
void loaded_release(struct loaded *loaded);

struct node_options {
    const char *command; // "serve", "run": for the lock file
    bool dry_run;
    bool schedules; // false: carries out intents only
    const struct engine_events *events;
};

// What this host keeps of a store on a server (node_store.c).
struct node_memory {
    struct store_op_identity asked;
    bool asking;
    struct mono asked_at;
    int64_t locks, locks_most; // as last told
    int64_t sealed;            // as last written down
    char system[24];
    int64_t database;
};

struct node {
    struct node_options options;
    struct clock *clock;
    struct uuid id;
    char host[256];
    char actor[ACTOR_SIZE]; // user@host
    struct loaded *loaded;  // the newest configuration
    struct loaded *file;    // what this node's own files say; often the same
    struct loaded *coming;  // what comes into force; NULL = nothing
    int lock_fd;
    struct runner *runner;       // the runner process: command and shell jobs
    struct sqlite_runner sqlite; // in front of it: sql jobs on SQLite databases
    struct runner *calls;        // http jobs
    struct runner *sql;          // sql jobs; hands those on SQLite databases to the one above
    struct uuid predecessor;     // nil, or whose lock this was: it is dead
    struct runner_router router;
    struct store *store;
    struct store_watch store_watch;
    struct node_memory memory;
    bool store_is_wrong; // it stopped for that
    bool fenced;         // it stopped since others have declared it dead
    char *labels;        // JSON
    struct engine *engine;
    uv_loop_t loop;
    uv_poll_t *runner_poll; // of the present runner
    uv_poll_t wake_poll;    // a timerfd on the wall clock: due times, suspend and clock steps
    int wake_fd;
    struct instant armed;
    uv_timer_t tick;
    uv_fs_event_t watch;
    uv_idle_t again;     // active while a turn has left work
    int64_t store_stamp; // of the watched file, to notice a change without notification
    struct mono turned_at;
    // Called after each turn and each second; may be NULL.
    void (*on_turn)(struct node *node);
    void (*on_tick)(struct node *node);
    // What becomes of `loaded` after node_reload: it waits for the store (again and again), is in
    // force, or will not be. What was in force before is still there.
    void (*on_reload)(struct node *node, struct loaded *loaded, enum engine_reloading state,
                      const struct error *err);
    // A store operation, or a group that committed together, took so long; may be NULL.
    void (*on_statement)(struct node *node, struct duration took);
    void *context;
};

// Takes the lock, forks the runner, opens the store, starts the engine. The node takes its own
// reference to the configuration.
bool node_open(struct node *node, const struct node_options *options, struct loaded *loaded,
               struct error *err) MUST_USE;
// Turns until uv_stop(&node->loop).
void node_run(struct node *node);
void node_turn(struct node *node);
void node_turn_soon(struct node *node); // with the loop's next turn, behind what else it has
// In one of the next turns, when the store has taken it; on_reload tells. Only while nothing else
// comes into force. The node takes its own reference.
void node_reload(struct node *node, struct loaded *loaded);
// Before node_run: blocks.
bool node_reload_at_start(struct node *node, struct loaded *loaded, struct error *err) MUST_USE;
// Says that it has gone. After engine_is_drained.
bool node_leave(struct node *node, struct error *err) MUST_USE;
// Ends the runner (and whatever runs), closes the store, frees the lock.
void node_close(struct node *node);
