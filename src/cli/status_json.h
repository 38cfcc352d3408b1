// SPDX-License-Identifier: MIT
// The state of everything, for programs.
#pragma once

#include <jansson.h>

#include "cli/status.h"

json_t *status_json(const struct status *status);
