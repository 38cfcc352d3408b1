// SPDX-License-Identifier: MIT
#include "sql/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/check.h"

// For one address: name, network, TLS and authentication together.
#define ATTEMPT_MAX DURATION_S(5)
#define PARAMETERS  64

static void try_address(struct backend *backend);
static void on_poll(uv_poll_t *poll, int status, int events);

// ---- watching the socket ------------------------------------------------------------------------

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

// Before libpq closes its socket: it may get another one of the same number, which the loop would
// take for the one that it watches.
static void unwatch(struct backend *backend)
{
    if (backend->poll != NULL) {
        uv_poll_stop(backend->poll);
        uv_close((uv_handle_t *)backend->poll, free_poll);
        backend->poll = NULL;
        backend->poll_events = 0;
    }
}

static void watch(struct backend *backend, int events)
{
    if (backend->poll == NULL) {
        backend->poll = alloc_zero(1, sizeof *backend->poll);
        backend->poll->data = backend;
        CHECK(uv_poll_init(backend->loop, backend->poll, PQsocket(backend->conn)) == 0);
    }
    if (events != backend->poll_events) {
        uv_poll_start(backend->poll, events, on_poll);
        backend->poll_events = events;
    }
}

// ---- breaking -----------------------------------------------------------------------------------

// The first line of what libpq says; the others guess at causes.
static void set_error(struct backend *backend, const char *message)
{
    error_set(&backend->error, ERROR_UNAVAILABLE, "%.*s", (int)strcspn(message, "\n"), message);
}

static void break_off(struct backend *backend, const char *message)
{
    set_error(backend, message);
    backend->state = BACKEND_BROKEN;
    unwatch(backend);
    backend->events->on_broken(backend);
}

// ---- connecting ---------------------------------------------------------------------------------

static void next_address(struct backend *backend, const char *message)
{
    set_error(backend, message);
    unwatch(backend);
    PQfinish(backend->conn);
    backend->conn = NULL;
    if (++backend->at < backend->addresses.count) {
        try_address(backend);
    } else {
        backend->state = BACKEND_BROKEN;
        backend->events->on_broken(backend);
    }
}

static void connected(struct backend *backend)
{
    backend->state = BACKEND_READY;
    PQsetnonblocking(backend->conn, 1);
    watch(backend, UV_READABLE);
    backend->events->on_ready(backend);
}

static void poll_connect(struct backend *backend)
{
    unwatch(backend);
    switch (PQconnectPoll(backend->conn)) {
    case PGRES_POLLING_READING:
        watch(backend, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        watch(backend, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        connected(backend);
        return;
    default:
        next_address(backend, PQerrorMessage(backend->conn));
        return;
    }
}

struct parameters {
    const char *keywords[PARAMETERS + 1];
    const char *values[PARAMETERS + 1];
    size_t count;
};

static void add(struct parameters *parameters, const char *keyword, const char *value)
{
    CHECK(parameters->count < PARAMETERS);
    parameters->keywords[parameters->count] = keyword;
    parameters->values[parameters->count++] = value;
}

// Later ones win: first ours that a URL may override, then the URL, then what we decide.
static void fill(struct parameters *parameters, const struct backend *backend)
{
    const struct address *address = &backend->addresses.items[backend->at];
    add(parameters, "fallback_application_name", "ironcron");
    // A peer that is gone without a word is noticed within half a minute.
    add(parameters, "keepalives_idle", "15");
    add(parameters, "keepalives_interval", "5");
    add(parameters, "keepalives_count", "3");
    add(parameters, "tcp_user_timeout", "15000");
    add(parameters, "gssencmode", "disable"); // its lookups block
    for (const PQconninfoOption *at = backend->options; at->keyword != NULL; at++) {
        bool place = strcmp(at->keyword, "host") == 0 || strcmp(at->keyword, "hostaddr") == 0 ||
                     strcmp(at->keyword, "port") == 0;
        if (at->val != NULL && !place) {
            add(parameters, at->keyword, at->val);
        }
    }
    add(parameters, "host", address->host[0] == '\0' ? NULL : address->host);
    add(parameters, "hostaddr", address->numeric[0] == '\0' ? NULL : address->numeric);
    add(parameters, "port", address->port[0] == '\0' ? NULL : address->port);
    add(parameters, "client_encoding", "UTF8");
}

static void try_address(struct backend *backend)
{
    struct parameters parameters = {.count = 0};
    fill(&parameters, backend);
    backend->state = BACKEND_CONNECTING;
    backend->deadline = mono_add(clock_mono(backend->clock), ATTEMPT_MAX);
    backend->conn = PQconnectStartParams(parameters.keywords, parameters.values, 0);
    CHECK(backend->conn != NULL);
    if (PQstatus(backend->conn) == CONNECTION_BAD) {
        next_address(backend, PQerrorMessage(backend->conn));
    } else {
        watch(backend, UV_WRITABLE); // as if PQconnectPoll had said so last
    }
}

static void on_addresses(void *context, const struct address_list *list, const struct error *err)
{
    struct backend *backend = context;
    backend->search = NULL;
    if (err != NULL) {
        break_off(backend, err->text);
        return;
    }
    backend->addresses = *list;
    backend->at = 0;
    try_address(backend);
}

// ---- life ---------------------------------------------------------------------------------------

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct backend *backend = poll->data;
    if (status < 0) {
        backend->poll_events = 0; // the loop has stopped it; libpq finds out what is wrong
    }
    if (backend->state == BACKEND_CONNECTING) {
        poll_connect(backend);
        return;
    }
    if ((events & UV_READABLE) != 0 || status < 0) {
        if (PQconsumeInput(backend->conn) == 0) {
            set_error(backend, PQerrorMessage(backend->conn));
            backend->state = BACKEND_BROKEN;
        }
        // Also of a connection that has broken: what it said last is still to be read.
        backend->events->on_input(backend);
        return;
    }
    backend_flush(backend);
}

void backend_flush(struct backend *backend)
{
    if (backend->state == BACKEND_READY) {
        // A failure to write shows as one to read.
        int left = PQflush(backend->conn);
        watch(backend, UV_READABLE | (left == 1 ? UV_WRITABLE : 0));
    }
}

void backend_look(struct backend *backend, struct mono now)
{
    if (backend->state == BACKEND_CONNECTING && mono_before(backend->deadline, now)) {
        const struct address *address = &backend->addresses.items[backend->at];
        char text[512];
        snprintf(text, sizeof text,
                 "connection to server at \"%s\" %s failed: no answer within 5 seconds",
                 address->host, address->numeric);
        next_address(backend, text); // who owns it may free it in there
    } else if (backend->state == BACKEND_RESOLVING && mono_before(backend->deadline, now)) {
        break_off(backend, "its host name was not resolved within 15 seconds: check the DNS");
    }
}

void backend_open(struct backend *backend, uv_loop_t *loop, struct clock *clock, const char *url,
                  const struct backend_events *events)
{
    *backend = (struct backend){
        .events = events, .loop = loop, .clock = clock, .state = BACKEND_RESOLVING};
    backend->options = PQconninfoParse(url, NULL);
    CHECK(backend->options != NULL); // the configuration was checked by the same function
    backend->deadline = mono_add(clock_mono(clock), DURATION_S(15));
    backend->search = address_search_new(loop, backend->options, on_addresses, backend);
}

void backend_close(struct backend *backend)
{
    address_search_abandon(backend->search);
    unwatch(backend);
    PQfinish(backend->conn);
    PQconninfoFree(backend->options);
    backend->search = NULL;
    backend->conn = NULL;
    backend->options = NULL;
    backend->state = BACKEND_CLOSED;
}
