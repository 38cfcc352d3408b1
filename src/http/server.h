// SPDX-License-Identifier: MIT
// The HTTP server port: requests in, handler's answers out, no threads. The owner's loop watches
// http_server_fd for reading and calls http_server_run when it is readable and when the time that
// http_server_timeout gives has passed; without the second, idle and slow clients are never
// dropped.
//
// Limits hold whatever a client does: connections in all and from one address, the size of headers
// and body, and the time for each half of an exchange (waiting for a whole request; sending the
// whole answer), however slowly it drips. When three quarters of what one address may have are
// taken, the connection whose request is awaited longest makes room for the new one. On loopback
// only Host names of loopback are answered (421 otherwise). Errors are problem documents (RFC
// 9457), but for requests that are not HTTP at all, which get the protocol library's short 4xx
// answer or a closed connection. The owner ignores SIGPIPE: a TLS client may vanish while it is
// written to.
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "http/request.h"
#include "time/clock.h"
#include "time/instant.h"

struct http_server;

struct http_server_options {
    const char *unix_path; // a unix socket instead of host, port and TLS; its peers are known
    const char *host;      // address or name; IPv6 with or without brackets
    int port;              // 0 = any
    const char *tls_cert;  // paths of PEM files, both or neither
    const char *tls_key;
    int connections_max;             // 0 = 128
    int connections_per_address_max; // 0 = half of connections_max
    size_t header_memory;            // of a connection: bounds a request's headers; 0 = 64 KB
    size_t body_max;                 // 0 = 64 KB
    struct duration request_timeout; // for each half of an exchange, and idle; 0 = 30 s
    struct clock *clock;
    http_handler_fn *handler; // called from http_server_run only
    // What a handler has kept of a request that is over: it was answered, or the client is gone.
    // NULL: handlers keep nothing.
    void (*forget)(void *context, void *kept);
    void *context;
};

// Binds and listens at once. Strings are not kept.
bool http_server_new(const struct http_server_options *options, struct http_server **server_out,
                     struct error *err) MUST_USE;
void http_server_free(struct http_server *server); // drops what is open; NULL is fine

int http_server_fd(const struct http_server *server); // an epoll descriptor; the server's
// False: nothing to wait for but the descriptor. Else run again after *timeout_out (0 = at once).
bool http_server_timeout(struct http_server *server, struct duration *timeout_out);
// Handles what is ready without waiting, a bounded piece.
void http_server_run(struct http_server *server);
// In the next http_server_run streams that said HTTP_STREAM_WAIT are asked again, and requests for
// which there was no answer yet are handled again.
void http_server_wake(struct http_server *server);

int http_server_port(const struct http_server *server);
const char *http_server_address(const struct http_server *server); // "127.0.0.1:8321"
int http_server_connections(const struct http_server *server);
