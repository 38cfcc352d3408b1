// SPDX-License-Identifier: MIT
// The text of a YAML file reduced to some of the keys at its top. What stays stands where it stood,
// so that line and column of a mistake are still right; the rest is blank, and so are comments: a
// secret may stand in one.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

// The bytes are those of a file that yaml_reader_read has read without a fault.
void yaml_keep(const char *bytes, size_t length, bool (*keeps)(const char *key), struct buf *out);
