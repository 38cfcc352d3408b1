// SPDX-License-Identifier: MIT
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"

static const struct {
    int exit_code;
    int http_status;
} codes[ERROR_CODE_COUNT] = {
    [ERROR_NONE] = {0, 200},
#define X(name, exit_code, http_status) [name] = {exit_code, http_status},
#include "base/error_codes.def"
#undef X
};

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    CHECK(err != NULL && code > ERROR_NONE && code < ERROR_CODE_COUNT);
    char text[sizeof err->text]; // a copy first: an argument may point into err->text
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err->code = code;
    err->remedy = 0;
    memcpy(err->text, text, sizeof text);
    utf8_trim_partial(err->text);
    return false;
}

bool error_wrap(struct error *err, const char *format, ...)
{
    CHECK(err != NULL && err->code != ERROR_NONE);
    char context[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    char text[2 * sizeof err->text + 2];
    snprintf(text, sizeof text, "%s: %s", context, err->text);
    memcpy(err->text, text, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
    utf8_trim_partial(err->text);
    err->remedy += err->remedy > 0 ? strlen(context) + 2 : 0;
    err->remedy = err->remedy < strlen(err->text) ? err->remedy : 0;
    return false;
}

bool error_mend(struct error *err, const char *format, ...)
{
    CHECK(err != NULL && err->code != ERROR_NONE);
    char remedy[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(remedy, sizeof remedy, format, args);
    va_end(args);
    struct error cause = *err;
    (void)error_set(err, cause.code, "%s: %s", cause.text, remedy);
    size_t begins = strlen(cause.text) + 2;
    err->remedy = begins < strlen(err->text) ? begins : 0;
    return false;
}

const char *error_remedy(const struct error *err)
{
    return err->remedy > 0 ? err->text + err->remedy : NULL;
}

int error_cause_length(const struct error *err)
{
    return (int)(err->remedy > 0 ? err->remedy - 2 : strlen(err->text));
}

void error_reset(struct error *err)
{
    err->code = ERROR_NONE;
    err->remedy = 0;
    err->text[0] = '\0';
}

int error_exit_code(enum error_code code)
{
    return codes[code].exit_code;
}

int error_http_status(enum error_code code)
{
    return codes[code].http_status;
}
