// SPDX-License-Identifier: MIT
// One question of `why`: the facts about a slot, gathered from the store, and the rows that prove
// them.
#pragma once

#include "cli/session.h"
#include "cli/why.h"
#include "document/cut_off.h"

#define WHY_ATTEMPTS_MAX 101 // 100 retries
#define WHY_EVENTS_MAX   300

struct why_case {
    struct arena arena; // owns all rows
    struct why_facts facts;
    bool was_asked;         // for a time; else it is the newest slot
    struct schedule in_use; // the one that says what is a slot
    struct store_slot_row row;
    struct cut_off nodes;           // that are gone
    struct store_run_row *attempts; // of the slot, oldest first
    size_t attempt_count;
    struct store_audit_row *events; // of the slot, oldest first
    size_t event_count;
    struct store_control_row *controls; // of the job and of all, in force then
    size_t control_count;
    struct store_force_row *force;                      // in force then; NULL
    struct store_force_row *force_before, *force_after; // around it, or around `at`; NULL
    bool config_differs; // the file has another schedule than the one in force now
    // Where the newest slot succeeded: the last one that did not, in the day before; none.
    struct instant trouble_at;
    enum slot_outcome trouble;
};

// `at`: a time, or none for the newest slot that is due. ERROR_NOT_FOUND for a job that neither the
// configuration nor the store knows.
bool why_case_load(struct why_case *why, const struct session *session, const char *job,
                   struct instant at, struct error *err) MUST_USE;
void why_case_release(struct why_case *why);
