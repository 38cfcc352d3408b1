// SPDX-License-Identifier: MIT
// One connection to a PostgreSQL server, driven by the loop: names are looked up, each address is
// tried with a deadline of its own, and nothing blocks. Owned by whoever embeds it.
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "sql/address.h"
#include "time/clock.h"

enum backend_state {
    BACKEND_CLOSED,
    BACKEND_RESOLVING,
    BACKEND_CONNECTING,
    BACKEND_READY,
    BACKEND_BROKEN, // error says why; only backend_close is left
};

struct backend;
struct backend_events {
    void (*on_ready)(struct backend *backend);
    void (*on_broken)(struct backend *backend); // could not be made, or was lost; close it
    void (*on_input)(struct backend *backend);  // results may be there
};

struct backend {
    const struct backend_events *events;
    uv_loop_t *loop;
    struct clock *clock;
    PGconn *conn; // NULL while closed and resolving
    enum backend_state state;
    struct error error;
    char sqlstate[6]; // of why it broke, "" where the server said nothing
    // internal
    PQconninfoOption *options;
    struct address_search *search;
    struct address_list addresses;
    size_t at; // the address that is being tried
    struct mono deadline;
    uv_poll_t *poll;
    int poll_events;
};

// Starts connecting; tells by the events, never from within. `url` is only read in the call.
void backend_open(struct backend *backend, uv_loop_t *loop, struct clock *clock, const char *url,
                  const struct backend_events *events);
// Closes whatever is open; no event comes afterwards. May be called from within an event.
void backend_close(struct backend *backend);
// To be called about each tenth of a second while it is not ready: ends an attempt that takes too
// long.
void backend_look(struct backend *backend, struct mono now);
// To be called after something was sent: writes what it can, and sees to the rest.
void backend_flush(struct backend *backend);
