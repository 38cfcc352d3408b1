// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "time/posix_tz.h"
#include "time/zone.h"
#include "tzif_bytes.h"

static struct tzif two_types(void)
{
    return (struct tzif){
        .version = '2',
        .transition_count = 2,
        .type_count = 2,
        .abbreviation_bytes = 8,
        .transitions = {{1000000, 1}, {2000000, 0}},
        .types = {{3600, 0, 0}, {7200, 1, 4}},
        .abbreviations = "AAA\0BBB",
        .footer = "",
    };
}

static struct zone *parse(const struct tzif *tzif)
{
    uint8_t bytes[TZIF_BYTES];
    struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (!zone_parse("Test/Zone", bytes, tzif_write(tzif, bytes), &zone, &err)) {
        fail_msg("%s", err.text);
    }
    return zone;
}

static void transitions_take_effect_at_their_second(void **state)
{
    (void)state;
    for (int version = 0; version <= 4; version = version == 0 ? 2 : version + 1) {
        struct tzif tzif = two_types();
        tzif.version = version == 0 ? '\0' : (char)('0' + version);
        struct zone *zone = parse(&tzif);
        assert_string_equal(zone_name(zone), "Test/Zone");
        assert_int_equal(zone_offset(zone, INT64_MIN), 3600);
        assert_int_equal(zone_offset(zone, 999999), 3600);
        assert_int_equal(zone_offset(zone, 1000000), 7200);
        assert_string_equal(zone_abbreviation(zone, 1000000), "BBB");
        assert_int_equal(zone_offset(zone, 1999999), 7200);
        assert_int_equal(zone_offset(zone, 2000000), 3600);
        assert_int_equal(zone_offset(zone, INT64_MAX), 3600);
        assert_string_equal(zone_abbreviation(zone, INT64_MAX), "AAA");
        zone_free(zone);
    }
}

static void wall_times_lead_back(void **state)
{
    (void)state;
    struct tzif tzif = two_types();
    struct zone *zone = parse(&tzif);
    static const struct {
        int64_t wall; // read as if UTC
        enum zone_local_kind kind;
        int64_t first, second;
    } cases[] = {
        {1003599, ZONE_LOCAL_UNIQUE, 999999, 999999},
        {1003600, ZONE_LOCAL_GAP, 1000000, 1000000},
        {1007199, ZONE_LOCAL_GAP, 1000000, 1000000},
        {1007200, ZONE_LOCAL_UNIQUE, 1000000, 1000000},
        {2003599, ZONE_LOCAL_UNIQUE, 1996399, 1996399},
        {2003600, ZONE_LOCAL_OVERLAP, 1996400, 2000000},
        {2007199, ZONE_LOCAL_OVERLAP, 1999999, 2003599},
        {2007200, ZONE_LOCAL_UNIQUE, 2003600, 2003600},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct civil civil = civil_from_seconds(cases[i].wall);
        struct zone_local local = zone_from_local(zone, &civil);
        if (local.kind != cases[i].kind || local.first != cases[i].first ||
            local.second != cases[i].second) {
            fail_msg("%lld: kind %d, %lld, %lld", (long long)cases[i].wall, (int)local.kind,
                     (long long)local.first, (long long)local.second);
        }
    }
    zone_free(zone);
}

static void changes_of_name_only_are_passed_over(void **state)
{
    (void)state;
    struct tzif tzif = two_types();
    struct zone_change change;
    tzif.type_count = 3;
    tzif.types[2].offset = 3600; // another name for the first offset
    tzif.types[2].is_dst = 1;
    tzif.types[2].abbreviation = 4;
    tzif.transition_count = 3;
    tzif.transitions[0].type = 2;
    tzif.transitions[1].type = 1;
    tzif.transitions[2].at = 3000000;
    tzif.transitions[2].type = 0;
    struct zone *zone = parse(&tzif);
    assert_true(zone_next_change(zone, INT64_MIN, &change));
    assert_int_equal(change.at, 2000000);
    assert_int_equal(change.offset_before, 3600);
    assert_int_equal(change.offset_after, 7200);
    assert_true(zone_next_change(zone, 2000000, &change));
    assert_int_equal(change.at, 3000000);
    assert_false(zone_next_change(zone, 3000000, &change));
    assert_false(zone_next_change(zone, INT64_MAX, &change));
    zone_free(zone);
}

// ---- the footer ---------------------------------------------------------------------------------

static const char *const rules[] = {
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "<+03>-3",
    "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
    "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "EET-2EEST,M3.4.4/50,M10.4.4/50",
    "AAA-2BBB,J60/2,J300/3",
    "AAA-2BBB,59/2,299/3:30:15",
    "AAA+12:30:30BBB+11,M1.1.1/0,M2.5.6/23:59:59",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
};

static void rules_agree_with_the_c_library(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct posix_tz tz;
        if (!posix_tz_parse(rules[i], strlen(rules[i]), &tz)) {
            fail_msg("%s is not read", rules[i]);
        }
        setenv("TZ", rules[i], 1);
        tzset();
        for (int64_t at = 1577836800; at < 1577836800 + 12 * 31556952; at += 3607) {
            time_t seconds = (time_t)at;
            struct tm expected;
            assert_non_null(localtime_r(&seconds, &expected));
            if (posix_tz_offset(&tz, at) != expected.tm_gmtoff) {
                fail_msg("%s at %lld: %d, the C library says %ld", rules[i], (long long)at,
                         posix_tz_offset(&tz, at), expected.tm_gmtoff);
            }
        }
    }
    unsetenv("TZ");
    tzset();
}

static void changes_of_a_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        struct posix_tz tz;
        int64_t at = 1577836800;
        int changes = 0;
        assert_true(posix_tz_parse(rules[i], strlen(rules[i]), &tz));
        while (posix_tz_next_change(&tz, at, &at) && at < 1577836800 + 10 * 31556952LL) {
            if (posix_tz_offset(&tz, at) == posix_tz_offset(&tz, at - 1)) {
                fail_msg("%s: nothing changes at %lld", rules[i], (long long)at);
            }
            changes++;
        }
        if (changes != (tz.has_dst ? 20 : 0)) {
            fail_msg("%s: %d changes in ten years", rules[i], changes);
        }
    }
}

static void dst_all_the_year(void **state)
{
    (void)state;
    // Ends and begins again in the same second, at one end of the year or the other.
    static const char *const texts[] = {"XXX3EDT4,0/0,J365/23", "XXX3EDT4,J1/0,J365/23",
                                        "XXX3EDT4,J365/25,J1/0"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct posix_tz tz;
        int64_t at = 0;
        assert_true(posix_tz_parse(texts[i], strlen(texts[i]), &tz));
        for (int64_t t = 1577836800; t < 1577836800 + 5 * 31556952; t += 3600) {
            assert_int_equal(posix_tz_offset(&tz, t), -4 * 3600);
        }
        assert_false(posix_tz_next_change(&tz, 1577836800, &at));
    }
}

static void strings_that_are_no_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "U",
        "UT0",
        "UTC",
        "UTC25",
        "UTC0:60",
        "UTC0x",
        "<+03-3",
        "<+>3",
        ":UTC0",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,J0,J100",
        "CET-1CEST,J366,J100",
        "CET-1CEST,366,100",
        "CET-1CEST,M3.5.0,M10.5.0/3 ",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0",
        "UTC0000",
        "CET-1CEST,M3.5.0,M10.5.0,M1.1.1",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct posix_tz tz;
        if (posix_tz_parse(texts[i], strlen(texts[i]), &tz)) {
            fail_msg("'%s' is read", texts[i]);
        }
    }
}

static void the_rule_follows_the_last_transition(void **state)
{
    (void)state;
    struct tzif tzif = two_types();
    struct zone_change change;
    tzif.footer = "AAA-1BBB,M3.5.0,M10.5.0/3";
    struct zone *zone = parse(&tzif);
    assert_true(zone_next_change(zone, 2000000, &change));
    assert_int_equal(change.at, 7520400); // 1970-03-29T01:00Z
    assert_string_equal(zone_abbreviation(zone, change.at), "BBB");
    assert_int_equal(zone_offset(zone, 2000000), 3600);
    zone_free(zone);
}

// ---- damage -------------------------------------------------------------------------------------

static void expect_refused(const struct tzif *tzif, const char *part)
{
    uint8_t bytes[TZIF_BYTES];
    struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    if (zone_parse("Test/Zone", bytes, tzif_write(tzif, bytes), &zone, &err) || zone != NULL ||
        strstr(err.text, "Test/Zone") == NULL || strstr(err.text, part) == NULL) {
        fail_msg("should be refused with '%s' but: %s", part, err.text);
    }
}

static void wrong_content_is_refused(void **state)
{
    (void)state;
    struct tzif tzif = two_types();
    tzif.version = '5';
    expect_refused(&tzif, "version");
    tzif = two_types();
    tzif.transition_count = UINT32_MAX;
    expect_refused(&tzif, "count");
    tzif = two_types();
    tzif.transition_count = 15000;
    expect_refused(&tzif, "ends early");
    tzif = two_types();
    tzif.type_count = 0;
    expect_refused(&tzif, "count");
    tzif = two_types();
    tzif.type_count = 255;
    expect_refused(&tzif, "");
    tzif = two_types();
    tzif.abbreviation_bytes = 0;
    expect_refused(&tzif, "count");
    tzif = two_types();
    tzif.transitions[1].type = 2;
    expect_refused(&tzif, "type that is not there");
    tzif = two_types();
    tzif.transitions[1].at = 1000000;
    expect_refused(&tzif, "out of order");
    tzif = two_types();
    tzif.types[0].offset = 100000;
    expect_refused(&tzif, "more than a day");
    tzif = two_types();
    tzif.types[0].offset = INT32_MIN;
    expect_refused(&tzif, "more than a day");
    tzif = two_types();
    tzif.types[0].abbreviation = 8;
    expect_refused(&tzif, "makes no sense");
    tzif = two_types();
    tzif.types[0].is_dst = 2;
    expect_refused(&tzif, "makes no sense");
    tzif = two_types();
    tzif.footer = NULL;
    expect_refused(&tzif, "footer");
    tzif = two_types();
    tzif.footer = "nonsense";
    expect_refused(&tzif, "POSIX TZ");
    tzif = two_types();
    tzif.leaps = 2;
    expect_refused(&tzif, "without right/");
}

// Every prefix of a file is refused, and never read past its end.
static void cut_files_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[TZIF_BYTES];
    struct tzif tzif = two_types();
    tzif.footer = "AAA-1BBB,M3.5.0,M10.5.0/3";
    size_t length = tzif_write(&tzif, bytes);
    for (size_t cut = 0; cut < length; cut++) {
        struct zone *zone = NULL;
        struct error err = ERROR_INIT;
        uint8_t *exact = malloc(cut == 0 ? 1 : cut);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        if (zone_parse("Test/Zone", exact, cut, &zone, &err)) {
            fail_msg("%zu of %zu bytes are read", cut, length);
        }
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transitions_take_effect_at_their_second),
        cmocka_unit_test(wall_times_lead_back),
        cmocka_unit_test(changes_of_name_only_are_passed_over),
        cmocka_unit_test(rules_agree_with_the_c_library),
        cmocka_unit_test(changes_of_a_rule),
        cmocka_unit_test(dst_all_the_year),
        cmocka_unit_test(strings_that_are_no_rules),
        cmocka_unit_test(the_rule_follows_the_last_transition),
        cmocka_unit_test(wrong_content_is_refused),
        cmocka_unit_test(cut_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
