// SPDX-License-Identifier: MIT
// The engine's events as log records: starts at debug, ends at info, what went wrong at error with
// the command that shows more, slots passed over at warn. Stateless.
#pragma once

#include "engine/events.h"

const struct engine_events *run_log_events(void);
