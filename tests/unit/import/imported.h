// SPDX-License-Identifier: MIT
// Crontabs out of texts, for the tests of this room: as YAML, and as the loader understands it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config/config.h"

struct imported {
    struct buf yaml;
    struct buf remarks; // "3 lost: …" or "3 note: …", one a line
    size_t jobs;
    size_t lost;
    size_t parts;
    struct config *config; // what was loaded from the YAML
};

// Imports bytes as a file "tab" with the label "tab", and loads the YAML: the test ends when it
// does not load.
struct imported imported_bytes(const char *bytes, size_t length, bool has_users);
struct imported imported_part(const char *bytes, size_t length, bool has_users, size_t part);
struct imported imported_text(const char *text, bool has_users);
void imported_release(struct imported *imported);
