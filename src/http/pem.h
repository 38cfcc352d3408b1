// SPDX-License-Identifier: MIT
// A certificate or key file in memory, wiped when released.
#pragma once

#include <stddef.h>

#include "base/error.h"

struct pem {
    char *text;
    size_t length;
};

// At most 1 MB of text. The error names the file and never its content.
bool pem_read(const char *path, struct pem *pem_out, struct error *err) MUST_USE;
void pem_release(struct pem *pem);
