// SPDX-License-Identifier: MIT
// "Did you mean": the valid word nearest to a mistyped one.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Edits (insert, delete, replace a character, swap two neighbours) between two words, without
// regard to case and to '-' against '_'. Words over 64 bytes are never near: SIZE_MAX.
size_t nearest_distance(const char *a, const char *b);
// Offers one candidate after another; keeps the best that is near enough to be a slip of the
// fingers.
struct nearest {
    const char *word;
    const char *best; // NULL when none is near
    size_t distance;
};
void nearest_init(struct nearest *nearest, const char *word);
void nearest_offer(struct nearest *nearest, const char *candidate);
