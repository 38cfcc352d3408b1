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
#include <stdlib.h>
#include <string.h>

#include "time/format.h"

int world_count(const struct world *world, const char *job)
{
    int count = 0;
    for (size_t i = 0; i < world->run_count; i++) {
        count += job == NULL || strcmp(world->runs[i].job, job) == 0;
    }
    return count;
}

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

struct day_check {
    struct world *world;
    const char *upstream;
    struct instant from, until;
    int bad;
};

static bool found_slot(void *context, const struct store_slot_row *row)
{
    struct day_check *check = context;
    check->bad += row->outcome != SLOT_SUCCESS;
    return true;
}

static bool found_force(void *context, const struct store_force_row *row)
{
    struct day_check *check = context;
    check->from = instant_before(check->from, row->from) ? row->from : check->from;
    return false; // the first one is the oldest
}

static bool due_slot(void *context, struct instant due_at)
{
    struct day_check *check = context;
    char text[FORMAT_TIME_SIZE];
    format_utc_ms(due_at, text);
    check->bad += strcmp(world_outcome(check->world, check->upstream, text), "SUCCESS") != 0;
    return true;
}

static int not_done(struct world *world, const char *upstream, struct instant from,
                    struct instant due_at)
{
    struct day_check check = {.world = world, .upstream = upstream, .from = from, .until = due_at};
    struct error err = ERROR_INIT;
    struct store *store = world->store;
    struct store_slot_filter filter = {
        .job = upstream, .since = from, .until = instant_add(due_at, DURATION_MS(1))};
    assert_true(store->ops->read_slots(store, &filter, found_slot, &check, &err));
    check.from = instant_add(from, DURATION_MS(-1));
    assert_true(store->ops->read_force(store, upstream, found_force, &check, &err));
    for (size_t i = 0; i < world->job_count; i++) {
        if (strcmp(world->jobs[i].name, upstream) == 0 && instant_before(check.from, due_at)) {
            char *spec = job_schedule_spec(&world->jobs[i]);
            assert_true(
                verify_recompute(spec, upstream, check.from, due_at, due_slot, &check, &err));
            free(spec);
        }
    }
    return check.bad;
}

// By the ledger and the second opinion on schedules, not by the engine. Dates are those of UTC.
int world_not_done(struct world *world, const char *job, struct instant due_at)
{
    int bad = 0;
    for (size_t i = 0; i < world->job_count; i++) {
        const char *const *after = world->jobs[i].after;
        bool is_it =
            strcmp(world->jobs[i].name, job) == 0 && strcmp(world->jobs[i].timezone, "UTC") == 0;
        for (; is_it && after != NULL && *after != NULL; after++) {
            int64_t day = DURATION_S(86400).us;
            struct instant midnight = {due_at.us - due_at.us % day};
            bad += not_done(world, *after, midnight, due_at);
        }
    }
    return bad;
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
    assert_int_equal(world->too_early, 0);
    assert_int_equal(world_findings(world, VERIFY_KIND_COUNT), 0);
}
