// SPDX-License-Identifier: MIT
// Startup validation of a store on PostgreSQL: for `serve` and for `validate`. It waits for the
// server some seconds at most; never on a node's loop.
#pragma once

#include "config/validate.h"

void validate_postgresql_store(const struct config *config, const struct validate_options *options,
                               struct validate_report *report);
