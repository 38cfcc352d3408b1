// SPDX-License-Identifier: MIT
// The seed is printed when the stores differ; IRONCRON_SEED=N repeats it. By hand:
// IRONCRON_SEEDS=100 tries so many from IRONCRON_SEED on, and nothing else.
#include "random_sequences.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random_step.h"
#include "store/model/model_store.h"

// What the random steps reached: a test whose operations are all refused compares nothing.
struct reached {
    int verdicts[VERDICT_OVERLAP + 1];
    int triggers[TRIGGER_COUNT]; // of what was claimed or written
    int ended;
    int stale;
    int fenced, lost, taken_over, overdue, owned, outdated;
};
static struct reached reached;
static const struct contract_backend *backend;
static int sequences;

static void remember_runs(struct twin *twin, const struct step *step)
{
    for (size_t i = 0; step->kind == STORE_FINISH && i < step->count; i++) {
        reached.stale += step->ends[i].stale;
        reached.ended += !step->ends[i].stale;
    }
    reached.fenced += step->fenced;
    reached.lost += step->lost;
    reached.taken_over += step->taken_over;
    reached.overdue += step->overdue;
    reached.owned += step->owned;
    reached.outdated += step->outdated;
    if (step->kind == STORE_VERSION) {
        twin->version = step->version;
    }
    for (size_t i = 0; step->kind == STORE_DECIDE && i < step->count; i++) {
        enum store_verdict verdict = step->slots[i].verdict;
        reached.verdicts[verdict]++;
        reached.triggers[step->slots[i].trigger] +=
            verdict == VERDICT_CLAIMED || verdict == VERDICT_WRITTEN;
        if (verdict != VERDICT_CLAIMED) {
            continue;
        }
        size_t place =
            twin->run_count < RUNS_KNOWN ? twin->run_count++ : twin_draw(twin, RUNS_KNOWN);
        twin->runs[place] = step->slots[i];
    }
}

static bool texts_differ(char *a, char *b, const char *what, bool quiet)
{
    bool differ = strcmp(a, b) != 0;
    if (differ && !quiet) {
        fprintf(stderr, "%s differ\n%s: %s\nmodel: %s\n", what, backend->name, a, b);
    }
    free(a);
    free(b);
    return differ;
}

// ---- sequences ----------------------------------------------------------------------------------

enum defect {
    DEFECT_NONE,
    DEFECT_OPERATION_LOST,
    DEFECT_REASON,
    DEFECT_END,
    DEFECT_THROTTLE,
    DEFECT_OWNER,
    DEFECT_VERSION,
    DEFECT_FENCE, // the first of a fleet
    DEFECT_COUNT
};

// Lets the model see something else than SQLite.
static void spoil(struct step *step, enum defect defect)
{
    if (defect == DEFECT_OPERATION_LOST && step->kind == STORE_AUDIT) {
        step->kind = STORE_SEAL;
        step->number = 0;
    } else if (defect == DEFECT_REASON && step->kind == STORE_CONTROL) {
        step->control.reason = "spoilt";
    } else if (defect == DEFECT_END && step->kind == STORE_FINISH) {
        step->ends[0].error = "spoilt";
    } else if (defect == DEFECT_THROTTLE && step->kind == STORE_DECIDE) {
        step->slots[0].throttle_count++;
    } else if (defect == DEFECT_OWNER && step->kind == STORE_INTENT_OWN) {
        step->intent_id = (struct uuid){{1}};
    } else if (defect == DEFECT_VERSION && step->kind == STORE_VERSION) {
        step->hash = "spoilt";
    } else if (defect == DEFECT_FENCE && step->kind == STORE_FENCE) {
        step->kind = STORE_BEAT;
    }
}

static bool one_step(struct twin *twin, enum defect defect, bool quiet)
{
    contract_advance(&twin->clock,
                     (int64_t)twin_draw(twin, 1500) - (twin_draw(twin, 30) == 0 ? 4000 : 0));
    struct step step = step_make(twin);
    int repeats = twin_draw(twin, 6) == 0 ? 2 : 1; // as after an unknown commit
    bool same = true;
    for (int i = 0; i < repeats && same; i++) {
        struct step other = step;
        spoil(&other, defect);
        char *a = step_carry_out(twin->stores[0], &step);
        char *b = step_carry_out(twin->stores[1], &other);
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
    twin->stores[0] = backend->open(&twin->clock.clock, &twin->context);
    twin->stores[1] = model_store_new(&twin->clock.clock);
    twin->fleet = backend->fleet;
    struct step first = {.kind = STORE_JOIN};
    fleet_step_make(twin, &first);
    struct step jobs = {.kind = STORE_PUBLISH, .node = first.node, .at = twin->clock.now};
    for (int i = 0; i < 2; i++) {
        free(step_carry_out(twin->stores[i], &first));
        for (int j = 0; j < STEP_JOBS; j++) {
            jobs.items[0] = (struct store_publish_item){.name = step_jobs[j], .spec = "one"};
            jobs.count = 1;
            free(step_carry_out(twin->stores[i], &jobs));
        }
    }
}

static void twin_close(struct twin *twin)
{
    backend->close(twin->stores[0], twin->context);
    store_close(twin->stores[1]);
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

static bool by_hand(void)
{
    return getenv("IRONCRON_SEED") != NULL || getenv("IRONCRON_SEEDS") != NULL;
}

static uint64_t count_of_seeds(void)
{
    const char *given = getenv("IRONCRON_SEEDS");
    return given != NULL ? strtoull(given, NULL, 10) : by_hand() ? 1 : (uint64_t)sequences;
}

static void everything_was_reached(void)
{
    for (int i = VERDICT_CLAIMED; i <= VERDICT_OVERLAP; i++) {
        print_message("verdict %d: %d\n", i, reached.verdicts[i]);
        assert_true(reached.verdicts[i] > sequences);
    }
    for (int i = 0; i < TRIGGER_COUNT; i++) {
        print_message("%s: %d\n", run_trigger_name((enum run_trigger)i), reached.triggers[i]);
        assert_true(reached.triggers[i] > sequences);
    }
    print_message("ended %d, stale %d, owned %d, outdated %d\n", reached.ended, reached.stale,
                  reached.owned, reached.outdated);
    assert_true(reached.ended > sequences && reached.stale > sequences);
    assert_true(reached.owned > sequences && reached.outdated > sequences);
    print_message("overdue %d, fenced %d, lost %d, taken over %d\n", reached.overdue,
                  reached.fenced, reached.lost, reached.taken_over);
    assert_true(!backend->fleet || (reached.overdue > sequences && reached.fenced > sequences &&
                                    reached.lost > sequences && reached.taken_over > sequences));
}

static void store_and_model_agree(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < count_of_seeds(); i++) {
        if (!sequence_agrees(first_seed() + i, 400, DEFECT_NONE)) {
            fail_msg("the stores differ; repeat with IRONCRON_SEED=%" PRIu64, first_seed() + i);
        }
    }
    if (!by_hand()) {
        everything_was_reached();
    }
}

static void a_seeded_difference_is_caught(void **state)
{
    (void)state;
    int count = backend->fleet ? DEFECT_COUNT : DEFECT_FENCE;
    for (enum defect defect = DEFECT_OPERATION_LOST; (int)defect < count && !by_hand(); defect++) {
        if (sequence_agrees(first_seed(), 400, defect)) {
            fail_msg("defect %d went unseen; seed %" PRIu64, (int)defect, first_seed());
        }
    }
}

int random_run(const struct contract_backend *with, int sequence_count)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_and_model_agree),
        cmocka_unit_test(a_seeded_difference_is_caught),
    };
    backend = with;
    sequences = sequence_count;
    char name[64];
    snprintf(name, sizeof name, "%s store and model", with->name);
    return _cmocka_run_group_tests(name, tests, ARRAY_LENGTH(tests), NULL, NULL);
}
