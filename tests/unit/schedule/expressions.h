// SPDX-License-Identifier: MIT
// Random expressions and a random source that can be repeated, for tests of the schedule's
// promises.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "time/civil.h"

struct random_source {
    uint64_t state;
};

// IRONCRON_SEED from the environment, or a fixed seed. Tests name it in each failure.
uint64_t random_seed(void);
uint64_t random_next(struct random_source *source);
int random_below(struct random_source *source, int count);
int64_t random_between(struct random_source *source, int64_t lowest, int64_t highest);

#define EXPRESSION_SIZE 512

// How dense an expression's slots are, so that a test knows how wide a window it can afford.
enum expression_density {
    EXPRESSION_SPARSE,  // a few slots a day at most
    EXPRESSION_MINUTES, // up to one a minute
    EXPRESSION_SECONDS, // up to one a second
};

// An expression of any form that is valid, likely to have slots within hours of the wall time
// `near`.
enum expression_density expression_random(struct random_source *source, const struct civil *near,
                                          char out[EXPRESSION_SIZE]);
