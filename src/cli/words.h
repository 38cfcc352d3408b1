// SPDX-License-Identifier: MIT
// Small pieces of sentences about time.
#pragma once

#include <stddef.h>

#include "time/instant.h"

// "3m 12s ago", "in 2h 5m", "now"; "-" for none.
#define WORDS_TIME_SIZE 64
void words_relative(struct instant t, struct instant now, char out[WORDS_TIME_SIZE]);
// "s" unless the count is one.
const char *words_plural(size_t count);
