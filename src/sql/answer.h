// SPDX-License-Identifier: MIT
// What comes back on a connection, taken to pieces: rows, notices, failures, and which stage is
// complete.
#pragma once

#include "sql/seat.h"

// Takes what is there. `on_done` is called for each stage that is complete; false from it means
// that the seat is gone, and is returned.
bool answer_take(struct seat *seat, bool (*on_done)(struct seat *seat, enum stage done));
// For PQsetNoticeReceiver, with the seat.
void answer_notice(void *seat, const PGresult *notice);
