// SPDX-License-Identifier: MIT
// What the owner of a run is told of its output: the first half at once, the last half at the end,
// the gap between them named.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runner/output.h"

struct told {
    char text[256];
    size_t length;
};

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    struct told *told = context;
    assert_int_equal(run, 7);
    assert_true(told->length + length < sizeof told->text);
    memcpy(told->text + told->length, bytes, length);
    told->length += length;
}

static void the_first_half_is_told_at_once_the_last_one_at_the_end(void **state)
{
    (void)state;
    struct told told = {0};
    const struct runner_events events = {.context = &told, .on_output = on_output};
    struct output output;
    output_init(&output, 8);
    assert_true(output_tell(&output, &events, 7, "abcdef", 6));
    assert_string_equal(told.text, "abcd");
    assert_false(output_tell(&output, &events, 7, "ghijkl", 6));
    assert_string_equal(told.text, "abcd");
    output_tell_rest(&output, &events, 7);
    assert_string_equal(told.text, "abcd\n… 4 bytes left out …\nijkl");
    output_release(&output);
}

static void without_a_gap_there_is_no_marker(void **state)
{
    (void)state;
    struct told told = {0};
    const struct runner_events events = {.context = &told, .on_output = on_output};
    struct output output;
    output_init(&output, 8);
    assert_true(output_tell(&output, &events, 7, "abcdef", 6));
    output_tell_rest(&output, &events, 7);
    assert_string_equal(told.text, "abcdef");
    output_release(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_half_is_told_at_once_the_last_one_at_the_end),
        cmocka_unit_test(without_a_gap_there_is_no_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
