// SPDX-License-Identifier: MIT
// Expected failures. A function that can fail returns bool and takes `struct error *err` last:
// true = done; false = outputs untouched and err filled with a code (decides exit status and HTTP
// status) and one sentence for people: what happened, where, what to do.
// Layers below engine, serve and cli never log; they fill an error and return.
#pragma once

#include <stdbool.h>

#include "base/attributes.h"

enum error_code {
    ERROR_NONE = 0,
#define X(name, exit_code, http_status) name,
#include "base/error_codes.def"
#undef X
    ERROR_CODE_COUNT
};

// Longer text is cut at a character boundary.
struct error {
    enum error_code code;
    char text[2048];
};

#define ERROR_INIT ((struct error){.code = ERROR_NONE})

// Fills err; always returns false, so that a caller can write `return error_set(...)`.
bool error_set(struct error *err, enum error_code code, const char *format, ...) PRINTF(3, 4);
// Puts "context: " before the text, keeps the code; always returns false.
bool error_wrap(struct error *err, const char *format, ...) PRINTF(2, 3);
void error_reset(struct error *err);

int error_exit_code(enum error_code code);
int error_http_status(enum error_code code);
