// SPDX-License-Identifier: MIT
// A strict reader of both exposition formats, written from their specifications and not from our
// writer: what it accepts, a scraper accepts.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/map.h"
#include "observe/exposition.h"

struct strict_series {
    char *key; // as written: name{label="value"}
    char *value;
};

struct strict_family {
    char *name;
    char *type;
    bool has_help, has_type, has_samples;
};

struct strict {
    enum exposition_format format;
    struct map series;   // key → struct strict_series
    struct map families; // name → struct strict_family
    struct strict_family *open;
    char error[512]; // with the line; "" = all is well
};

void strict_read(struct strict *strict, enum exposition_format format, const char *text,
                 size_t length);
void strict_release(struct strict *strict);
// The value of a series as written, or NULL.
const char *strict_value(const struct strict *strict, const char *key);
