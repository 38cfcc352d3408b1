// SPDX-License-Identifier: MIT
// The fleet on one line, and as a document.
#pragma once

#include <jansson.h>

#include "cli/fleet.h"

// "3 live: alpha (2 running), beta (0 running, draining), gamma (1 running, dry-run)" …
void fleet_print(const struct fleet *fleet);
json_t *fleet_json(const struct fleet *fleet); // those that live, or should
