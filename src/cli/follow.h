// SPDX-License-Identifier: MIT
// A run's output, printed as it comes. On a terminal, control bytes are replaced and a character
// that a piece cut in two is put together again; into a file or a pipe the bytes go unchanged.
#pragma once

#include "cli/session.h"

struct follow {
    struct uuid run_id;
    bool json; // one document a piece instead of bytes
    bool is_silent;
    int64_t offset; // of what has been read
    char carry[4];  // the beginning of a character
    size_t carried;
    bool ends_in_line; // the last byte printed was no newline
};

// Prints all that is there now.
bool follow_print(struct follow *follow, struct store *store, struct error *err) MUST_USE;
// Prints what was held back, and on a terminal ends the line.
void follow_end(struct follow *follow);
