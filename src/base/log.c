// SPDX-License-Identifier: MIT
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/utf8.h"

#define RECORD_MAX ((size_t)16 * 1024)
#define SECRET_MIN 4

static struct {
    enum log_format format;
    enum log_level lowest;
    log_timestamp_fn *timestamp;
    char **secrets;
    size_t secret_count;
    size_t secret_capacity;
} state = {.lowest = LOG_INFO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_format format, enum log_level lowest, log_timestamp_fn *timestamp)
{
    state.format = format;
    state.lowest = lowest;
    state.timestamp = timestamp;
}

// Longest first, so that a secret that contains another is masked whole.
void log_secret(const char *value)
{
    if (strlen(value) < SECRET_MIN) {
        return;
    }
    for (size_t i = 0; i < state.secret_count; i++) {
        if (strcmp(state.secrets[i], value) == 0) {
            return;
        }
    }
    ARRAY_RESERVE(state.secrets, state.secret_count, state.secret_capacity);
    size_t at = state.secret_count++;
    while (at > 0 && strlen(state.secrets[at - 1]) < strlen(value)) {
        state.secrets[at] = state.secrets[at - 1];
        at--;
    }
    state.secrets[at] = alloc_string(value);
}

static size_t secret_at(const char *text)
{
    for (size_t i = 0; i < state.secret_count; i++) {
        size_t length = strlen(state.secrets[i]);
        if (strncmp(text, state.secrets[i], length) == 0) {
            return length;
        }
    }
    return 0;
}

char *log_mask(const char *text)
{
    struct buf out;
    buf_init(&out, strlen(text) * 3 + 4);
    buf_add_string(&out, "");
    while (*text != '\0') {
        size_t length = state.secret_count == 0 ? 0 : secret_at(text);
        if (length > 0) {
            buf_add_string(&out, "***");
            text += length;
        } else {
            buf_add_char(&out, *text++);
        }
    }
    return out.data;
}

#define SHORT_TEXT 512 // most values: cleaned on the stack

// Escapes what is already clean UTF-8.
static void add_escaped(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (;;) {
        size_t plain = strcspn(text, "\"\\\n\t");
        buf_add(out, text, plain);
        text += plain;
        if (*text == '\0') {
            break;
        }
        const char escaped[] = {'\\', *text == '\n' ? 'n' : *text == '\t' ? 't' : *text, '\0'};
        buf_add(out, escaped, 2);
        text++;
    }
    buf_add_char(out, '"');
}

static void add_quoted(struct buf *out, const char *text)
{
    char space[SHORT_TEXT];
    size_t length = strlen(text);
    char *clean = length < sizeof space ? space : alloc_zero(length + 1, 1);
    utf8_sanitise(text, length, clean);
    add_escaped(out, clean);
    if (clean != space) {
        free(clean);
    }
}

static bool is_bare(const char *text)
{
    static const char bare[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+@";
    return *text != '\0' && text[strspn(text, bare)] == '\0';
}

static void add_pair(struct buf *out, const char *name, const char *raw)
{
    char *masked = state.secret_count == 0 ? NULL : log_mask(raw);
    const char *text = masked == NULL ? raw : masked;
    if (state.format == LOG_FORMAT_JSON) {
        buf_printf(out, "%s\"%s\":", out->length > 1 ? "," : "", name);
        add_quoted(out, text);
    } else {
        buf_printf(out, "%s%s=", out->length > 0 ? " " : "", name);
        if (is_bare(text)) {
            buf_add_string(out, text);
        } else {
            add_quoted(out, text);
        }
    }
    free(masked);
}

void log_record(enum log_level level, const char *event, const struct log_field *fields,
                const char *format, ...)
{
    if (level < state.lowest) {
        return;
    }
    char message[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    struct buf out;
    buf_init(&out, RECORD_MAX);
    if (state.format == LOG_FORMAT_JSON) {
        buf_add_char(&out, '{');
    }
    if (state.timestamp != NULL) {
        char time[LOG_TIME_SIZE];
        state.timestamp(time);
        add_pair(&out, "time", time);
    }
    add_pair(&out, "level", level_names[level]);
    add_pair(&out, "event", event);
    for (; fields != NULL && fields->text != NULL; fields++) {
        add_pair(&out, fields->name, fields->text);
    }
    add_pair(&out, "message", message);
    if (state.format == LOG_FORMAT_JSON) {
        buf_add_char(&out, '}');
    }
    buf_add_char(&out, '\n');
    // One write a record, so that records of several processes do not mix. A full stderr loses
    // the record, not the scheduler.
    (void)!write(STDERR_FILENO, out.data, out.length);
    buf_release(&out);
}
