// SPDX-License-Identifier: MIT
#include "observe/exposition.h"

#include "base/utf8.h"
#include "http/accept.h"

enum exposition_format exposition_negotiate(const char *accept)
{
    bool named = false;
    int open = http_accept_quality(accept, "application", "openmetrics-text", "1.0.0", &named);
    int text = http_accept_quality(accept, "text", "plain", "0.0.4", NULL);
    return named && open > 0 && open >= text ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

// Digits of value, at least `width` of them, at the end of a 24-byte buffer.
static char *digits(char buffer[24], uint64_t value, int width)
{
    char *p = buffer + 24;
    while (value > 0 || width > 0) {
        *--p = (char)('0' + value % 10);
        value /= 10;
        width--;
    }
    return p;
}

void exposition_unsigned(struct exposition *out, uint64_t value)
{
    if (value < 10) { // most counters
        exposition_bytes(out, &"0123456789"[value], 1);
        return;
    }
    char buffer[24];
    const char *p = digits(buffer, value, 1);
    exposition_bytes(out, p, (size_t)(buffer + 24 - p));
}

void exposition_fixed(struct exposition *out, int64_t value, int decimals)
{
    CHECK(decimals >= 0 && decimals <= 18);
    char buffer[24];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (value < 0) {
        exposition_bytes(out, "-", 1);
    }
    const char *p = digits(buffer, magnitude, decimals + 1);
    const char *point = buffer + 24 - decimals;
    const char *end = buffer + 24;
    while (end > point && end[-1] == '0') {
        end--;
    }
    exposition_bytes(out, p, (size_t)(point - p));
    if (end > point) {
        exposition_bytes(out, ".", 1);
        exposition_bytes(out, point, (size_t)(end - point));
    }
}

void exposition_bound(struct exposition *out, const char *bound)
{
    exposition_text(out, bound);
    if (out->format == EXPOSITION_OPENMETRICS && strchr(bound, '.') == NULL) {
        exposition_bytes(out, ".0", 2);
    }
}

static void exposition_escaped(struct exposition *out, const char *value)
{
    char clean[EXPOSITION_LABEL_MAX + 1];
    utf8_sanitise(value, utf8_cut(value, strlen(value), EXPOSITION_LABEL_MAX), clean);
    for (const char *p = clean; *p != '\0'; p++) {
        if (*p == '\n') {
            exposition_bytes(out, "\\n", 2);
        } else if (*p == '\\' || *p == '"') {
            exposition_bytes(out, "\\", 1);
            exposition_bytes(out, p, 1);
        } else {
            exposition_bytes(out, p, 1);
        }
    }
}

// Names and schedules nearly always are: they need no second look.
static size_t plain_length(const char *value)
{
    size_t length = 0;
    while (value[length] >= ' ' && value[length] <= '~' && value[length] != '"' &&
           value[length] != '\\') {
        length++;
    }
    return value[length] == '\0' ? length : SIZE_MAX;
}

void exposition_label(struct exposition *out, const char *value)
{
    size_t plain = plain_length(value);
    if (plain <= EXPOSITION_LABEL_MAX) {
        exposition_bytes(out, value, plain);
        return;
    }
    exposition_escaped(out, value);
}

// In OpenMetrics a family is named without the suffix that its samples have.
static size_t family_name_length(const struct exposition *out, const char *name,
                                 enum exposition_type type)
{
    size_t length = strlen(name);
    if (out->format == EXPOSITION_TEXT) {
        return length;
    }
    size_t suffix = type == EXPOSITION_COUNTER ? strlen("_total")
                    : type == EXPOSITION_INFO  ? strlen("_info")
                                               : 0;
    CHECK(length > suffix);
    return length - suffix;
}

static const char *type_name(const struct exposition *out, enum exposition_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram", "info"};
    // Text 0.0.4 knows no info type.
    if (type == EXPOSITION_INFO && out->format == EXPOSITION_TEXT) {
        type = EXPOSITION_GAUGE;
    }
    return names[type];
}

static void put_meta(struct exposition *out, const char *word, const char *name, size_t length,
                     const char *text)
{
    exposition_text(out, "# ");
    exposition_text(out, word);
    exposition_text(out, " ");
    exposition_bytes(out, name, length);
    exposition_text(out, " ");
    exposition_text(out, text);
    exposition_text(out, "\n");
}

void exposition_family(struct exposition *out, const char *name, enum exposition_type type,
                       const char *unit, const char *help)
{
    CHECK(strpbrk(help, "\\\n\"") == NULL); // help texts are ours: none needs an escape
    size_t length = family_name_length(out, name, type);
    put_meta(out, "HELP", name, length, help);
    put_meta(out, "TYPE", name, length, type_name(out, type));
    if (out->format == EXPOSITION_OPENMETRICS && unit != NULL) {
        put_meta(out, "UNIT", name, length, unit);
    }
}

void exposition_end(struct exposition *out)
{
    if (out->format == EXPOSITION_OPENMETRICS) {
        exposition_text(out, "# EOF\n");
    }
}
