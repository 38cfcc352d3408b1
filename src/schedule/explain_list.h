// SPDX-License-Identifier: MIT
// Sets of numbers, kept as bits, in words. Internal to this room.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

// "a", "a and b", "a, b and c": the caller says how many there are and adds each by turn.
struct list {
    struct buf *out;
    const char *last_word; // "and", "or"
    int index;
    int count;
};
void list_separate(struct list *list);

static inline int count_bits(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

static inline int lowest_bit(uint64_t bits)
{
    return __builtin_ctzll(bits);
}

static inline int highest_bit(uint64_t bits)
{
    return 63 - __builtin_clzll(bits);
}

bool is_run(uint64_t bits); // without holes
// The step when the bits are lowest, lowest + step, … up to the highest; 0 when they are not.
int step_of(uint64_t bits, int lowest, int highest);
const char *ordinal_suffix(int n); // "st"

// How a value is written: with a name from a table, as an ordinal, or as a plain number.
struct wording {
    const char *const *names;
    int first; // the value of names[0]
    bool ordinal;
};
void add_values(struct buf *out, const struct wording *wording, uint64_t bits);
