// SPDX-License-Identifier: MIT
// `next --all`: the coming slots of all jobs, and with --explain what the clock changes of a year
// do to them.
#pragma once

#include "config/config.h"
#include "time/instant.h"

void clock_report_slots(const struct config *config, struct instant from, int64_t count,
                        bool as_json);
// Of the 366 days after `from`.
void clock_report(const struct config *config, struct instant from, bool as_json);
