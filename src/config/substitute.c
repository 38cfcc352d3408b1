// SPDX-License-Identifier: MIT
#include "config/substitute.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/utf8.h"
#include "config/value.h"

#define VALUE_MAX  ((size_t)64 * 1024)
#define TOTAL_MAX  ((size_t)64 * 1024 * 1024)
#define SCALAR_MAX ((size_t)8 * 1024 * 1024)

// Variables that say who and where we are. Masking "/root" or "en_US.UTF-8" in every log line would
// hide nothing and make the logs unreadable.
static bool is_ordinary_variable(const char *name)
{
    static const char *const names[] = {"HOME",           "USER", "LOGNAME", "PATH",     "SHELL",
                                        "LANG",           "TZ",   "PWD",     "HOSTNAME", "TMPDIR",
                                        "IRONCRON_CONFIG"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_all(int fd, const char *path, char value[VALUE_MAX + 1], size_t *length_out,
                     struct error *err)
{
    size_t length = 0;
    for (;;) {
        ssize_t got = read(fd, value + length, VALUE_MAX + 1 - length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set(err, ERROR_CONFIG, "${file:%s} cannot be read: %s", path,
                             strerror(errno));
        }
        length += (size_t)got;
        if (length > VALUE_MAX) {
            return error_set(err, ERROR_CONFIG, "${file:%s} is larger than 64 KB", path);
        }
        if (got == 0) {
            *length_out = length;
            return true;
        }
    }
}

// Opened without waiting, and only a regular file: a pipe nobody writes to must not hang a start.
static bool read_file(const struct substitution *substitution, const char *path,
                      char value[VALUE_MAX + 1], size_t *length_out, struct error *err)
{
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s%s", path[0] == '/' ? "" : substitution->folder,
                          path[0] == '/' ? "" : "/", path);
    if (length < 0 || (size_t)length >= sizeof full) {
        return error_set(err, ERROR_CONFIG, "${file:…} names a path that is too long");
    }
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return error_set(err, ERROR_CONFIG, "${file:%s} cannot be opened: %s (looked for %s)", path,
                         strerror(errno), full);
    }
    struct stat status;
    bool fine = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    if (!fine) {
        error_set(err, ERROR_CONFIG, "${file:%s} is not a regular file", path);
    } else {
        fine = read_all(fd, path, value, length_out, err);
    }
    close(fd);
    if (fine && *length_out > 0 && value[*length_out - 1] == '\n') {
        --*length_out;
    }
    return fine;
}

static bool check_value(const char *what, const char *value, size_t length, struct error *err)
{
    if (memchr(value, '\0', length) != NULL) {
        return error_set(err, ERROR_CONFIG, "${%s} holds a NUL byte", what);
    }
    if (!utf8_is_valid(value, length)) {
        return error_set(err, ERROR_CONFIG, "${%s} is not valid UTF-8", what);
    }
    return true;
}

static bool add_value(struct substitution *substitution, struct buf *out, const char *value,
                      size_t length, bool secret, struct error *err)
{
    substitution->bytes += length;
    if (substitution->bytes > TOTAL_MAX || out->length + length > SCALAR_MAX) {
        return error_set(err, ERROR_CONFIG,
                         "with what is put in by ${…} the configuration is too large: keep large "
                         "texts in files that the job reads itself");
    }
    buf_add(out, value, length);
    if (secret) {
        log_secret(value);
        substitution->has_secrets = true;
    }
    return true;
}

static bool add_variable(struct substitution *substitution, struct buf *out, const char *name,
                         bool secret, struct error *err)
{
    const char *value = substitution->closed ? NULL : getenv(name);
    if (value == NULL && substitution->lenient) {
        buf_printf(out, "${%s}", name);
        return true;
    }
    if (value == NULL) {
        return error_set(err, ERROR_CONFIG,
                         "the environment variable %s is not set; set it, or write $${%s} for the "
                         "text itself",
                         name, name);
    }
    size_t length = strlen(value);
    if (length > VALUE_MAX) {
        return error_set(err, ERROR_CONFIG, "${%s} is larger than 64 KB", name);
    }
    return check_value(name, value, length, err) &&
           add_value(substitution, out, value, length, secret && !is_ordinary_variable(name), err);
}

static bool add_file(struct substitution *substitution, struct buf *out, const char *path,
                     bool secret, struct error *err)
{
    if (path[0] == '\0') {
        return error_set(err, ERROR_CONFIG, "${file:} names no file");
    }
    if (substitution->closed) {
        return error_set(err, ERROR_CONFIG, "${file:%s} cannot be opened", path);
    }
    static char value[VALUE_MAX + 1]; // too much for a stack; the program has one thread
    size_t length = 0;
    if (!read_file(substitution, path, value, &length, err)) {
        if (substitution->lenient) {
            buf_printf(out, "${file:%s}", path);
        }
        return substitution->lenient;
    }
    value[length] = '\0';
    char what[PATH_MAX + 8];
    snprintf(what, sizeof what, "file:%s", path);
    bool fine = check_value(what, value, length, err) &&
                add_value(substitution, out, value, length, secret, err);
    explicit_bzero(value, sizeof value);
    return fine;
}

// `at` stands behind "${". Moves it behind the closing brace.
static bool add_reference(struct substitution *substitution, struct buf *out, const char **at,
                          bool secret, struct error *err)
{
    const char *end = strchr(*at, '}');
    char name[PATH_MAX];
    if (end == NULL || (size_t)(end - *at) >= sizeof name) {
        return error_set(err, ERROR_CONFIG,
                         "\"${\" has no closing \"}\"; write $${ for the text itself");
    }
    memcpy(name, *at, (size_t)(end - *at));
    name[end - *at] = '\0';
    *at = end + 1;
    if (strncmp(name, "file:", 5) == 0) {
        return add_file(substitution, out, name + 5, secret, err);
    }
    if (value_is_variable_name(name)) {
        return add_variable(substitution, out, name, secret, err);
    }
    return error_set(err, ERROR_CONFIG,
                     "${%.80s} is neither ${NAME} nor ${file:PATH}; write $${%.80s} for the text "
                     "itself",
                     name, name);
}

static bool expand(struct substitution *substitution, struct buf *out, const char *raw, bool secret,
                   struct error *err)
{
    for (const char *at = raw; *at != '\0';) {
        if (at[0] == '$' && at[1] == '$') {
            buf_add_char(out, '$');
            at += 2;
        } else if (at[0] == '$' && at[1] == '{') {
            at += 2;
            if (!add_reference(substitution, out, &at, secret, err)) {
                return false;
            }
        } else {
            size_t plain = 1 + strcspn(at + 1, "$");
            buf_add(out, at, plain);
            at += plain;
        }
    }
    return true;
}

bool substitution_expand(struct substitution *substitution, struct arena *arena, const char *raw,
                         bool secret, const char **text_out, struct error *err)
{
    if (strchr(raw, '$') == NULL) {
        *text_out = raw;
        return true;
    }
    AUTO(buf_release) struct buf out;
    buf_init(&out, SCALAR_MAX + TOTAL_MAX);
    if (!expand(substitution, &out, raw, secret, err)) {
        return false;
    }
    *text_out = arena_string(arena, buf_string(&out));
    return true;
}
