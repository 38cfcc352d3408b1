// SPDX-License-Identifier: MIT
#include "job/url.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"
#define HOST_CHARACTERS                                                                            \
    DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"                                  \
           "-._~"

static bool read_scheme(const char **at, struct url *url, struct error *err)
{
    static const struct {
        const char *text;
        bool is_tls;
        int port;
    } schemes[] = {{"http://", false, 80}, {"https://", true, 443}};
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        size_t length = strlen(schemes[i].text);
        if (strncasecmp(*at, schemes[i].text, length) == 0) {
            url->is_tls = schemes[i].is_tls;
            url->port = schemes[i].port;
            *at += length;
            return true;
        }
    }
    return error_set(err, ERROR_CONFIG, "must begin with http:// or https://");
}

static bool check_characters(const char *text, struct error *err)
{
    if (strlen(text) > URL_MAX) {
        return error_set(err, ERROR_CONFIG, "is longer than %d bytes", URL_MAX);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return error_set(err, ERROR_CONFIG,
                             "holds a space, a control byte or a letter beyond ASCII; write it as "
                             "%%XX, and a host's name in its xn-- form");
        }
    }
    if (strchr(text, '#') != NULL) {
        return error_set(err, ERROR_CONFIG,
                         "has a part after \"#\", which is never sent; remove it, or write %%23");
    }
    return true;
}

// The IPv6 address in brackets; moves behind them.
static bool read_ipv6(const char **at, struct url *url, struct error *err)
{
    size_t length = strcspn(*at + 1, "]");
    unsigned char bytes[16];
    if ((*at)[1 + length] != ']' || length > URL_HOST_MAX) {
        return error_set(err, ERROR_CONFIG, "has \"[\" without \"]\" around its IPv6 address");
    }
    memcpy(url->host, *at + 1, length);
    url->host[length] = '\0';
    if (inet_pton(AF_INET6, url->host, bytes) != 1) {
        return error_set(err, ERROR_CONFIG, "has no IPv6 address between its brackets");
    }
    url->is_ipv6 = true;
    *at += length + 2;
    return true;
}

static bool read_host(const char **at, struct url *url, struct error *err)
{
    if (**at == '[') {
        return read_ipv6(at, url, err);
    }
    size_t length = strspn(*at, HOST_CHARACTERS);
    if (length == 0 || length > URL_HOST_MAX || strchr(":/?", (*at)[length]) == NULL) {
        return error_set(err, ERROR_CONFIG, "names no host after //, such as app.example.org");
    }
    memcpy(url->host, *at, length);
    url->host[length] = '\0';
    *at += length;
    return true;
}

static bool read_port(const char **at, struct url *url, struct error *err)
{
    if (**at != ':') {
        return true;
    }
    size_t length = strspn(*at + 1, DIGITS);
    long port = length == 0 || length > 5 ? 0 : strtol(*at + 1, NULL, 10);
    if (port < 1 || port > 65535) {
        return error_set(err, ERROR_CONFIG, "has no port from 1 to 65535 after the host's \":\"");
    }
    url->port = (int)port;
    url->has_port = true;
    *at += 1 + length;
    return true;
}

bool url_parse(const char *text, struct url *url_out, struct error *err)
{
    struct url url = {0};
    const char *at = text;
    if (!check_characters(text, err) || !read_scheme(&at, &url, err)) {
        return false;
    }
    if (memchr(at, '@', strcspn(at, "/?")) != NULL) {
        return error_set(err, ERROR_CONFIG,
                         "holds a user or a password before \"@\", where they end up in logs; send "
                         "them in \"headers\", such as Authorization");
    }
    if (!read_host(&at, &url, err) || !read_port(&at, &url, err)) {
        return false;
    }
    if (strchr("/?", *at) == NULL) {
        return error_set(err, ERROR_CONFIG, "has something between its host and the \"/\"");
    }
    url.path = at;
    url.path_length = strcspn(at, "?");
    *url_out = url;
    return true;
}

void url_describe_host(const struct url *url, struct buf *out)
{
    buf_printf(out, "%s://%s%s%s", url->is_tls ? "https" : "http", url->is_ipv6 ? "[" : "",
               url->host, url->is_ipv6 ? "]" : "");
    if (url->has_port) {
        buf_printf(out, ":%d", url->port);
    }
}
