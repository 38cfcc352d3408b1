// SPDX-License-Identifier: MIT
// "Did you mean": the end of a sentence that refuses a word.
#pragma once

#include "base/nearest.h"

#define HINT_SIZE 192

// '; did you mean "BEFOREword"?', or nothing when no candidate was near. Returns out.
const char *hint_text(const struct nearest *nearest, const char *before, char out[HINT_SIZE]);
