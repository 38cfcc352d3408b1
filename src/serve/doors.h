// SPDX-License-Identifier: MIT
// Where requests come in: TCP, as http.listen says, and the unix socket beside the store
// (STORE.sock, 0600), whose peer the kernel names.
#pragma once

#include "api/api.h"
#include "serve/aside.h"
#include "serve/listener.h"
#include "serve/node.h"

struct doors {
    struct node *node;
    struct endpoints endpoints;
    struct api api;
    struct asides asides;     // requests that would keep the loop waiting
    struct listener listener; // TCP; closed when http.listen is off
    struct listener local;    // the unix socket; closed where none can be made
    uint64_t turn;            // of the loop, by its own time
    struct duration spent;    // on reading for clients in this turn
};

// Must not move afterwards. The others outlive it.
void doors_init(struct doors *doors, struct node *node, struct metrics *metrics,
                struct health *health);
bool doors_open(struct doors *doors, const struct config *config, struct error *err) MUST_USE;
// Tokens and jobs after a reload.
void doors_configure(struct doors *doors, const struct config *config);
// After each turn of the node: who listens to events gets the new ones.
void doors_turn(struct doors *doors);
void doors_tick(struct doors *doors); // each second or two
void doors_close(struct doors *doors);
void doors_release(struct doors *doors);
