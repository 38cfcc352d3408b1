// SPDX-License-Identifier: MIT
// The descriptor of a store on a server, watched on the node's loop: when something comes, or can
// go, it is the store's turn. Deadlines need no watching: the node turns each second or two anyway.
#pragma once

#include <uv.h>

#include "base/error.h"
#include "store/store.h"

struct store_watch {
    struct store *store;
    void (*on_event)(void *context);
    void *context;
    uv_poll_t poll;
    int epoll_fd; // -1: this store waits for nothing
};

// `on_event` is to pump the store. A store that waits for nothing is not watched.
bool store_watch_open(struct store_watch *watch, uv_loop_t *loop, struct store *store,
                      void (*on_event)(void *context), void *context, struct error *err) MUST_USE;
// After each pump: what the store waits for now.
void store_watch_arm(struct store_watch *watch);
// When the loop is closed.
void store_watch_release(struct store_watch *watch);
