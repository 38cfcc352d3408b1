// SPDX-License-Identifier: MIT
#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

#define DETAIL_MAX 1024

static const char *status_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {200, "OK"},
        {202, "Accepted"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "Error";
}

void http_json_string(struct buf *out, const char *text)
{
    size_t length = strlen(text);
    char *clean = alloc_zero(length + 1, 1);
    utf8_sanitise(text, length, clean);
    buf_add_char(out, '"');
    for (const char *p = clean; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, *p);
        } else if ((unsigned char)*p < 0x20) {
            buf_printf(out, "\\u%04x", (unsigned)*p);
        } else {
            buf_add_char(out, *p);
        }
    }
    buf_add_char(out, '"');
    free(clean);
}

void http_problem_open(struct http_response *response, int status, const char *detail)
{
    http_response_release(response);
    http_response_init(response);
    response->status = status;
    response->content_type = HTTP_PROBLEM_TYPE;
    buf_add_string(&response->body, "{\"type\":\"about:blank\",\"title\":");
    http_json_string(&response->body, status_phrase(status));
    buf_printf(&response->body, ",\"status\":%d,\"detail\":", status);
    http_json_string(&response->body, detail);
}

void http_problem(struct http_response *response, int status, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    utf8_trim_partial(detail);
    http_problem_open(response, status, detail);
    buf_add_string(&response->body, "}\n");
}
