// SPDX-License-Identifier: MIT
// The recomputation against vectors worked out by hand from the calendar and the zone database.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit/verify.h"
#include "base/buf.h"

struct vector {
    int line;
    const char *zone;
    const char *schedule;
    const char *dst;
    const char *from;
    const char *to;       // NULL: as many slots as are expected
    const char *expected; // minutes or seconds UTC, blank between
};
#define V(zone, schedule, from, to, expected)                                                      \
    {                                                                                              \
        __LINE__, zone, schedule, "run", from, to, expected                                        \
    }
#define SKIP(zone, schedule, from, to, expected)                                                   \
    {                                                                                              \
        __LINE__, zone, schedule, "skip", from, to, expected                                       \
    }

static int64_t unix_of(const char *text)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    if (end != NULL && *end == ':') {
        end = strptime(end, ":%S", &tm);
    }
    assert_non_null(end);
    assert_true(*end == '\0' || *end == ' ');
    return timegm(&tm);
}

struct collected {
    struct buf text;
    size_t count;
    size_t wanted; // 0 = all
};

static bool collect(void *context, struct instant slot)
{
    struct collected *collected = context;
    time_t seconds = (time_t)instant_unix(slot);
    struct tm tm;
    char text[40];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, tm.tm_sec == 0 ? "%Y-%m-%dT%H:%M" : "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(&collected->text, "%s%s", collected->count == 0 ? "" : " ", text);
    collected->count++;
    return collected->wanted == 0 || collected->count < collected->wanted;
}

static size_t count_words(const char *text)
{
    size_t count = *text != '\0';
    for (; *text != '\0'; text++) {
        count += *text == ' ';
    }
    return count;
}

static void check_vector(const struct vector *v)
{
    char spec[512];
    snprintf(spec, sizeof spec, "{\"dst\":\"%s\",\"schedule\":\"%s\",\"timezone\":\"%s\"}", v->dst,
             v->schedule, v->zone);
    struct collected collected = {.wanted = v->to == NULL ? count_words(v->expected) : 0};
    buf_init(&collected.text, 1 << 20);
    struct instant from = instant_from_unix(unix_of(v->from));
    struct instant to = v->to != NULL ? instant_from_unix(unix_of(v->to))
                                      : instant_add(from, DURATION_S(86400LL * 14700));
    struct error err = ERROR_INIT;
    if (!verify_recompute(spec, "rollup", from, to, collect, &collected, &err)) {
        fail_msg("line %d: %s: %s", v->line, v->schedule, err.text);
    }
    if (strcmp(buf_string(&collected.text), v->expected) != 0) {
        fail_msg("line %d: %s %s: expected \"%s\", got \"%.400s\"", v->line, v->zone, v->schedule,
                 v->expected, buf_string(&collected.text));
    }
    buf_release(&collected.text);
}

#define CHECK_VECTORS(vectors)                                                                     \
    do {                                                                                           \
        for (size_t i = 0; i < sizeof(vectors) / sizeof((vectors)[0]); i++) {                      \
            check_vector(&(vectors)[i]);                                                           \
        }                                                                                          \
    } while (0)

static void test_calendar(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        V("UTC", "* * * * *", "2026-01-01T00:00", NULL, "2026-01-01T00:01 2026-01-01T00:02"),
        V("UTC", "*/59 * * * *", "2026-01-01T00:00", NULL,
          "2026-01-01T00:59 2026-01-01T01:00 2026-01-01T01:59 2026-01-01T02:00"),
        V("UTC", "*/7 * * * *", "2026-01-01T00:50", NULL,
          "2026-01-01T00:56 2026-01-01T01:00 2026-01-01T01:07 2026-01-01T01:14"),
        V("UTC", "0 0 * * 0", "2026-01-01T00:00", NULL, "2026-01-04T00:00 2026-01-11T00:00"),
        V("UTC", "0 0 * * 5-7", "2026-01-01T00:00", NULL,
          "2026-01-02T00:00 2026-01-03T00:00 2026-01-04T00:00 2026-01-09T00:00"),
        V("UTC", "0 0 * * 7", "2026-01-01T00:00", NULL, "2026-01-04T00:00 2026-01-11T00:00"),
        V("UTC", "0 0 * * sat-sun", "2026-01-01T00:00", NULL,
          "2026-01-03T00:00 2026-01-04T00:00 2026-01-10T00:00"),
        V("UTC", "0 0 */2 * 1", "2026-01-01T00:00", NULL,
          "2026-01-05T00:00 2026-01-19T00:00 2026-02-09T00:00 2026-02-23T00:00"),
        V("UTC", "0 0 1 1 *", "2037-12-31T00:00", NULL, "2038-01-01T00:00 2039-01-01T00:00"),
        V("UTC", "0 0 1-7 * 1", "2026-01-01T00:00", NULL,
          "2026-01-02T00:00 2026-01-03T00:00 2026-01-04T00:00 2026-01-05T00:00"),
        V("UTC", "0 0 13 * 5", "2026-01-01T00:00", NULL,
          "2026-01-02T00:00 2026-01-09T00:00 2026-01-13T00:00 2026-01-16T00:00"),
        V("UTC", "0 0 29 2 *", "2026-01-01T00:00", NULL, "2028-02-29T00:00 2032-02-29T00:00"),
        V("UTC", "0 0 29 2 *", "2096-03-01T00:00", NULL, "2104-02-29T00:00"),
        V("UTC", "0 0 30 2 *", "2026-01-01T00:00", "2036-01-01T00:00", ""),
        V("UTC", "0 0 31 4 *", "2026-01-01T00:00", "2036-01-01T00:00", ""),
        V("UTC", "0 0 31 * *", "2026-01-01T00:00", NULL,
          "2026-01-31T00:00 2026-03-31T00:00 2026-05-31T00:00 2026-07-31T00:00"),
        V("UTC", "0 12 19 1 *", "2038-01-18T00:00", NULL, "2038-01-19T12:00 2039-01-19T12:00"),
        V("UTC", "5/15 * * * *", "2026-01-01T00:00", NULL,
          "2026-01-01T00:05 2026-01-01T00:20 2026-01-01T00:35 2026-01-01T00:50"),
        V("UTC", "59 23 31 12 *", "2026-12-31T23:59", NULL, "2027-12-31T23:59 2028-12-31T23:59"),
        V("UTC", "*/30 * * * * *", "2026-01-01T00:00", NULL,
          "2026-01-01T00:00:30 2026-01-01T00:01 2026-01-01T00:01:30"),
        V("UTC", "0 0 1-10/3,20 JAN ?", "2026-01-01T00:00", NULL,
          "2026-01-04T00:00 2026-01-07T00:00 2026-01-10T00:00 2026-01-20T00:00 2027-01-01T00:00"),
        V("UTC", "\\t05  06 * *\\tmon-FRI/2", "2026-01-01T00:00", NULL,
          "2026-01-02T06:05 2026-01-05T06:05 2026-01-07T06:05 2026-01-09T06:05"),
        // The window is open at its beginning and closed at its end.
        V("UTC", "0 * * * *", "2026-01-01T01:00", "2026-01-01T03:00",
          "2026-01-01T02:00 2026-01-01T03:00"),
    };
    CHECK_VECTORS(vectors);
}

static void test_special_days(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        V("UTC", "0 0 L * *", "2028-01-01T00:00", NULL,
          "2028-01-31T00:00 2028-02-29T00:00 2028-03-31T00:00 2028-04-30T00:00"),
        V("UTC", "0 0 L-3 * *", "2026-01-01T00:00", NULL, "2026-01-28T00:00 2026-02-25T00:00"),
        V("UTC", "0 0 l-30 * *", "2026-01-02T00:00", NULL, "2026-03-01T00:00 2026-05-01T00:00"),
        // January 2026 ends on a Saturday, May on a Sunday.
        V("UTC", "0 0 LW * *", "2026-01-01T00:00", NULL,
          "2026-01-30T00:00 2026-02-27T00:00 2026-03-31T00:00 2026-04-30T00:00 2026-05-29T00:00"),
        V("UTC", "0 0 15W * *", "2026-01-01T00:00", NULL,
          "2026-01-15T00:00 2026-02-16T00:00 2026-03-16T00:00 2026-04-15T00:00"),
        // August 2026 begins on a Saturday, February and November on a Sunday.
        V("UTC", "0 0 1W 2,8,11 *", "2026-01-01T00:00", NULL,
          "2026-02-02T00:00 2026-08-03T00:00 2026-11-02T00:00"),
        V("UTC", "0 0 31w * *", "2026-01-01T00:00", NULL,
          "2026-01-30T00:00 2026-03-31T00:00 2026-05-29T00:00"),
        V("UTC", "0 0 * 2 MON#5", "2026-01-01T00:00", NULL, "2044-02-29T00:00"),
        V("UTC", "0 0 ? * fri#1", "2026-01-01T00:00", NULL,
          "2026-01-02T00:00 2026-02-06T00:00 2026-03-06T00:00"),
        V("UTC", "0 0 * * 7#2", "2026-01-01T00:00", NULL, "2026-01-11T00:00 2026-02-08T00:00"),
        V("UTC", "0 0 * * 5L", "2026-01-01T00:00", NULL,
          "2026-01-30T00:00 2026-02-27T00:00 2026-03-27T00:00"),
        V("UTC", "0 0 * * friL,2#1", "2026-01-01T00:00", NULL,
          "2026-01-06T00:00 2026-01-30T00:00 2026-02-03T00:00"),
        // Neither is starred: either may match.
        V("UTC", "0 0 L * fri#1", "2026-01-01T00:00", NULL,
          "2026-01-02T00:00 2026-01-31T00:00 2026-02-06T00:00 2026-02-28T00:00"),
    };
    CHECK_VECTORS(vectors);
}

// Computed apart from the definition: for "rollup" the hash picks 44 s, 7 min, 14 h, day 18, May,
// Monday.
static void test_hash(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        V("UTC", "H H * * *", "2026-01-01T00:00", NULL, "2026-01-01T14:07 2026-01-02T14:07"),
        V("UTC", "H H H * * *", "2026-01-01T00:00", NULL, "2026-01-01T14:07:44"),
        V("UTC", "0 0 H H ?", "2026-01-01T00:00", NULL, "2026-05-18T00:00 2027-05-18T00:00"),
        V("UTC", "0 0 * * h", "2026-01-01T00:00", NULL, "2026-01-05T00:00 2026-01-12T00:00"),
        V("UTC", "H/15 * * * *", "2026-01-01T00:00", NULL,
          "2026-01-01T00:07 2026-01-01T00:22 2026-01-01T00:37 2026-01-01T00:52 2026-01-01T01:07"),
        V("UTC", "0 H(9-17) * * *", "2026-01-01T00:00", NULL, "2026-01-01T11:00"),
        V("UTC", "H(10-50)/20 * * * *", "2026-01-01T00:00", NULL,
          "2026-01-01T00:17 2026-01-01T00:37 2026-01-01T01:17"),
        V("UTC", "0 0 H/10 * *", "2026-01-01T00:00", NULL,
          "2026-01-08T00:00 2026-01-18T00:00 2026-01-28T00:00 2026-02-08T00:00"),
        V("UTC", "0 0 H(1-31) * *", "2026-01-01T00:00", NULL, "2026-01-05T00:00"),
        V("UTC", "H,30 0 * * *", "2026-01-01T00:00", NULL, "2026-01-01T00:07 2026-01-01T00:30"),
    };
    CHECK_VECTORS(vectors);
}

static void test_named(void **state)
{
    (void)state;
    static const struct vector vectors[] = {
        V("UTC", "@hourly", "2026-01-01T00:00", NULL, "2026-01-01T01:00 2026-01-01T02:00"),
        V("UTC", "@daily", "2026-01-01T00:00", NULL, "2026-01-02T00:00 2026-01-03T00:00"),
        V("Europe/Berlin", "@midnight", "2026-01-01T00:00", NULL, "2026-01-01T23:00"),
        V("UTC", "@weekly", "2026-01-01T00:00", NULL, "2026-01-04T00:00 2026-01-11T00:00"),
        V("UTC", "@monthly", "2026-01-01T00:00", NULL, "2026-02-01T00:00 2026-03-01T00:00"),
        V("UTC", "@Yearly", "2026-01-01T00:00", NULL, "2027-01-01T00:00"),
        V("UTC", "@annually", "2026-01-01T00:00", NULL, "2027-01-01T00:00"),
        V("Asia/Kolkata", "@every 30s", "2026-01-01T00:00", NULL,
          "2026-01-01T00:00:30 2026-01-01T00:01"),
        // From 1970-01-01 to 2026-01-01 there are 20,454 days, a multiple of 7.
        V("UTC", "@every 7d", "2026-01-01T00:00", NULL, "2026-01-08T00:00"),
        V("UTC", "@every 1h30m", "2026-01-01T00:00", NULL, "2026-01-01T01:30 2026-01-01T03:00"),
        V("UTC", "@once 2026-03-01T10:00:00+02:00", "2026-01-01T00:00", "2027-01-01T00:00",
          "2026-03-01T08:00"),
        V("UTC", "@once 2026-03-01T10:00:00.000Z", "2026-01-01T00:00", "2027-01-01T00:00",
          "2026-03-01T10:00"),
        V("UTC", "@once 2026-03-01", "2026-01-01T00:00", "2027-01-01T00:00", "2026-03-01T00:00"),
        V("UTC", "@once 2026-03-01T10:00:00Z", "2026-03-01T10:00", "2027-01-01T00:00", ""),
        V("UTC", "@reboot", "2026-01-01T00:00", "2027-01-01T00:00", ""),
    };
    CHECK_VECTORS(vectors);
}

static const struct vector clock_changes[] = {
    V("America/New_York", "30 2 * * *", "2026-03-08T05:00", "2026-03-09T05:00", "2026-03-08T07:00"),
    V("America/New_York", "0,30 2 * * *", "2026-03-08T05:00", "2026-03-09T05:00",
      "2026-03-08T07:00"),
    V("America/New_York", "30 1-5 * * *", "2026-03-08T05:00", "2026-03-08T12:00",
      "2026-03-08T06:30 2026-03-08T07:00 2026-03-08T07:30 2026-03-08T08:30 2026-03-08T09:30"),
    V("America/New_York", "*/20 2 * * *", "2026-03-08T05:00", "2026-03-08T12:00",
      "2026-03-08T07:00"),
    V("America/New_York", "0 2,3 * * *", "2026-03-08T05:00", "2026-03-08T12:00",
      "2026-03-08T07:00"),
    V("America/New_York", "30 * * * *", "2026-03-08T06:00", "2026-03-08T08:00",
      "2026-03-08T06:30 2026-03-08T07:30"),
    V("America/New_York", "30 1 * * *", "2026-11-01T04:00", "2026-11-01T12:00", "2026-11-01T05:30"),
    V("America/New_York", "0 * * * *", "2026-11-01T03:59", "2026-11-01T08:00",
      "2026-11-01T04:00 2026-11-01T05:00 2026-11-01T06:00 2026-11-01T07:00 2026-11-01T08:00"),
    V("America/New_York", "0 0-23/1 * * *", "2026-11-01T04:30", "2026-11-01T07:00",
      "2026-11-01T05:00 2026-11-01T06:00 2026-11-01T07:00"),
    V("America/New_York", "*/20 1 * * *", "2026-11-01T04:00", "2026-11-01T12:00",
      "2026-11-01T05:00 2026-11-01T05:20 2026-11-01T05:40"),
    // The window begins between the two passes.
    V("America/New_York", "30 1 * * *", "2026-11-01T06:00", "2026-11-01T12:00", ""),
    V("Europe/Berlin", "30 2 * * *", "2026-03-28T22:00", "2026-03-29T12:00", "2026-03-29T01:00"),
    // The window ends, or begins, at the very instant of the change.
    V("Europe/Berlin", "30 2 * * *", "2026-03-28T22:00", "2026-03-29T01:00", "2026-03-29T01:00"),
    V("Europe/Berlin", "30 2 * * *", "2026-03-29T01:00", "2026-03-29T12:00", ""),
    V("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
    V("Europe/Dublin", "30 1 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T01:00"),
    V("Europe/Dublin", "30 1 * * *", "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
    V("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", "2026-10-04T06:00",
      "2026-10-03T15:30"),
    V("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", "2026-04-05T06:00",
      "2026-04-04T14:45"),
    V("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00", "2026-04-24T12:00", "2026-04-23T22:00"),
    V("Africa/Cairo", "30 23 * * *", "2026-10-29T12:00", "2026-10-30T12:00", "2026-10-29T20:30"),
    V("America/Santiago", "0 0 * * *", "2026-09-05T12:00", "2026-09-06T12:00", "2026-09-06T04:00"),
    V("America/Santiago", "30 23 * * *", "2026-04-04T12:00", "2026-04-05T12:00",
      "2026-04-05T02:30"),
    V("America/Nuuk", "30 23 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T01:00"),
    V("America/Nuuk", "30 23 * * *", "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
    V("Antarctica/Troll", "30 1 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "2026-03-29T01:00"),
    V("Antarctica/Troll", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
    V("Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00", "2026-02-15T12:00",
      "2026-02-15T01:30"),
    V("Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00", "2026-03-22T12:00",
      "2026-03-22T02:00"),
    V("America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00", "2018-11-04T12:00", "2018-11-04T03:00"),
    V("America/Caracas", "45 2 * * *", "2016-04-30T12:00", "2016-05-01T12:00", "2016-05-01T07:00"),
    // A whole day that Samoa never had.
    V("Pacific/Apia", "0 12 30 12 *", "2011-12-28T12:00", "2012-01-02T12:00", "2011-12-30T10:00"),
    V("Pacific/Apia", "0 */6 30 12 *", "2011-12-28T12:00", "2012-01-02T12:00", "2011-12-30T10:00"),
    V("Pacific/Apia", "0 * 30 12 *", "2011-12-28T12:00", "2012-01-02T12:00", ""),
    // An offset with odd seconds, until 1972-01-07.
    V("Africa/Monrovia", "0 12 * * *", "1972-01-05T14:00", "1972-01-07T14:00",
      "1972-01-06T12:44:30 1972-01-07T12:00"),
    V("Asia/Tokyo", "30 2 * * *", "2026-03-28T00:00", "2026-03-30T00:00",
      "2026-03-28T17:30 2026-03-29T17:30"),
    SKIP("America/New_York", "30 2 * * *", "2026-03-08T05:00", "2026-03-09T05:00", ""),
    SKIP("America/New_York", "30 1-5 * * *", "2026-03-08T05:00", "2026-03-08T12:00",
         "2026-03-08T06:30 2026-03-08T07:30 2026-03-08T08:30 2026-03-08T09:30"),
    SKIP("America/New_York", "0 2,3 * * *", "2026-03-08T05:00", "2026-03-08T12:00",
         "2026-03-08T07:00"),
    SKIP("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T12:00", "2026-10-25T00:30"),
};

static void test_clock_changes(void **state)
{
    (void)state;
    CHECK_VECTORS(clock_changes);
}

static bool count_slot(void *context, struct instant slot)
{
    (void)slot;
    *(size_t *)context += 1;
    return true;
}

static bool recompute_year(const char *spec, struct error *err)
{
    size_t count = 0;
    return verify_recompute(spec, "rollup", instant_from_unix(1767225600),
                            instant_from_unix(1767225600 + 86400), count_slot, &count, err);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const schedules[] = {
        "",
        "* * * *",
        "* * * * * * *",
        "*/0 * * * *",
        "*/60 * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* 22-2 * * *",
        "1,,2 * * * *",
        ",1 * * * *",
        "1, * * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 0 *",
        "* * * 13 *",
        "* * * * 8",
        "* * * * fri-mon",
        "* * * * mon#6",
        "* * * * mon#0",
        "* * * foo *",
        "* * * * *x",
        "? * * * *",
        "* * L-31 * *",
        "* L * * *",
        "* * * * L",
        "H( * * * *",
        "H(1-5 * * * *",
        "H(5-1) * * * *",
        "H(1) * * * *",
        "99999999999 * * * *",
        "1- * * * *",
        "-1 * * * *",
        "1/ * * * *",
        "@often",
        "@every",
        "@every 5",
        "@every 0s",
        "@every -5s",
        "@once",
        "@once tomorrow",
        "@once 2026-03-01T10:00:00",
    };
    for (size_t i = 0; i < sizeof schedules / sizeof schedules[0]; i++) {
        char spec[256];
        struct error err = ERROR_INIT;
        snprintf(spec, sizeof spec, "{\"dst\":\"run\",\"schedule\":\"%s\",\"timezone\":\"UTC\"}",
                 schedules[i]);
        if (recompute_year(spec, &err)) {
            fail_msg("\"%s\" was accepted", schedules[i]);
        }
        assert_int_not_equal(err.code, ERROR_NONE);
        assert_true(err.text[0] != '\0');
    }
}

static void test_bad_specs(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "",
        "[]",
        "{\"schedule\":\"* * * * *\"}",
        "{\"dst\":\"maybe\",\"schedule\":\"* * * * *\",\"timezone\":\"UTC\"}",
        "{\"dst\":\"run\",\"schedule\":\"* * * * *\",\"timezone\":\"Europe/Berlino\"}",
        "{\"dst\":\"run\",\"schedule\":\"* * * * *\",\"timezone\":\"../passwd\"}",
        "{\"dst\":\"run\",\"schedule\":\"* * * * *\",\"timezone\":\"Europe\"}",
        "{\"dst\":\"run\",\"schedule\":7,\"timezone\":\"UTC\"}",
    };
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct error err = ERROR_INIT;
        if (recompute_year(specs[i], &err)) {
            fail_msg("%s was accepted", specs[i]);
        }
    }
}

static void test_process_zone_is_put_back(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    setenv("TZ", "Asia/Tokyo", 1);
    assert_true(recompute_year(
        "{\"dst\":\"run\",\"schedule\":\"0 0 * * *\",\"timezone\":\"Europe/Berlin\"}", &err));
    assert_string_equal(getenv("TZ"), "Asia/Tokyo");
    unsetenv("TZ");
    assert_true(recompute_year(
        "{\"dst\":\"run\",\"schedule\":\"0 0 * * *\",\"timezone\":\"Europe/Berlin\"}", &err));
    assert_null(getenv("TZ"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar),      cmocka_unit_test(test_special_days),
        cmocka_unit_test(test_hash),          cmocka_unit_test(test_named),
        cmocka_unit_test(test_clock_changes), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_specs),     cmocka_unit_test(test_process_zone_is_put_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
