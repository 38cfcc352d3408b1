// SPDX-License-Identifier: MIT
// Slots, audit and runs against one another: each is a witness of what the others say. A ledger of
// any size is compared in portions that fit into memory, by a hash of the key.
#include <stdio.h>
#include <string.h>

#include "audit/verification.h"
#include "audit/witness.h"
#include "base/alloc.h"
#include "time/format.h"

#define PORTION_MAX 500000
// Of a run whose beginning is not kept nobody knows when it ended: so long before that was recorded
// at most, for want of a store.
#define RECORDED_WITHIN DURATION_S(24 * 3600)

struct portion {
    struct verification *v;
    struct witnesses witnesses;
    size_t number;
    size_t count;
    bool details_lack; // a decision without its due time: slots cannot be told from it
};

// NULL when it belongs to another portion.
static struct witness *get(struct portion *portion, struct uuid key, uint32_t job,
                           struct instant at)
{
    if ((witness_hash(key) >> 32) % portion->count != portion->number) {
        return NULL;
    }
    return witnesses_get(&portion->witnesses, key, job, at);
}

// The codes come from the store, where anybody may have written anything: one that is none stays
// none when it is made small.
static uint8_t code(int number)
{
    return number < 0 || number >= WITNESS_NONE ? WITNESS_NONE - 1 : (uint8_t)number;
}

static void bump(uint8_t *counter)
{
    *counter += *counter < UINT8_MAX;
}

// ---- slots --------------------------------------------------------------------------------------

static bool take_slot(void *context, const struct store_slot_row *row)
{
    struct portion *portion = context;
    struct verification *v = portion->v;
    bool passed_over = row->outcome == SLOT_SKIPPED || row->outcome == SLOT_MISSED;
    if (portion->number == 0) {
        v->report->slots++;
    }
    if (row->outcome == SLOT_OPEN || verification_is_old(row->due_at, v->kept_from) ||
        (passed_over && verification_is_old(row->due_at, v->audit_from))) {
        return true;
    }
    uint32_t job = verification_name(v, row->job);
    bool has_run = !passed_over && !uuid_is_nil(row->run_id);
    struct uuid key = has_run ? row->run_id : witness_slot_key(job, row->due_at);
    struct witness *witness = get(portion, key, job, row->due_at);
    if (witness != NULL) {
        witness->is_slot = !has_run;
        witness->slot_outcome = code((int)row->outcome);
        witness->slot_reason = code((int)row->reason);
    }
    return true;
}

// ---- audit --------------------------------------------------------------------------------------

static bool is_end(const char *event, enum run_state *state_out)
{
    return run_state_parse(event, state_out) && *state_out != RUN_STARTED;
}

static void take_passed_over(struct portion *portion, const struct store_audit_row *row,
                             const struct decision *decision, enum slot_outcome outcome)
{
    uint32_t job = verification_name(portion->v, row->job);
    if (!decision->has_due_at) {
        portion->details_lack = true;
        return;
    }
    struct witness *witness =
        get(portion, witness_slot_key(job, decision->due_at), job, decision->due_at);
    if (witness != NULL) {
        witness->is_slot = true;
        witness->audit_state = (uint8_t)outcome;
        witness->audit_reason = (uint8_t)decision->reason;
    }
}

static void take_run_event(struct portion *portion, const struct store_audit_row *row)
{
    struct verification *v = portion->v;
    enum run_state state;
    bool starts = strcmp(row->event, "STARTED") == 0;
    if ((!starts && !is_end(row->event, &state)) || uuid_is_nil(row->run_id)) {
        return;
    }
    struct witness *witness = get(portion, row->run_id, verification_name(v, row->job), row->at);
    if (witness == NULL) {
        return;
    }
    if (starts) {
        witness->started_at = witness->starts == 0 ? row->at : witness->started_at;
        bump(&witness->starts);
        return;
    }
    bump(&witness->ends);
    witness->ended_at = row->at;
    witness->audit_state = (uint8_t)state;
    // It may have ended long before that was recorded, but not before it began.
    struct instant early = instant_add(row->at, (struct duration){-RECORDED_WITHIN.us});
    bool began_before = witness->starts == 0 && !instant_is_none(v->audit_from);
    witness->ended_old = verification_is_old(began_before ? early : witness->at, v->kept_from);
}

static bool take_audit(void *context, const struct store_audit_row *row)
{
    struct portion *portion = context;
    struct verification *v = portion->v;
    bool early = !instant_is_none(v->audit_from) && instant_before(row->at, v->audit_from);
    bool skipped = strcmp(row->event, "SKIPPED") == 0;
    struct decision decision = {0};
    // The start of a node that still decides may lie before what is asked for.
    if (early && strcmp(row->event, "NODE_STARTED") != 0) {
        return true;
    }
    if (portion->number == 0 || skipped || strcmp(row->event, "MISSED") == 0) {
        decision = decision_read(row->detail);
    }
    if (portion->number == 0) {
        verify_policy(v, row, &decision);
    }
    if (row->job == NULL) {
        return true;
    }
    if (skipped || strcmp(row->event, "MISSED") == 0) {
        take_passed_over(portion, row, &decision, skipped ? SLOT_SKIPPED : SLOT_MISSED);
    } else {
        take_run_event(portion, row);
    }
    return true;
}

// ---- runs ---------------------------------------------------------------------------------------

static bool is_fresh(const struct verification *v, struct instant t)
{
    return !instant_is_none(v->settled) && !instant_before(t, v->settled);
}

static void note_backfill(struct verification *v, const struct store_run_row *row, uint32_t job)
{
    if (row->trigger == TRIGGER_BACKFILL) {
        ARRAY_RESERVE(v->backfills, v->backfill_count, v->backfill_capacity);
        v->backfills[v->backfill_count++] =
            (struct verification_backfill){.job = job, .due_at = row->due_at};
    }
}

static bool lives_still(const struct verification *v, struct uuid node)
{
    for (size_t i = 0; i < v->live_count; i++) {
        if (uuid_equal(v->live[i], node)) {
            return true;
        }
    }
    return false;
}

// It began when that was recorded; it ended after that, and before its end was recorded. Where the
// store's clock was put back meanwhile it ended as it began.
static bool times_differ(const struct witness *witness, const struct store_run_row *row)
{
    if (instant_is_none(witness->started_at)) {
        return false;
    }
    bool ended = run_state_is_final(row->state) && !instant_is_none(witness->ended_at);
    bool went_back = ended && instant_before(witness->ended_at, row->started_at);
    struct instant latest = went_back ? row->started_at : witness->ended_at;
    return !instant_equal(row->started_at, witness->started_at) ||
           (ended && (instant_before(row->ended_at, row->started_at) ||
                      instant_before(latest, row->ended_at)));
}

static bool take_run(void *context, const struct store_run_row *row)
{
    struct portion *portion = context;
    struct verification *v = portion->v;
    uint32_t job = verification_name(v, row->job);
    bool open = !run_state_is_final(row->state);
    // What began since may be of a node that joined since.
    bool lives = open && v->options->node_is_live &&
                 (lives_still(v, row->node) || is_fresh(v, row->started_at));
    if (portion->number == 0) {
        v->report->runs++;
        v->report->running += lives;
        note_backfill(v, row, job);
    }
    struct witness *witness = get(portion, row->run_id, job, row->started_at);
    if (witness != NULL) {
        witness->run_state = code((int)row->state);
        witness->is_running = lives;
        witness->times_differ = times_differ(witness, row);
        witness->start_may_lack =
            is_fresh(v, row->started_at) || verification_is_old(row->started_at, v->audit_from);
        witness->end_may_lack =
            open || is_fresh(v, row->ended_at) || verification_is_old(row->ended_at, v->audit_from);
    }
    return true;
}

// The end of a run may be recorded long after it (the store was away): while runs were read, also
// of some that had ended before.
static bool take_late_end(void *context, const struct store_audit_row *row)
{
    struct portion *portion = context;
    enum run_state state;
    if (is_end(row->event, &state) && !uuid_is_nil(row->run_id)) {
        uint32_t job = verification_name(portion->v, row->job);
        struct witness *witness = get(portion, row->run_id, job, row->at);
        if (witness != NULL) {
            witness->end_may_lack = true;
        }
    }
    return true;
}

// ---- judging ------------------------------------------------------------------------------------

struct case_file {
    struct verification *v;
    const struct witness *witness;
    const char *job;
    char run_id[UUID_TEXT_SIZE];
};

static void accuse(const struct case_file *file, enum verify_kind kind, const char *what)
{
    verification_find(file->v, kind, file->job, file->witness->at, "run %s of job %s %s",
                      file->run_id, file->job, what);
}

static const char *outcome_name(uint8_t outcome)
{
    bool known = outcome > SLOT_OPEN && outcome < SLOT_OUTCOME_COUNT;
    return known ? slot_outcome_name((enum slot_outcome)outcome) : "of an unknown outcome";
}

static const char *reason_name(uint8_t reason)
{
    return reason < SLOT_REASON_COUNT ? slot_reason_name((enum slot_reason)reason) : "unknown";
}

static const char *state_name(uint8_t state)
{
    return state < RUN_STATE_COUNT ? run_state_name((enum run_state)state) : "of an unknown state";
}

static void judge_missing_end(const struct case_file *file)
{
    const struct witness *w = file->witness;
    char what[256];
    if (w->run_state == RUN_STARTED) {
        if (!w->is_running) {
            accuse(file, VERIFY_RUN_NOT_ENDED,
                   "was STARTED and never ended, and no live node runs it");
        }
    } else if (w->run_state == WITNESS_NONE) {
        accuse(file, VERIFY_RUN_NOT_ENDED,
               "was STARTED by the audit log, has no end, and is not in job_runs");
    } else if (!w->end_may_lack) {
        snprintf(what, sizeof what, "has no end in the audit log, while job_runs says %s",
                 state_name(w->run_state));
        accuse(file, VERIFY_RUN_NOT_ENDED, what);
    }
}

static void judge_counts(const struct case_file *file)
{
    const struct witness *w = file->witness;
    char what[256];
    bool dry = w->audit_state == RUN_DRY_RUN || w->run_state == RUN_DRY_RUN;
    if (w->ends > 1) {
        snprintf(what, sizeof what, "has %d ends in the audit log, the last is %s", w->ends,
                 state_name(w->audit_state));
        accuse(file, VERIFY_RUN_TWO_ENDS, what);
    }
    if (w->starts > 1) {
        snprintf(what, sizeof what, "was STARTED %d times", w->starts);
        accuse(file, VERIFY_RUN_MISMATCH, what);
    }
    if (w->starts > 0 && dry) {
        accuse(file, VERIFY_RUN_MISMATCH, "was STARTED although it was a dry-run");
    }
    if (w->starts == 0 && w->ends > 0 && !dry && !w->start_may_lack && !w->ended_old) {
        accuse(file, VERIFY_RUN_WITHOUT_START, "has an end in the audit log but was never STARTED");
    }
    if (w->ends == 0 && w->starts > 0) {
        judge_missing_end(file);
    }
}

// job_runs against audit, when each says something or should.
static void judge_agreement(const struct case_file *file)
{
    const struct witness *w = file->witness;
    char what[256];
    if (w->job_differs) {
        accuse(file, VERIFY_RUN_MISMATCH,
               "belongs to different jobs in audit_log, job_runs and slots");
    }
    if (w->times_differ) {
        accuse(file, VERIFY_RUN_MISMATCH,
               "has other times in job_runs than in the audit log: it started when that was "
               "recorded, and ended before its end was");
    }
    if (w->run_state == WITNESS_NONE) {
        if (w->ends > 0 && !w->ended_old) {
            accuse(file, VERIFY_RUN_MISMATCH, "is in the audit log but not in job_runs");
        }
        return;
    }
    if (w->ends == 0 && w->starts == 0) {
        if (w->run_state == RUN_STARTED && !w->is_running) {
            accuse(file, VERIFY_RUN_NOT_ENDED, "is open in job_runs, and no live node runs it");
        } else if (!(w->run_state == RUN_DRY_RUN ? w->end_may_lack : w->start_may_lack)) {
            accuse(file, VERIFY_RUN_MISMATCH, "is in job_runs but not in the audit log");
        }
    } else if (w->ends > 0 && w->run_state != w->audit_state) {
        snprintf(what, sizeof what, "is %s in the audit log, but %s in job_runs",
                 state_name(w->audit_state), state_name(w->run_state));
        accuse(file, VERIFY_RUN_MISMATCH, what);
    }
}

static void judge_slot_of_run(const struct case_file *file)
{
    const struct witness *w = file->witness;
    char what[256];
    if (w->slot_outcome == WITNESS_NONE) {
        return;
    }
    const char *outcome = outcome_name(w->slot_outcome);
    if (w->run_state == WITNESS_NONE) {
        snprintf(what, sizeof what, "is not in job_runs, though its slot is %s by it", outcome);
        accuse(file, VERIFY_RUN_MISMATCH, what);
    } else if (w->run_state == RUN_STARTED || w->run_state >= RUN_STATE_COUNT ||
               slot_outcome_of((enum run_state)w->run_state) != w->slot_outcome) {
        snprintf(what, sizeof what, "is %s, but its slot is %s", state_name(w->run_state), outcome);
        accuse(file, VERIFY_RUN_MISMATCH, what);
    }
}

// A slot that says it did not run must have been decided so. The other way round is no fault: a
// slot that was passed over may have been run by hand later.
static void judge_passed_over(struct portion *portion, const struct witness *w)
{
    const char *job = verification_name_at(portion->v, w->job);
    char due_at[FORMAT_TIME_SIZE];
    if (w->slot_outcome == WITNESS_NONE || portion->details_lack) {
        return;
    }
    const char *outcome = outcome_name(w->slot_outcome);
    format_utc_ms(w->at, due_at);
    if (w->slot_outcome != SLOT_SKIPPED && w->slot_outcome != SLOT_MISSED) {
        verification_find(portion->v, VERIFY_RUN_MISMATCH, job, w->at,
                          "slot %s of job %s is %s, but by no run", due_at, job, outcome);
    } else if (w->audit_state != w->slot_outcome) {
        verification_find(portion->v, VERIFY_RUN_MISMATCH, job, w->at,
                          "slot %s of job %s is %s, but the audit log says no such thing", due_at,
                          job, outcome);
    } else if (w->audit_reason != w->slot_reason) {
        verification_find(portion->v, VERIFY_RUN_MISMATCH, job, w->at,
                          "slot %s of job %s is %s (%s), but the audit log gives the reason \"%s\"",
                          due_at, job, outcome, reason_name(w->slot_reason),
                          reason_name(w->audit_reason));
    }
}

static void judge(struct portion *portion, const struct witness *w)
{
    if (w->is_slot) {
        judge_passed_over(portion, w);
        return;
    }
    struct case_file file = {
        .v = portion->v, .witness = w, .job = verification_name_at(portion->v, w->job)};
    uuid_format(w->key, file.run_id);
    judge_counts(&file);
    judge_agreement(&file);
    judge_slot_of_run(&file);
}

// On a live node's store what a row refers to was committed with it or before: so slots are read
// first, then audit, then runs, and whatever is missed was never there.
static bool verify_portion(struct portion *portion, struct error *err)
{
    struct store *store = portion->v->store;
    const struct store_ops *ops = store->ops;
    struct store_slot_filter slots = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    struct store_audit_filter audit = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    struct store_run_filter runs = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    struct store_audit_filter late = {.since = portion->v->settled, .until = INSTANT_NONE};
    if (!ops->read_slots(store, &slots, take_slot, portion, err) ||
        !ops->read_audit(store, &audit, take_audit, portion, err) ||
        !ops->read_runs(store, &runs, take_run, portion, err) ||
        (portion->v->options->node_is_live &&
         !ops->read_audit(store, &late, take_late_end, portion, err))) {
        return false;
    }
    for (size_t i = 0; i < portion->witnesses.count; i++) {
        judge(portion, &portion->witnesses.list[i]);
    }
    return true;
}

bool verify_runs(struct verification *v, struct error *err)
{
    size_t portions = v->decided / (PORTION_MAX + 1) + 1;
    for (size_t i = 0; i < portions; i++) {
        struct portion portion = {.v = v, .number = i, .count = portions};
        witnesses_init(&portion.witnesses);
        bool read = verify_portion(&portion, err);
        witnesses_release(&portion.witnesses);
        if (!read) {
            return false;
        }
    }
    return true;
}
