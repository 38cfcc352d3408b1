// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expressions.h"
#include "schedules.h"

#define RUN  SCHEDULE_DST_RUN
#define SKIP SCHEDULE_DST_SKIP
#define BERLIN_RUN                                                                                 \
    ", Europe/Berlin; in a clock change, times that are skipped run once, right after, and a "     \
    "time "                                                                                        \
    "that comes twice runs the first time only"
#define BERLIN_SKIP                                                                                \
    ", Europe/Berlin; in a clock change, times that are skipped do not run, and a time that "      \
    "comes "                                                                                       \
    "twice runs the first time only"
#define BERLIN_ELAPSED                                                                             \
    ", Europe/Berlin; in a clock change it goes on by elapsed time: what the clock shows twice "   \
    "runs "                                                                                        \
    "twice, what it skips is not made up"

static const struct word_case {
    const char *text, *zone;
    enum schedule_dst dst;
    const char *words;
} cases[] = {
    {"15 2 * * *", "Europe/Berlin", RUN, "at 02:15 every day" BERLIN_RUN},
    {"15 2 * * *", "Europe/Berlin", SKIP, "at 02:15 every day" BERLIN_SKIP},
    {"*/5 * * * *", "Europe/Berlin", RUN, "every 5 minutes" BERLIN_ELAPSED},
    {"15 2 * * *", "Asia/Tokyo", RUN,
     "at 02:15 every day, Asia/Tokyo, where the clock is not changed"},
    {"* * * * *", "UTC", RUN, "every minute, UTC"},
    {"* * * * * *", "UTC", RUN, "every second, UTC"},
    {"*/10 * * * * *", "UTC", RUN, "every 10 seconds, UTC"},
    {"5,20 * * * * *", "UTC", RUN, "at seconds 5 and 20 of every minute, UTC"},
    {"30 15 2 * * *", "UTC", RUN, "at 02:15:30 every day, UTC"},
    {"0 * * * *", "UTC", RUN, "every hour on the hour, UTC"},
    {"0 * * * mon", "UTC", RUN, "every hour on the hour every Monday, UTC"},
    {"0,30 9,17 * * *", "UTC", RUN, "at 09:00, 09:30, 17:00 and 17:30 every day, UTC"},
    {"30 8-17 * * mon-fri", "UTC", RUN,
     "every hour from 08:30 to 17:30 each day from Monday to Friday, UTC"},
    {"* 3 * * *", "UTC", RUN, "every minute from 03:00 to 03:59 every day, UTC"},
    {"*/7 2 * * *", "UTC", RUN,
     "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of hour 2 every day, UTC"},
    {"0 0 13 * 5", "UTC", RUN, "at 00:00 on the 13th of the month, and also every Friday, UTC"},
    {"0 0 */2 * 1", "UTC", RUN,
     "at 00:00 on every 2nd day of the month from the 1st, but only on Monday, UTC"},
    {"0 0 1,2,22 * *", "UTC", RUN, "at 00:00 on the 1st, 2nd and 22nd of the month, UTC"},
    {"0 0 L,L-1,LW,15W * *", "UTC", RUN,
     "at 00:00 on the last day of the month, the day 1 day before the last day of the month, "
     "the last weekday (Monday to Friday) of the month and the weekday (Monday to Friday) "
     "nearest to the 15th, UTC"},
    {"0 9 * 1-3,7 mon#1,5L", "UTC", RUN,
     "at 09:00 on the 1st Monday of the month and the last Friday of the month in January, "
     "February, March and July, UTC"},
    {"0 9 * 6-8 *", "UTC", RUN, "at 09:00 every day from June to August, UTC"},
    {"@daily", "UTC", RUN, "at 00:00 every day, UTC"},
    {"5 * * * *", "UTC", RUN, "every hour at minute 5, UTC"},
    {"0 */2 * * *", "UTC", RUN, "every 2 hours on the hour every day, UTC"},
    {"23 */3 * * thu", "UTC", RUN, "every 3 hours at minute 23 every Thursday, UTC"},
    {"23 0-20/2 * * *", "UTC", RUN,
     "at minute 23 of hours 0, 2, 4, 6, 8, 10, 12, 14, 16, 18 and 20 every day, UTC"},
    {"*/15 8-18 * * *", "UTC", RUN, "every 15 minutes from 08:00 to 18:45 every day, UTC"},
    {"*/15 */2 * * *", "UTC", RUN, "every 15 minutes of every 2nd hour every day, UTC"},
    {"*/10 * 3 * * *", "UTC", RUN, "every 10 seconds from 03:00:00 to 03:59:50 every day, UTC"},
    {"0,15 */5 * * * *", "UTC", RUN, "at seconds 0 and 15 of every 5th minute, UTC"},
    {"*/2 */2 * * * *", "UTC", RUN, "every 2 seconds of every 2nd minute, UTC"},
    {"30 * * * * *", "UTC", RUN, "at second 30 of every minute, UTC"},
    {"*/10 0,30 * * * *", "UTC", RUN, "every 10 seconds of minutes 0 and 30 of every hour, UTC"},
    {"0 0 * * sat-sun", "UTC", RUN, "at 00:00 every Saturday and Sunday, UTC"},
    {"0 0 * * 5-7", "UTC", RUN, "at 00:00 each day from Friday to Sunday, UTC"},
    {"0 0 * * 1-5", "UTC", RUN, "at 00:00 each day from Monday to Friday, UTC"},
    {"0 0 1-7 * */2", "UTC", RUN,
     "at 00:00 on the 1st to 7th of the month, but only on Tuesday, Thursday, Saturday and "
     "Sunday, UTC"},
    {"0 0 29 2 *", "UTC", RUN, "at 00:00 on the 29th of February, UTC"},
    {"0 0 1 */3 *", "UTC", RUN, "at 00:00 on the 1st of January, April, July and October, UTC"},
    {"0 0 1 jan-mar *", "UTC", RUN, "at 00:00 on the 1st of each month from January to March, UTC"},
    {"0 0 L 2 *", "UTC", RUN, "at 00:00 on the last day of the month in February, UTC"},
    {"0 0 L-3 * *", "UTC", RUN, "at 00:00 on the day 3 days before the last day of the month, UTC"},
    {"0 9 * * mon#1,mon#3", "UTC", RUN,
     "at 09:00 on the 1st Monday of the month and the 3rd Monday of the month, UTC"},
    {"@every 90s", "UTC", RUN,
     "every 1m30s by elapsed time, whatever the clock on the wall does; counted from "
     "1970-01-01T00:00:00Z, so that all nodes agree"},
    {"@once 2026-12-01T10:00:00Z", "Europe/Berlin", RUN, "once, at 2026-12-01T11:00:00+01:00"},
    {"@reboot", "UTC", RUN, "once for each boot of a host that runs a node"},
};

static void in_plain_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct schedule schedule = schedules_parse(cases[i].text, cases[i].zone, cases[i].dst);
        struct buf words;
        buf_init(&words, 10000);
        schedule_explain(&schedule, &words);
        assert_string_equal(buf_string(&words), cases[i].words);
        buf_release(&words);
    }
}

static void anything_can_be_said(void **state)
{
    (void)state;
    struct random_source source = {random_seed()};
    struct civil near = {.year = 2026, .month = 3, .day = 29, .hour = 2, .minute = 30};
    for (int i = 0; i < 5000; i++) {
        char text[EXPRESSION_SIZE];
        struct buf words;
        (void)expression_random(&source, &near, text);
        struct schedule schedule = schedules_parse(text, "Europe/Berlin", RUN);
        buf_init(&words, 4000);
        schedule_explain(&schedule, &words);
        if (words.overflow || words.length < 20 || strstr(words.data, "  ") != NULL ||
            strstr(words.data, " ,") != NULL) {
            fail_msg("'%s': %s", text, buf_string(&words));
        }
        buf_release(&words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_plain_words),
        cmocka_unit_test(anything_can_be_said),
    };
    return cmocka_run_group_tests(tests, schedules_setup, schedules_teardown);
}
