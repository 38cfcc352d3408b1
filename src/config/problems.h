// SPDX-License-Identifier: MIT
// Gathering complaints about the configuration, so that all of them can be told at once.
#pragma once

#include "base/attributes.h"
#include "config/config.h"

// More than this many help nobody: the last one then says that there are more.
#define CONFIG_PROBLEMS_MAX 200

// Text and file are copied; registered secrets are masked.
void config_problems_add(struct config_problems *problems, const char *file, int line, int column,
                         const char *format, ...) PRINTF(5, 6);
// Into reading order: files as they were first complained about, then line and column.
void config_problems_sort(struct config_problems *problems);
