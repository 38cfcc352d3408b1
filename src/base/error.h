// SPDX-License-Identifier: MIT
// Expected failures. A function that can fail returns bool and takes `struct error *err` last:
// true = done; false = outputs untouched and err filled with a code (decides exit status and HTTP
// status) and one sentence for people: what happened, where, what to do.
// Layers below engine, serve and cli never log; they fill an error and return.
#pragma once

#include <stdbool.h>
#include <stddef.h>

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
    size_t remedy; // where in the text "what to do" begins (error_mend); 0 = it is not apart
};

#define ERROR_INIT ((struct error){.code = ERROR_NONE})

// Fills err; always returns false, so that a caller can write `return error_set(...)`.
bool error_set(struct error *err, enum error_code code, const char *format, ...) PRINTF(3, 4);
// Puts "context: " before the text, keeps the code; always returns false.
bool error_wrap(struct error *err, const char *format, ...) PRINTF(2, 3);
// Puts ": what to do" behind the text, which is known apart from then on; always returns false.
bool error_mend(struct error *err, const char *format, ...) PRINTF(2, 3);
const char *error_remedy(const struct error *err); // NULL = none is known apart
int error_cause_length(const struct error *err);   // of the text without the remedy
void error_reset(struct error *err);

int error_exit_code(enum error_code code);
int error_http_status(enum error_code code);
