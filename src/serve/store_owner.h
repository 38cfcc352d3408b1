// SPDX-License-Identifier: MIT
// Whose jobs these are. Root must not run them by mistake: they would have more rights than they
// are used to, and the service could not write what root made.
#pragma once

#include <stdbool.h>

#include "base/error.h"

// False when we are root and the store belongs to somebody else; `also_new`: where there is no
// store yet, the same is asked of the folder in which it would be made.
bool store_owner_allows(const char *store_path, bool also_new, struct error *err) MUST_USE;
