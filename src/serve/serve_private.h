// SPDX-License-Identifier: MIT
// `ironcron serve` in one struct, shared by the files that it is made of.
#pragma once

#include "observe/fanout.h"
#include "serve/doors.h"
#include "serve/node.h"
#include "serve/notify.h"
#include "serve/serve.h"

enum stopping { STOP_NOT, STOP_DRAINING, STOP_ENDING, STOP_AT_ONCE };

// Definitions that are to come into force (serve/reload.c).
struct reload {
    bool is_wanted;       // a reload was asked for, and has not begun
    struct loaded *files; // what the files say, while they are to come into force; else NULL
    int64_t before;       // the active version when …
    bool is_asked;        // … the store was asked to make them the active one …
    bool is_active;       // … and has done so
    bool is_late;         // others came into force meanwhile
    bool is_told;         // that it waits for the store
    bool is_anew;         // what is in force is to be read again
    bool is_asking;       // one of the two is in the store:
    struct store_op_version version;
    struct store_op_definitions definitions;
    struct mono again_at;    // not before it is the store asked the next time
    int64_t waiting_version; // told that it waits for the store; 0 = nothing
    int64_t refused_version; // this node cannot execute it
    struct mono refused_at;
    bool is_stopped; // with the node
};

struct serve {
    const struct serve_options *options;
    struct node node;
    struct metrics *metrics;
    struct health health;
    struct doors doors;
    struct fanout fanout;
    struct notify notify;
    uv_signal_t signals[3];
    enum stopping stopping;
    struct mono stop_deadline; // of the present phase of stopping
    struct mono zones_looked_at;
    struct reload reload;
    bool has_loaded; // definitions: what that took is not given back yet
    bool drains;     // as an operator wants it; told
    int exit_code;
    bool started;
    int tries; // to be a node again after it was fenced, -1 = it is a first start …
    struct instant fenced_at; // … at that time
    struct error why;         // it did not start
};

// ---- serve/reload.c -----------------------------------------------------------------------------

// Of the path; problems are logged, and NULL returned with the first of them.
struct config *serve_load(const char *path, struct error *err);
// True when no check failed; each failed one and each warning is logged, the first failed one told.
bool serve_validate(const struct config *config, bool is_node, struct error *err) MUST_USE;
// What the node has begun with, where that is not what its files say.
bool serve_check_version(struct serve *serve, struct error *err);
// The files are to be read again, and to come into force: in the next turn, or after the reload
// that goes on.
void serve_reload(struct serve *serve);
// A step further, of that or of what another node has put into force.
void serve_reload_turn(struct serve *serve);
// For node->on_reload.
void serve_on_reload(struct node *node, struct loaded *loaded, enum engine_reloading state,
                     const struct error *err);
// After node_close.
void serve_reload_release(struct serve *serve);
// The rules of time zones change several times a year; what is in use is read anew.
void serve_look_at_zones(struct serve *serve);
