// SPDX-License-Identifier: MIT
// A growable byte buffer with a mandatory maximum. What would go over it is dropped and `overflow`
// set: the caller looks once, at the end. `data` is NUL-terminated as soon as something was added.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"

struct buf {
    char *data;
    size_t length;
    size_t capacity;
    size_t maximum;
    bool overflow;
};

void buf_init(struct buf *buf, size_t maximum);
void buf_release(struct buf *buf);
void buf_clear(struct buf *buf); // keeps the memory
void buf_add(struct buf *buf, const void *bytes, size_t length);
void buf_add_string(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF(2, 3);
void buf_remove_front(struct buf *buf, size_t length);
const char *buf_string(const struct buf *buf); // "" when empty
