// SPDX-License-Identifier: MIT
// With stream_mhd.c all that knows libmicrohttpd. A connection's life: connection_changed →
// target_arrived → request_arrived (once for the headers, again for each piece of body, last to
// answer) → request_ended → …
#include "http/server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/deadlines.h"
#include "http/host.h"
#include "http/listen.h"
#include "http/listen_unix.h"
#include "http/pem.h"
#include "http/problem.h"
#include "http/stream_mhd.h"
#include "http/target.h"

#define CONNECTIONS_DEFAULT 128
#define MEMORY_DEFAULT      ((size_t)64 * 1024)
#define BODY_DEFAULT        ((size_t)64 * 1024)
#define TIMEOUT_DEFAULT     DURATION_S(30)
#define ROUNDS_MAX          16 // of one http_server_run: about half a megabyte of a stream

struct exchange {
    struct http_target target;
    struct error target_error; // of a target that could not be read
    struct buf body;
    bool has_begun; // the headers are here
    bool too_large;
    void *kept;                 // the handler's
    struct suspended suspended; // while there is no answer yet
};

struct connection {
    struct deadline *deadline;
    struct http_peer peer;
};

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_server_options options;
    struct http_listener listener;
    struct deadlines connections;
    struct streams streams;
    struct suspended_list suspended; // what has nothing to send yet
    bool is_woken;                   // its descriptor does not always tell
    int epoll_fd;
    char *unix_path;           // NULL = TCP
    char library_message[256]; // its last one: the reason when it does not start
};

// The kernel's word about who connected, not the peer's own.
static struct http_peer peer_of(int fd)
{
    struct ucred who;
    socklen_t size = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
        return (struct http_peer){.is_local = true, .uid = (uid_t)-1};
    }
    return (struct http_peer){.is_local = true, .uid = who.uid};
}

static void connection_changed(void *context, struct MHD_Connection *mhd, void **slot,
                               enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    struct connection *connection = *slot;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection = alloc_zero(1, sizeof *connection);
        connection->deadline = deadlines_add(
            &server->connections, fd,
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
        connection->peer = server->unix_path != NULL ? peer_of(fd) : (struct http_peer){0};
        *slot = connection;
    } else if (connection != NULL) {
        deadlines_remove(&server->connections, connection->deadline);
        free(connection);
        *slot = NULL;
    }
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void request_moved(struct http_server *server, struct MHD_Connection *mhd, bool is_awaited)
{
    struct connection *connection = connection_of(mhd);
    if (connection != NULL) {
        connection->deadline->is_awaited = is_awaited;
        deadlines_push(&server->connections, connection->deadline);
    }
}

// ---- answering ----------------------------------------------------------------------------------

// Takes the body over.
static struct MHD_Response *make_response(struct http_server *server, struct MHD_Connection *mhd,
                                          struct http_response *response)
{
    if (response->stream.read != NULL) {
        return streams_response(&server->streams, mhd, connection_of(mhd)->deadline,
                                &response->stream);
    }
    if (response->body.data == NULL) {
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    }
    struct MHD_Response *made = MHD_create_response_from_buffer(
        response->body.length, response->body.data, MHD_RESPMEM_MUST_FREE);
    if (made != NULL) {
        buf_init(&response->body, HTTP_RESPONSE_MAX);
    }
    return made;
}

static void add_headers(struct MHD_Response *made, const struct http_response *response)
{
    const char *type = response->content_type;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%d", response->retry_after);
    const struct http_header headers[] = {
        {"Content-Type", type != NULL ? type : "text/plain; charset=utf-8"},
        {"X-Content-Type-Options", "nosniff"},
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"},
        {"Allow", response->allow},
        {"WWW-Authenticate", response->authenticate},
        {"Location", response->location[0] != '\0' ? response->location : NULL},
        {"Link", response->link[0] != '\0' ? response->link : NULL},
        {"Retry-After", response->retry_after > 0 ? seconds : NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(headers); i++) {
        if (headers[i].value != NULL) {
            MHD_add_response_header(made, headers[i].name, headers[i].value);
        }
    }
}

static enum MHD_Result answer(struct http_server *server, struct MHD_Connection *mhd,
                              struct http_response *response, bool is_head)
{
    bool is_stream = response->stream.read != NULL;
    struct MHD_Response *made = make_response(server, mhd, response);
    int status = response->status;
    if (made == NULL) {
        http_response_release(response);
        return MHD_NO;
    }
    if (is_head && is_stream) {
        // Else the library ends the body that it does not send with a chunk of length 0, which the
        // client would take for the beginning of the next answer.
        MHD_set_response_options(made, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    }
    add_headers(made, response);
    http_response_release(response);
    enum MHD_Result result = MHD_queue_response(mhd, (unsigned)status, made);
    MHD_destroy_response(made);
    return result;
}

// ---- requests -----------------------------------------------------------------------------------

struct headers {
    struct http_header list[HTTP_HEADERS_MAX];
    size_t count;
    bool too_many;
};

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    struct headers *headers = context;
    if (headers->count == HTTP_HEADERS_MAX) {
        headers->too_many = true;
        return MHD_NO;
    }
    headers->list[headers->count++] =
        (struct http_header){.name = name, .value = value != NULL ? value : ""};
    return MHD_YES;
}

// True when the request may go on to the handler; else the response is a problem.
static bool admit(const struct http_server *server, const struct http_request *request,
                  bool too_many, const struct exchange *exchange, struct http_response *response)
{
    const char *host = http_request_header(request, "Host");
    if (too_many) {
        http_problem(response, 431, "More than %d header fields.", HTTP_HEADERS_MAX);
    } else if (exchange->target.path == NULL) {
        http_problem(response, exchange->target_error.code == ERROR_LIMIT ? 414 : 400, "%s",
                     exchange->target_error.text);
    } else if (exchange->too_large) {
        http_problem(response, 413, "The body is larger than %zu bytes.", server->options.body_max);
    } else if (http_request_header_count(request, "Host") > 1) {
        http_problem(response, 400, "More than one Host header.");
    } else if (server->listener.is_loopback && host != NULL && !http_host_is_loopback(host)) {
        http_problem(response, 421,
                     "This server listens on loopback and answers only to localhost, 127.0.0.1 and "
                     "[::1], not to the Host %.100s.",
                     host);
    } else {
        return true;
    }
    return false;
}

static enum MHD_Result handle(struct http_server *server, struct MHD_Connection *mhd,
                              const char *method, struct exchange *exchange)
{
    struct headers headers = {.count = 0};
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, collect_header, &headers);
    const struct http_request request = {
        .method = method,
        .path = exchange->target.path,
        .query = exchange->target.query,
        .query_count = exchange->target.query_count,
        .headers = headers.list,
        .header_count = headers.count,
        .body = buf_string(&exchange->body),
        .body_length = exchange->body.length,
        .peer = connection_of(mhd)->peer,
        .kept = &exchange->kept,
    };
    struct http_response response;
    http_response_init(&response);
    if (admit(server, &request, headers.too_many, exchange, &response)) {
        server->options.handler(server->options.context, &request, &response);
    }
    if (response.later) {
        http_response_release(&response);
        suspended_wait(&server->suspended, &exchange->suspended, mhd);
        return MHD_YES; // the library asks again when it is woken
    }
    return answer(server, mhd, &response, strcmp(method, "HEAD") == 0);
}

static bool announces_too_much(const struct http_server *server, struct MHD_Connection *mhd)
{
    const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, "Content-Length");
    return length != NULL && strtoull(length, NULL, 10) > server->options.body_max;
}

// The library's first word of a request: its target as it was sent. The library's own decoding is
// too kind.
static void *target_arrived(void *context, const char *uri, struct MHD_Connection *mhd)
{
    (void)mhd;
    struct http_server *server = context;
    struct exchange *exchange = alloc_zero(1, sizeof *exchange);
    buf_init(&exchange->body, server->options.body_max);
    if (!http_target_parse(&exchange->target, uri, &exchange->target_error)) {
        exchange->target = (struct http_target){0};
    }
    return exchange;
}

static enum MHD_Result request_arrived(void *context, struct MHD_Connection *mhd, const char *url,
                                       const char *method, const char *version, const char *data,
                                       size_t *data_size, void **slot)
{
    (void)url;
    (void)version;
    struct http_server *server = context;
    struct exchange *exchange = *slot;
    if (!exchange->has_begun) {
        exchange->has_begun = true;
        exchange->too_large = announces_too_much(server, mhd);
        // An answer before the body closes the connection afterwards: the body is never read.
        return exchange->too_large ? handle(server, mhd, method, exchange) : MHD_YES;
    }
    if (*data_size > 0) {
        buf_add(&exchange->body, data, *data_size);
        exchange->too_large |= exchange->body.overflow;
        *data_size = 0;
        return MHD_YES;
    }
    request_moved(server, mhd, false); // the request is here: from now on it is the answer's time
    return handle(server, mhd, method, exchange);
}

static void request_ended(void *context, struct MHD_Connection *mhd, void **slot,
                          enum MHD_RequestTerminationCode code)
{
    (void)code;
    struct http_server *server = context;
    struct exchange *exchange = *slot;
    *slot = NULL;
    request_moved(server, mhd, true);
    if (exchange != NULL) {
        suspended_leave(&exchange->suspended);
        if (exchange->kept != NULL) {
            server->options.forget(server->options.context, exchange->kept);
        }
        http_target_release(&exchange->target);
        buf_release(&exchange->body);
        free(exchange);
    }
}

// ---- life ---------------------------------------------------------------------------------------

PRINTF(2, 0)
static void keep_message(void *context, const char *format, va_list args)
{
    struct http_server *server = context;
    vsnprintf(server->library_message, sizeof server->library_message, format, args);
    server->library_message[strcspn(server->library_message, "\n")] = '\0';
}

static void fill_defaults(struct http_server_options *options)
{
    if (options->connections_max == 0) {
        options->connections_max = CONNECTIONS_DEFAULT;
    }
    if (options->connections_per_address_max == 0) {
        options->connections_per_address_max = (options->connections_max + 1) / 2;
    }
    if (options->header_memory == 0) {
        options->header_memory = MEMORY_DEFAULT;
    }
    if (options->body_max == 0) {
        options->body_max = BODY_DEFAULT;
    }
    if (options->request_timeout.us <= 0) {
        options->request_timeout = TIMEOUT_DEFAULT;
    }
}

static void start_daemon(struct http_server *server, const struct pem *cert, const struct pem *key)
{
    const struct http_server_options *options = &server->options;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME;
    flags |= server->listener.is_ipv6 ? MHD_USE_IPv6 : 0;
    flags |= cert->text != NULL ? MHD_USE_TLS : 0;
    int64_t seconds = (options->request_timeout.us + 999999) / 1000000;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, cert->text},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, key->text},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, request_arrived, server, MHD_OPTION_EXTERNAL_LOGGER, keep_message,
        server, MHD_OPTION_LISTEN_SOCKET, server->listener.fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)options->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)options->connections_per_address_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        options->header_memory, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)seconds,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
        MHD_OPTION_NOTIFY_COMPLETED, request_ended, server, MHD_OPTION_URI_LOG_CALLBACK,
        target_arrived, server, MHD_OPTION_ARRAY, cert->text != NULL ? tls : none, MHD_OPTION_END);
}

static bool open_server(struct http_server *server, struct error *err)
{
    const struct http_server_options *options = &server->options;
    AUTO(pem_release) struct pem cert = {0};
    AUTO(pem_release) struct pem key = {0};
    if (options->tls_cert != NULL &&
        (!pem_read(options->tls_cert, &cert, err) || !pem_read(options->tls_key, &key, err))) {
        return false;
    }
    if (!(options->unix_path != NULL
              ? http_listen_unix(options->unix_path, &server->listener, err)
              : http_listen(options->host, options->port, &server->listener, err))) {
        return false;
    }
    start_daemon(server, &cert, &key);
    if (server->daemon == NULL) {
        close(server->listener.fd);
        if (cert.text != NULL) {
            return error_set(err, ERROR_CONFIG,
                             "cannot serve TLS with %s and %s: %s; both must be PEM and belong "
                             "together, the key without a passphrase",
                             options->tls_cert, options->tls_key, server->library_message);
        }
        return error_set(err, ERROR_IO, "cannot serve HTTP on %s: %s", server->listener.address,
                         server->library_message);
    }
    server->epoll_fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return true;
}

bool http_server_new(const struct http_server_options *options, struct http_server **server_out,
                     struct error *err)
{
    CHECK((options->tls_cert == NULL) == (options->tls_key == NULL));
    struct http_server *server = alloc_zero(1, sizeof *server);
    server->options = *options;
    fill_defaults(&server->options);
    server->connections.clock = options->clock;
    server->connections.limit = server->options.request_timeout;
    server->connections.from_one_most = server->options.connections_per_address_max * 3 / 4;
    server->streams = (struct streams){&server->connections, &server->suspended};
    server->unix_path = alloc_optional(options->unix_path);
    if (!open_server(server, err)) {
        free(server->unix_path);
        free(server);
        return false;
    }
    server->options.unix_path = server->options.host = server->options.tls_cert =
        server->options.tls_key = NULL;
    *server_out = server;
    return true;
}

void http_server_free(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->unix_path != NULL) {
        http_unlisten_unix(server->unix_path, &server->listener);
    }
    suspended_wake(
        &server->suspended); // the library refuses to stop while connections are suspended
    MHD_stop_daemon(server->daemon);
    CHECK(server->connections.count == 0);
    free(server->unix_path);
    free(server);
}

int http_server_fd(const struct http_server *server)
{
    return server->epoll_fd;
}

bool http_server_timeout(struct http_server *server, struct duration *timeout_out)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    bool some = MHD_get_timeout(server->daemon, &ms) == MHD_YES;
    struct duration left;
    if (server->is_woken) {
        *timeout_out = DURATION_US(0);
        return true;
    }
    *timeout_out = DURATION_MS(ms);
    if (deadlines_left(&server->connections, &left) && (!some || left.us < timeout_out->us)) {
        *timeout_out = left;
        some = true;
    }
    return some;
}

void http_server_run(struct http_server *server)
{
    deadlines_enforce(&server->connections);
    server->is_woken = false;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        MHD_UNSIGNED_LONG_LONG ms = 1;
        MHD_run(server->daemon);
        if (MHD_get_timeout(server->daemon, &ms) != MHD_YES || ms > 0) {
            return;
        }
    }
}

void http_server_wake(struct http_server *server)
{
    suspended_wake(&server->suspended);
    server->is_woken = true;
}

int http_server_port(const struct http_server *server)
{
    return server->listener.port;
}

const char *http_server_address(const struct http_server *server)
{
    return server->listener.address;
}

int http_server_connections(const struct http_server *server)
{
    return server->connections.count;
}
