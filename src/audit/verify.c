// SPDX-License-Identifier: MIT
#include "audit/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verification.h"
#include "base/alloc.h"
#include "base/fnv.h"

// A million jobs with long names and a thousand findings fit.
#define REPORT_MAX ((size_t)1 << 30)

const char *verify_kind_name(enum verify_kind kind)
{
    static const char *const names[VERIFY_KIND_COUNT] = {
        [VERIFY_CHAIN_BROKEN] = "chain-broken", [VERIFY_RUN_WITHOUT_START] = "run-without-start",
        [VERIFY_RUN_TWO_ENDS] = "run-two-ends", [VERIFY_RUN_NOT_ENDED] = "run-not-ended",
        [VERIFY_RUN_MISMATCH] = "run-mismatch", [VERIFY_SLOT_GAP] = "slot-gap",
        [VERIFY_SLOT_EXTRA] = "slot-extra",     [VERIFY_SLOT_OPEN] = "slot-open",
        [VERIFY_SLOT_POLICY] = "slot-policy",
    };
    return names[kind];
}

void verification_find(struct verification *v, enum verify_kind kind, const char *job,
                       struct instant at, const char *format, ...)
{
    struct verify_report *report = v->report;
    report->finding_total++;
    if (report->finding_count == VERIFICATION_FINDINGS_MAX) {
        return;
    }
    if (report->findings == NULL) {
        report->findings =
            arena_alloc(&report->arena, VERIFICATION_FINDINGS_MAX, sizeof *report->findings);
    }
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report->findings[report->finding_count++] = (struct verify_finding){
        .kind = kind,
        .job = job != NULL ? arena_string(&report->arena, job) : NULL,
        .at = at,
        .text = arena_string(&report->arena, text),
    };
}

uint32_t verification_name(struct verification *v, const char *job)
{
    if (job == NULL) {
        job = "?"; // the row's job is not in the store any more
    }
    uintptr_t known = (uintptr_t)map_get(&v->names, job);
    if (known == 0) {
        // Insertion order is the map's own: the index finds the name again.
        known = v->names.count + 1;
        map_put(&v->names, alloc_string(job), (void *)known);
    }
    return (uint32_t)(known - 1);
}

const char *verification_name_at(const struct verification *v, uint32_t index)
{
    return v->names.entries[index].key;
}

bool verification_is_old(struct instant t, struct instant limit)
{
    return !instant_is_none(limit) &&
           instant_before(t, instant_add(limit, DURATION_US(CONTROLS_SLACK_US)));
}

static struct instant later(struct instant a, struct instant b)
{
    if (instant_is_none(a) || instant_is_none(b)) {
        return instant_is_none(a) ? b : a;
    }
    return instant_before(a, b) ? b : a;
}

static uint64_t hash_of(const char *host)
{
    return fnv_add(FNV_START, host, strlen(host));
}

// One that is gone has stopped, or its lease was over; then it was still counted with until others
// fenced it, which a store that was away puts off (note_gone).
static void note_dry(struct verification *v, const struct store_node_row *row, bool lives)
{
    ARRAY_RESERVE(v->dry, v->dry_count, v->dry_capacity);
    v->dry[v->dry_count++] =
        (struct verification_dry){.node = row->node,
                                  .host = hash_of(row->host),
                                  .lives = lives,
                                  .from = row->started_at,
                                  .until = row->last_seen,
                                  .gone = lives ? (struct instant){INT64_MAX} : row->valid_until};
}

// Its fencing says when. One that the next node of its host declared dead was none any more when
// that one had started.
static void note_gone(const struct verification *v, struct verification_dry *dry)
{
    struct instant gone = INSTANT_NONE;
    for (size_t i = 0; i < v->boot_count; i++) {
        const struct verification_boot *boot = &v->boots[i];
        bool next = boot->host == dry->host && instant_before(dry->from, boot->at);
        gone = next && (instant_is_none(gone) || instant_before(boot->at, gone)) ? boot->at : gone;
    }
    for (size_t i = 0; i < v->fenced_count; i++) {
        gone = uuid_equal(v->fenced[i].node, dry->node) ? v->fenced[i].at : gone;
    }
    dry->gone = later(dry->gone, gone);
}

static bool take_node(void *context, const struct store_node_row *row)
{
    struct verification *v = context;
    ARRAY_RESERVE(v->boots, v->boot_count, v->boot_capacity);
    v->boots[v->boot_count++] = (struct verification_boot){hash_of(row->host), row->started_at};
    bool lives = v->options->node_is_live && strcmp(row->state, "live") == 0;
    if (lives) {
        ARRAY_RESERVE(v->live, v->live_count, v->live_capacity);
        v->live[v->live_count++] = row->node;
    }
    if (row->dry_run && !instant_is_none(row->valid_until)) {
        note_dry(v, row, lives);
    }
    return true;
}

// Pruning never goes so far: what is said to be pruned is not looked for.
static void judge_pruned(struct verification *v)
{
    struct instant from = v->report->anchor.slots_from;
    struct instant now = v->options->now;
    if (!instant_is_none(from) && now.us > 0 && instant_before(now, from)) {
        verification_find(v, VERIFY_SLOT_GAP, NULL, from,
                          "the store says that history was pruned up to a time that has not come "
                          "yet, so that no slot can be looked for");
    }
}

static bool verify_parts(struct verification *v, struct error *err)
{
    struct store *store = v->store;
    if (!store->ops->read_anchor(store, &v->report->anchor, err)) {
        return false;
    }
    judge_pruned(v);
    v->kept_from = later(v->report->anchor.slots_from, v->options->since);
    if (!verify_chain(v, err)) {
        return false;
    }
    // Asked after the chain was read: a node that joins later starts its runs later than the
    // chain's end, and so they count as fresh.
    if (!store->ops->read_nodes(store, take_node, v, err)) {
        return false;
    }
    for (size_t i = 0; i < v->dry_count; i++) {
        if (!v->dry[i].lives) {
            note_gone(v, &v->dry[i]);
        }
    }
    return controls_read(&v->controls, store, err) && verify_runs(v, err) && verify_slots(v, err);
}

static void release(struct verification *v)
{
    for (size_t i = 0; i < v->names.count; i++) {
        free((void *)(uintptr_t)v->names.entries[i].key);
    }
    map_release(&v->names);
    controls_release(&v->controls);
    free(v->backfills);
    free(v->nodes);
    free(v->live);
    free(v->dry);
    free(v->boots);
    free(v->fenced);
}

bool verify_store(struct store *store, const struct verify_options *options,
                  struct verify_report *report_out, struct error *err)
{
    *report_out = (struct verify_report){0};
    arena_init(&report_out->arena, REPORT_MAX);
    struct verification v = {.store = store,
                             .options = options,
                             .report = report_out,
                             .audit_from = options->since,
                             .kept_from = INSTANT_NONE,
                             .settled = INSTANT_NONE};
    map_init(&v.names);
    controls_init(&v.controls);
    bool read = store->ops->reading_begins(store, err) && verify_parts(&v, err);
    store->ops->reading_ends(store);
    release(&v);
    if (!read) {
        verify_report_release(report_out);
        return error_wrap(err, "the ledger could not be verified");
    }
    return true;
}

void verify_report_release(struct verify_report *report)
{
    arena_release(&report->arena);
    *report = (struct verify_report){0};
}
