// SPDX-License-Identifier: MIT
// Random operations of nodes that live beside each other. On a store that only one node can have,
// the newest does nearly all of them.
#include <inttypes.h>

#include "random_step.h"

#define LEASE DURATION_S(20)
#define GRACE DURATION_S(5)

// ---- making a step ------------------------------------------------------------------------------

static void make_join(struct twin *twin, struct step *step)
{
    struct uuid *place = &twin->nodes[twin->node_count++ % NODES_KNOWN];
    step->node = contract_id(&twin->ids);
    step->join = (struct store_op_join){.node = step->node,
                                        .host = "h",
                                        .version = "v",
                                        .alone = !twin->fleet,
                                        .lease = twin->fleet ? LEASE : DURATION_S(0),
                                        .grace = twin->fleet ? GRACE : DURATION_S(0),
                                        .max_running = 1 + (int)twin_draw(twin, 9),
                                        .dry_run = twin_draw(twin, 5) == 0};
    if (twin->fleet && twin_draw(twin, 2) == 0) {
        step->join.labels = "{\"region\":\"eu\"}";
    }
    if (twin->fleet && twin_draw(twin, 3) == 0) {
        step->join.dead = *place;
    }
    *place = step->node;
}

void fleet_step_node(struct twin *twin, struct step *step)
{
    size_t known = twin->node_count < NODES_KNOWN ? twin->node_count : NODES_KNOWN;
    bool rare = step->kind == STORE_JOIN || step->kind == STORE_LEAVE;
    if (rare && twin_draw(twin, twin->fleet ? 2 : 6) != 0) {
        step->kind = STORE_DECIDE;
    } else if (step->kind == STORE_LEAVE && !twin->fleet) {
        step->kind = STORE_JOIN; // what leaves is followed by a new one
    }
    size_t older = twin->fleet ? twin_draw(twin, known) : twin_draw(twin, 12) == 0 && known > 1;
    step->node = twin->nodes[(twin->node_count - 1 - older) % NODES_KNOWN];
    step->version = twin_draw(twin, 20) == 0 ? twin->version + 1 : twin->version;
}

void fleet_step_make(struct twin *twin, struct step *step)
{
    static const char *const hashes[] = {"one", "two", "three"};
    switch (step->kind) {
    case STORE_JOIN:
        make_join(twin, step);
        break;
    case STORE_BEAT:
        step->look = twin_draw(twin, 2) == 0;
        step->full = twin_draw(twin, 3) == 0;
        step->draining = twin_draw(twin, 5) == 0;
        break;
    case STORE_FENCE:
    case STORE_MARKS:
        step->count = twin_draw(twin, BATCH + 1);
        step->fencing_id = contract_id(&twin->ids);
        for (size_t i = 0; i < step->count; i++) {
            step->except[i] = 1 + (int64_t)twin_draw(twin, STEP_JOBS + 1);
        }
        break;
    case STORE_INTENT_OWN:
        step->intent_id = twin->intents[twin_draw(twin, 8)];
        break;
    case STORE_VERSION:
        step->hash = hashes[twin_draw(twin, 3)];
        step->always = twin_draw(twin, 2) == 0;
        break;
    default:
        break;
    }
}

// ---- carrying it out ----------------------------------------------------------------------------

static void write_id(FILE *out, struct uuid id)
{
    char text[UUID_TEXT_SIZE];
    uuid_format(id, text);
    fprintf(out, " %s", text);
}

static void write_lost(FILE *out, const struct store_lost *lost, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, " lost %" PRId64 "/%s/%" PRId64 "/%d/%d", lost[i].job_id, lost[i].job,
                lost[i].due_at.us, lost[i].trigger, lost[i].attempt);
        write_id(out, lost[i].run_id);
    }
}

static void carry_out_join(struct store *store, struct step *step, FILE *out)
{
    struct store_op_join op = step->join;
    op.lost_retry = step_lost_retry;
    op.lost_context = step;
    fprintf(out, "join %d at %" PRId64, step_call(store, &op.op, STORE_JOIN), op.now.us);
    if (op.op.result == STORE_OK) {
        write_lost(out, op.lost, op.lost_count);
    }
    store_op_release(&op.op);
}

static void carry_out_beat(struct store *store, struct step *step, FILE *out)
{
    struct store_op_beat op = {.node = step->node,
                               .look = step->look,
                               .running = (int)step->number,
                               .full = step->full,
                               .draining = step->draining};
    fprintf(out, "beat %d", step_call(store, &op.op, STORE_BEAT));
    if (op.op.result != STORE_OK) {
        return;
    }
    fprintf(out, " at %" PRId64 " changes %" PRId64 " version %" PRId64 " orphans %d", op.now.us,
            op.changes, op.version, op.orphans);
    for (size_t i = 0; i < op.member_count; i++) {
        const struct store_member *m = &op.members[i];
        write_id(out, m->node);
        step->overdue += m->is_overdue;
        fprintf(out, "/%s/%s/%d%d%d%d", m->host, m->labels == NULL ? "-" : m->labels, m->dry_run,
                m->draining, m->full, m->is_overdue);
    }
    store_op_release(&op.op);
}

static void carry_out_fence(struct store *store, struct step *step, FILE *out)
{
    struct store_op_fence op = {.node = step->node,
                                .fencing_id = step->fencing_id,
                                .except = step->except,
                                .except_count = step->count,
                                .lost_retry = step_lost_retry,
                                .lost_context = step};
    fprintf(out, "fence %d", step_call(store, &op.op, STORE_FENCE));
    if (op.op.result != STORE_OK) {
        return;
    }
    fprintf(out, " at %" PRId64 " fenced", op.now.us);
    for (size_t i = 0; i < op.fenced_count; i++) {
        write_id(out, op.fenced[i]);
    }
    step->fenced = (int)op.fenced_count;
    step->lost = (int)op.lost_count;
    step->taken_over = (int)op.waiting_count;
    write_lost(out, op.lost, op.lost_count);
    for (size_t i = 0; i < op.waiting_count; i++) {
        const struct store_retry *waiting = &op.waiting[i];
        fprintf(out, " waits %" PRId64 "/%" PRId64 "/%d/%" PRId64, waiting->job_id,
                waiting->due_at.us, waiting->attempt, waiting->retry_at.us);
    }
    store_op_release(&op.op);
}

static void carry_out_marks(struct store *store, struct step *step, FILE *out)
{
    struct store_mark marks[BATCH];
    for (size_t i = 0; i < step->count; i++) {
        marks[i] = (struct store_mark){.job_id = step->except[i]};
    }
    struct store_op_marks op = {.marks = marks, .mark_count = step->count};
    fprintf(out, "marks %d", step_call(store, &op.op, STORE_MARKS));
    for (size_t i = 0; i < step->count && op.op.result == STORE_OK; i++) {
        fprintf(out, " %" PRId64 "/%" PRId64 "/%" PRId64 "/%d/%d%d", marks[i].job_id,
                marks[i].high_water.us, marks[i].last_success.us, marks[i].throttle_count,
                marks[i].running, marks[i].waiting);
    }
    store_op_release(&op.op);
}

static void carry_out_own(struct store *store, struct step *step, FILE *out)
{
    struct arena arena;
    struct store_intent intent = {.node = {{0}}};
    struct error err = ERROR_INIT;
    struct store_op_intent_own op = {.node = step->node, .intent_id = step->intent_id};
    fprintf(out, "own %d", step_call(store, &op.op, STORE_INTENT_OWN));
    step->owned = op.op.result == STORE_OK && op.own;
    fprintf(out, " %d", step->owned);
    arena_init(&arena, 1 << 20);
    if (store->ops->read_intent(store, step->intent_id, &arena, &intent, &err)) {
        write_id(out, intent.node);
    }
    arena_release(&arena);
    store_op_release(&op.op);
}

static void carry_out_version(struct store *store, struct step *step, FILE *out)
{
    struct store_op_version op = {.node = step->node,
                                  .actor = "ann@h1",
                                  .hash = step->hash,
                                  .text = step->hash,
                                  .always = step->always};
    fprintf(out, "version %d", step_call(store, &op.op, STORE_VERSION));
    if (op.op.result == STORE_OK) {
        step->version = op.version;
        fprintf(out, " %" PRId64 " %d", op.version, op.activated);
    }
    store_op_release(&op.op);
}

bool fleet_step_carry_out(struct store *store, struct step *step, FILE *out)
{
    struct store_op_leave leave = {.node = step->node};
    switch (step->kind) {
    case STORE_JOIN:
        carry_out_join(store, step, out);
        return true;
    case STORE_LEAVE:
        fprintf(out, "leave %d", step_call(store, &leave.op, STORE_LEAVE));
        return true;
    case STORE_BEAT:
        carry_out_beat(store, step, out);
        return true;
    case STORE_FENCE:
        carry_out_fence(store, step, out);
        return true;
    case STORE_MARKS:
        carry_out_marks(store, step, out);
        return true;
    case STORE_INTENT_OWN:
        carry_out_own(store, step, out);
        return true;
    case STORE_VERSION:
        carry_out_version(store, step, out);
        return true;
    default:
        return false;
    }
}
