// SPDX-License-Identifier: MIT
// One scalar's text, read as the type that the schema says.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/schema.h"

// The number in the type's unit (0 for texts). `shown` is how a complaint may quote the text.
// Bounds are checked too.
bool value_parse(const struct schema_key *key, const char *text, const char *shown,
                 int64_t *number_out, struct error *err) MUST_USE;
// A number in the type's unit, as one would write it.
#define VALUE_TEXT_SIZE 48
void value_format(enum schema_type type, int64_t number, char out[VALUE_TEXT_SIZE]);
// [A-Za-z_][A-Za-z0-9_]*
bool value_is_variable_name(const char *text);
// Is a variable's value, written in the file itself, a secret? By its name, such as DB_PASSWORD, or
// by a password in a URL.
bool value_is_secret(const char *name, const char *text);
