// SPDX-License-Identifier: MIT
// What a change of the clock does to a schedule, in words and as JSON.
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "schedule/schedule.h"

// "02:30 does not exist; it runs once instead, at 2027-03-28T03:00:00+02:00", without a full stop.
void change_effect_text(const struct schedule_change *change, const struct zone *zone,
                        struct buf *out);
// "Sunday 28 March 2027": the local date of the change, in the new reckoning.
void change_date_text(const struct zone_change *change, struct buf *out);
// "02:00 becomes 03:00 (UTC+01:00 to UTC+02:00)".
void change_clock_text(const struct zone_change *change, struct buf *out);

// at, offset_before, offset_after.
json_t *change_json(const struct zone_change *change);
// Adds effect ("none", "moved", "joined", "skipped", "once", "twice", "stretched", "elapsed"),
// affected, first_local, last_local, moved_to, text.
void change_effect_json(const struct schedule_change *change, const struct zone *zone,
                        json_t *object);
