// SPDX-License-Identifier: MIT
#include "random_step.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

uint64_t twin_draw(struct twin *twin, uint64_t below)
{
    twin->random = twin->random * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
    return (twin->random >> 33) % below;
}

static struct instant draw_due(struct twin *twin)
{
    int64_t now = instant_ms(twin->clock.now);
    return instant_from_ms(now - now % 1000 + 1000 * ((int64_t)twin_draw(twin, 12) - 8));
}

static const char *draw_text(struct twin *twin)
{
    static const char *const texts[] = {NULL, "x", "{\"a\":1}", "é",
                                        "long enough to be a sentence"};
    return texts[twin_draw(twin, 5)];
}

// ---- making a step ------------------------------------------------------------------------------

const char *const step_jobs[STEP_JOBS] = {"alpha", "beta", "gamma", "Delta", "e-5"};

// Slots that wait, and what may become of them; among what makes no sense.
static void make_waiting(struct twin *twin, struct store_slot *slot)
{
    bool scheduled = slot->trigger == TRIGGER_SCHEDULE || slot->trigger == TRIGGER_CATCHUP;
    slot->by_hand = slot->trigger == TRIGGER_RETRY && twin_draw(twin, 2) == 0;
    slot->wait_until = draw_due(twin);
    if (slot->decision == DECIDE_WAIT && (!scheduled || twin_draw(twin, 30) == 0)) {
        slot->decision = scheduled ? DECIDE_WAIT : DECIDE_RUN;
        slot->awaited = scheduled;
    } else if (scheduled && slot->decision != DECIDE_WAIT && twin->waiting_count > 0 &&
               twin_draw(twin, 4) == 0) {
        const struct store_slot *waiting = &twin->waiting[twin_draw(twin, twin->waiting_count)];
        slot->awaited = true;
        slot->job_id = waiting->job_id;
        slot->due_at = waiting->due_at;
        slot->attempt = 1;
    }
    if (slot->decision == DECIDE_WAIT) {
        if (twin->waiting_count < WAITING_KNOWN) {
            twin->waiting_count++;
        }
        twin->waiting[twin_draw(twin, twin->waiting_count)] = *slot;
    }
}

static void make_slots(struct twin *twin, struct step *step)
{
    step->count = 1 + twin_draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        struct store_slot *slot = &step->slots[i];
        *slot = (struct store_slot){
            .job_id = 1 + (int64_t)twin_draw(twin, STEP_JOBS + (twin_draw(twin, 20) == 0)),
            .due_at = draw_due(twin),
            .decision = (enum store_decision)twin_draw(twin, 5),
            .trigger = (enum run_trigger)twin_draw(twin, TRIGGER_COUNT),
            .attempt = 1 + (int)twin_draw(twin, 3),
            .reason = (enum slot_reason)twin_draw(twin, SLOT_REASON_COUNT),
            .forbid_overlap = twin_draw(twin, 2) == 0,
            .skip_on_overlap = twin_draw(twin, 2) == 0,
            .throttle_count = (int)twin_draw(twin, 4),
            .detail = draw_text(twin),
        };
        if (slot->decision != DECIDE_RUN && twin_draw(twin, 2) == 0) {
            slot->decision = DECIDE_RUN;
        }
        if (twin_draw(twin, 2) != 0 && slot->trigger != TRIGGER_SCHEDULE) {
            slot->trigger = TRIGGER_SCHEDULE;
        }
        if (slot->trigger == TRIGGER_RETRY && twin->run_count > 0) {
            const struct store_slot *earlier = &twin->runs[twin_draw(twin, twin->run_count)];
            slot->job_id = earlier->job_id;
            slot->due_at = earlier->due_at;
            slot->attempt = earlier->attempt + 1;
        }
        make_waiting(twin, slot);
        slot->run_id = contract_id(&twin->ids);
    }
}

static void make_ends(struct twin *twin, struct step *step)
{
    step->count = twin->run_count == 0 ? 0 : 1 + twin_draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        const struct store_slot *run = &twin->runs[twin_draw(twin, twin->run_count)];
        step->ends[i] = (struct store_end){
            .run_id = twin_draw(twin, 20) == 0 ? contract_id(&twin->ids) : run->run_id,
            .fence = run->fence + (twin_draw(twin, 15) == 0),
            .state = (enum run_state)(1 + twin_draw(twin, 5)),
            .failure = (enum run_failure)twin_draw(twin, FAILURE_COUNT),
            .has_exit_code = twin_draw(twin, 2) == 0,
            .exit_code = (int)twin_draw(twin, 256),
            .error = draw_text(twin),
            .duration = DURATION_MS((int64_t)twin_draw(twin, 100000)),
            .retry_at = twin_draw(twin, 3) == 0 ? draw_due(twin) : INSTANT_NONE,
            .detail = draw_text(twin),
        };
    }
}

static void make_chunks(struct twin *twin, struct step *step)
{
    static const char bytes[] = "0123456789abcdef";
    step->count = twin->run_count == 0 ? 0 : 1 + twin_draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        step->chunks[i] =
            (struct store_chunk){.run_id = twin->runs[twin_draw(twin, twin->run_count)].run_id,
                                 .offset = (int64_t)twin_draw(twin, 12),
                                 .bytes = bytes,
                                 .length = twin_draw(twin, 16)};
        step->chunks[i].offset = twin_draw(twin, 2) == 0 ? 0 : step->chunks[i].offset;
    }
}

static void make_publication(struct twin *twin, struct step *step)
{
    static const char *const specs[] = {"one", "two", NULL};
    step->count = 1 + twin_draw(twin, BATCH);
    step->at = twin_draw(twin, 4) == 0 ? draw_due(twin) : twin->clock.now;
    for (size_t i = 0; i < step->count; i++) {
        step->items[i] = (struct store_publish_item){.name = step_jobs[twin_draw(twin, STEP_JOBS)],
                                                     .spec = specs[twin_draw(twin, 3)]};
    }
}

static void make_control(struct twin *twin, struct step *step)
{
    enum store_control_kind kind = (enum store_control_kind)twin_draw(twin, CONTROL_KIND_COUNT);
    step->control = (struct store_op_control){
        .kind = kind,
        .job = twin_draw(twin, 3) == 0 ? NULL : step_jobs[twin_draw(twin, STEP_JOBS)],
        .value = (int)twin_draw(twin, kind == CONTROL_THROTTLE ? 5 : 2),
        .actor = "ann@h1",
        .as = draw_text(twin),
        .reason = draw_text(twin),
    };
}

static void make_intent(struct twin *twin, struct step *step)
{
    step->intent =
        (struct store_intent){.intent_id = contract_id(&twin->ids),
                              .kind = (enum store_intent_kind)twin_draw(twin, INTENT_KIND_COUNT),
                              .job = draw_text(twin),
                              .params = draw_text(twin),
                              .actor = "ann@h1",
                              .dry_run = twin_draw(twin, 2) == 0};
    twin->intents[twin->intent_count++ % 8] = step->intent.intent_id;
}

static void make_prune(struct twin *twin, struct step *step)
{
    step->prune = (struct store_op_prune){.runs_before = INSTANT_NONE,
                                          .output_before = INSTANT_NONE,
                                          .audit_before = INSTANT_NONE,
                                          .limit = 1 + twin_draw(twin, 20)};
    struct instant before =
        instant_add(twin->clock.now, DURATION_S(-(int64_t)twin_draw(twin, 200)));
    step->prune.runs_before = twin_draw(twin, 2) == 0 ? before : INSTANT_NONE;
    step->prune.output_before = twin_draw(twin, 2) == 0 ? before : INSTANT_NONE;
    if (twin_draw(twin, 2) == 0) {
        step->prune.audit_before = before;
        step->prune.limit = 1000; // pieces of the audit are as large as the store likes
    }
}

static void make_look(struct twin *twin, struct step *step)
{
    step->count = 1 + twin_draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        struct instant since = draw_due(twin);
        step->looks[i] = (struct store_slots_item){
            .job_id = 1 + (int64_t)twin_draw(twin, STEP_JOBS + 1),
            .since = instant_add(since, DURATION_S(-(int64_t)twin_draw(twin, 300))),
            .until = draw_due(twin),
            .unsuccessful = twin_draw(twin, 2) == 0,
            .limit = 1 + twin_draw(twin, 5)};
    }
}

struct step step_make(struct twin *twin)
{
    static const enum store_op_kind kinds[] = {
        STORE_DECIDE,  STORE_DECIDE,      STORE_DECIDE,     STORE_DECIDE,  STORE_DECIDE,
        STORE_FINISH,  STORE_FINISH,      STORE_FINISH,     STORE_OUTPUT,  STORE_PUBLISH,
        STORE_CONTROL, STORE_INTENT_PUT,  STORE_INTENT_END, STORE_AUDIT,   STORE_SEAL,
        STORE_PRUNE,   STORE_BEAT,        STORE_LEAVE,      STORE_JOIN,    STORE_SLOTS,
        STORE_SLOTS,   STORE_INTENT_NOTE, STORE_BEAT,       STORE_FENCE,   STORE_MARKS,
        STORE_MARKS,   STORE_INTENT_OWN,  STORE_INTENT_OWN, STORE_VERSION,
    };
    struct step step = {.kind = kinds[twin_draw(twin, sizeof kinds / sizeof kinds[0])]};
    fleet_step_node(twin, &step);
    step.number = (int64_t)twin_draw(twin, 50);
    step.wants_retry = twin_draw(twin, 2) == 0;
    switch (step.kind) {
    case STORE_DECIDE:
        make_slots(twin, &step);
        break;
    case STORE_FINISH:
        make_ends(twin, &step);
        break;
    case STORE_OUTPUT:
        make_chunks(twin, &step);
        break;
    case STORE_PUBLISH:
        make_publication(twin, &step);
        break;
    case STORE_CONTROL:
        make_control(twin, &step);
        break;
    case STORE_INTENT_PUT:
        make_intent(twin, &step);
        break;
    case STORE_INTENT_END:
        step.intent_end = (struct store_op_intent_end){
            .intent_id = twin->intents[twin_draw(twin, 8)],
            .state = twin_draw(twin, 2) == 0 ? INTENT_DONE : INTENT_REFUSED,
            .answer = draw_text(twin)};
        break;
    case STORE_INTENT_NOTE:
        step.intent_note = (struct store_op_intent_note){
            .intent_id = twin->intents[twin_draw(twin, 8)], .answer = draw_text(twin)};
        break;
    case STORE_SLOTS:
        make_look(twin, &step);
        break;
    case STORE_PRUNE:
        make_prune(twin, &step);
        break;
    default:
        fleet_step_make(twin, &step);
    }
    return step;
}

// ---- carrying it out ----------------------------------------------------------------------------

struct instant step_lost_retry(void *context, const struct store_lost *lost, struct instant now)
{
    const struct step *step = context;
    return step->wants_retry && lost->attempt < 3 ? instant_add(now, DURATION_S(1)) : INSTANT_NONE;
}

enum store_result step_call(struct store *store, struct store_op *op, enum store_op_kind kind)
{
    struct error err = ERROR_INIT;
    op->kind = kind;
    bool ok = store_call(store, op, &err);
    assert_int_equal(ok, op->result == STORE_OK);
    return op->result;
}

static void carry_out_slots(struct store *store, struct step *step, FILE *out)
{
    struct store_op_decide op = {.node = step->node,
                                 .version = step->version,
                                 .actor = "ann@h1",
                                 .slots = step->slots,
                                 .slot_count = step->count};
    enum store_result result = step_call(store, &op.op, STORE_DECIDE);
    step->outdated = result == STORE_OK && op.outdated;
    fprintf(out, "decide %d %d", result, step->outdated);
    for (size_t i = 0; i < step->count && result == STORE_OK; i++) {
        fprintf(out, " %d/%" PRId64 "/%" PRId64, step->slots[i].verdict, step->slots[i].fence,
                step->slots[i].started_at.us);
    }
    store_op_release(&op.op);
}

static void carry_out_ends(struct store *store, struct step *step, FILE *out)
{
    struct store_op_finish op = {.node = step->node, .ends = step->ends, .end_count = step->count};
    fprintf(out, "finish %d", step_call(store, &op.op, STORE_FINISH));
    for (size_t i = 0; i < step->count; i++) {
        fprintf(out, " %d", step->ends[i].stale);
    }
    store_op_release(&op.op);
}

static void carry_out_output(struct store *store, struct step *step, FILE *out)
{
    struct store_op_output op = {.chunks = step->chunks, .chunk_count = step->count};
    fprintf(out, "output %d", step_call(store, &op.op, STORE_OUTPUT));
    for (size_t i = 0; i < step->count; i++) {
        char bytes[128];
        size_t length = 0;
        struct error err = ERROR_INIT;
        assert_true(store->ops->read_output(store, step->chunks[i].run_id, 0, bytes, sizeof bytes,
                                            &length, &err));
        fprintf(out, " %.*s", (int)length, bytes);
    }
    store_op_release(&op.op);
}

static void carry_out_publication(struct store *store, struct step *step, FILE *out)
{
    struct store_op_publish op = {.node = step->node,
                                  .version = step->version,
                                  .at = step->at,
                                  .items = step->items,
                                  .item_count = step->count};
    fprintf(out, "publish %d", step_call(store, &op.op, STORE_PUBLISH));
    for (size_t i = 0; i < step->count && op.op.result == STORE_OK; i++) {
        fprintf(out, " %" PRId64, step->items[i].job_id);
    }
    fprintf(out, " %d", op.op.result == STORE_OK && op.changed);
    store_op_release(&op.op);
}

// Each look is gone on with until it has seen all, so that how far one call comes does not matter.
static void carry_out_looks(struct store *store, struct step *step, FILE *out)
{
    fprintf(out, "slots");
    for (size_t i = 0; i < step->count; i++) {
        struct store_slots_item item = step->looks[i];
        do {
            struct store_op_slots op = {.items = &item, .item_count = 1};
            if (step_call(store, &op.op, STORE_SLOTS) != STORE_OK) {
                fprintf(out, " refused");
                break;
            }
            for (size_t j = 0; j < item.found_count; j++) {
                const struct store_found_slot *f = &item.found[j];
                char id[UUID_TEXT_SIZE];
                uuid_format(f->run_id, id);
                fprintf(out, " %" PRId64 "/%d/%d/%d/%s", f->due_at.us, f->outcome, f->reason,
                        f->attempt, id);
            }
            store_op_release(&op.op);
            item.since = instant_add(item.seen, DURATION_MS(1));
        } while (instant_before(item.seen, item.until));
        fprintf(out, " mark %" PRId64 " force %" PRId64, item.high_water.us, item.force_from.us);
    }
}

static void carry_out_others(struct store *store, struct step *step, FILE *out)
{
    struct store_op_intent_put put = {.intent = step->intent};
    struct store_op_audit audit = {.node = step->node, .event = "NOTE", .job = "alpha"};
    struct store_op_seal seal = {.limit = 1000}; // all: pieces are as large as the store likes
    switch (step->kind) {
    case STORE_CONTROL:
        fprintf(out, "control %d", step_call(store, &step->control.op, STORE_CONTROL));
        fprintf(out, " %d", step->control.changed);
        break;
    case STORE_INTENT_PUT:
        fprintf(out, "put %d", step_call(store, &put.op, STORE_INTENT_PUT));
        break;
    case STORE_INTENT_END:
        fprintf(out, "end %d", step_call(store, &step->intent_end.op, STORE_INTENT_END));
        break;
    case STORE_INTENT_NOTE:
        fprintf(out, "note %d", step_call(store, &step->intent_note.op, STORE_INTENT_NOTE));
        break;
    case STORE_AUDIT:
        fprintf(out, "audit %d", step_call(store, &audit.op, STORE_AUDIT));
        break;
    case STORE_SEAL:
        fprintf(out, "seal %d", step_call(store, &seal.op, STORE_SEAL));
        fprintf(out, " %zu %d", seal.sealed, seal.more);
        break;
    case STORE_PRUNE:
        fprintf(out, "prune %d", step_call(store, &step->prune.op, STORE_PRUNE));
        fprintf(out, " %zu %d", step->prune.deleted, step->prune.more);
        break;
    default:
        fail_msg("no such step");
    }
}

char *step_carry_out(struct store *store, struct step *step)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    switch (step->kind) {
    case STORE_DECIDE:
        carry_out_slots(store, step, out);
        break;
    case STORE_FINISH:
        carry_out_ends(store, step, out);
        break;
    case STORE_OUTPUT:
        carry_out_output(store, step, out);
        break;
    case STORE_PUBLISH:
        carry_out_publication(store, step, out);
        break;
    case STORE_SLOTS:
        carry_out_looks(store, step, out);
        break;
    default:
        if (!fleet_step_carry_out(store, step, out)) {
            carry_out_others(store, step, out);
        }
    }
    fclose(out);
    return text;
}
