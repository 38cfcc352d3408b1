// SPDX-License-Identifier: MIT
// Assertions that stay on in release builds: a broken invariant ends the program with a report
// (exit code 70 of the contract) rather than letting it act on wrong state. Never for input.
#pragma once

#include "base/attributes.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(#condition, __FILE__, __LINE__);                                          \
        }                                                                                          \
    } while (0)

#define UNREACHABLE() check_failed("unreachable", __FILE__, __LINE__)

NORETURN void check_failed(const char *condition, const char *file, int line);
