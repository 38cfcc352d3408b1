// SPDX-License-Identifier: MIT
#include "call/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/log.h"
#include "base/utf8.h"
#include "job/expect.h"
#include "job/url.h"

// Of <openssl/x509_vfy.h>, which libcurl hands through as numbers.
enum {
    VERIFY_NOT_YET = 9,
    VERIFY_EXPIRED = 10,
    VERIFY_SELF_SIGNED = 18,
    VERIFY_SELF_IN_CHAIN = 19,
    VERIFY_NO_ISSUER = 20,
    VERIFY_NO_ISSUER_OF_LEAF = 21
};

// Text from outside, made fit for one line without secrets.
static void add_foreign(struct buf *out, const char *text, size_t length)
{
    char clean[TRANSFER_LOCATION_MAX + 1];
    length = utf8_cut(text, length, sizeof clean - 1);
    utf8_sanitise(text, length, clean);
    char *masked = log_mask(clean);
    buf_add_string(out, masked);
    free(masked);
}

static void add_request(struct buf *out, const struct job_http *http)
{
    buf_printf(out, "%s %.300s", http->method, http->shown_url);
}

// "app.internal:443": where the connection goes.
static void add_peer(struct buf *out, const struct job_http *http)
{
    struct url url;
    struct error err = ERROR_INIT;
    if (url_parse(http->url, &url, &err)) {
        buf_printf(out, url.is_ipv6 ? "[%s]:%d" : "%s:%d", url.host, url.port);
    }
}

// ---- an answer ----------------------------------------------------------------------------------

static const char *status_remedy(int status)
{
    switch (status) {
    case 401:
    case 403:
        return "; check \"secret\" and \"headers\" against what it wants";
    case 404:
    case 405:
        return "; check \"url\" and \"method\"";
    default:
        return "";
    }
}

static void add_status(struct buf *out, const struct transfer *transfer, int status)
{
    buf_printf(out, " answered %d", status);
    if (transfer->reason[0] != '\0') {
        buf_add_char(out, ' ');
        add_foreign(out, transfer->reason, strlen(transfer->reason));
    }
}

static void tell_unexpected(struct buf *out, const struct transfer *transfer,
                            const struct job_http *http, int status)
{
    add_request(out, http);
    add_status(out, transfer, status);
    if (status >= 300 && status < 400 && transfer->location[0] != '\0') {
        buf_add_string(out, " to ");
        add_foreign(out, transfer->location, strlen(transfer->location));
        buf_add_string(out, "; redirects are not followed: correct \"url\"");
        return;
    }
    buf_add_string(out, ", expected ");
    expect_describe(http, out);
    buf_add_string(out, status_remedy(status));
    if (transfer->line_length > 0) {
        buf_add_string(out, ": ");
        add_foreign(out, transfer->line, transfer->line_length);
    }
}

// ---- no answer ----------------------------------------------------------------------------------

static void tell_no_connection(struct buf *out, const struct transfer *transfer,
                               const struct job_http *http)
{
    long reason = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &reason);
    buf_add_string(out, "cannot connect to ");
    add_peer(out, http);
    buf_printf(out, ": %s; check that it runs and can be reached from here",
               reason != 0 ? strerror((int)reason) : "no address of it answers");
}

// libcurl keeps this error for the time to connect; the run's own timeout is ours.
static void tell_slow_connection(struct buf *out, const struct job_http *http)
{
    buf_add_string(out, "no connection to ");
    add_peer(out, http);
    buf_printf(out,
               " within %d s; check that it can be reached from here (firewall, name server, TLS)",
               TRANSFER_CONNECT_S);
}

static const char *certificate_fault(long verdict)
{
    switch (verdict) {
    case VERIFY_NOT_YET:
        return "is not valid yet; check the clocks of both hosts, or have it issued anew";
    case VERIFY_EXPIRED:
        return "has expired; renew it on the server";
    case VERIFY_SELF_SIGNED:
    case VERIFY_SELF_IN_CHAIN:
        return "is self-signed; give that certificate, or its authority's, as \"ca\"";
    case VERIFY_NO_ISSUER:
    case VERIFY_NO_ISSUER_OF_LEAF:
        return "is from an authority that is not trusted here; give that authority's as \"ca\", or "
               "let the server send its whole chain";
    default:
        return NULL;
    }
}

static void tell_bad_certificate(struct buf *out, const struct transfer *transfer,
                                 const struct job_http *http)
{
    long verdict = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SSL_VERIFYRESULT, &verdict);
    const char *fault = certificate_fault(verdict);
    buf_add_string(out, "the certificate of ");
    add_peer(out, http);
    if (fault != NULL) {
        buf_printf(out, " %s", fault);
    } else if (strstr(transfer->curl_text, "subject name") != NULL) {
        buf_add_string(out, " is for another name; call the server by a name that is in it");
    } else {
        buf_printf(out, " is not accepted: %s", transfer->curl_text);
    }
}

static void tell_broken(struct buf *out, const struct transfer *transfer)
{
    int status = transfer_status(transfer);
    if (status >= 200) {
        add_status(out, transfer, status);
        buf_printf(out, ", and the connection broke after %" PRId64 " bytes of the body",
                   transfer->body_bytes);
    } else {
        buf_add_string(out, ": the connection was closed without an answer");
    }
    if (transfer->curl_text[0] != '\0') {
        buf_printf(out, " (%s)", transfer->curl_text);
    }
}

static const struct {
    CURLcode code;
    const char *text;
} faults[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "its host is not found; correct \"url\", or the name server"},
    {CURLE_UNSUPPORTED_PROTOCOL, "what answers there does not speak HTTP; check the port"},
    {CURLE_WEIRD_SERVER_REPLY, "what answers there does not speak HTTP; check the port"},
    {CURLE_SSL_CONNECT_ERROR, "no TLS connection; does that port speak TLS (https)?"},
    {CURLE_SSL_CACERT_BADFILE,
     "the trusted certificates cannot be read; correct \"ca\", or install ca-certificates"},
};

static void tell_fault(struct buf *out, const struct transfer *transfer, CURLcode code)
{
    const char *text = curl_easy_strerror(code);
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        text = faults[i].code == code ? faults[i].text : text;
    }
    buf_printf(out, ": %s", text);
    if (transfer->curl_text[0] != '\0') {
        buf_printf(out, " (%s)", transfer->curl_text);
    }
}

static void tell_failure(struct buf *out, const struct transfer *transfer,
                         const struct job_http *http, CURLcode code)
{
    add_request(out, http);
    if (transfer->headers_over) {
        buf_printf(out, " sent more than %" PRId64 " KB of headers; what answers there?",
                   TRANSFER_HEADERS_MAX / 1024);
        return;
    }
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        buf_add_string(out, ": ");
        tell_no_connection(out, transfer, http);
        return;
    case CURLE_OPERATION_TIMEDOUT:
        buf_add_string(out, ": ");
        tell_slow_connection(out, http);
        return;
    case CURLE_PEER_FAILED_VERIFICATION:
        buf_add_string(out, ": ");
        tell_bad_certificate(out, transfer, http);
        return;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        tell_broken(out, transfer);
        break;
    default:
        tell_fault(out, transfer, code);
        break;
    }
    if (transfer_was_sent(transfer) && transfer_status(transfer) < 200) {
        buf_add_string(out, "; the server may have carried it out all the same");
    }
}

// ---- verdicts -----------------------------------------------------------------------------------

bool answer_judge(const struct transfer *transfer, const struct job_http *http, CURLcode code,
                  struct buf *sentence)
{
    int status = transfer_status(transfer);
    bool complete = code == CURLE_OK || transfer->body_over;
    if (complete && status >= 200 && expect_matches(http, status)) {
        return true;
    }
    // A body that breaks off says less than the status does.
    bool decided = status >= 200 && !expect_matches(http, status) && !transfer->headers_over;
    if (complete || decided) {
        tell_unexpected(sentence, transfer, http, status);
    } else {
        tell_failure(sentence, transfer, http, code);
    }
    return false;
}

void answer_describe_progress(const struct transfer *transfer, const struct job_http *http,
                              struct buf *sentence)
{
    int status = transfer_status(transfer);
    add_request(sentence, http);
    if (status >= 200) {
        add_status(sentence, transfer, status);
        buf_printf(sentence, " and had sent %" PRId64 " bytes of the body", transfer->body_bytes);
    } else if (transfer_was_sent(transfer)) {
        buf_add_string(sentence, " had not answered");
    } else {
        buf_add_string(sentence, " was not sent yet: there was no connection");
    }
}
