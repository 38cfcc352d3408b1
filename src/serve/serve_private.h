// SPDX-License-Identifier: MIT
// `ironcron serve` in one struct, shared by the files that it is made of.
#pragma once

#include "observe/fanout.h"
#include "serve/doors.h"
#include "serve/node.h"
#include "serve/notify.h"
#include "serve/serve.h"

enum stopping { STOP_NOT, STOP_DRAINING, STOP_ENDING, STOP_AT_ONCE };

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
    bool has_loaded;         // definitions: what that took is not given back yet
    int64_t refused_version; // of the definitions: this node cannot execute it
    struct mono refused_at;
    bool drains; // as an operator wants it; told
    int exit_code;
    bool started;
    int tries; // to be a node again after it was fenced; -1 = it is a first start
};

// ---- serve/reload.c -----------------------------------------------------------------------------

// Of the path; problems are logged, and NULL returned with the first of them.
struct config *serve_load(const char *path, struct error *err);
// True when no check failed; each failed one and each warning is logged, the first failed one told.
bool serve_validate(const struct config *config, bool is_node, struct error *err) MUST_USE;
// What the node has begun with, where that is not what its files say.
bool serve_check_version(struct serve *serve, struct error *err);
// The new configuration, or the old one and the reason.
void serve_reload(struct serve *serve);
// Other definitions of the store, where another node has put them into force.
void serve_follow_version(struct serve *serve);
// The rules of time zones change several times a year; what is in use is read anew.
void serve_look_at_zones(struct serve *serve);
