// SPDX-License-Identifier: MIT
// What the worlds of the engine's tests stand on: times, chance, plain jobs, and what the store
// says of a slot and of an intent.
#pragma once

#include "job/job.h"
#include "schedule/schedule.h"
#include "store/store.h"

struct instant ground_time(const char *text); // RFC 3339, or the test fails
void ground_random(uint64_t *state, void *bytes, size_t size);
// A job with the contract's defaults, in UTC.
void ground_job(struct job *job, const char *name, const char *schedule, struct zone_cache *zones);
// The outcome of a slot, for messages "SKIPPED overlap"; "open"; "" when there is none.
const char *ground_outcome(struct store *store, const char *job, const char *due);
// The state and answer of an intent: "DONE {…}".
const char *ground_answer(struct store *store, struct uuid intent);
