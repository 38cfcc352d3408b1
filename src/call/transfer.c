// SPDX-License-Identifier: MIT
#include "call/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/utf8.h"

#define SEND_TIMEOUT_MS 30000 // what is sent is acknowledged within this, or the peer is gone
#define DNS_CACHE_S     30

// ---- the answer ---------------------------------------------------------------------------------

static void keep_text(char *out, size_t size, const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    length = utf8_cut(text, length, size - 1);
    utf8_sanitise(text, length, out);
}

// "HTTP/1.1 404 Not Found": each answer begins so, a provisional one (1xx) too.
static void take_status_line(struct transfer *transfer, const char *line, size_t length)
{
    const char *space = memchr(line, ' ', length);
    const char *reason =
        space == NULL ? NULL : memchr(space + 1, ' ', length - (size_t)(space + 1 - line));
    transfer->location[0] = transfer->reason[0] = '\0';
    if (reason != NULL) {
        keep_text(transfer->reason, sizeof transfer->reason, reason + 1,
                  length - (size_t)(reason + 1 - line));
    }
}

static void take_location(struct transfer *transfer, const char *line, size_t length)
{
    static const char name[] = "location:";
    size_t skip = sizeof name - 1;
    if (length <= skip || strncasecmp(line, name, skip) != 0) {
        return;
    }
    while (skip < length && (line[skip] == ' ' || line[skip] == '\t')) {
        skip++;
    }
    size_t end = skip; // a query may hold a secret
    while (end < length && line[end] != '?' && line[end] != '#') {
        end++;
    }
    keep_text(transfer->location, sizeof transfer->location, line + skip, end - skip);
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    transfer->header_bytes += (int64_t)length;
    if (transfer->header_bytes > TRANSFER_HEADERS_MAX) {
        transfer->headers_over = true;
        return 0;
    }
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        take_status_line(transfer, line, length);
    } else {
        take_location(transfer, line, length);
    }
    return length;
}

static void take_line(struct transfer *transfer, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length && !transfer->line_done; i++) {
        bool blank = strchr(" \t\r\n", bytes[i]) != NULL || bytes[i] == '\0';
        if (blank && transfer->line_length == 0) {
            continue;
        }
        transfer->line_done = bytes[i] == '\n' || bytes[i] == '\r' ||
                              transfer->line_length + 1 == sizeof transfer->line;
        if (!transfer->line_done) {
            transfer->line[transfer->line_length++] = bytes[i];
        }
    }
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;
    transfer->body_bytes += (int64_t)length;
    take_line(transfer, bytes, length);
    transfer->on_body(transfer->context, bytes, length);
    if (transfer->body_bytes > TRANSFER_BODY_MAX) {
        transfer->body_over = true;
        return 0;
    }
    return length;
}

// ---- the request --------------------------------------------------------------------------------

static int on_connect(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context;
    (void)purpose;
    int ms = SEND_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    return CURL_SOCKOPT_OK;
}

#define SET(option, value)                                                                         \
    CHECK(curl_easy_setopt(transfer->easy, CURLOPT_##option, (value)) == CURLE_OK)

// A connection serves one request: on one that is used again libcurl would send a request a second
// time by itself where the server closes it without an answer, and nobody would know.
static void set_connection(const struct transfer *transfer, const struct job_http *http)
{
    SET(URL, http->url);
    SET(PROTOCOLS_STR, "http,https");
    SET(PROXY, ""); // whatever the environment says
    SET(NOSIGNAL, 1L);
    SET(QUICK_EXIT, 1L); // a name server that does not answer must not hold up the loop
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CONNECTTIMEOUT, (long)TRANSFER_CONNECT_S);
    SET(TCP_KEEPALIVE, 1L);
    SET(SOCKOPTFUNCTION, on_connect);
    SET(FRESH_CONNECT, 1L);
    SET(FORBID_REUSE, 1L);
    SET(DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    SET(PATH_AS_IS, 1L);
    SET(CAPATH, NULL); // with a folder libcurl would read all certificates for each connection
    if (http->ca != NULL) {
        SET(CAINFO, http->ca);
    }
}

static void set_request(const struct transfer *transfer, const struct job_http *http,
                        const struct request *request)
{
    SET(HTTPHEADER, request->headers);
    if (request->has_body) {
        SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
        SET(POSTFIELDS, buf_string(&request->body));
    }
    if (strcmp(http->method, "HEAD") == 0) {
        SET(NOBODY, 1L);
    } else {
        SET(CUSTOMREQUEST, http->method);
    }
}

void transfer_open(struct transfer *transfer, const struct job_http *http,
                   const struct request *request)
{
    transfer->easy = curl_easy_init();
    CHECK(transfer->easy != NULL);
    set_connection(transfer, http);
    set_request(transfer, http, request);
    SET(ERRORBUFFER, transfer->curl_text);
    SET(HEADERFUNCTION, on_header);
    SET(HEADERDATA, transfer);
    SET(WRITEFUNCTION, on_bytes);
    SET(WRITEDATA, transfer);
    SET(PRIVATE, transfer->context);
}

void transfer_close(struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_easy_cleanup(transfer->easy);
        transfer->easy = NULL;
    }
}

int transfer_status(const struct transfer *transfer)
{
    long status = 0;
    if (transfer->easy != NULL) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    }
    return (int)status;
}

bool transfer_was_sent(const struct transfer *transfer)
{
    long bytes = 0;
    if (transfer->easy != NULL) {
        curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
    }
    return bytes > 0;
}
