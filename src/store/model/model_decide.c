// SPDX-License-Identifier: MIT
// Slots are decided here; see sqlite/sqlite_decide.c for the same in rows.
#include "store/model/model_private.h"

#include "base/alloc.h"
#include "base/check.h"

struct deciding {
    struct model_store *store;
    const struct store_op_decide *op;
    int64_t node_no;
};

static struct instant whole_ms(struct instant t)
{
    return instant_from_ms(instant_ms(t));
}

static bool overlaps(const struct model_job *job, const struct store_slot *slot)
{
    bool forbids = slot->decision == DECIDE_RUN && slot->forbid_overlap;
    return forbids && (job->started > 0 || job->locker != NULL);
}

// Runs are known by the ids that their nodes chose, and are never another node's.
static bool is_same_slot(const struct model_run *run, const struct store_slot *slot)
{
    return run->job->job_id == slot->job_id &&
           instant_ms(run->row.due_at) == instant_ms(slot->due_at);
}

// True when the run is there already; then the verdict is set.
static bool settle_run(const struct deciding *deciding, struct store_slot *slot)
{
    const struct model_run *run = model_run_by_id(deciding->store, slot->run_id);
    if (run == NULL) {
        return false;
    }
    enum run_state expected = slot->decision == DECIDE_RUN ? RUN_STARTED : RUN_DRY_RUN;
    slot->verdict = VERDICT_TAKEN;
    if (is_same_slot(run, slot) && run->node_no == deciding->node_no) {
        slot->verdict = run->row.state != expected ? VERDICT_TAKEN
                        : expected == RUN_STARTED  ? VERDICT_CLAIMED
                                                   : VERDICT_WRITTEN;
        slot->fence = run->row.fence;
        slot->started_at = run->row.started_at;
    }
    return true;
}

static void settle(const struct deciding *deciding, struct model_job *job, struct store_slot *slot)
{
    slot->verdict = VERDICT_TAKEN;
    if (!uuid_is_nil(slot->run_id) && settle_run(deciding, slot)) {
        return;
    }
    const struct model_slot *found = model_slot_at(job, whole_ms(slot->due_at));
    if (found == NULL || found->node_no != deciding->node_no) {
        return;
    }
    bool same_reason = found->reason == slot->reason;
    bool waits = found->outcome == SLOT_OPEN && operation_has(found->retry_at);
    if ((slot->decision == DECIDE_WAIT && waits && found->attempt == 0) ||
        (slot->decision == DECIDE_SKIP && found->outcome == SLOT_SKIPPED && same_reason) ||
        (slot->decision == DECIDE_MISS && found->outcome == SLOT_MISSED && same_reason)) {
        slot->verdict = VERDICT_WRITTEN;
    }
    if (slot->decision == DECIDE_RUN && slot->skip_on_overlap && found->outcome == SLOT_SKIPPED &&
        found->reason == REASON_OVERLAP) {
        slot->verdict = VERDICT_OVERLAP;
    }
}

static struct model_run *run_add(const struct deciding *deciding, struct model_job *job,
                                 struct store_slot *slot)
{
    struct model_store *store = deciding->store;
    bool dry = slot->decision == DECIDE_DRY_RUN;
    struct model_run *run = alloc_zero(1, sizeof *run);
    slot->fence = ++store->last_fence;
    slot->started_at = store->now;
    run->job = job;
    run->node_no = deciding->node_no;
    run->row = (struct store_run_row){
        .run_id = slot->run_id,
        .job = job->name,
        .due_at = whole_ms(slot->due_at),
        .attempt = slot->attempt,
        .trigger = slot->trigger,
        .state = dry ? RUN_DRY_RUN : RUN_STARTED,
        .node = deciding->op->node,
        .fence = slot->fence,
        .started_at = store->now,
        .ended_at = dry ? store->now : INSTANT_NONE,
    };
    if (!dry) {
        job->started++;
        ARRAY_RESERVE(store->open, store->open_count, store->open_capacity);
        store->open[store->open_count++] = run;
    }
    job->last_run = dry ? run : job->last_run;
    uuid_format(slot->run_id, run->id_text);
    ARRAY_RESERVE(store->runs, store->run_count, store->run_capacity);
    store->runs[store->run_count++] = run;
    map_put(&store->runs_by_id, run->id_text, run);
    return run;
}

static enum slot_outcome outcome_of(enum store_decision decision)
{
    switch (decision) {
    case DECIDE_RUN:
    case DECIDE_WAIT:
        return SLOT_OPEN;
    case DECIDE_SKIP:
        return SLOT_SKIPPED;
    case DECIDE_MISS:
        return SLOT_MISSED;
    case DECIDE_DRY_RUN:
        return SLOT_DRY_RUN;
    }
    UNREACHABLE();
}

static void audit(const struct deciding *deciding, const struct model_job *job,
                  const struct store_slot *slot, bool is_run, enum slot_outcome outcome,
                  enum slot_reason reason)
{
    char composed[OPERATION_DETAIL_SIZE];
    operation_slot_detail(slot, is_run, reason, composed);
    bool overlap = slot->decision == DECIDE_RUN && !is_run;
    const struct uuid nil = {{0}};
    model_audit_add(deciding->store, outcome == SLOT_OPEN ? "STARTED" : slot_outcome_name(outcome),
                    job->name, is_run ? slot->run_id : nil, deciding->op->node, deciding->op->actor,
                    slot->detail == NULL || overlap ? composed : slot->detail);
}

// Writes run, slot and audit row. `row` NULL: the slot stays as it is, or there is none.
static void write_decision(const struct deciding *deciding, struct model_job *job,
                           struct store_slot *slot, bool overlap, struct model_slot *row)
{
    bool is_run = !overlap && (slot->decision == DECIDE_RUN || slot->decision == DECIDE_DRY_RUN);
    enum slot_outcome outcome = overlap ? SLOT_SKIPPED : outcome_of(slot->decision);
    enum slot_reason reason = overlap ? REASON_OVERLAP : is_run ? REASON_NONE : slot->reason;
    struct model_run *run = is_run ? run_add(deciding, job, slot) : NULL;
    if (row != NULL) {
        row->outcome = outcome;
        row->reason = reason;
        row->run = is_run ? run : row->run;
        row->attempt = is_run || slot->trigger != TRIGGER_RETRY ? slot->attempt : slot->attempt - 1;
        row->node_no = deciding->node_no;
        model_slot_wait(deciding->store, job, row, INSTANT_NONE);
    }
    audit(deciding, job, slot, is_run, outcome, reason);
    slot->verdict = overlap                        ? VERDICT_OVERLAP
                    : slot->decision == DECIDE_RUN ? VERDICT_CLAIMED
                                                   : VERDICT_WRITTEN;
}

static void write_wait(const struct deciding *deciding, struct model_job *job,
                       struct store_slot *slot)
{
    struct model_slot *row = model_slot_add(job, whole_ms(slot->due_at));
    row->outcome = SLOT_OPEN;
    row->reason = REASON_AFTER;
    row->node_no = deciding->node_no;
    model_slot_wait(deciding->store, job, row, slot->wait_until);
    slot->verdict = VERDICT_WRITTEN;
}

static void decide_open(const struct deciding *deciding, struct model_job *job,
                        struct store_slot *slot, struct model_slot *row)
{
    bool overlap = overlaps(job, slot);
    if (overlap && !slot->skip_on_overlap) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    write_decision(deciding, job, slot, overlap, row);
}

static void decide_awaited(const struct deciding *deciding, struct model_job *job,
                           struct store_slot *slot)
{
    struct model_slot *row = model_slot_at(job, whole_ms(slot->due_at));
    if (row != NULL && row->outcome == SLOT_OPEN && operation_has(row->retry_at) &&
        row->attempt == 0) {
        decide_open(deciding, job, slot, row);
    } else {
        settle(deciding, job, slot);
    }
}

static bool is_replaced(const struct model_job *job, const struct store_slot *slot)
{
    const struct model_force *last =
        job->force_count == 0 ? NULL : &job->forces[job->force_count - 1];
    return operation_has(slot->in_force_at) &&
           (last == NULL || !instant_is_none(last->to) ||
            instant_ms(last->from) > instant_ms(slot->in_force_at));
}

static void decide_scheduled(const struct deciding *deciding, struct model_job *job,
                             struct store_slot *slot)
{
    if (slot->awaited) {
        decide_awaited(deciding, job, slot);
        return;
    }
    if (instant_ms(slot->due_at) <= instant_ms(job->high_water) || is_replaced(job, slot)) {
        settle(deciding, job, slot);
        return;
    }
    bool overlap = overlaps(job, slot);
    if (overlap && !slot->skip_on_overlap) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    job->high_water = whole_ms(slot->due_at);
    job->throttle_count = slot->throttle_count;
    if (slot->decision == DECIDE_WAIT) {
        write_wait(deciding, job, slot);
        return;
    }
    write_decision(deciding, job, slot, overlap, model_slot_add(job, whole_ms(slot->due_at)));
}

static void decide_manual(const struct deciding *deciding, struct model_job *job,
                          struct store_slot *slot)
{
    if (settle_run(deciding, slot)) {
        return;
    }
    if (overlaps(job, slot)) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    write_decision(deciding, job, slot, false, NULL);
}

static bool awaits_attempt(const struct model_slot *row, const struct store_slot *slot)
{
    switch (row->outcome) {
    case SLOT_LOST:
        return true;
    case SLOT_OPEN:
        return !slot->by_hand && operation_has(row->retry_at);
    case SLOT_FAILED:
    case SLOT_TIMED_OUT:
    case SLOT_CANCELLED:
        return slot->by_hand;
    default:
        return false;
    }
}

static void decide_retry(const struct deciding *deciding, struct model_job *job,
                         struct store_slot *slot)
{
    struct model_slot *row = model_slot_at(job, whole_ms(slot->due_at));
    if (row == NULL || !awaits_attempt(row, slot) || slot->attempt != row->attempt + 1) {
        settle(deciding, job, slot);
        return;
    }
    decide_open(deciding, job, slot, row);
}

static void decide_backfill(const struct deciding *deciding, struct model_job *job,
                            struct store_slot *slot)
{
    struct model_slot *row = model_slot_at(job, whole_ms(slot->due_at));
    if (instant_ms(slot->due_at) > instant_ms(job->high_water) ||
        (row != NULL && row->outcome == SLOT_OPEN)) {
        settle(deciding, job, slot);
        return;
    }
    if (settle_run(deciding, slot)) {
        return;
    }
    if (overlaps(job, slot)) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    bool keeps = row != NULL && slot->decision == DECIDE_DRY_RUN;
    if (row == NULL) {
        row = model_slot_add(job, whole_ms(slot->due_at));
    }
    write_decision(deciding, job, slot, false, keeps ? NULL : row);
}

// A run id that already means another slot: the real stores find out by their unique index.
static bool ids_are_free(struct model_store *store, const struct store_op_decide *op,
                         struct error *err)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        const struct store_slot *slot = &op->slots[i];
        const struct model_run *run =
            uuid_is_nil(slot->run_id) ? NULL : model_run_by_id(store, slot->run_id);
        if (run != NULL && !is_same_slot(run, slot)) {
            return error_set(err, ERROR_REFUSED, "a run id was used for two runs");
        }
    }
    return true;
}

static bool jobs_exist(struct model_store *store, const struct store_op_decide *op,
                       struct error *err)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        if (model_job_at(store, op->slots[i].job_id) == NULL) {
            return error_set(err, ERROR_REFUSED,
                             "the store knows no job with the number %lld; have the node read its "
                             "configuration again: ironcron reload",
                             (long long)op->slots[i].job_id);
        }
    }
    return true;
}

// A run of the job would be reason enough.
static void name_locker(struct store_op_decide *op, struct store_slot *slot,
                        const struct model_job *job, bool runs)
{
    if (slot->verdict == VERDICT_OVERLAP && !runs && job->locker != NULL) {
        slot->holder = arena_string(&op->op.arena, job->locker);
    }
}

enum store_result model_decide(struct model_store *store, struct store_op *base)
{
    struct store_op_decide *op = CONTAINER_OF(base, struct store_op_decide, op);
    struct deciding deciding = {store, op, model_live_node(store, op->node)};
    if (deciding.node_no == 0) {
        return operation_refuse(&base->err, "this node is not live in the store");
    }
    if (!jobs_exist(store, op, &base->err) || !ids_are_free(store, op, &base->err)) {
        return STORE_REFUSED;
    }
    static void (*const deciders[TRIGGER_COUNT])(const struct deciding *, struct model_job *,
                                                 struct store_slot *) = {
        [TRIGGER_SCHEDULE] = decide_scheduled, [TRIGGER_CATCHUP] = decide_scheduled,
        [TRIGGER_RETRY] = decide_retry,        [TRIGGER_MANUAL] = decide_manual,
        [TRIGGER_BACKFILL] = decide_backfill,
    };
    op->outdated = operation_is_outdated(op, store->active);
    for (size_t i = 0; i < op->slot_count; i++) {
        struct store_slot *slot = &op->slots[i];
        slot->verdict = VERDICT_NONE;
        slot->fence = 0;
        slot->started_at = INSTANT_NONE;
        const struct model_job *job = model_job_at(store, slot->job_id);
        slot->holder = NULL;
        if (job->holder != NULL) {
            slot->verdict = VERDICT_LOCKED;
            slot->holder = arena_string(&base->arena, job->holder);
        } else if (!op->outdated) {
            bool runs = job->started > 0;
            deciders[slot->trigger](&deciding, model_job_at(store, slot->job_id), slot);
            name_locker(op, slot, job, runs);
        } else if (!uuid_is_nil(slot->run_id)) {
            (void)settle_run(&deciding, slot);
        }
    }
    return STORE_OK;
}
