// SPDX-License-Identifier: MIT
#include "base/nearest.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 64

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char folded(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static bool is_swap(const char *a, const char *b, size_t i, size_t j)
{
    return i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
           folded(a[i - 2]) == folded(b[j - 1]);
}

// Optimal string alignment, three rows of the table at a time.
size_t nearest_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX) {
        return SIZE_MAX;
    }
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = above[j - 1] + (folded(a[i - 1]) == folded(b[j - 1]) ? 0 : 1);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (is_swap(a, b, i, j)) {
                row[j] = smaller(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

void nearest_init(struct nearest *nearest, const char *word)
{
    *nearest = (struct nearest){.word = word, .distance = SIZE_MAX};
}

// One slip in three characters is the most that still reads as the same word.
void nearest_offer(struct nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->word);
    size_t allowed = length < 3 ? 1 : (length + 1) / 3;
    size_t other = strlen(candidate);
    size_t difference = length > other ? length - other : other - length;
    if (difference > allowed) {
        return;
    }
    size_t distance = nearest_distance(nearest->word, candidate);
    if (distance <= allowed && distance < nearest->distance && distance < other) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
