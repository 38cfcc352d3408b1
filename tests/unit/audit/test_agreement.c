// SPDX-License-Identifier: MIT
// Two readings of the same rules, made apart from each other: the scheduler's next slot and the
// ledger's recomputation. Random schedules, zones and windows, most of them around a change of the
// clock.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/verify.h"
#include "base/buf.h"
#include "schedule/schedule.h"
#include "time/format.h"
#include "time/zone.h"

#define ROUNDS    3000
#define SLOTS_MAX 400
#define DAY       86400

static const char *const zones[] = {
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "America/New_York",
    "America/Santiago",
    "America/Nuuk",
    "America/Havana",
    "America/Caracas",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Anchorage",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
};

// ---- chance -------------------------------------------------------------------------------------

static uint64_t chance_state;

static uint64_t chance(void)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state * UINT64_C(0x2545f4914f6cdd1d);
}

static int below(int n)
{
    return (int)((chance() >> 33) % (uint64_t)n);
}

static int between(int low, int high)
{
    return low + below(high - low + 1);
}

// ---- schedules ----------------------------------------------------------------------------------

enum part { SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, WEEKDAY };

static const struct {
    int low, high;
} bounds[] = {{0, 59}, {0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}};

static void add_value(struct buf *out, enum part part, int value)
{
    static const char *const names[2][12] = {
        {"jan", "FEB", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"},
        {"sun", "Mon", "tue", "WED", "thu", "fri", "sat"}};
    if (part == MONTH && below(3) == 0) {
        buf_add_string(out, names[0][value - 1]);
    } else if (part == WEEKDAY && below(3) == 0) {
        buf_add_string(out, names[1][value]);
    } else {
        buf_printf(out, "%d", value);
    }
}

static void add_range(struct buf *out, enum part part)
{
    int low = between(bounds[part].low, bounds[part].high);
    add_value(out, part, low);
    buf_add_char(out, '-');
    if (part == WEEKDAY && low > 0 && below(4) == 0) {
        buf_add_string(out, below(2) == 0 ? "7" : "sun");
    } else {
        add_value(out, part, between(low, bounds[part].high));
    }
}

static void add_step(struct buf *out, enum part part)
{
    buf_printf(out, "/%d", between(1, bounds[part].high / 2));
}

static void add_special(struct buf *out, enum part part)
{
    if (part == WEEKDAY) {
        buf_printf(out, below(2) == 0 ? "%d#%d" : "%dL", below(8), between(1, 5));
        return;
    }
    switch (below(4)) {
    case 0:
        buf_add_char(out, 'L');
        break;
    case 1:
        buf_printf(out, "L-%d", between(1, 30));
        break;
    case 2:
        buf_add_string(out, "LW");
        break;
    default:
        buf_printf(out, "%dW", between(1, 31));
    }
}

static void add_hash(struct buf *out, enum part part)
{
    buf_add_char(out, 'H');
    if (below(2) == 0) {
        int low = between(bounds[part].low, bounds[part].high - 1);
        buf_printf(out, "(%d-%d)", low, between(low + 1, bounds[part].high));
        if (below(2) == 0) {
            buf_add_string(out, "/1");
        }
    } else if (below(2) == 0) {
        add_step(out, part);
    }
}

static void add_item(struct buf *out, enum part part)
{
    int kind = below(12);
    if (kind == 0 && (part == DAY_OF_MONTH || part == WEEKDAY)) {
        buf_add_char(out, '?');
    } else if (kind <= 2 && (part == DAY_OF_MONTH || part == WEEKDAY)) {
        add_special(out, part);
    } else if (kind == 3) {
        add_hash(out, part);
    } else if (kind <= 5) {
        add_range(out, part);
        if (below(2) == 0) {
            add_step(out, part);
        }
    } else if (kind == 6) {
        add_value(out, part, between(bounds[part].low, bounds[part].high));
        add_step(out, part);
    } else if (kind <= 8) {
        buf_add_char(out, '*');
        if (below(2) == 0) {
            add_step(out, part);
        }
    } else {
        add_value(out, part, between(bounds[part].low, bounds[part].high));
    }
}

static void add_field(struct buf *out, enum part part)
{
    // Half of the dates are free, or hardly any window would see a slot.
    if ((part == DAY_OF_MONTH || part == MONTH || part == WEEKDAY) && below(10) < 6) {
        buf_add_char(out, '*');
        return;
    }
    if (part == HOUR && below(3) == 0) { // where clocks change
        buf_printf(out, "%d", below(4));
        return;
    }
    do {
        add_item(out, part);
    } while (below(4) == 0 && (buf_add_char(out, ','), true));
}

static void random_schedule(struct buf *out)
{
    bool seconds = below(4) == 0;
    buf_clear(out);
    if (below(20) == 0) {
        buf_printf(out, "@every %dm%ds", below(300), between(1, 59));
        return;
    }
    for (enum part part = seconds ? SECOND : MINUTE; part <= WEEKDAY; part++) {
        if (out->length > 0) {
            buf_add_char(out, ' ');
        }
        add_field(out, part);
    }
}

// ---- comparing ----------------------------------------------------------------------------------

struct round {
    const char *zone_name;
    const struct zone *zone;
    struct buf text;
    enum schedule_dst dst;
    char name[16]; // what H hashes
    struct instant from;
    struct instant to;
};

struct slots {
    struct instant list[SLOTS_MAX];
    size_t count;
};

static bool collect(void *context, struct instant slot)
{
    struct slots *slots = context;
    slots->list[slots->count++] = slot;
    return slots->count < SLOTS_MAX;
}

static void random_window(struct round *round)
{
    // From the beginning of 1970 to the end of 2037.
    int64_t at = (int64_t)(chance() >> 1) % INT64_C(2145916800);
    struct zone_change change;
    if (below(8) != 0 && zone_next_change(round->zone, at, &change)) {
        at = change.at + between(-DAY, DAY);
    }
    round->from = instant_from_unix(at - between(0, 2 * DAY));
    round->to = instant_from_unix(at + between(1, below(4) == 0 ? 400 * DAY : 3 * DAY));
}

static void random_round(struct round *round)
{
    round->dst = below(3) == 0 ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN;
    snprintf(round->name, sizeof round->name, "job-%d", below(1000));
    random_schedule(&round->text);
    random_window(round);
}

static void disagree(const struct round *round, const char *schedule_says, const char *audit_says)
{
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    format_utc_ms(round->from, from);
    format_utc_ms(round->to, to);
    fail_msg("\"%s\" %s dst=%s job %s, (%s, %s]: the schedule says %s, the audit says %s",
             buf_string(&round->text), round->zone_name,
             round->dst == SCHEDULE_DST_RUN ? "run" : "skip", round->name, from, to, schedule_says,
             audit_says);
}

static void compare_slots(const struct round *round, const struct schedule *schedule,
                          const struct slots *audit)
{
    struct instant t = round->from;
    for (size_t i = 0; i <= audit->count && i < SLOTS_MAX; i++) {
        char ours[FORMAT_TIME_SIZE] = "no more";
        char theirs[FORMAT_TIME_SIZE] = "no more";
        t = schedule_next(schedule, t);
        bool more = !instant_is_none(t) && !instant_before(round->to, t);
        if (more) {
            format_utc_ms(t, ours);
        }
        if (i < audit->count) {
            format_utc_ms(audit->list[i], theirs);
        }
        if (strcmp(ours, theirs) != 0) {
            disagree(round, ours, theirs);
        }
        if (!more) {
            return;
        }
    }
}

// Whether both took the schedule, and it had slots.
static bool compare(const struct round *round)
{
    char spec[1024];
    snprintf(spec, sizeof spec, "{\"dst\":\"%s\",\"schedule\":\"%s\",\"timezone\":\"%s\"}",
             round->dst == SCHEDULE_DST_RUN ? "run" : "skip", buf_string(&round->text),
             round->zone_name);
    struct slots slots = {.count = 0};
    struct schedule schedule;
    struct error ours = ERROR_INIT;
    struct error theirs = ERROR_INIT;
    bool parsed = schedule_parse(buf_string(&round->text), round->zone, round->dst, round->name,
                                 &schedule, &ours);
    bool read =
        verify_recompute(spec, round->name, round->from, round->to, collect, &slots, &theirs);
    // What the scheduler refuses is never in force: how the audit reads it does not matter.
    if (parsed && !read) {
        disagree(round, "it is good", theirs.text);
    }
    if (parsed) {
        compare_slots(round, &schedule, &slots);
    }
    return slots.count > 0;
}

static void test_agreement(void **state)
{
    (void)state;
    const char *given = getenv("IRONCRON_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20260329;
    print_message("IRONCRON_SEED=%" PRIu64 "\n", seed);
    chance_state = seed * 2 + 1;
    struct zone_cache *cache = zone_cache_new();
    struct round round;
    int telling = 0;
    buf_init(&round.text, 512);
    for (int i = 0; i < ROUNDS; i++) {
        struct error err = ERROR_INIT;
        round.zone_name = zones[below((int)(sizeof zones / sizeof zones[0]))];
        if (!zone_cache_get(cache, round.zone_name, &round.zone, &err)) {
            fail_msg("%s", err.text);
        }
        random_round(&round);
        telling += compare(&round);
    }
    // Agreement about nothing would be no agreement.
    assert_true(telling > ROUNDS / 3);
    buf_release(&round.text);
    zone_cache_free(cache);
}

// Texts at the border of the syntax: those that the scheduler takes have the same slots for both.
static const char *const border_texts[] = {
    "7/2 * * * *",
    "* * * * 7/2",
    "* * * * 1/2",
    "* * * * 0-7/7",
    "* * * * 6-0",
    "* * * * sat-sun/1",
    "* * * * fri-mon",
    "* * * * sun-sun",
    "* * * * 7-7",
    "* * * * 5-7",
    "* * * * 7-2",
    "* * * * monday",
    "* * * january *",
    "* * * * L",
    "* * * * 7L",
    "* * * * sunL",
    "* * * * Sun#2",
    "* * * * 1-5L",
    "* * * * mon#6",
    "0 0 L,15 * *",
    "0 0 L-0 * *",
    "0 0 L-30 * *",
    "0 0 L-31 * *",
    "0 0 WL * *",
    "0 0 1W,LW * *",
    "0 0 31W * *",
    "0 0 32W * *",
    "0 0 0W * *",
    "0 0 L/2 * *",
    "0 0 1-5W * *",
    "0 0 ?/2 * *",
    "0 0 ?,1 * *",
    "0 0 1,? * 1",
    "0 0 *,1 * 1",
    "0 0 1,* * 1",
    "0 0 1 ? *",
    "? * * * *",
    "H(5-5) * * * *",
    "H(5-1) * * * *",
    "H(0-59)/30 * * * *",
    "H(0-70) * * * *",
    "H/59 * * * *",
    "H/60 * * * *",
    "h * * * *",
    "0 0 H/31 * *",
    "0 0 H(L-1) * *",
    "0 0 * H(jan-mar) *",
    "0 0 * * H(mon-fri)",
    "0 0 * * H(sat-sun)",
    "0 0 * * H/7",
    "*/1 * * * *",
    "*/59 * * * *",
    "*/60 * * * *",
    "0 */23 * * *",
    "0 */24 * * *",
    "0 0 */31 * *",
    "0 0 */32 * *",
    "0 0 1 */12 *",
    "0 0 1 */13 *",
    "0 0 * * */6",
    "0 0 * * */7",
    "0 0 * * */8",
    "5-10/30 * * * *",
    "5/59 * * * *",
    "00000 * * * *",
    "000000000000000005 * * * *",
    "1,1,1 * * * *",
    "1,,2 * * * *",
    "1, * * * *",
    "+1 * * * *",
    "-1 * * * *",
    "0x1 * * * *",
    "1.5 * * * *",
    "  * * * * *  ",
    "* * * *",
    "* * * * * * *",
    "0-23 0-23 * * *",
    "0 0-23 * * *",
    "0 0-11,12-23 * * *",
    "@hourly",
    "@HOURLY",
    "@daily ",
    " @midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
    "@Reboot",
    "@reboot now",
    "@fortnightly",
    "@every 30s",
    "@EVERY 30s",
    "@every   1h30m",
    "@every 1d12h",
    "@every 7d",
    "@every 1500ms",
    "@every 2000ms",
    "@every 0s",
    "@every 30",
    "@every 30s30s",
    "@every 30m1h",
    "@every 1h 30m",
    "@every 366d",
    "@every 367d",
    "@every",
    "@once 2026-03-01T10:00:00Z",
    "@once 2026-03-01t10:00:00z",
    "@once 2026-03-01T10:00:00+02:00",
    "@once 2026-03-01T10:00:00.250Z",
    "@once 2026-03-01",
    "@once 2026-03-01 10:00:00Z",
    "@once 2026-03-01T10:00Z",
    "@once 2026-03-01T10:00:00",
    "@once 2026-02-30T10:00:00Z",
    "@once 2026-03-01T24:00:00Z",
    "@once 2026-03-01T10:00:00+2:00",
    "@once -2h",
    "@once",
    "",
};

static void test_border(void **state)
{
    (void)state;
    struct zone_cache *cache = zone_cache_new();
    struct round round = {.zone_name = "Europe/Berlin",
                          .dst = SCHEDULE_DST_RUN,
                          .name = "job-1",
                          .from = instant_from_unix(1772236800), // 2026-02-28
                          .to = instant_from_unix(1772236800 + 40 * DAY)};
    struct error err = ERROR_INIT;
    assert_true(zone_cache_get(cache, round.zone_name, &round.zone, &err));
    buf_init(&round.text, 512);
    for (size_t i = 0; i < sizeof border_texts / sizeof border_texts[0]; i++) {
        buf_clear(&round.text);
        buf_add_string(&round.text, border_texts[i]);
        (void)compare(&round);
    }
    buf_release(&round.text);
    zone_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agreement),
                                       cmocka_unit_test(test_border)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
