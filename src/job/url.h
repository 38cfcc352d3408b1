// SPDX-License-Identifier: MIT
// The URL of an http job, taken apart (RFC 3986): only what may be requested passes.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define URL_MAX      8192
#define URL_HOST_MAX 253

struct url {
    bool is_tls;
    char host[URL_HOST_MAX + 1]; // an IPv6 address without its brackets
    bool is_ipv6;
    int port;           // the scheme's own where none is written
    bool has_port;      // one is written
    const char *path;   // into the text: what follows host and port, "" when there is nothing
    size_t path_length; // up to the query
};

// http and https only, without user, password and fragment; ASCII without spaces. `text` must live
// as long as the result. The error never holds any of the text.
bool url_parse(const char *text, struct url *url_out, struct error *err) MUST_USE;
// "https://host:port" as it was written.
void url_describe_host(const struct url *url, struct buf *out);
