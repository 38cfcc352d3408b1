// SPDX-License-Identifier: MIT
// The two text formats that scrapers read: Prometheus text 0.0.4 and OpenMetrics 1.0. Numbers are
// made from integers, never from floating point, so that they are exact and quick.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

// What an Accept header (or NULL) asks for. OpenMetrics only when it is named and liked as well as
// text.
enum exposition_format exposition_negotiate(const char *accept);
const char *exposition_content_type(enum exposition_format format);

enum exposition_type {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO
};

// Writes into memory that is known to be large enough; a write past `end` ends the program.
struct exposition {
    char *at;
    char *end;
    enum exposition_format format;
};

// HELP, TYPE and, for OpenMetrics, UNIT. `name` is that of the samples: a counter's ends with
// _total, an info's with _info. `unit` is NULL or the name's last word before _total.
void exposition_family(struct exposition *out, const char *name, enum exposition_type type,
                       const char *unit, const char *help);
void exposition_end(struct exposition *out); // what ends a whole exposition

// Inline: three of these make a line, and a scrape has hundreds of thousands.
static inline void exposition_bytes(struct exposition *out, const char *bytes, size_t length)
{
    CHECK(length <= (size_t)(out->end - out->at));
    memcpy(out->at, bytes, length);
    out->at += length;
}
static inline void exposition_text(struct exposition *out, const char *text)
{
    exposition_bytes(out, text, strlen(text));
}
void exposition_unsigned(struct exposition *out, uint64_t value);
// `value` / 10^decimals, without needless zeros: 1500000 with 6 → "1.5".
void exposition_fixed(struct exposition *out, int64_t value, int decimals);
// A bound of a histogram, given as in text 0.0.4: OpenMetrics wants "1.0" rather than "1".
void exposition_bound(struct exposition *out, const char *bound);
// Escapes a label's value; what is not UTF-8 becomes '?'. At most EXPOSITION_LABEL_MAX bytes of it
// are shown: scrapers refuse a whole page for one long label.
#define EXPOSITION_LABEL_MAX 200
void exposition_label(struct exposition *out, const char *value);
