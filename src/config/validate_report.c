// SPDX-License-Identifier: MIT
// What the checks of startup validation have found, line by line.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "base/utf8.h"
#include "config/validate_checks.h"

#define TEXT_SIZE 4096

static const char *kept(struct validate_report *report, const char *raw)
{
    if (raw == NULL) {
        return NULL;
    }
    char *masked = log_mask(raw);
    size_t length = strlen(masked);
    char *text = arena_alloc(&report->arena, length + 1, 1);
    utf8_sanitise(masked, length, text);
    free(masked);
    return text;
}

void validate_add(struct validate_report *report, enum validate_result result, const char *name,
                  const char *detail, const char *remedy)
{
    CHECK((result == VALIDATE_OK) == (remedy == NULL));
    struct validate_check check = {kept(report, name), result, kept(report, detail),
                                   kept(report, remedy)};
    ARRAY_RESERVE(report->checks, report->count, report->capacity);
    report->checks[report->count++] = check;
    if (result == VALIDATE_WARNING) {
        report->warnings++;
    } else if (result == VALIDATE_FAILED) {
        report->failed++;
        report->code = ERROR_ENVIRONMENT;
    }
}

void validate_add_away(struct validate_report *report, const char *name, const char *detail,
                       const char *remedy)
{
    validate_add(report, VALIDATE_FAILED, name, detail, remedy);
    if (++report->away == report->failed) {
        report->code = ERROR_UNAVAILABLE;
    }
}

void validate_ok(struct validate_report *report, const char *name, const char *format, ...)
{
    char detail[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    utf8_trim_partial(detail);
    validate_add(report, VALIDATE_OK, name, detail, NULL);
}

void validate_line(struct validate_lines *lines, enum validate_result result, const char *kind,
                   const char *name, const char *detail, const char *remedy)
{
    if (++lines->count > VALIDATE_LINES_MAX) {
        lines->failed_unseen += result == VALIDATE_FAILED;
        return;
    }
    char subject[256];
    snprintf(subject, sizeof subject, "%s %.200s", kind, name);
    validate_add(lines->report, result, subject, detail, remedy);
}

void validate_lines_end(const struct validate_lines *lines, const char *name)
{
    if (lines->count > VALIDATE_LINES_MAX) {
        char more[64];
        snprintf(more, sizeof more, "%zu more are not shown", lines->count - VALIDATE_LINES_MAX);
        validate_add(lines->report, lines->failed_unseen > 0 ? VALIDATE_FAILED : VALIDATE_WARNING,
                     name, more, "mend those above first");
    }
}

void validate_report_release(struct validate_report *report)
{
    arena_release(&report->arena);
    free(report->checks);
    report->checks = NULL;
    report->count = report->capacity = 0;
}
