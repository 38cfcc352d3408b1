// SPDX-License-Identifier: MIT
// Pieces of the answers of `why`.
#pragma once

#include "cli/why.h"
#include "time/format.h"

// In the answer's zone; returns out.
const char *why_time_text(const struct why_facts *facts, struct instant t,
                          char out[FORMAT_TIME_SIZE]);
void why_add_time(const struct why_facts *facts, struct buf *text, const char *before,
                  struct instant t);
void why_add_length(struct buf *text, const char *before, struct duration length);
void why_add_id(struct buf *text, const char *before, const struct store_run_row *run,
                const char *after);
// "the job was paused since … by … (…), with all jobs, until …"; `otherwise` without a row.
void why_add_control(const struct why_facts *facts, struct buf *text,
                     const struct store_control_row *control, const char *otherwise);
// "no node was running: …"
void why_add_downtime(const struct why_facts *facts, struct why *why);
const char *why_error_of(const struct store_run_row *run, const char *otherwise);
bool why_is_in_force(const struct store_control_row *control); // now
void why_next_run(const struct why_facts *facts, struct why *why);
// The command that lifts what held the slot back; where it is over, one that runs the job.
void why_next_undo(const struct why_facts *facts, struct why *why,
                   const struct store_control_row *control);

// "its slot of … is FAILED": of the job that it waits or waited for.
void why_add_upstream(const struct why_facts *facts, struct buf *text);
// The words for each cause; false for one of another file's.
bool why_tell_ran(const struct why_facts *facts, struct why *why);
bool why_tell_passed(const struct why_facts *facts, struct why *why);
bool why_tell_none(const struct why_facts *facts, struct why *why);
bool why_tell_waiting(const struct why_facts *facts, struct why *why);
typedef void why_teller(const struct why_facts *facts, struct why *why);
