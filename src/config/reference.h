// SPDX-License-Identifier: MIT
// What the pages made from the schema have in common: Markdown and manual page say the same.
#pragma once

#include "base/buf.h"
#include "config/schema.h"

#define REFERENCE_CELL_MAX (64 * 1024)

extern const char reference_preface[];
void reference_type(struct buf *out, const struct schema_key *key);    // "duration, 0s to 1d"
void reference_meaning(struct buf *out, const struct schema_key *key); // sentences
