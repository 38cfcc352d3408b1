// SPDX-License-Identifier: MIT
// The zone that somebody meant who wrote a name that is none.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Looks through the zoneinfo folder for the name nearest to `name`, in any case; a bare city finds
// its zone ("berlin" → "Europe/Berlin"). False when nothing is near.
bool zone_suggest(const char *folder, const char *name, char *out, size_t out_size);
