// SPDX-License-Identifier: MIT
// Claiming. The slots of one operation go in as few statements as their order allows: scheduled
// ones of different jobs together, everything else one by one; all in one transaction.
#include "store/postgres/postgres_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

// Which slots each statement is about: [from, to).
struct groups {
    size_t count;
    size_t from[STORE_BATCH_MAX + 1];
};

// Guarded by the mark.
static bool is_scheduled(const struct store_slot *slot)
{
    return (slot->trigger == TRIGGER_SCHEDULE || slot->trigger == TRIGGER_CATCHUP) &&
           !slot->awaited;
}

// Jobs of the group so far, in a small hash table: a batch of a thousand is looked through once.
#define SEEN_SIZE 4096
struct seen {
    int64_t jobs[SEEN_SIZE]; // 0 = free
};

// Where it is, or would be.
static int64_t *seen_at(struct seen *seen, int64_t job_id)
{
    size_t at = (size_t)((uint64_t)job_id * 0x9e3779b97f4a7c15U >> 52);
    while (seen->jobs[at] != 0 && seen->jobs[at] != job_id) {
        at = (at + 1) % SEEN_SIZE;
    }
    return &seen->jobs[at];
}

static bool seen_before(struct seen *seen, int64_t job_id)
{
    int64_t *at = seen_at(seen, job_id);
    bool before = *at == job_id;
    *at = job_id;
    return before;
}

static struct groups *groups_new(const struct store_op_decide *op)
{
    struct groups *groups = alloc_zero(1, sizeof *groups);
    struct seen *seen = alloc_zero(1, sizeof *seen);
    bool gathering = false;
    for (size_t i = 0; i < op->slot_count; i++) {
        bool gathers = is_scheduled(&op->slots[i]);
        if (!gathering || !gathers || seen_before(seen, op->slots[i].job_id)) {
            groups->from[groups->count++] = i;
            if (gathers) { // what goes by itself has no others to be told from
                memset(seen, 0, sizeof *seen);
                (void)seen_before(seen, op->slots[i].job_id);
            }
        }
        gathering = gathers;
    }
    groups->from[groups->count] = op->slot_count;
    free(seen);
    return groups;
}

// ---- beside ends --------------------------------------------------------------------------------

bool decide_is_scheduled(const struct store_op_decide *op)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        if (!is_scheduled(&op->slots[i])) {
            return false;
        }
    }
    return true;
}

bool decide_meets_held(const struct postgres_store *store, const struct store_op_decide *op)
{
    struct seen *seen = alloc_zero(1, sizeof *seen);
    bool meets = false;
    for (size_t i = 0; i < op->slot_count; i++) {
        if (slot_wants_lock(&op->slots[i])) {
            (void)seen_before(seen, op->slots[i].job_id);
        }
    }
    for (size_t i = 0; i < store->held_count && !meets; i++) {
        meets = *seen_at(seen, store->held[i].job_id) != 0;
    }
    free(seen);
    return meets;
}

// ---- sending ------------------------------------------------------------------------------------

// What is done by hand does not ask whether the definitions changed meanwhile.
static bool follows_schedules(const struct store_op_decide *op)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        enum run_trigger trigger = op->slots[i].trigger;
        if (trigger == TRIGGER_SCHEDULE || trigger == TRIGGER_CATCHUP) {
            return true;
        }
    }
    return false;
}

static void put_jobs(struct parameters *parameters, const struct store_op_decide *op)
{
    put_list(parameters, LIST_INT);
    for (size_t i = 0; i < op->slot_count; i++) {
        list_int(parameters, op->slots[i].job_id);
    }
    list_end(parameters);
}

static void send_begin(struct postgres_store *store, const struct store_op_decide *op, bool single,
                       bool passes)
{
    struct parameters parameters;
    put_node(&parameters, op->node);
    if (follows_schedules(op)) {
        put_int(&parameters, op->version);
    } else {
        put_null(&parameters);
    }
    if (single && !passes) {
        put_null(&parameters);
    } else {
        put_jobs(&parameters, op);
    }
    task_send(store, passes ? PG_DECIDE_BEGIN_PASSING : PG_DECIDE_BEGIN, &parameters);
}

// What the audit row says, when the slot goes as proposed and when a running run is in its way.
static const char *detail_of(const struct store_slot *slot, char composed[OPERATION_DETAIL_SIZE])
{
    bool runs = slot->decision == DECIDE_RUN || slot->decision == DECIDE_DRY_RUN;
    if (slot->detail != NULL) {
        return slot->detail;
    }
    operation_slot_detail(slot, runs, slot->reason, composed);
    return composed;
}

static const char *overlap_detail_of(const struct store_slot *slot,
                                     char composed[OPERATION_DETAIL_SIZE])
{
    if (slot->decision != DECIDE_RUN || !slot->skip_on_overlap) {
        return NULL;
    }
    operation_slot_detail(slot, false, REASON_OVERLAP, composed);
    return composed;
}

// What only some decisions have stands in one array.
static struct instant until_or_force(const struct store_slot *slot)
{
    bool passes = slot->decision == DECIDE_SKIP || slot->decision == DECIDE_MISS;
    return passes ? slot->in_force_at : slot->wait_until;
}

#define EACH(type, put)                                                                            \
    do {                                                                                           \
        put_list(&parameters, LIST_##type);                                                        \
        for (const struct store_slot *slot = first; slot < end; slot++) {                          \
            put;                                                                                   \
        }                                                                                          \
        list_end(&parameters);                                                                     \
    } while (0)

static void send_scheduled(struct postgres_store *store, const struct store_op_decide *op,
                           size_t from, size_t to, bool passes)
{
    const struct store_slot *first = &op->slots[from];
    const struct store_slot *end = &op->slots[to];
    char composed[OPERATION_DETAIL_SIZE];
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, op->actor);
    EACH(INT, list_int(&parameters, slot->job_id));
    EACH(INT, list_int(&parameters, instant_ms(slot->due_at)));
    EACH(INT, list_int(&parameters, slot->decision));
    EACH(INT, list_int(&parameters, slot->trigger));
    EACH(INT, list_int(&parameters, slot->attempt));
    EACH(UUID, list_uuid(&parameters, slot->run_id));
    EACH(INT, list_int(&parameters, slot->reason));
    EACH(BOOL, list_bool(&parameters, slot->forbid_overlap));
    EACH(BOOL, list_bool(&parameters, slot->skip_on_overlap));
    EACH(INT, list_int(&parameters, slot->throttle_count));
    EACH(INT, list_instant(&parameters, until_or_force(slot)));
    EACH(TEXT, list_text(&parameters, detail_of(slot, composed)));
    EACH(TEXT, list_text(&parameters, overlap_detail_of(slot, composed)));
    parameters.wants_binary = true;
    task_send(store, passes ? PG_DECIDE_SCHEDULED_PASSING : PG_DECIDE_SCHEDULED, &parameters);
}

static void send_other(struct postgres_store *store, const struct store_op_decide *op,
                       const struct store_slot *slot, bool passes)
{
    char composed[OPERATION_DETAIL_SIZE];
    char overlapped[OPERATION_DETAIL_SIZE];
    struct parameters parameters;
    parameters_init(&parameters);
    put_uuid(&parameters, op->node);
    put_now(store, &parameters);
    put_text(&parameters, op->actor);
    put_int(&parameters, slot->job_id);
    put_int(&parameters, instant_ms(slot->due_at));
    put_int(&parameters, slot->decision);
    put_int(&parameters, slot->trigger);
    put_int(&parameters, slot->attempt);
    put_uuid(&parameters, slot->run_id);
    put_int(&parameters, slot->reason);
    put_bool(&parameters, slot->forbid_overlap);
    put_bool(&parameters, slot->skip_on_overlap);
    put_bool(&parameters, slot->by_hand);
    put_text(&parameters, detail_of(slot, composed));
    put_text(&parameters, overlap_detail_of(slot, overlapped));
    parameters.wants_binary = true;
    task_send(store, passes ? PG_DECIDE_OTHER_PASSING : PG_DECIDE_OTHER, &parameters);
}

// Slots that one statement decides need no more: it takes the jobs in their order. What is in force
// is only seen once they are held.
static bool is_single(const struct store_op_decide *op, const struct groups *groups)
{
    return groups->count == 1 && is_scheduled(&op->slots[0]) &&
           !operation_has(op->slots[0].in_force_at);
}

void send_decide(struct postgres_store *store, struct task *task)
{
    const struct store_op_decide *op = CONTAINER_OF(task->op, struct store_op_decide, op);
    struct groups *groups = groups_new(op);
    task->state = groups;
    send_begin(store, op, is_single(op, groups), task->passes);
    for (size_t i = 0; i < groups->count; i++) {
        if (is_scheduled(&op->slots[groups->from[i]])) {
            send_scheduled(store, op, groups->from[i], groups->from[i + 1], task->passes);
        } else {
            send_other(store, op, &op->slots[groups->from[i]], task->passes);
        }
    }
}

// ---- answers ------------------------------------------------------------------------------------

// The node is live.
static void take_begin(struct store_op_decide *op, const PGresult *result)
{
    op->outdated = field_bool(result, 0, 0);
    for (size_t i = 0; i < op->slot_count; i++) {
        op->slots[i].verdict = VERDICT_NONE;
        op->slots[i].fence = 0;
        op->slots[i].started_at = INSTANT_NONE;
    }
}

static void take_verdicts(const struct groups *groups, struct store_slot *slots, size_t group,
                          const PGresult *result)
{
    size_t from = groups->from[group];
    size_t count = groups->from[group + 1] - from;
    int64_t *values = alloc_zero(3 * count, sizeof *values);
    for (int column = 0; column < 3; column++) {
        CHECK(binary_ints(result, 0, column, values + (size_t)column * count, count) == count);
    }
    for (size_t i = 0; i < count; i++) {
        struct store_slot *slot = &slots[from + i];
        int64_t started = values[2 * count + i];
        slot->verdict = (enum store_verdict)values[i];
        slot->fence = values[count + i];
        slot->started_at = started == 0 ? INSTANT_NONE : instant_from_ms(started);
    }
    free(values);
}

void take_decide(struct postgres_store *store, struct task *task, const PGresult *result)
{
    (void)store;
    struct store_op_decide *op = CONTAINER_OF(task->op, struct store_op_decide, op);
    if (task->answers == 0) {
        take_begin(op, result);
    } else if (PQntuples(result) > 0) {
        take_verdicts(task->state, op->slots, (size_t)task->answers - 1, result);
    }
}
