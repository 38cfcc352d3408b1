// SPDX-License-Identifier: MIT
// Slots are decided here: claimed, passed over, or found to be decided already. The high-water mark
// guards scheduled slots, the slot's own row guards retries and backfills, the run's id manual
// runs.
#include "store/sqlite/sqlite_private.h"

struct deciding {
    struct sqlite_store *store;
    const struct store_op_decide *op;
    int64_t node_no;
};

struct slot_state {
    bool exists;
    enum slot_outcome outcome;
    enum slot_reason reason;
    int attempt;
    bool waits; // for a retry
    int64_t node_no;
};

static struct slot_state slot_get(struct sqlite_store *store, const struct store_slot *slot)
{
    struct slot_state state = {.exists = false};
    sqlite3_stmt *row = sql_query(store, SQL_SLOT_GET,
                                  VALUES(sql_int(instant_ms(slot->due_at)), sql_int(slot->job_id)));
    if (row != NULL) {
        state = (struct slot_state){
            .exists = true,
            .outcome = (enum slot_outcome)sqlite3_column_int(row, 0),
            .reason = (enum slot_reason)sqlite3_column_int(row, 1),
            .attempt = sqlite3_column_int(row, 3),
            .waits = sqlite3_column_type(row, 4) != SQLITE_NULL,
            .node_no = sqlite3_column_int64(row, 5),
        };
        sql_end(row);
    }
    return state;
}

static bool overlaps(struct sqlite_store *store, const struct store_slot *slot)
{
    return slot->decision == DECIDE_RUN && slot->forbid_overlap &&
           sql_query_integer(store, SQL_RUN_OVERLAP, 0, VALUES(sql_int(slot->job_id))) != 0;
}

// Is the run that is proposed there already? Then this is a repeat of a commit whose answer was
// lost.
static bool settle_run(const struct deciding *deciding, struct store_slot *slot)
{
    sqlite3_stmt *row = sql_query(deciding->store, SQL_RUN_BY_ID, VALUES(sql_uuid(&slot->run_id)));
    if (row == NULL) {
        return false;
    }
    bool ours = sqlite3_column_int64(row, 1) == slot->job_id &&
                sqlite3_column_int64(row, 2) == instant_ms(slot->due_at) &&
                sqlite3_column_int64(row, 5) == deciding->node_no;
    enum run_state state = (enum run_state)sqlite3_column_int(row, 3);
    bool as_decided = state == (slot->decision == DECIDE_RUN ? RUN_STARTED : RUN_DRY_RUN);
    slot->verdict = VERDICT_TAKEN;
    if (ours) {
        slot->verdict = !as_decided            ? VERDICT_TAKEN
                        : state == RUN_STARTED ? VERDICT_CLAIMED
                                               : VERDICT_WRITTEN;
        slot->fence = sqlite3_column_int64(row, 0);
        slot->started_at = column_instant(row, 4);
    }
    sql_end(row);
    return true;
}

// The slot is decided. By this very proposal, when its row says so; else by somebody else.
static void settle(const struct deciding *deciding, struct store_slot *slot)
{
    slot->verdict = VERDICT_TAKEN;
    if (!uuid_is_nil(slot->run_id) && settle_run(deciding, slot)) {
        return;
    }
    struct slot_state state = slot_get(deciding->store, slot);
    if (!state.exists || state.node_no != deciding->node_no) {
        return;
    }
    if ((slot->decision == DECIDE_WAIT && state.outcome == SLOT_OPEN && state.waits &&
         state.attempt == 0) ||
        (slot->decision == DECIDE_SKIP && state.outcome == SLOT_SKIPPED &&
         state.reason == slot->reason) ||
        (slot->decision == DECIDE_MISS && state.outcome == SLOT_MISSED &&
         state.reason == slot->reason)) {
        slot->verdict = VERDICT_WRITTEN;
    } else if (slot->decision == DECIDE_RUN && slot->skip_on_overlap &&
               state.outcome == SLOT_SKIPPED && state.reason == REASON_OVERLAP) {
        slot->verdict = VERDICT_OVERLAP;
    }
}

static enum slot_outcome outcome_of(const struct store_slot *slot, bool overlap)
{
    static const enum slot_outcome outcomes[] = {
        [DECIDE_RUN] = SLOT_OPEN,        [DECIDE_SKIP] = SLOT_SKIPPED, [DECIDE_MISS] = SLOT_MISSED,
        [DECIDE_DRY_RUN] = SLOT_DRY_RUN, [DECIDE_WAIT] = SLOT_OPEN,
    };
    return overlap ? SLOT_SKIPPED : outcomes[slot->decision];
}

static int64_t next_fence(struct sqlite_store *store)
{
    if (store->fence == 0) {
        store->fence = sql_query_integer(store, SQL_LAST_FENCE, 0, NULL, 0);
    }
    return ++store->fence;
}

static void write_run(const struct deciding *deciding, struct store_slot *slot)
{
    struct sqlite_store *store = deciding->store;
    int64_t now = instant_ms(store->now);
    bool dry = slot->decision == DECIDE_DRY_RUN;
    slot->fence = next_fence(store);
    slot->started_at = instant_from_ms(now);
    sql_run(store, SQL_RUN_INSERT,
            VALUES(sql_int(slot->fence), sql_uuid(&slot->run_id), sql_int(slot->job_id),
                   sql_int(instant_ms(slot->due_at)), sql_int(slot->attempt),
                   sql_int(slot->trigger), sql_int(dry ? RUN_DRY_RUN : RUN_STARTED),
                   sql_int(deciding->node_no), sql_int(now), sql_int_or_null(dry, now),
                   sql_int_or_null(dry, 0)));
    if (dry) {
        sql_run(store, SQL_JOB_ENDED,
                VALUES(sql_int(slot->job_id), sql_int(slot->fence), sql_text(NULL)));
    }
}

static void write_audit(const struct deciding *deciding, const struct store_slot *slot, bool is_run,
                        enum slot_outcome outcome, enum slot_reason reason)
{
    char composed[OPERATION_DETAIL_SIZE];
    const char *detail = slot->detail;
    if (detail == NULL || (slot->decision == DECIDE_RUN && !is_run)) {
        operation_slot_detail(slot, is_run, reason, composed);
        detail = composed;
    }
    const char *event =
        outcome == SLOT_OPEN ? run_state_name(RUN_STARTED) : slot_outcome_name(outcome);
    static const struct uuid nil;
    sqlite_audit_add(deciding->store, &(struct audit_entry){.event = event,
                                                            .job_id = slot->job_id,
                                                            .run_id = is_run ? &slot->run_id : &nil,
                                                            .node = &deciding->op->node,
                                                            .actor = deciding->op->actor,
                                                            .detail = detail});
}

enum slot_row { SLOT_ROW_NONE, SLOT_ROW_NEW, SLOT_ROW_OLD };

// Writes what was decided: run, slot and audit row.
static void write_decision(const struct deciding *deciding, struct store_slot *slot, bool overlap,
                           enum slot_row row)
{
    struct sqlite_store *store = deciding->store;
    bool is_run = !overlap && (slot->decision == DECIDE_RUN || slot->decision == DECIDE_DRY_RUN);
    enum slot_outcome outcome = outcome_of(slot, overlap);
    enum slot_reason reason = overlap ? REASON_OVERLAP : is_run ? REASON_NONE : slot->reason;
    if (is_run) {
        write_run(deciding, slot);
    }
    if (row != SLOT_ROW_NONE) {
        int attempt = is_run || slot->trigger != TRIGGER_RETRY ? slot->attempt : slot->attempt - 1;
        sql_run(store, row == SLOT_ROW_NEW ? SQL_SLOT_INSERT : SQL_SLOT_SET,
                VALUES(sql_int(instant_ms(slot->due_at)), sql_int(slot->job_id), sql_int(outcome),
                       sql_int(reason), sql_int_or_null(is_run, slot->fence), sql_int(attempt),
                       sql_int(deciding->node_no)));
    }
    write_audit(deciding, slot, is_run, outcome, reason);
    slot->verdict = overlap                        ? VERDICT_OVERLAP
                    : slot->decision == DECIDE_RUN ? VERDICT_CLAIMED
                                                   : VERDICT_WRITTEN;
}

// The slot is open, and nothing runs for it: its row is all that there is.
static void write_wait(const struct deciding *deciding, struct store_slot *slot)
{
    sql_run(deciding->store, SQL_SLOT_WAIT,
            VALUES(sql_int(instant_ms(slot->due_at)), sql_int(slot->job_id), sql_int(REASON_AFTER),
                   sql_int(deciding->node_no), sql_instant(slot->wait_until)));
    slot->verdict = VERDICT_WRITTEN;
}

static int64_t high_water(struct sqlite_store *store, const struct store_slot *slot)
{
    return sql_query_integer(store, SQL_JOB_HIGH_WATER, 0, VALUES(sql_int(slot->job_id)));
}

static bool is_replaced(struct sqlite_store *store, const struct store_slot *slot)
{
    return operation_has(slot->in_force_at) &&
           sql_query_integer(
               store, SQL_FORCE_SINCE, 0,
               VALUES(sql_int(slot->job_id), sql_int(instant_ms(slot->in_force_at)))) == 0;
}

static void decide_scheduled(const struct deciding *deciding, struct store_slot *slot)
{
    struct sqlite_store *store = deciding->store;
    bool overlap = overlaps(store, slot);
    if (overlap && !slot->skip_on_overlap && instant_ms(slot->due_at) > high_water(store, slot)) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    if ((overlap && !slot->skip_on_overlap) || is_replaced(store, slot) ||
        sql_run(store, SQL_JOB_MARK,
                VALUES(sql_int(slot->job_id), sql_int(instant_ms(slot->due_at)),
                       sql_int(slot->throttle_count))) == 0) {
        settle(deciding, slot);
        return;
    }
    if (slot->decision == DECIDE_WAIT) {
        write_wait(deciding, slot);
    } else {
        write_decision(deciding, slot, overlap, SLOT_ROW_NEW);
    }
}

static void decide_open(const struct deciding *deciding, struct store_slot *slot)
{
    bool overlap = overlaps(deciding->store, slot);
    if (overlap && !slot->skip_on_overlap) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    write_decision(deciding, slot, overlap, SLOT_ROW_OLD);
}

static void decide_scheduled_or_awaited(const struct deciding *deciding, struct store_slot *slot)
{
    if (!slot->awaited) {
        decide_scheduled(deciding, slot);
        return;
    }
    struct slot_state state = slot_get(deciding->store, slot);
    if (state.exists && state.outcome == SLOT_OPEN && state.waits && state.attempt == 0) {
        decide_open(deciding, slot);
    } else {
        settle(deciding, slot);
    }
}

static void decide_manual(const struct deciding *deciding, struct store_slot *slot)
{
    if (settle_run(deciding, slot)) {
        return;
    }
    if (overlaps(deciding->store, slot)) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    write_decision(deciding, slot, false, SLOT_ROW_NONE);
}

// A LOST slot may be tried again too: its node died before it could say whether it wanted that.
static bool awaits_attempt(const struct slot_state *state, const struct store_slot *slot)
{
    bool failed = state->outcome == SLOT_FAILED || state->outcome == SLOT_TIMED_OUT ||
                  state->outcome == SLOT_CANCELLED;
    bool waits = state->outcome == SLOT_OPEN && state->waits;
    return state->exists && slot->attempt == state->attempt + 1 &&
           (state->outcome == SLOT_LOST || (slot->by_hand ? failed : waits));
}

static void decide_retry(const struct deciding *deciding, struct store_slot *slot)
{
    struct slot_state state = slot_get(deciding->store, slot);
    if (!awaits_attempt(&state, slot)) {
        settle(deciding, slot);
        return;
    }
    decide_open(deciding, slot);
}

static void decide_backfill(const struct deciding *deciding, struct store_slot *slot)
{
    struct slot_state state = slot_get(deciding->store, slot);
    bool may = instant_ms(slot->due_at) <= high_water(deciding->store, slot) &&
               !(state.exists && state.outcome == SLOT_OPEN);
    if (!may || settle_run(deciding, slot)) {
        if (!may) {
            settle(deciding, slot);
        }
        return;
    }
    if (overlaps(deciding->store, slot)) {
        slot->verdict = VERDICT_OVERLAP;
        return;
    }
    // What a rehearsal would have done must not hide what really happened.
    bool keeps = state.exists && slot->decision == DECIDE_DRY_RUN;
    write_decision(deciding, slot, false,
                   keeps          ? SLOT_ROW_NONE
                   : state.exists ? SLOT_ROW_OLD
                                  : SLOT_ROW_NEW);
}

static bool jobs_exist(struct sqlite_store *store, const struct store_op_decide *op,
                       struct error *err)
{
    int64_t highest = 0;
    for (size_t i = 0; i < op->slot_count; i++) {
        highest = op->slots[i].job_id > highest ? op->slots[i].job_id : highest;
    }
    if (highest > store->job_max) {
        store->job_max = sql_query_integer(store, SQL_JOB_MAX, 0, NULL, 0);
    }
    return highest <= store->job_max ||
           error_set(err, ERROR_REFUSED,
                     "the store knows no job with the number %lld; have the node read its "
                     "configuration again: ironcron reload",
                     (long long)highest);
}

enum store_result sqlite_decide(struct sqlite_store *store, struct store_op *base)
{
    struct store_op_decide *op = CONTAINER_OF(base, struct store_op_decide, op);
    struct deciding deciding = {
        .store = store, .op = op, .node_no = sqlite_live_node(store, &op->node)};
    if (deciding.node_no == 0) {
        return sqlite_not_live(&base->err);
    }
    if (!jobs_exist(store, op, &base->err)) {
        return STORE_REFUSED;
    }
    static void (*const deciders[TRIGGER_COUNT])(const struct deciding *, struct store_slot *) = {
        [TRIGGER_SCHEDULE] = decide_scheduled_or_awaited,
        [TRIGGER_CATCHUP] = decide_scheduled_or_awaited,
        [TRIGGER_RETRY] = decide_retry,
        [TRIGGER_MANUAL] = decide_manual,
        [TRIGGER_BACKFILL] = decide_backfill,
    };
    op->outdated = operation_is_outdated(op, sqlite_active_version(store));
    for (size_t i = 0; i < op->slot_count && store->failed == SQLITE_OK; i++) {
        struct store_slot *slot = &op->slots[i];
        slot->verdict = VERDICT_NONE;
        slot->fence = 0;
        slot->started_at = INSTANT_NONE;
        if (!op->outdated) {
            deciders[slot->trigger](&deciding, slot);
        } else if (!uuid_is_nil(slot->run_id)) {
            (void)settle_run(&deciding, slot);
        }
    }
    return STORE_OK;
}
