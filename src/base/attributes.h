// SPDX-License-Identifier: MIT
// Every compiler extension that the project uses, in one place.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(format_index, first_argument)                                                       \
    __attribute__((format(printf, format_index, first_argument)))
#define NORETURN   __attribute__((noreturn))
#define AUTO(free) __attribute__((cleanup(free)))

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

// Through an integer, so that a pointer to const needs no cast of its own.
#define CONTAINER_OF(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))
