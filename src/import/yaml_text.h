// SPDX-License-Identifier: MIT
// Texts as YAML scalars, in quotes where they need them, which read back as the same bytes.
#pragma once

#include "base/buf.h"

// `text` is valid UTF-8. A dollar is doubled: in a configuration it begins a substitution.
void yaml_text_add(struct buf *out, const char *text);
