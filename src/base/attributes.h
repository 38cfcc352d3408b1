// SPDX-License-Identifier: MIT
// Every compiler extension that the project uses, in one place.
#pragma once

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(format_index, first_argument) \
    __attribute__((format(printf, format_index, first_argument)))
#define NORETURN   __attribute__((noreturn))
#define AUTO(free) __attribute__((cleanup(free)))

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
