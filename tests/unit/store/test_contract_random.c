// SPDX-License-Identifier: MIT
// Random operations on the SQLite store and on the model, answer by answer and row by row. The seed is
// printed when they differ; IRONCRON_SEED=N repeats it.
#include "../../contract/contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite_file.h"
#include "store/model/model_store.h"

#define JOBS       5
#define RUNS_KNOWN 64
#define BATCH      4

// One operation with its arrays, so that it can be carried out on both stores from the same bytes.
struct step {
    struct uuid node;
    enum store_op_kind kind;
    struct store_slot slots[BATCH];
    struct store_end ends[BATCH];
    struct store_chunk chunks[BATCH];
    struct store_publish_item items[BATCH];
    size_t count;
    struct store_op_control control;
    struct store_intent intent;
    struct store_op_intent_end intent_end;
    struct store_op_prune prune;
    struct instant at;
    int64_t number;
    bool wants_retry;
};

struct twin {
    struct contract_clock clock;
    struct sqlite_file file;
    struct store *stores[2]; // SQLite, model
    uint64_t random;
    struct contract ids; // only for contract_id
    struct uuid nodes[3];
    size_t node_count;
    struct store_slot runs[RUNS_KNOWN]; // claimed not long ago
    size_t run_count;
    struct uuid intents[8];
    size_t intent_count;
};

static uint64_t draw(struct twin *twin, uint64_t below)
{
    twin->random = twin->random * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
    return (twin->random >> 33) % below;
}

static struct instant draw_due(struct twin *twin)
{
    int64_t now = instant_ms(twin->clock.now);
    return instant_from_ms(now - now % 1000 + 1000 * ((int64_t)draw(twin, 12) - 8));
}

static const char *draw_text(struct twin *twin)
{
    static const char *const texts[] = {NULL, "x", "{\"a\":1}", "é",
                                        "long enough to be a sentence"};
    return texts[draw(twin, 5)];
}

// ---- making a step ---------------------------------------------------------------------------------

static const char *const names[] = {"alpha", "beta", "gamma", "Delta", "e-5"};

static void make_slots(struct twin *twin, struct step *step)
{
    step->count = 1 + draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        struct store_slot *slot = &step->slots[i];
        *slot = (struct store_slot){
            .job_id = 1 + (int64_t)draw(twin, JOBS + (draw(twin, 20) == 0)),
            .due_at = draw_due(twin),
            .decision = (enum store_decision)draw(twin, 4),
            .trigger = (enum run_trigger)draw(twin, TRIGGER_COUNT),
            .attempt = 1 + (int)draw(twin, 3),
            .reason = (enum slot_reason)draw(twin, SLOT_REASON_COUNT),
            .forbid_overlap = draw(twin, 2) == 0,
            .skip_on_overlap = draw(twin, 2) == 0,
            .throttle_count = (int)draw(twin, 4),
            .detail = draw_text(twin),
        };
        if (slot->decision != DECIDE_RUN && draw(twin, 2) == 0) {
            slot->decision = DECIDE_RUN;
        }
        if (draw(twin, 3) != 0 && slot->trigger != TRIGGER_SCHEDULE) {
            slot->trigger = TRIGGER_SCHEDULE;
        }
        if (slot->trigger == TRIGGER_RETRY && twin->run_count > 0) {
            const struct store_slot *earlier = &twin->runs[draw(twin, twin->run_count)];
            slot->job_id = earlier->job_id;
            slot->due_at = earlier->due_at;
            slot->attempt = earlier->attempt + 1;
        }
        slot->run_id = contract_id(&twin->ids);
    }
}

static void make_ends(struct twin *twin, struct step *step)
{
    step->count = twin->run_count == 0 ? 0 : 1 + draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        const struct store_slot *run = &twin->runs[draw(twin, twin->run_count)];
        step->ends[i] = (struct store_end){
            .run_id = draw(twin, 20) == 0 ? contract_id(&twin->ids) : run->run_id,
            .fence = run->fence + (draw(twin, 15) == 0),
            .state = (enum run_state)(1 + draw(twin, 5)),
            .failure = (enum run_failure)draw(twin, FAILURE_COUNT),
            .has_exit_code = draw(twin, 2) == 0,
            .exit_code = (int)draw(twin, 256),
            .error = draw_text(twin),
            .duration = DURATION_MS((int64_t)draw(twin, 100000)),
            .retry_at = draw(twin, 3) == 0 ? draw_due(twin) : INSTANT_NONE,
            .detail = draw_text(twin),
        };
    }
}

static void make_chunks(struct twin *twin, struct step *step)
{
    static const char bytes[] = "0123456789abcdef";
    step->count = twin->run_count == 0 ? 0 : 1 + draw(twin, BATCH);
    for (size_t i = 0; i < step->count; i++) {
        step->chunks[i] =
            (struct store_chunk){.run_id = twin->runs[draw(twin, twin->run_count)].run_id,
                                 .offset = (int64_t)draw(twin, 12),
                                 .bytes = bytes,
                                 .length = draw(twin, 16)};
        step->chunks[i].offset = draw(twin, 2) == 0 ? 0 : step->chunks[i].offset;
    }
}

static void make_publication(struct twin *twin, struct step *step)
{
    static const char *const specs[] = {"one", "two", NULL};
    step->count = 1 + draw(twin, BATCH);
    step->at = draw(twin, 4) == 0 ? draw_due(twin) : twin->clock.now;
    for (size_t i = 0; i < step->count; i++) {
        step->items[i] = (struct store_publish_item){.name = names[draw(twin, JOBS)],
                                                     .spec = specs[draw(twin, 3)]};
    }
}

static void make_control(struct twin *twin, struct step *step)
{
    enum store_control_kind kind = (enum store_control_kind)draw(twin, CONTROL_KIND_COUNT);
    step->control = (struct store_op_control){
        .kind = kind,
        .job = draw(twin, 3) == 0 ? NULL : names[draw(twin, JOBS)],
        .value = (int)draw(twin, kind == CONTROL_THROTTLE ? 5 : 2),
        .actor = "ann@h1",
        .as = draw_text(twin),
        .reason = draw_text(twin),
    };
}

static void make_intent(struct twin *twin, struct step *step)
{
    step->intent =
        (struct store_intent){.intent_id = contract_id(&twin->ids),
                              .kind = (enum store_intent_kind)draw(twin, INTENT_KIND_COUNT),
                              .job = draw_text(twin),
                              .params = draw_text(twin),
                              .actor = "ann@h1",
                              .dry_run = draw(twin, 2) == 0};
    twin->intents[twin->intent_count++ % 8] = step->intent.intent_id;
}

static void make_prune(struct twin *twin, struct step *step)
{
    step->prune = (struct store_op_prune){.runs_before = INSTANT_NONE,
                                          .output_before = INSTANT_NONE,
                                          .audit_before = INSTANT_NONE,
                                          .limit = 1 + draw(twin, 20)};
    struct instant before = instant_add(twin->clock.now, DURATION_S(-(int64_t)draw(twin, 200)));
    step->prune.runs_before = draw(twin, 2) == 0 ? before : INSTANT_NONE;
    step->prune.output_before = draw(twin, 2) == 0 ? before : INSTANT_NONE;
    step->prune.audit_before = draw(twin, 2) == 0 ? before : INSTANT_NONE;
}

static struct step make_step(struct twin *twin)
{
    static const enum store_op_kind kinds[] = {
        STORE_DECIDE,  STORE_DECIDE,     STORE_DECIDE,     STORE_DECIDE, STORE_DECIDE,
        STORE_FINISH,  STORE_FINISH,     STORE_FINISH,     STORE_OUTPUT, STORE_PUBLISH,
        STORE_CONTROL, STORE_INTENT_PUT, STORE_INTENT_END, STORE_AUDIT,  STORE_SEAL,
        STORE_PRUNE,   STORE_BEAT,       STORE_LEAVE,      STORE_JOIN,
    };
    struct step step = {.kind = kinds[draw(twin, sizeof kinds / sizeof kinds[0])]};
    bool rare = step.kind == STORE_JOIN || step.kind == STORE_LEAVE;
    if (rare && draw(twin, 6) != 0) {
        step.kind = STORE_DECIDE;
    }
    step.node =
        twin->nodes[(twin->node_count - 1 - (draw(twin, 12) == 0 && twin->node_count > 1)) % 3];
    step.number = (int64_t)draw(twin, 50);
    step.wants_retry = draw(twin, 2) == 0;
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
        step.intent_end =
            (struct store_op_intent_end){.intent_id = twin->intents[draw(twin, 8)],
                                         .state = draw(twin, 2) == 0 ? INTENT_DONE : INTENT_REFUSED,
                                         .answer = draw_text(twin)};
        break;
    case STORE_PRUNE:
        make_prune(twin, &step);
        break;
    case STORE_JOIN:
    case STORE_LEAVE: // what leaves is followed by a new one
        step.kind = STORE_JOIN;
        step.node = contract_id(&twin->ids);
        twin->nodes[twin->node_count++ % 3] = step.node;
        break;
    default:
        break;
    }
    return step;
}

// ---- carrying it out -------------------------------------------------------------------------------

static struct instant lost_retry(void *context, const struct store_lost *lost, struct instant now)
{
    const struct step *step = context;
    return step->wants_retry && lost->attempt < 3 ? instant_add(now, DURATION_S(1)) : INSTANT_NONE;
}

static enum store_result call(struct store *store, struct store_op *op, enum store_op_kind kind)
{
    struct error err = ERROR_INIT;
    op->kind = kind;
    bool ok = store_call(store, op, &err);
    assert_int_equal(ok, op->result == STORE_OK);
    return op->result;
}

static void carry_out_slots(struct store *store, struct step *step, FILE *out)
{
    struct store_op_decide op = {
        .node = step->node, .actor = "ann@h1", .slots = step->slots, .slot_count = step->count};
    enum store_result result = call(store, &op.op, STORE_DECIDE);
    fprintf(out, "decide %d", result);
    for (size_t i = 0; i < step->count && result == STORE_OK; i++) {
        fprintf(out, " %d/%" PRId64 "/%" PRId64, step->slots[i].verdict, step->slots[i].fence,
                step->slots[i].started_at.us);
    }
    store_op_release(&op.op);
}

static void carry_out_ends(struct store *store, struct step *step, FILE *out)
{
    struct store_op_finish op = {.node = step->node, .ends = step->ends, .end_count = step->count};
    fprintf(out, "finish %d", call(store, &op.op, STORE_FINISH));
    for (size_t i = 0; i < step->count; i++) {
        fprintf(out, " %d", step->ends[i].stale);
    }
    store_op_release(&op.op);
}

static void carry_out_output(struct store *store, struct step *step, FILE *out)
{
    struct store_op_output op = {.chunks = step->chunks, .chunk_count = step->count};
    fprintf(out, "output %d", call(store, &op.op, STORE_OUTPUT));
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

static void carry_out_join(struct store *store, struct step *step, FILE *out)
{
    struct store_op_join op = {.node = step->node,
                               .host = "h",
                               .version = "v",
                               .lost_retry = lost_retry,
                               .lost_context = step};
    fprintf(out, "join %d at %" PRId64, call(store, &op.op, STORE_JOIN), op.now.us);
    for (size_t i = 0; i < op.lost_count && op.op.result == STORE_OK; i++) {
        fprintf(out, " %s/%" PRId64 "/%d", op.lost[i].job, op.lost[i].due_at.us,
                op.lost[i].attempt);
    }
    store_op_release(&op.op);
}

static void carry_out_publication(struct store *store, struct step *step, FILE *out)
{
    struct store_op_publish op = {
        .node = step->node, .at = step->at, .items = step->items, .item_count = step->count};
    fprintf(out, "publish %d", call(store, &op.op, STORE_PUBLISH));
    for (size_t i = 0; i < step->count && op.op.result == STORE_OK; i++) {
        fprintf(out, " %" PRId64, step->items[i].job_id);
    }
    fprintf(out, " %d", op.op.result == STORE_OK && op.changed);
    store_op_release(&op.op);
}

static void carry_out_others(struct store *store, struct step *step, FILE *out)
{
    struct store_op_intent_put put = {.intent = step->intent};
    struct store_op_audit audit = {.node = step->node, .event = "NOTE", .job = "alpha"};
    struct store_op_seal seal = {.limit = (size_t)step->number};
    struct store_op_beat beat = {.node = step->node, .running = (int)step->number};
    switch (step->kind) {
    case STORE_CONTROL:
        fprintf(out, "control %d", call(store, &step->control.op, STORE_CONTROL));
        fprintf(out, " %d", step->control.changed);
        break;
    case STORE_INTENT_PUT:
        fprintf(out, "put %d", call(store, &put.op, STORE_INTENT_PUT));
        break;
    case STORE_INTENT_END:
        fprintf(out, "end %d", call(store, &step->intent_end.op, STORE_INTENT_END));
        break;
    case STORE_AUDIT:
        fprintf(out, "audit %d", call(store, &audit.op, STORE_AUDIT));
        break;
    case STORE_SEAL:
        fprintf(out, "seal %d", call(store, &seal.op, STORE_SEAL));
        fprintf(out, " %zu %d", seal.sealed, seal.more);
        break;
    case STORE_PRUNE:
        fprintf(out, "prune %d", call(store, &step->prune.op, STORE_PRUNE));
        fprintf(out, " %zu %d", step->prune.deleted, step->prune.more);
        break;
    default:
        fprintf(out, "beat %d", call(store, &beat.op, STORE_BEAT));
    }
}

// The answers as text; the caller frees it.
static char *carry_out(struct store *store, struct step *step)
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
    case STORE_JOIN:
        carry_out_join(store, step, out);
        break;
    case STORE_PUBLISH:
        carry_out_publication(store, step, out);
        break;
    default:
        carry_out_others(store, step, out);
    }
    fclose(out);
    return text;
}

// What the random steps reached: a test whose operations are all refused compares nothing.
struct reached {
    int verdicts[VERDICT_OVERLAP + 1];
    int triggers[TRIGGER_COUNT]; // of what was claimed or written
    int ended;
    int stale;
};
static struct reached reached;

static void remember_runs(struct twin *twin, const struct step *step)
{
    for (size_t i = 0; step->kind == STORE_FINISH && i < step->count; i++) {
        reached.stale += step->ends[i].stale;
        reached.ended += !step->ends[i].stale;
    }
    for (size_t i = 0; step->kind == STORE_DECIDE && i < step->count; i++) {
        enum store_verdict verdict = step->slots[i].verdict;
        reached.verdicts[verdict]++;
        reached.triggers[step->slots[i].trigger] +=
            verdict == VERDICT_CLAIMED || verdict == VERDICT_WRITTEN;
        if (verdict != VERDICT_CLAIMED) {
            continue;
        }
        size_t place = twin->run_count < RUNS_KNOWN ? twin->run_count++ : draw(twin, RUNS_KNOWN);
        twin->runs[place] = step->slots[i];
    }
}

static bool texts_differ(char *a, char *b, const char *what, bool quiet)
{
    bool differ = strcmp(a, b) != 0;
    if (differ && !quiet) {
        print_error("%s differ\nSQLite: %s\nmodel:  %s\n", what, a, b);
    }
    free(a);
    free(b);
    return differ;
}

// ---- sequences -------------------------------------------------------------------------------------

enum defect {
    DEFECT_NONE,
    DEFECT_OPERATION_LOST,
    DEFECT_REASON,
    DEFECT_END,
    DEFECT_THROTTLE,
    DEFECT_COUNT
};

// Lets the model see something else than SQLite.
static void spoil(struct step *step, enum defect defect)
{
    if (defect == DEFECT_OPERATION_LOST && step->kind == STORE_AUDIT) {
        step->kind = STORE_BEAT;
    } else if (defect == DEFECT_REASON && step->kind == STORE_CONTROL) {
        step->control.reason = "spoilt";
    } else if (defect == DEFECT_END && step->kind == STORE_FINISH) {
        step->ends[0].error = "spoilt";
    } else if (defect == DEFECT_THROTTLE && step->kind == STORE_DECIDE) {
        step->slots[0].throttle_count++;
    }
}

static bool one_step(struct twin *twin, enum defect defect, bool quiet)
{
    contract_advance(&twin->clock, (int64_t)draw(twin, 1500) - (draw(twin, 30) == 0 ? 4000 : 0));
    struct step step = make_step(twin);
    int repeats = draw(twin, 6) == 0 ? 2 : 1; // as after an unknown commit
    bool same = true;
    for (int i = 0; i < repeats && same; i++) {
        struct step other = step;
        spoil(&other, defect);
        char *a = carry_out(twin->stores[0], &step);
        char *b = carry_out(twin->stores[1], &other);
        same = !texts_differ(a, b, "answers", quiet);
    }
    remember_runs(twin, &step);
    return same;
}

static void twin_open(struct twin *twin, uint64_t seed)
{
    memset(twin, 0, sizeof *twin);
    contract_clock_init(&twin->clock);
    twin->random = seed;
    sqlite_file_make(&twin->file);
    twin->stores[0] = sqlite_file_open(&twin->file, &twin->clock.clock);
    twin->stores[1] = model_store_new(&twin->clock.clock);
    struct step first = {.kind = STORE_JOIN, .node = contract_id(&twin->ids)};
    twin->nodes[twin->node_count++] = first.node;
    struct step jobs = {.kind = STORE_PUBLISH, .node = first.node, .at = twin->clock.now};
    for (int i = 0; i < 2; i++) {
        free(carry_out(twin->stores[i], &first));
        for (int j = 0; j < JOBS; j++) {
            jobs.items[0] = (struct store_publish_item){.name = names[j], .spec = "one"};
            jobs.count = 1;
            free(carry_out(twin->stores[i], &jobs));
        }
    }
}

static void twin_close(struct twin *twin)
{
    store_close(twin->stores[0]);
    store_close(twin->stores[1]);
    sqlite_file_remove(&twin->file);
}

static bool stores_agree(struct twin *twin, bool quiet)
{
    return !texts_differ(contract_dump(twin->stores[0], PART_ALL),
                         contract_dump(twin->stores[1], PART_ALL), "contents", quiet);
}

static bool sequence_agrees(uint64_t seed, int steps, enum defect defect)
{
    struct twin *twin = calloc(1, sizeof *twin);
    bool quiet = defect != DEFECT_NONE;
    twin_open(twin, seed);
    bool agree = true;
    for (int i = 0; i < steps && agree; i++) {
        agree = one_step(twin, defect, quiet) && (i % 25 != 0 || stores_agree(twin, quiet));
    }
    agree = agree && stores_agree(twin, quiet);
    twin_close(twin);
    free(twin);
    return agree;
}

static uint64_t first_seed(void)
{
    const char *given = getenv("IRONCRON_SEED");
    return given == NULL ? 20251124 : strtoull(given, NULL, 10);
}

static void sqlite_and_model_agree(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 12; i++) {
        if (!sequence_agrees(first_seed() + i, 400, DEFECT_NONE)) {
            fail_msg("the stores differ; repeat with IRONCRON_SEED=%" PRIu64, first_seed() + i);
        }
    }
    for (int i = VERDICT_CLAIMED; i <= VERDICT_OVERLAP; i++) {
        print_message("verdict %d: %d\n", i, reached.verdicts[i]);
        assert_true(reached.verdicts[i] > 20);
    }
    for (int i = 0; i < TRIGGER_COUNT; i++) {
        print_message("%s: %d\n", run_trigger_name((enum run_trigger)i), reached.triggers[i]);
        assert_true(reached.triggers[i] > 20);
    }
    print_message("ended %d, stale %d\n", reached.ended, reached.stale);
    assert_true(reached.ended > 20 && reached.stale > 20);
}

static void a_seeded_difference_is_caught(void **state)
{
    (void)state;
    for (enum defect defect = DEFECT_OPERATION_LOST; defect < DEFECT_COUNT; defect++) {
        if (sequence_agrees(first_seed(), 400, defect)) {
            fail_msg("defect %d went unseen; seed %" PRIu64, (int)defect, first_seed());
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_and_model_agree),
        cmocka_unit_test(a_seeded_difference_is_caught),
    };
    return cmocka_run_group_tests_name("SQLite and model", tests, NULL, NULL);
}
