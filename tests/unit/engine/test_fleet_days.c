// SPDX-License-Identifier: MIT
// Hours of a fleet under crashes, cuts, silences, stopped nodes, clocks that jump, strangers in the
// store, operators and new definitions, in virtual time, from a seed; then the same with bugs
// seeded, each of which a judge must notice. By hand: IRONCRON_SEEDS=100 tries so many from
// IRONCRON_SEED (1) on, of IRONCRON_HOURS (48) each, and nothing else; IRONCRON_SEED alone repeats
// that one. IRONCRON_BUG seeds the bug of that name, in up to IRONCRON_SEEDS (12) lives, and
// nothing else.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

#define SHORT_LIFE    20 // minutes
#define SHORT_LIVES   24
#define TWO_DAYS_SEED 49 // of three nodes

static bool with_a_bug(void)
{
    return getenv("IRONCRON_BUG") != NULL;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);
    return given == NULL ? otherwise : strtoull(given, NULL, 10);
}

// ---- without bugs -------------------------------------------------------------------------------

static int broken(const struct sim *sim)
{
    int count = 0;
    for (int i = 0; i < JUDGE_COUNT; i++) {
        count += sim->broken[i];
    }
    return count;
}

static void say_what_broke(const struct sim *sim)
{
    for (int i = 0; i < JUDGE_COUNT; i++) {
        if (sim->broken[i] > 0) {
            print_error("  %s: %d times, first: %s\n", sim_judge_name((enum sim_judge)i),
                        sim->broken[i], sim->first[i]);
        }
    }
}

// What the lives executed: a fleet that does nothing breaks nothing.
static struct reached {
    int by_trigger[TRIGGER_COUNT];
    int after_others, in_one_region, cancelled, locked, put_off, kept_out;
} reached;

static void remember(const struct sim *sim)
{
    reached.locked += sim->locked;
    reached.put_off += sim->put_off;
    reached.kept_out += sim->kept_out;
    for (size_t i = 0; i < sim->history_count; i++) {
        const struct sim_execution *execution = &sim->history[i];
        reached.by_trigger[execution->trigger]++;
        reached.after_others += sim_after(execution->job) != NULL;
        reached.in_one_region += sim->regions[execution->job] != SIM_ANY;
        reached.cancelled += execution->over && execution->how == RUNNER_CANCELLED;
    }
}

static void everything_was_reached(void)
{
    for (int i = 0; i < TRIGGER_COUNT; i++) {
        print_message("%s: %d\n", run_trigger_name((enum run_trigger)i), reached.by_trigger[i]);
        assert_true(reached.by_trigger[i] > 20);
    }
    print_message("after others: %d, in one region: %d, cancelled: %d\n", reached.after_others,
                  reached.in_one_region, reached.cancelled);
    print_message("in a stranger's hand: %d claims, %d ends, %d locks\n", reached.locked,
                  reached.put_off, reached.kept_out);
    assert_true(reached.locked > 20 && reached.put_off > 20 && reached.kept_out > 20);
    assert_true(reached.after_others > 20 && reached.in_one_region > 20 && reached.cancelled > 20);
}

static int live(struct sim *sim, uint64_t seed, uint64_t minutes, int *caught_by)
{
    sim_live(sim, minutes);
    int count = broken(sim);
    if (caught_by == NULL) {
        print_message("seed %llu: %zu nodes, %d executions, %d fenced, %d unknown, %d late writes, "
                      "%d versions, in strangers' hands: %d claims, %d ends, %d locks\n",
                      (unsigned long long)seed, sim->node_count, sim->executions, sim->fenced,
                      sim->unknown, sim->late_writes, sim->versions, sim->locked, sim->put_off,
                      sim->kept_out);
        say_what_broke(sim);
        remember(sim);
        assert_true(sim->executions > 20);
    }
    for (int i = 0; i < JUDGE_COUNT && caught_by != NULL; i++) {
        caught_by[i] += sim->broken[i];
    }
    sim_release(sim);
    return count;
}

static int life_of(uint64_t seed, uint64_t minutes, enum sim_bug bug, int *caught_by)
{
    static struct sim sim;
    sim_init(&sim, seed, 2 + seed % (SIM_NODES - 1), bug);
    return live(&sim, seed, minutes, caught_by);
}

static int plain_life_of(uint64_t seed, uint64_t minutes)
{
    static struct sim sim;
    sim_init(&sim, seed, 2 + seed % (SIM_NODES - 1), BUG_NONE);
    sim.plain = true;
    return live(&sim, seed, minutes, NULL);
}

// What these seeds have found: a job that was planned while its attempt was being given up, a claim
// that was forgotten when its repeat did not reach the store, slots of definitions that were not in
// force any more, a node that decided by the controls from before it was cut off.
static const struct life {
    uint64_t seed, minutes;
} found[] = {{4, 60}, {7, 60}, {6, 20}, {5, 130}};

static bool by_hand(void)
{
    return getenv("IRONCRON_SEED") != NULL || getenv("IRONCRON_SEEDS") != NULL;
}

static void what_was_found_stays_mended(void **state)
{
    (void)state;
    int bad = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(found) && !by_hand() && !with_a_bug(); i++) {
        bad += plain_life_of(found[i].seed, found[i].minutes) > 0;
    }
    assert_int_equal(bad, 0);
}

static void nothing_breaks(void **state)
{
    (void)state;
    bool one = getenv("IRONCRON_SEEDS") == NULL;
    uint64_t first = number_of("IRONCRON_SEED", 1);
    uint64_t count = !by_hand() ? SHORT_LIVES : one ? 1 : number_of("IRONCRON_SEEDS", 0);
    uint64_t minutes = by_hand() ? 60 * number_of("IRONCRON_HOURS", 48) : SHORT_LIFE;
    int bad = 0;
    for (uint64_t i = 0; i < count && !with_a_bug(); i++) {
        bad += life_of(first + i, minutes, BUG_NONE, NULL) > 0;
    }
    assert_int_equal(bad, 0);
    if (!by_hand() && !with_a_bug()) {
        everything_was_reached();
    }
}

static void nothing_breaks_in_two_days(void **state)
{
    (void)state;
    if (!by_hand() && !with_a_bug()) {
        assert_int_equal(life_of(TWO_DAYS_SEED, 48 * 60, BUG_NONE, NULL), 0);
    }
}

// ---- with bugs ----------------------------------------------------------------------------------

// Which judge must notice it.
static const enum sim_judge judges[BUG_COUNT] = {
    [BUG_ANSWER_TRUST] = JUDGE_OVERLAP, [BUG_LONG_TRUST] = JUDGE_OVERLAP,
    [BUG_SLOW_KILL] = JUDGE_OVERLAP,    [BUG_NO_DEADLINE] = JUDGE_OVERLAP,
    [BUG_UNKNOWN_START] = JUDGE_CLAIM,  [BUG_NO_FENCE] = JUDGE_LEDGER,
    [BUG_NO_MARK] = JUDGE_TWICE,        [BUG_NO_OVERLAP] = JUDGE_OVERLAP,
    [BUG_RUNS_NOT_LOST] = JUDGE_LEDGER, [BUG_INTENTS_TWICE] = JUDGE_TWICE,
    [BUG_OUTDATED] = JUDGE_LEDGER,      [BUG_FALSE_DEATH] = JUDGE_OVERLAP,
    [BUG_LAZY_NEIGHBOUR] = JUDGE_LATE,  [BUG_WRONG_LABELS] = JUDGE_LABELS,
    [BUG_EAGER_AFTER] = JUDGE_EARLY,    [BUG_DRY_UNSEEN] = JUDGE_DRY,
    [BUG_ALWAYS_GOOD] = JUDGE_RECORD,   [BUG_LEFT_BEHIND] = JUDGE_REST,
    [BUG_DEAF_RUNNER] = JUDGE_LATE,     [BUG_BOOT_AGAIN] = JUDGE_BOOT,
    [BUG_NO_BOOT] = JUDGE_BOOT,         [BUG_DEAF_NODE] = JUDGE_DRAIN,
    [BUG_SLOW_IS_AWAY] = JUDGE_SLOW,    [BUG_LOCKED_TAKEN] = JUDGE_LEDGER,
    [BUG_LATER_DONE] = JUDGE_LATE,      [BUG_ONE_FOR_ALL] = JUDGE_LATE,
    [BUG_THROUGH] = JUDGE_STRANGER,     [BUG_LOCK_UNASKED] = JUDGE_STRANGER,
};

static bool is_caught(enum sim_bug bug)
{
    for (uint64_t seed = 1; seed <= number_of("IRONCRON_SEEDS", 12); seed++) {
        int caught_by[JUDGE_COUNT] = {0};
        (void)life_of(seed, SHORT_LIFE, bug, caught_by);
        if (caught_by[judges[bug]] > 0) {
            print_message("%s: caught by the judge of %s, seed %llu\n", sim_bug_name(bug),
                          sim_judge_name(judges[bug]), (unsigned long long)seed);
            return true;
        }
    }
    print_error("%s: nobody noticed\n", sim_bug_name(bug));
    return false;
}

static void seeded_bugs_are_caught(void **state)
{
    (void)state;
    const char *only = getenv("IRONCRON_BUG");
    int missed = 0;
    for (enum sim_bug bug = BUG_NONE + 1; bug < BUG_COUNT; bug++) {
        bool wanted = only == NULL ? !by_hand() : strcmp(only, sim_bug_name(bug)) == 0;
        missed += wanted && !is_caught(bug);
    }
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_found_stays_mended), cmocka_unit_test(nothing_breaks),
        cmocka_unit_test(nothing_breaks_in_two_days), cmocka_unit_test(seeded_bugs_are_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
