// SPDX-License-Identifier: MIT
#include "http/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *start;
    size_t length;
};

struct range {
    struct span type, subtype, version;
    int quality;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span trimmed(const char *start, const char *end)
{
    while (start < end && is_blank(*start)) {
        start++;
    }
    while (end > start && is_blank(end[-1])) {
        end--;
    }
    return (struct span){start, (size_t)(end - start)};
}

static bool span_is(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.start, text, span.length) == 0;
}

// The next piece of `text` up to `separator`, not looking inside quotes; *rest moves behind it.
static struct span next_piece(const char **rest, const char *end, char separator)
{
    const char *start = *rest;
    const char *p = start;
    bool quoted = false;
    while (p < end && (quoted || *p != separator)) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (quoted && *p == '\\' && p + 1 < end) {
            p++;
        }
        p++;
    }
    *rest = p < end ? p + 1 : end;
    return trimmed(start, p);
}

// qvalue: 0, 0.5, 0.333, 1, 1.000. What is not one counts as 0, so that nonsense asks for nothing.
static int parse_quality(struct span text)
{
    if (text.length == 0 || text.length > 5 || (text.start[0] != '0' && text.start[0] != '1') ||
        (text.length > 1 && text.start[1] != '.')) {
        return 0;
    }
    int quality = (text.start[0] - '0') * 1000;
    int unit = 100;
    for (size_t i = 2; i < text.length; i++, unit /= 10) {
        if (text.start[i] < '0' || text.start[i] > '9') {
            return 0;
        }
        quality += (text.start[i] - '0') * unit;
    }
    return quality > 1000 ? 0 : quality;
}

static void read_parameter(struct span piece, struct range *range)
{
    const char *end = piece.start + piece.length;
    const char *equals = memchr(piece.start, '=', piece.length);
    if (equals == NULL) {
        return;
    }
    struct span name = trimmed(piece.start, equals);
    struct span value = trimmed(equals + 1, end);
    if (value.length >= 2 && value.start[0] == '"' && value.start[value.length - 1] == '"') {
        value = (struct span){value.start + 1, value.length - 2};
    }
    if (span_is(name, "q")) {
        range->quality = parse_quality(value);
    } else if (span_is(name, "version")) {
        range->version = value;
    }
}

static bool read_range(struct span text, struct range *range)
{
    const char *end = text.start + text.length;
    const char *rest = text.start;
    struct span media = next_piece(&rest, end, ';');
    const char *slash = memchr(media.start, '/', media.length);
    if (slash == NULL) {
        return false;
    }
    *range = (struct range){.quality = 1000};
    range->type = trimmed(media.start, slash);
    range->subtype = trimmed(slash + 1, media.start + media.length);
    while (rest < end) {
        read_parameter(next_piece(&rest, end, ';'), range);
    }
    return true;
}

// 0 = does not match, 1 = */*, 2 = type/*, 3 = type/subtype, 4 = with the version.
static int specificity(const struct range *range, const char *type, const char *subtype,
                       const char *version)
{
    if (span_is(range->type, "*")) {
        return span_is(range->subtype, "*") ? 1 : 0;
    }
    if (!span_is(range->type, type)) {
        return 0;
    }
    if (span_is(range->subtype, "*")) {
        return 2;
    }
    if (!span_is(range->subtype, subtype)) {
        return 0;
    }
    if (range->version.length == 0) {
        return 3;
    }
    return span_is(range->version, version) ? 4 : 0;
}

int http_accept_quality(const char *accept, const char *type, const char *subtype,
                        const char *version, bool *named_out)
{
    int best = 0;
    int quality = 0;
    if (accept == NULL || accept[strspn(accept, " \t,")] == '\0') {
        best = 1;
        quality = 1000;
        accept = "";
    }
    const char *rest = accept;
    const char *end = accept + strlen(accept);
    while (rest < end) {
        struct range range;
        if (!read_range(next_piece(&rest, end, ','), &range)) {
            continue;
        }
        int specific = specificity(&range, type, subtype, version);
        if (specific > best || (specific == best && specific > 0 && range.quality > quality)) {
            best = specific;
            quality = range.quality;
        }
    }
    if (named_out != NULL) {
        *named_out = best >= 3;
    }
    return quality;
}
