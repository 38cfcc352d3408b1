// SPDX-License-Identifier: MIT
// What every fuzz target defines; libFuzzer's own main, or replay.c's, calls it.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
