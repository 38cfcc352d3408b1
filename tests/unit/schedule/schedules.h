// SPDX-License-Identifier: MIT
// What the schedule's tests share: zones, and times as people write them. Everything that fails,
// fails the test.
#pragma once

#include "schedule/schedule.h"

int schedules_setup(void **state); // of a cmocka group
int schedules_teardown(void **state);

const struct zone *schedules_zone(const char *name);
struct schedule schedules_parse(const char *text, const char *zone, enum schedule_dst dst);
struct instant schedules_time(const char *text);

// Walks from `from` and compares with `expected`: UTC times with blanks between ("2026-01-01T00:01
// …"; seconds and Z may be missing), the last perhaps "NONE" when no slot follows.
void schedules_expect(const char *text, const char *zone, enum schedule_dst dst, const char *from,
                      const char *expected);
