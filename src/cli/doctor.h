// SPDX-License-Identifier: MIT
// What is not as it should be, each with its remedy. Reads only.
#pragma once

#include "base/attributes.h"
#include "cli/overview.h"
#include "cli/session.h"

enum doctor_level {
    DOCTOR_OK,
    DOCTOR_NOTE, // good to know; decides nothing
    DOCTOR_TODO,
};

struct doctor_finding {
    const char *name; // "node", "runs", "late", "slots", "jobs", "audit", "store", "clock", …
    enum doctor_level level;
    const char *detail;
    const char *remedy; // NULL when OK
};

#define DOCTOR_FINDINGS_MAX 64

struct doctor {
    const struct session *session;
    struct overview overview;
    struct arena arena; // owns the texts
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX];
    size_t count;
    size_t todo;
};

// deep: reads the whole store for damage.
bool doctor_load(struct doctor *doctor, const struct session *session, bool deep,
                 struct error *err) MUST_USE;
void doctor_release(struct doctor *doctor);

// ---- the checks ---------------------------------------------------------------------------------

// NULL remedy: fine.
void doctor_add(struct doctor *doctor, const char *name, enum doctor_level level,
                const char *remedy, const char *detail, ...) PRINTF(5, 6);

// doctor_machine.c
void doctor_clock(struct doctor *doctor);
// A clock change within two weeks that touches jobs.
void doctor_clock_changes(struct doctor *doctor);
void doctor_zones(struct doctor *doctor);
void doctor_disk(struct doctor *doctor);
bool doctor_store(struct doctor *doctor, bool deep, struct error *err) MUST_USE;
