// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "time/clock.h"
#include "time/instant.h"

static void seconds_round_towards_the_past(void **state)
{
    (void)state;
    static const struct {
        int64_t us, seconds, ms;
    } cases[] = {
        {0, 0, 0},       {999999, 0, 999}, {1000000, 1, 1000},    {-1, -1, -1},
        {-1000, -1, -1}, {-1001, -1, -2},  {-1000000, -1, -1000}, {-1000001, -2, -1001},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct instant t = {cases[i].us};
        assert_int_equal(instant_unix(t), cases[i].seconds);
        assert_int_equal(instant_ms(t), cases[i].ms);
    }
}

static void arithmetic_saturates(void **state)
{
    (void)state;
    struct instant last = {INT64_MAX};
    struct instant first = {INT64_MIN + 1};
    assert_true(instant_equal(instant_add(last, DURATION_US(1)), last));
    assert_true(instant_equal(instant_add(first, DURATION_US(-1)), first));
    assert_int_equal(instant_since(last, first).us, INT64_MAX);
    assert_int_equal(instant_since(first, last).us, INT64_MIN);
    assert_int_equal(instant_from_unix(INT64_MAX).us, INT64_MAX);
    assert_false(instant_is_none(instant_from_unix(INT64_MIN)));
    assert_false(instant_is_none(instant_from_ms(INT64_MIN)));
    assert_int_equal(mono_add((struct mono){INT64_MAX - 1}, DURATION_S(1)).us, INT64_MAX);
    assert_int_equal(mono_add(MONO_NEVER, DURATION_S(-1)).us, INT64_MAX);
}

static void none_stays_none(void **state)
{
    (void)state;
    assert_true(instant_is_none(INSTANT_NONE));
    assert_true(instant_is_none(instant_add(INSTANT_NONE, DURATION_S(1))));
    assert_true(instant_equal(INSTANT_NONE, INSTANT_NONE));
    assert_false(instant_equal(INSTANT_NONE, instant_from_unix(0)));
}

static void orders_and_differences(void **state)
{
    (void)state;
    struct instant a = instant_from_unix(-5);
    struct instant b = instant_add(a, DURATION_MS(5250));
    assert_true(instant_before(a, b));
    assert_false(instant_before(a, a));
    assert_int_equal(instant_ms(b), 250);
    assert_int_equal(duration_ms(instant_since(b, a)), 5250);
    assert_true(mono_before((struct mono){1}, (struct mono){2}));
    assert_int_equal(mono_since((struct mono){1}, (struct mono){3}).us, -2);
}

static void the_system_clock_tells_whole_milliseconds(void **state)
{
    (void)state;
    struct clock *clock = clock_system();
    struct mono earlier = clock_mono(clock);
    assert_int_equal(clock_now(clock).us % 1000, 0);
    assert_true(instant_unix(clock_now(clock)) > 1700000000);
    assert_false(mono_before(clock_mono(clock), earlier));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_round_towards_the_past),
        cmocka_unit_test(arithmetic_saturates),
        cmocka_unit_test(none_stays_none),
        cmocka_unit_test(orders_and_differences),
        cmocka_unit_test(the_system_clock_tells_whole_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
