// SPDX-License-Identifier: MIT
// Structured logs on stderr, one record a line: logfmt for people, JSON for programs. Control bytes
// and invalid UTF-8 in values are escaped (CWE-117), and every registered secret is replaced by
// "***" before a byte leaves the process.
#pragma once

#include <stdbool.h>

#include "base/attributes.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

// One named value of a record; text NULL ends the list.
struct log_field {
    const char *name;
    const char *text;
};

// `timestamp` writes the current time (RFC 3339) into a buffer of LOG_TIME_SIZE bytes; this layer
// reads no clock of its own. NULL leaves the time out.
#define LOG_TIME_SIZE 40
typedef void log_timestamp_fn(char out[LOG_TIME_SIZE]);
void log_configure(enum log_format format, enum log_level lowest, log_timestamp_fn *timestamp);
// `event` is a stable snake_case word that people can search for; `message` a sentence.
void log_record(enum log_level level, const char *event, const struct log_field *fields,
                const char *format, ...) PRINTF(4, 5);

#define LOG(level, event, ...) log_record(level, event, NULL, __VA_ARGS__)

// Registers a value that must never be printed. Shorter than 4 bytes is ignored: masking "1" would
// make the logs unreadable and hide nothing. The copy lives as long as the process.
void log_secret(const char *value);
// Copies text with all registered secrets masked; the result is the caller's to free.
char *log_mask(const char *text);
