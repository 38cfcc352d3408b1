// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "expressions.h"
#include "schedule/cron.h"

static struct cron parse(const char *text)
{
    struct cron cron;
    struct error err = ERROR_INIT;
    memset(&cron, 0, sizeof cron);
    if (!cron_parse(text, "a-job", &cron, &err)) {
        fail_msg("'%s': %s", text, err.text);
    }
    return cron;
}

static bool cron_equal(const struct cron *a, const struct cron *b)
{
    return a->seconds == b->seconds && a->minutes == b->minutes && a->hours == b->hours &&
           a->days == b->days && a->last_days == b->last_days && a->near_days == b->near_days &&
           a->months == b->months && a->weekdays == b->weekdays &&
           a->last_weekdays == b->last_weekdays &&
           memcmp(a->nth_weekdays, b->nth_weekdays, sizeof a->nth_weekdays) == 0 &&
           a->days_star == b->days_star && a->weekdays_star == b->weekdays_star &&
           a->hours_all == b->hours_all && a->has_seconds == b->has_seconds;
}

static void two_ways_to_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *same;
    } cases[] = {
        {"0 0 * JAN,feb,Mar *", "0 0 * 1,2,3 *"},
        {"0 0 * * MON", "0 0 * * 1"},
        {"0 0 * * sun-TUE", "0 0 * * 0-2"},
        {"0 0 * * sat-sun", "0 0 * * 6,0"},
        {"0 0 * * 6-7", "0 0 * * 0,6"},
        {"0 0 * * 5-7", "0 0 * * 0,5,6"},
        {"0 0 * * fri-sun", "0 0 * * 0,5,6"},
        {"0 0 * * 7", "0 0 * * 0"},
        {"0 0 * * 7-7", "0 0 * * sun-sun"},
        {"0 0 * * 0-7", "0 0 * * 0-6"},
        {"0 0 * * 1-7/2", "0 0 * * 0,1,3,5"},
        {"0 0 * * 7/2", "0 0 * * 0,2,4,6"},
        {"1-10/3,20 * * * *", "1,4,7,10,20 * * * *"},
        {"05 08 * * *", "5 8 * * *"},
        {"  5\t8  *   * \t* ", "5 8 * * *"},
        {"*/59 * * * *", "0,59 * * * *"},
        {"5/15 * * * *", "5,20,35,50 * * * *"},
        {"0 */23 * * *", "0 0,23 * * *"},
        {"0 0-23 * * *", "0 * * * *"},
        {"0 */1 * * *", "0 * * * *"},
        {"0 0 lw,l-3,15w * *", "0 0 15W,L-3,LW * *"},
        {"0 0 L-0 * *", "0 0 L * *"},
        {"0 0 * * FRIl,mon#2", "0 0 * * 1#2,5L"},
        {"0 0 * * 7#1", "0 0 * * sun#1"},
        {"3,1,2,2 * * * *", "1-3 * * * *"},
        {"0 0 ? * ?", "0 0 * * *"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cron a = parse(cases[i].text);
        struct cron b = parse(cases[i].same);
        if (!cron_equal(&a, &b)) {
            fail_msg("'%s' is not '%s'", cases[i].text, cases[i].same);
        }
    }
}

static void fields_as_bits(void **state)
{
    (void)state;
    struct cron cron = parse("*/20 5 9-11 L-2,3W,LW,10 2 mon#2,5L,0");
    assert_true(cron.has_seconds);
    assert_int_equal(cron.seconds, 1ull << 0 | 1ull << 20 | 1ull << 40);
    assert_int_equal(cron.minutes, 1ull << 5);
    assert_int_equal(cron.hours, 7u << 9);
    assert_int_equal(cron.days, 1u << 10);
    assert_int_equal(cron.last_days, 1u << 2);
    assert_int_equal(cron.near_days, 1u << 3 | 1u);
    assert_int_equal(cron.months, 1u << 2);
    assert_int_equal(cron.weekdays, 1u << 0);
    assert_int_equal(cron.nth_weekdays[1], 1u << 1);
    assert_int_equal(cron.last_weekdays, 1u << 5);
    assert_false(cron.days_star || cron.weekdays_star || cron.hours_all);
    cron = parse("* * */2 * ?");
    assert_true(cron.days_star && cron.weekdays_star && cron.hours_all && !cron.has_seconds);
    assert_int_equal(cron.seconds, 1);
    assert_true(parse("* 0-23 * * *").hours_all);
    assert_false(parse("* 0-22 * * *").hours_all);
}

static const struct {
    const char *text, *message;
} mistakes[] = {
    {"60 * * * *", "minute 60 at column 1: minutes are 0 to 59"},
    {"* 24 * * *", "hour 24 at column 3: hours are 0 to 23"},
    {"* * 0 * *", "day of month 0 at column 5: days of the month are 1 to 31"},
    {"* * 32 * *", "day of month 32 at column 5: days of the month are 1 to 31"},
    {"* * * 0 *", "month 0 at column 7: months are 1 to 12, or jan to dec"},
    {"* * * 13 *", "month 13 at column 7: months are 1 to 12, or jan to dec"},
    {"* * * * 8", "day of week 8 at column 9: days of the week are 0 to 7, or sun to sat (0 and 7 "
                  "are Sunday)"},
    {"60 * * * * *", "second 60 at column 1: seconds are 0 to 59"},
    {"*/0 * * * *", "minute */0 at column 1: a step of 0 never moves on; steps are 1 to 59"},
    {"*/60 * * * *", "minute */60 at column 1: a step of 60 leaves only one value; steps of "
                     "minutes are 1 to 59"},
    {"* */24 * * *",
     "hour */24 at column 3: a step of 24 leaves only one value; steps of hours are 1 to 23"},
    {"* 22-2 * * *", "hour 22-2 at column 3: the range runs backwards; write 22-23,0-2"},
    {"* * * * fri-mon", "day of week fri-mon at column 9: the range runs backwards; write 5-6,0-1"},
    {"* * * * 7-2", "day of week 7-2 at column 9: the range runs backwards; write 0-2"},
    {"1,,2 * * * *", "minute (empty) at column 3: the list has an empty place; remove the comma"},
    {"1, * * * *", "minute (empty) at column 3: the list has an empty place; remove the comma"},
    {",1 * * * *", "minute (empty) at column 1: the list has an empty place; remove the comma"},
    {"5x * * * *",
     "minute 5x at column 1: 'x' does not belong there; a list is separated by commas"},
    {"1-5-7 * * * *",
     "minute 1-5-7 at column 1: '-' does not belong there; a list is separated by commas"},
    {"** * * * *",
     "minute ** at column 1: '*' does not belong there; a list is separated by commas"},
    {"*/ * * * *", "minute */ at column 1: a number belongs after the '/'"},
    {"*/-5 * * * *", "minute */-5 at column 1: a number belongs after the '/'"},
    {"-5 * * * *", "minute -5 at column 1: minutes are 0 to 59"},
    {"99999999999 * * * *", "minute 99999999999 at column 1: minutes are 0 to 59"},
    {"*/99999999999 * * * *", "minute */99999999999 at column 1: a step of "},
    {"? * * * *", "minute ? at column 1: ? belongs in a field for days; write *"},
    {"* * * * L",
     "day of week L at column 9: L needs a day before it here; write 5L for the last Friday"},
    {"* * * * 1#6",
     "day of week 1#6 at column 9: the number after # is 1 to 5; write mon#1 for the "
     "first Monday"},
    {"* * * * 1#0",
     "day of week 1#0 at column 9: the number after # is 1 to 5; write mon#1 for the "
     "first Monday"},
    {"* * L-31 * *",
     "day of month L-31 at column 5: L-n counts back from the month's last day; n is 0 to 30"},
    {"* * 32W * *", "day of month 32W at column 5: days of the month are 1 to 31"},
    {"* * 1-5W * *", "day of month 1-5W at column 5: 'W' does not belong there"},
    {"* * * foo *", "month foo at column 7: months are 1 to 12, or jan to dec"},
    {"* * * janu *", "month janu at column 7: 'u' does not belong there"},
    {"H( * * * *", "minute H( at column 1: minutes are 0 to 59"},
    {"H(5) * * * *", "minute H(5) at column 1: H takes a range; write H(0-29)"},
    {"H(0-29 * * * *", "minute H(0-29 at column 1: the ')' is missing; write H(0-29)"},
    {"H(29-0) * * * *", "minute H(29-0) at column 1: the range runs backwards"},
    {"H(0-9)/20 * * * *", "minute H(0-9)/20 at column 1: a step of 20 is longer than the range"},
    {"* * * *", "4 fields; a schedule has 5 (minute, hour, day of month, month, day of week) or 6 "
                "with the second first"},
    {"* * * * * * *", "7 fields; a schedule has 5"},
    {"*", "1 field; a schedule has 5"},
    {"", "0 fields; a schedule has 5"},
    {"* * * * *\n", "day of week *"},
    {"@daily", "1 field"},
};

static void errors_say_field_column_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
        struct cron cron;
        struct error err = ERROR_INIT;
        if (cron_parse(mistakes[i].text, "a-job", &cron, &err) || err.code != ERROR_CONFIG ||
            strncmp(err.text, mistakes[i].message, strlen(mistakes[i].message)) != 0) {
            fail_msg("'%s' gives: %s", mistakes[i].text, err.text);
        }
    }
}

static void long_texts_are_refused(void **state)
{
    (void)state;
    char text[4097];
    struct cron cron;
    struct error err = ERROR_INIT;
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(cron_parse(text, "a-job", &cron, &err));
    assert_non_null(strstr(err.text, "more than 1024 characters"));
    text[60] = '\0'; // a wrong item is not repeated at any length
    memcpy(text + 50, " * * * *", 9);
    assert_false(cron_parse(text, "a-job", &cron, &err));
    assert_non_null(strstr(err.text, "…"));
}

static void hash_is_stable(void **state)
{
    (void)state;
    struct cron a = parse("H H H H H");
    struct cron b = parse("H H H H H");
    assert_true(cron_equal(&a, &b));
    assert_int_equal(__builtin_popcountll(a.minutes), 1);
    assert_int_equal(__builtin_popcount(a.hours), 1);
    assert_int_equal(__builtin_popcount(a.days), 1);
    // These very values are a promise: they may not change from one version to the next.
    assert_int_equal(a.minutes, 1ull << 24);
    assert_int_equal(a.days, 1u << 27);
}

static void hash_stays_in_its_range(void **state)
{
    (void)state;
    uint64_t minutes_seen = 0;
    uint32_t days_seen = 0;
    for (int i = 0; i < 2000; i++) {
        char name[32];
        struct cron cron;
        struct error err = ERROR_INIT;
        snprintf(name, sizeof name, "job-%d", i);
        assert_true(cron_parse("H H(9-17) H H(2-3) H", name, &cron, &err));
        assert_int_equal(cron.hours & ~0x3fe00u, 0);
        assert_int_equal(cron.months & ~0xcu, 0);
        minutes_seen |= cron.minutes;
        days_seen |= cron.days;
        assert_true(cron_parse("H/15 H(0-11)/4 * * *", name, &cron, &err));
        assert_int_equal(__builtin_popcountll(cron.minutes), 4);
        assert_int_equal(__builtin_popcount(cron.hours), 3);
        assert_int_equal(cron.hours >> 12, 0);
        int first = __builtin_ctzll(cron.minutes);
        assert_int_equal(cron.minutes, (0x200040008001ull << first) & ((1ull << 60) - 1));
    }
    // Spread over everything that is allowed, and no further: no day that February lacks.
    assert_int_equal(minutes_seen, (1ull << 60) - 1);
    assert_int_equal(days_seen, 0x1ffffffe);
}

static void vixies_rule(void **state)
{
    (void)state;
    // 2026-02-13 was a Friday, 2026-02-06 too; 2026-03-12 a Thursday.
    struct cron either = parse("0 0 13 * 5");
    assert_true(cron_matches_date(&either, 2026, 2, 13));
    assert_true(cron_matches_date(&either, 2026, 2, 6));
    assert_true(cron_matches_date(&either, 2026, 1, 13));
    assert_false(cron_matches_date(&either, 2026, 3, 12));
    struct cron both = parse("0 0 */2 * 5");
    assert_true(cron_matches_date(&both, 2026, 2, 13));
    assert_false(cron_matches_date(&both, 2026, 2, 6));
    assert_false(cron_matches_date(&both, 2026, 2, 15));
    // Not starred, and yet every day: then every day matches.
    struct cron all = parse("0 0 1-31 * 5");
    assert_true(cron_matches_date(&all, 2026, 3, 12));
}

static void a_search_ends(void **state)
{
    (void)state;
    struct civil from = {
        .year = 2026, .month = 1, .day = 31, .hour = 23, .minute = 59, .second = 59};
    struct civil next;
    struct cron never = parse("0 0 30 2 *");
    assert_false(cron_next_civil(&never, &from, 9999, &next));
    struct cron rare = parse("0 0 29 2 sun#5");
    rare.days_star = true; // "and": 29 February on a Sunday
    assert_true(cron_next_civil(&rare, &from, 9999, &next));
    struct cron daily = parse("0 0 * * *");
    assert_true(cron_next_civil(&daily, &from, 9999, &next));
    assert_int_equal(next.month * 100 + next.day, 201);
    assert_false(cron_next_civil(&daily, &from, 2025, &next));
}

// What was parsed, written out as plain lists and parsed again, is the same.
static void add_list(char *out, size_t size, uint64_t bits)
{
    size_t length = strlen(out);
    for (int value = 0; value < 64; value++) {
        if ((bits >> value & 1) != 0) {
            length += (size_t)snprintf(out + length, size - length, "%s%d",
                                       length == 0 || out[length - 1] == ' ' ? "" : ",", value);
        }
    }
    snprintf(out + length, size - length, " ");
}

static void written_out_and_parsed_again(void **state)
{
    (void)state;
    struct random_source source = {random_seed()};
    struct civil near = {.year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 30};
    int compared = 0;
    for (int i = 0; i < 5000; i++) {
        char text[EXPRESSION_SIZE];
        char lists[2048] = "";
        (void)expression_random(&source, &near, text);
        struct cron cron = parse(text);
        if (cron.last_days != 0 || cron.near_days != 0 || cron.last_weekdays != 0 ||
            memcmp(cron.nth_weekdays, "\0\0\0\0\0", 5) != 0) {
            continue;
        }
        add_list(lists, sizeof lists, cron.seconds);
        add_list(lists, sizeof lists, cron.minutes);
        add_list(lists, sizeof lists, cron.hours);
        add_list(lists, sizeof lists, cron.days);
        add_list(lists, sizeof lists, cron.months);
        add_list(lists, sizeof lists, cron.weekdays);
        struct cron again = parse(lists);
        again.days_star = cron.days_star;
        again.weekdays_star = cron.weekdays_star;
        again.has_seconds = cron.has_seconds;
        if (!cron_equal(&cron, &again)) {
            fail_msg("'%s' is not '%s' (IRONCRON_SEED=%llu)", text, lists,
                     (unsigned long long)random_seed());
        }
        compared++;
    }
    assert_true(compared > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ways_to_write_it),
        cmocka_unit_test(fields_as_bits),
        cmocka_unit_test(errors_say_field_column_reason),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(hash_is_stable),
        cmocka_unit_test(hash_stays_in_its_range),
        cmocka_unit_test(vixies_rule),
        cmocka_unit_test(a_search_ends),
        cmocka_unit_test(written_out_and_parsed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
