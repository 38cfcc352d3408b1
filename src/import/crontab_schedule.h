// SPDX-License-Identifier: MIT
// The first words of a crontab's line, in our own syntax.
#pragma once

#include "base/error.h"
#include "import/crontab.h"

// Reads "@daily", or five fields, and leaves *at behind them. What crons have beside the fields
// that we know is translated: "a~b" draws a value once (H(a-b)), "@every_minute", and the seconds
// of "@30". False: it is not what cron understands; err says where. Whether the values are right is
// for schedule_parse to say. *note_out: a difference, or NULL.
bool crontab_schedule_read(const char **at, char out[CRONTAB_WORD_SIZE], const char **note_out,
                           struct error *err) MUST_USE;
