// SPDX-License-Identifier: MIT
#include "http/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Decodes in place. NULL, or what is wrong with it.
static const char *decode(char *text, bool is_path)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0) {
                return "has a % without two hexadecimal digits behind it";
            }
            c = (char)(high * 16 + low);
            in += 2;
            if (is_path && c == '/') {
                return "has an encoded slash in its path";
            }
        }
        if ((unsigned char)c < 0x20 || c == 0x7f) {
            return "has a control character";
        }
        *out++ = c;
    }
    *out = '\0';
    return utf8_is_valid(text, (size_t)(out - text)) ? NULL : "is not UTF-8";
}

static const char *take_parameter(struct http_target *target, char *text)
{
    if (*text == '\0') {
        return NULL; // "a=1&" and a lone "?" say nothing
    }
    if (target->query_count == HTTP_QUERY_MAX) {
        return "has more than 32 parameters";
    }
    char *value = strchr(text, '=');
    if (value == NULL) {
        value = text + strlen(text);
    } else {
        *value++ = '\0';
    }
    const char *wrong = decode(text, false);
    wrong = wrong != NULL ? wrong : decode(value, false);
    if (wrong == NULL && *text == '\0') {
        return "has a parameter without a name";
    }
    target->query[target->query_count++] = (struct http_param){text, value};
    return wrong;
}

static const char *take_query(struct http_target *target, char *query)
{
    const char *wrong = NULL;
    char *rest = query;
    while (rest != NULL && wrong == NULL) {
        char *piece = rest;
        rest = strchr(piece, '&');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        wrong = take_parameter(target, piece);
    }
    return wrong;
}

bool http_target_parse(struct http_target *target, const char *raw, struct error *err)
{
    *target = (struct http_target){0};
    if (strlen(raw) > HTTP_TARGET_MAX) {
        return error_set(err, ERROR_LIMIT, "The request's target is longer than %d bytes.",
                         HTTP_TARGET_MAX);
    }
    target->text = alloc_string(raw);
    char *query = strchr(target->text, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    target->path = target->text;
    const char *wrong = decode(target->text, true);
    wrong = wrong != NULL ? wrong : take_query(target, query);
    if (wrong != NULL) {
        http_target_release(target);
        return error_set(err, ERROR_USAGE, "The request's target %s.", wrong);
    }
    return true;
}

void http_target_release(struct http_target *target)
{
    free(target->text);
    *target = (struct http_target){0};
}
