// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/attributes.h"
#include "observe/exposition.h"
#include "observe/histogram.h"
#include "observe/process.h"

static char written[4096];

static struct exposition start(enum exposition_format format)
{
    memset(written, 0, sizeof written);
    return (struct exposition){written, written + sizeof written - 1, format};
}

static void negotiates(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum exposition_format format;
    } cases[] = {
        {NULL, EXPOSITION_TEXT},
        {"*/*", EXPOSITION_TEXT},
        {"text/html", EXPOSITION_TEXT},
        {"application/*", EXPOSITION_TEXT},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text; version=1.0.0", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text; version=0.0.1", EXPOSITION_TEXT},
        {"application/openmetrics-text; version=2.0.0, */*;q=0.1", EXPOSITION_TEXT},
        {"application/openmetrics-text; q=0", EXPOSITION_TEXT},
        {"application/openmetrics-text; q=0.4, text/plain; q=0.5", EXPOSITION_TEXT},
        {"application/openmetrics-text; q=0.5, text/plain; q=0.4", EXPOSITION_OPENMETRICS},
        {"text/plain, application/openmetrics-text", EXPOSITION_OPENMETRICS},
        // Prometheus 2.42 and 3
        {"application/openmetrics-text;version=1.0.0,application/"
         "openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;"
         "escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
         EXPOSITION_OPENMETRICS},
        {"text/plain;version=0.0.4;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1",
         EXPOSITION_TEXT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (exposition_negotiate(cases[i].accept) != cases[i].format) {
            fail_msg("Accept: %s", cases[i].accept == NULL ? "(none)" : cases[i].accept);
        }
    }
    assert_string_equal(exposition_content_type(EXPOSITION_TEXT),
                        "text/plain; version=0.0.4; charset=utf-8");
    assert_string_equal(exposition_content_type(EXPOSITION_OPENMETRICS),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void writes_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        int decimals;
        const char *text;
    } cases[] = {
        {0, 6, "0"},
        {1, 6, "0.000001"},
        {-1, 6, "-0.000001"},
        {1500000, 6, "1.5"},
        {-2000000, 6, "-2"},
        {1800000000123000, 6, "1800000000.123"},
        {12345, 3, "12.345"},
        {10, 0, "10"},
        {INT64_MAX, 6, "9223372036854.775807"},
        {INT64_MIN, 6, "-9223372036854.775808"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exposition out = start(EXPOSITION_TEXT);
        exposition_fixed(&out, cases[i].value, cases[i].decimals);
        assert_string_equal(written, cases[i].text);
    }
    struct exposition out = start(EXPOSITION_TEXT);
    exposition_unsigned(&out, UINT64_MAX);
    exposition_text(&out, " ");
    exposition_unsigned(&out, 0);
    assert_string_equal(written, "18446744073709551615 0");
}

static void escapes_labels(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"", ""},
        {"a\\b\"c\nd", "a\\\\b\\\"c\\nd"},
        {"tab\there", "tab\there"},
        {"bell\x07", "bell?"},
        {"Z\xc3\xbcrich", "Z\xc3\xbcrich"},
        {"bad\xff", "bad?"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exposition out = start(EXPOSITION_TEXT);
        exposition_label(&out, cases[i].value);
        assert_string_equal(written, cases[i].text);
    }
    char longest[1000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memcpy(longest + EXPOSITION_LABEL_MAX - 1, "\xc3\xbc", 2); // would be cut in half
    struct exposition out = start(EXPOSITION_TEXT);
    exposition_label(&out, longest);
    assert_int_equal(strlen(written), EXPOSITION_LABEL_MAX - 1);
}

static void names_families(void **state)
{
    (void)state;
    static const struct {
        enum exposition_format format;
        enum exposition_type type;
        const char *name, *unit, *text;
    } cases[] = {
        {EXPOSITION_TEXT, EXPOSITION_COUNTER, "x_seconds_total", "seconds",
         "# HELP x_seconds_total Help.\n# TYPE x_seconds_total counter\n"},
        {EXPOSITION_OPENMETRICS, EXPOSITION_COUNTER, "x_seconds_total", "seconds",
         "# HELP x_seconds Help.\n# TYPE x_seconds counter\n# UNIT x_seconds seconds\n"},
        {EXPOSITION_TEXT, EXPOSITION_INFO, "x_info", NULL,
         "# HELP x_info Help.\n# TYPE x_info gauge\n"},
        {EXPOSITION_OPENMETRICS, EXPOSITION_INFO, "x_info", NULL,
         "# HELP x Help.\n# TYPE x info\n"},
        {EXPOSITION_OPENMETRICS, EXPOSITION_HISTOGRAM, "x_ms", NULL,
         "# HELP x_ms Help.\n# TYPE x_ms histogram\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct exposition out = start(cases[i].format);
        exposition_family(&out, cases[i].name, cases[i].type, cases[i].unit, "Help.");
        assert_string_equal(written, cases[i].text);
    }
    struct exposition out = start(EXPOSITION_OPENMETRICS);
    exposition_bound(&out, "1");
    exposition_bound(&out, "0.5");
    exposition_end(&out);
    assert_string_equal(written, "1.00.5# EOF\n");
}

static void bounds_are_inclusive_and_rise(void **state)
{
    (void)state;
    static const struct histogram_shape *const shapes[] = {
        &histogram_of_durations, &histogram_of_delays, &histogram_of_statements};
    for (size_t s = 0; s < ARRAY_LENGTH(shapes); s++) {
        const struct histogram_shape *shape = shapes[s];
        struct histogram histogram = {0};
        for (size_t i = 0; i < shape->count; i++) {
            int64_t us = shape->bounds[i].us;
            assert_true(i == 0 || us > shape->bounds[i - 1].us);
            char text[32] = "";
            struct exposition out = {text, text + sizeof text - 1, EXPOSITION_TEXT};
            exposition_fixed(&out, us, 6);
            assert_string_equal(text, shape->bounds[i].seconds);
            memset(text, 0, sizeof text);
            out.at = text;
            exposition_fixed(&out, us, 3);
            assert_string_equal(text, shape->bounds[i].ms);
            histogram_observe(&histogram, shape, DURATION_US(us));
            histogram_observe(&histogram, shape, DURATION_US(us + 1));
        }
        int64_t sum = histogram.sum_us;
        histogram_observe(&histogram, shape, DURATION_US(-5)); // a clock that stepped
        assert_true(histogram.sum_us == sum);
        histogram_observe(&histogram, shape, DURATION_US(INT64_MAX));
        assert_int_equal(histogram.counts[0], 2); // its bound and the negative one
        assert_int_equal(histogram.counts[1], 2);
        assert_int_equal(histogram.counts[HISTOGRAM_BOUNDS_MAX], 2);
        assert_int_equal(histogram_count(&histogram), 2 * shape->count + 2);
        assert_true(histogram.sum_us == INT64_MAX);
    }
}

static void knows_its_process(void **state)
{
    (void)state;
    struct process_stats stats;
    process_stats_read(&stats);
    assert_true(stats.start_us > 1500000000LL * 1000000);
    assert_true(stats.open_fds >= 3 && stats.open_fds <= stats.max_fds);
    assert_true(stats.resident_bytes > 0 && stats.virtual_bytes > stats.resident_bytes);
    assert_true(stats.virtual_max_bytes > 0 && stats.cpu_us >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiates),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(escapes_labels),
        cmocka_unit_test(names_families),
        cmocka_unit_test(bounds_are_inclusive_and_rise),
        cmocka_unit_test(knows_its_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
