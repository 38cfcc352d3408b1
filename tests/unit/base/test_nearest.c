// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/attributes.h"
#include "base/nearest.h"

struct pair {
    const char *a;
    const char *b;
    size_t distance;
};

static void distances_count_edits(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"", "", 0},
        {"", "abc", 3},
        {"abc", "abc", 0},
        {"abc", "ABC", 0},
        {"a_b", "a-b", 0},
        {"schedul", "schedule", 1},
        {"timeuot", "timeout", 1},
        {"kitten", "sitting", 3},
        {"ca", "abc", 3},
        {"overlpa", "overlap", 1},
        {"x", "y", 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        size_t there = nearest_distance(pairs[i].a, pairs[i].b);
        size_t back = nearest_distance(pairs[i].b, pairs[i].a);
        if (there != pairs[i].distance || back != pairs[i].distance) {
            fail_msg("%s, %s: %zu and %zu, expected %zu", pairs[i].a, pairs[i].b, there, back,
                     pairs[i].distance);
        }
    }
}

static void long_words_are_never_near(void **state)
{
    (void)state;
    char word[100];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_true(nearest_distance(word, "a") == SIZE_MAX);
}

static void only_slips_are_offered(void **state)
{
    (void)state;
    static const char *const words[] = {"timeout", "timezone", "user", "env"};
    static const struct {
        const char *word;
        const char *best;
    } cases[] = {{"timout", "timeout"}, {"time_zone", "timezone"}, {"usr", "user"},
                 {"evn", "env"},        {"zebra", NULL},           {"t", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct nearest nearest;
        nearest_init(&nearest, cases[i].word);
        for (size_t j = 0; j < ARRAY_LENGTH(words); j++) {
            nearest_offer(&nearest, words[j]);
        }
        if (cases[i].best == NULL) {
            assert_null(nearest.best);
        } else {
            assert_non_null(nearest.best);
            assert_string_equal(nearest.best, cases[i].best);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_count_edits),
        cmocka_unit_test(long_words_are_never_near),
        cmocka_unit_test(only_slips_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
