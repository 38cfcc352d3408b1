// SPDX-License-Identifier: MIT
// schedule_next against a second opinion: audit's recomputation, other code that walks the wall
// clock by the C library's localtime. Random expressions around each change of the offset from 1970
// to 2037, in every installed zone. IRONCRON_ORACLE_SAMPLES says how many expressions for each
// change (1 by default).
//
// And the second opinion is itself put to the test: known mistakes of schedulers are built in on
// purpose, and each must be noticed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../time/zone_names.h"
#include "audit/verify.h"
#include "expressions.h"
#include "schedule/schedule.h"
#include "time/format.h"

#define YEAR_2038 2145916800
#define HASH_NAME "a-job"
#define SLOTS_MAX 5000

struct slots {
    int64_t at[SLOTS_MAX];
    int count;
};

struct trial {
    const struct zone *zone;
    char expression[EXPRESSION_SIZE];
    enum schedule_dst dst;
    int64_t from, to;
};

// ---- the mistakes -------------------------------------------------------------------------------

enum mistake {
    MISTAKE_NONE,
    MISTAKE_SECOND_PASS, // a time that comes twice runs at its second pass
    MISTAKE_BOTH_PASSES, // … at both
    MISTAKE_LOST_GAP,    // what falls into a gap does not run
    MISTAKE_SHIFTED_GAP, // … runs later by the gap's length
    MISTAKE_GAP_EACH,    // … each time of the gap runs by itself, a second apart
    MISTAKE_OLD_OFFSET,  // the first slot after a change is computed with the offset before it
    MISTAKE_THINNED,     // a schedule of elapsed time is silent while the hour is repeated
    MISTAKE_COUNT
};

// The change of the offset within a day before the instant, if there is one.
static bool recent_change(const struct zone *zone, int64_t at, struct zone_change *change)
{
    return zone_next_change(zone, at - 86400, change) && change->at <= at;
}

static bool wall_matches(const struct schedule *schedule, int64_t at)
{
    struct civil civil = zone_civil(schedule->zone, at);
    struct civil next;
    return cron_next_civil(&schedule->cron, &civil, 9999, &next) &&
           civil_seconds(&next) == civil_seconds(&civil);
}

static struct zone_local local_of(const struct schedule *schedule, int64_t at)
{
    struct civil civil = zone_civil(schedule->zone, at);
    return zone_from_local(schedule->zone, &civil);
}

static bool is_made_up(const struct schedule *schedule, int64_t at)
{
    struct zone_change change;
    return !schedule->cron.hours_all && recent_change(schedule->zone, at, &change) &&
           change.at == at && !wall_matches(schedule, at);
}

static int64_t spoil_made_up(const struct schedule *schedule, int64_t at, enum mistake mistake)
{
    struct zone_change change;
    if (!is_made_up(schedule, at) || !recent_change(schedule->zone, at, &change)) {
        return at;
    }
    if (mistake == MISTAKE_LOST_GAP) {
        return instant_unix(schedule_next(schedule, instant_from_unix(at)));
    }
    return mistake == MISTAKE_SHIFTED_GAP ? at + change.offset_after - change.offset_before : at;
}

static int64_t next_with_mistake(const struct schedule *schedule, int64_t after,
                                 enum mistake mistake)
{
    int64_t at = instant_unix(schedule_next(schedule, instant_from_unix(after)));
    struct zone_local local = local_of(schedule, at);
    struct zone_change change;
    bool is_repeated = local.kind == ZONE_LOCAL_OVERLAP;
    bool elapsed = schedule->cron.hours_all;
    switch (mistake) {
    case MISTAKE_SECOND_PASS:
        return is_repeated && !elapsed ? local.second : at;
    case MISTAKE_BOTH_PASSES:
        local = local_of(schedule, after);
        return local.kind == ZONE_LOCAL_OVERLAP && !elapsed && local.first == after ? local.second
                                                                                    : at;
    case MISTAKE_LOST_GAP:
    case MISTAKE_SHIFTED_GAP:
        return spoil_made_up(schedule, at, mistake);
    case MISTAKE_GAP_EACH:
        return is_made_up(schedule, after) ? after + 1 : at;
    case MISTAKE_OLD_OFFSET:
        return recent_change(schedule->zone, at, &change) && at - change.at < 7200
                   ? at + change.offset_after - change.offset_before
                   : at;
    case MISTAKE_THINNED:
        while (elapsed && is_repeated && at == local.second) {
            at = instant_unix(schedule_next(schedule, instant_from_unix(at)));
            local = local_of(schedule, at);
            is_repeated = local.kind == ZONE_LOCAL_OVERLAP;
        }
        return at;
    case MISTAKE_NONE:
    case MISTAKE_COUNT:
        break;
    }
    return at;
}

// ---- the comparison -----------------------------------------------------------------------------

static bool keep_slot(void *context, struct instant slot)
{
    struct slots *slots = context;
    slots->at[slots->count++] = instant_unix(slot);
    return slots->count < SLOTS_MAX;
}

static void ask_oracle(const struct trial *trial, struct slots *slots)
{
    char spec[1024];
    struct error err = ERROR_INIT;
    slots->count = 0;
    snprintf(spec, sizeof spec, "{\"dst\":\"%s\",\"schedule\":\"%s\",\"timezone\":\"%s\"}",
             trial->dst == SCHEDULE_DST_RUN ? "run" : "skip", trial->expression,
             zone_name(trial->zone));
    if (!verify_recompute(spec, HASH_NAME, instant_from_unix(trial->from),
                          instant_from_unix(trial->to), keep_slot, slots, &err)) {
        fail_msg("%s: %s", spec, err.text);
    }
}

// The first place where the two differ, in words; false when they agree.
static bool find_difference(const struct trial *trial, const struct slots *slots,
                            enum mistake mistake, char *out, size_t out_size)
{
    struct schedule schedule;
    struct error err = ERROR_INIT;
    if (!schedule_parse(trial->expression, trial->zone, trial->dst, HASH_NAME, &schedule, &err)) {
        fail_msg("%s: %s", trial->expression, err.text);
    }
    int64_t at = trial->from;
    for (int i = 0;; i++) {
        bool is_end = i == slots->count;
        if (is_end && slots->count == SLOTS_MAX) {
            return false;
        }
        struct instant next = schedule_next(&schedule, instant_from_unix(at));
        at = instant_is_none(next) ? INT64_MAX : next_with_mistake(&schedule, at, mistake);
        if (is_end ? at > trial->to : at == slots->at[i]) {
            if (is_end) {
                return false;
            }
            continue;
        }
        snprintf(out, out_size, "'%s' in %s, dst %s, from %lld: slot %d is %lld, should be %lld",
                 trial->expression, zone_name(trial->zone),
                 trial->dst == SCHEDULE_DST_RUN ? "run" : "skip", (long long)trial->from, i,
                 (long long)at, is_end ? -1LL : (long long)slots->at[i]);
        return true;
    }
}

// A trial whose window holds the change; the expression aims at a wall time within or beside what
// the clock skips or repeats.
static struct trial random_trial(struct random_source *source, const struct zone *zone,
                                 const struct zone_change *change)
{
    static const int64_t reach[] = {
        [EXPRESSION_SPARSE] = 129600, [EXPRESSION_MINUTES] = 14400, [EXPRESSION_SECONDS] = 4500};
    struct trial trial = {.zone = zone, .from = change->at, .to = change->at};
    int64_t low =
        change->offset_before < change->offset_after ? change->offset_before : change->offset_after;
    int64_t high =
        change->offset_before < change->offset_after ? change->offset_after : change->offset_before;
    struct civil near =
        civil_from_seconds(change->at + random_between(source, low - 600, high + 600));
    if (random_below(source, 2) == 0) {
        near.second = 0;
        near.minute = near.minute / 15 * 15;
    }
    enum expression_density density = expression_random(source, &near, trial.expression);
    trial.dst = random_below(source, 4) == 0 ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN;
    trial.from -= random_between(source, 1, reach[density]);
    trial.to += reach[density];
    return trial;
}

static int samples_per_change(void)
{
    const char *text = getenv("IRONCRON_ORACLE_SAMPLES");
    int samples = text != NULL ? (int)strtol(text, NULL, 10) : 1;
    return samples < 1 ? 1 : samples;
}

static void try_zone(struct random_source *source, const struct zone *zone, long *trials,
                     long *slots_seen)
{
    static struct slots slots;
    char difference[900];
    struct zone_change change = {.at = -1};
    while (zone_next_change(zone, change.at, &change) && change.at < YEAR_2038) {
        for (int i = samples_per_change(); i > 0; i--) {
            uint64_t state = source->state;
            struct trial trial = random_trial(source, zone, &change);
            ask_oracle(&trial, &slots);
            if (find_difference(&trial, &slots, MISTAKE_NONE, difference, sizeof difference)) {
                fail_msg("%s (change at %lld; IRONCRON_SEED=%llu, state %llu)", difference,
                         (long long)change.at, (unsigned long long)random_seed(),
                         (unsigned long long)state);
            }
            ++*trials;
            *slots_seen += slots.count;
        }
    }
}

static void every_zone_agrees_with_the_oracle(void **state)
{
    (void)state;
    struct random_source source = {random_seed()};
    struct zone_names names = zone_names_distinct();
    struct zone_cache *cache = zone_cache_new();
    long trials = 0;
    long slots_seen = 0;
    for (size_t i = 0; i < names.count; i++) {
        const struct zone *zone = NULL;
        struct error err = ERROR_INIT;
        if (!zone_cache_get(cache, names.names[i], &zone, &err)) {
            fail_msg("%s: %s", names.names[i], err.text);
        }
        try_zone(&source, zone, &trials, &slots_seen);
    }
    print_message("%zu zones, %ld trials, %ld slots compared\n", names.count, trials, slots_seen);
    // A comparison of nothing would agree, too.
    assert_true(trials > 10000 && slots_seen > trials);
    zone_cache_free(cache);
    zone_names_release(&names);
}

static bool oracle_notices(const struct zone *zone, enum mistake mistake)
{
    static struct slots slots;
    struct random_source source = {random_seed()};
    char difference[900];
    struct zone_change change = {.at = 1577836800};
    for (int changes = 0; changes < 20 && zone_next_change(zone, change.at, &change); changes++) {
        for (int i = 0; i < 10; i++) {
            struct trial trial = random_trial(&source, zone, &change);
            ask_oracle(&trial, &slots);
            if (find_difference(&trial, &slots, mistake, difference, sizeof difference)) {
                return true;
            }
        }
    }
    return false;
}

static void the_oracle_notices_each_mistake(void **state)
{
    (void)state;
    static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                        "Antarctica/Troll"};
    struct zone_cache *cache = zone_cache_new();
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const struct zone *zone = NULL;
        struct error err = ERROR_INIT;
        assert_true(zone_cache_get(cache, names[i], &zone, &err));
        for (int mistake = MISTAKE_NONE; mistake < MISTAKE_COUNT; mistake++) {
            if (oracle_notices(zone, (enum mistake)mistake) != (mistake != MISTAKE_NONE)) {
                fail_msg("mistake %d in %s was %s", mistake, names[i],
                         mistake == MISTAKE_NONE ? "seen where there is none" : "not noticed");
            }
        }
    }
    zone_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_zone_agrees_with_the_oracle),
        cmocka_unit_test(the_oracle_notices_each_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
