// SPDX-License-Identifier: MIT
// What the world makes of it: its own record against overlaps, and the second opinion on the
// ledger.
#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static bool forbids_overlap(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->job_count; i++) {
        if (strcmp(world->jobs[i].name, name) == 0) {
            return world->jobs[i].overlap != JOB_OVERLAP_ALLOW;
        }
    }
    return false;
}

// From what the world saw happen, not from anybody's rows.
int world_overlaps(const struct world *world)
{
    int overlaps = 0;
    for (size_t i = 0; i < world->run_count; i++) {
        const struct world_run *a = &world->runs[i];
        for (size_t j = i + 1; j < world->run_count && j < i + 2000; j++) {
            const struct world_run *b = &world->runs[j];
            bool together = strcmp(a->job, b->job) == 0 && mono_before(b->began, a->ended);
            overlaps += together && forbids_overlap(world, a->job);
        }
    }
    return overlaps;
}

int world_findings(struct world *world, enum verify_kind kind)
{
    struct verify_options options = {.since = INSTANT_NONE, .node_is_live = world->engine != NULL};
    struct verify_report report;
    struct error err = ERROR_INIT;
    if (!verify_store(world->store, &options, &report, &err)) {
        fail_msg("verify: %s", err.text);
    }
    int found = 0;
    for (size_t i = 0; i < report.finding_count; i++) {
        const struct verify_finding *finding = &report.findings[i];
        found += kind == VERIFY_KIND_COUNT || finding->kind == kind;
        if (kind == VERIFY_KIND_COUNT && i < 10) {
            print_error("%s: %s\n", verify_kind_name(finding->kind), finding->text);
        }
    }
    verify_report_release(&report);
    return found;
}

void world_verify(struct world *world)
{
    assert_int_equal(world_overlaps(world), 0);
    assert_int_equal(world_findings(world, VERIFY_KIND_COUNT), 0);
}

static bool slot_row(void *context, const struct store_slot_row *row)
{
    char *out = context;
    const char *outcome = slot_outcome_name(row->outcome);
    snprintf(out, 64, "%s%s%s", outcome == NULL ? "open" : outcome,
             row->reason == REASON_NONE ? "" : " ", slot_reason_name(row->reason));
    return true;
}

const char *world_outcome(struct world *world, const char *job, const char *due)
{
    static char text[64];
    text[0] = '\0';
    struct store_slot_filter filter = {.job = job,
                                       .since = world_time(due),
                                       .until = instant_add(world_time(due), DURATION_MS(1))};
    struct error err = ERROR_INIT;
    assert_true(world->store->ops->read_slots(world->store, &filter, slot_row, text, &err));
    return text;
}
