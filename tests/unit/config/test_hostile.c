// SPDX-License-Identifier: MIT
// Files cut off anywhere, bytes changed anywhere, shapes made to take time or memory.
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/load.h"

#define SEED_DEFAULT 20260224u
#define CHANGES      1500

static const char valid[] =
    "timezone: Europe/Berlin\nhttp: { listen: off, tokens: [ { name: a, role: viewer, token: "
    "abcdef } ] }\n"
    "defaults: { timeout: 1m }\njobs:\n  - name: one\n    description: \"\\u00e4 ä\"\n"
    "    schedule: \"15 2 * * mon-fri\"\n    command: [/bin/true, 'a']\n    env: { A: $$x }\n"
    "    retries: { max: 3 }\n  - name: two\n    schedule: \"@every 30s\"\n    shell: |\n"
    "      echo one\n";

// Either it loads or it says why, with a place.
static void load_closed(const char *bytes, size_t length, const char *what, size_t at)
{
    // An exact copy on the heap, so that a sanitizer sees a read of one byte too many.
    char *copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    struct config_problems problems;
    config_problems_init(&problems);
    struct config *config = NULL;
    bool fine = config_load_bytes("t.yml", "/", copy, length, true, &config, &problems);
    if (fine != (problems.count == 0) || fine != (config != NULL)) {
        fail_msg("%s %zu: %zu problems, %s", what, at, problems.count, fine ? "loaded" : "refused");
    }
    config_free(config);
    config_problems_release(&problems);
    free(copy);
}

static void cut_off_anywhere_it_loads_or_explains(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof valid; length++) {
        load_closed(valid, length, "cut off at byte", length);
    }
}

static uint32_t seed_of_run(void)
{
    const char *text = getenv("IRONCRON_SEED");
    return text == NULL ? SEED_DEFAULT : (uint32_t)strtoul(text, NULL, 10);
}

static void changed_anywhere_it_loads_or_explains(void **state)
{
    (void)state;
    uint32_t seed = seed_of_run();
    uint32_t random = seed | 1;
    char bytes[sizeof valid];
    print_message("IRONCRON_SEED=%u\n", seed);
    for (size_t i = 0; i < CHANGES; i++) {
        memcpy(bytes, valid, sizeof bytes);
        for (int change = 0; change < 3; change++) {
            random ^= random << 13; // xorshift32
            random ^= random >> 17;
            random ^= random << 5;
            bytes[random % (sizeof bytes - 1)] = (char)(random >> 24);
        }
        load_closed(bytes, sizeof bytes - 1, "change", i);
    }
}

static void repeat(struct buf *out, const char *text, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        buf_add_string(out, text);
    }
}

struct shape {
    const char *before;
    const char *repeated;
    size_t times;
    const char *expected; // in the problems; NULL = anything but a crash
};

static const struct shape shapes[] = {
    {"", "a", TREE_BYTES_MAX + 1, "larger than 4 MB"},
    {"a: ", "[", 100000, "32 levels deep"},
    {"a: ", "{", 100000, NULL},
    {"", "- ", 100000, "32 levels deep"},
    {"a: [", "a,", 600000, "more than 500,000 values"},
    {"jobs: [{name: a, schedule: \"@daily\", env: {", "A: b, ", 100000, NULL},
    {"a: \"", "x", 1000000, NULL},
    {"jobs: [{name: a, schedule: \"@daily\", shell: ", "x", 131072, "not valid YAML"},
    {"jobs:\n- name: a\n  schedule: \"@daily\"\n  shell: ", "x", 131072, "longer than 131071"},
    {"revision: \"", "${HOME}", 100000, NULL},
    {"jobs:\n", "  - {name: a, schedule: \"0 0 31 2 *\", shell: x}\n", 5000, "more than 200"},
    {"# ", "ä", 1000000, "the file is empty"},
    {"\"", "k", 5000, NULL},
};

static void shapes_that_cost_are_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(shapes); i++) {
        struct buf text;
        buf_init(&text, (size_t)16 * 1024 * 1024);
        buf_add_string(&text, shapes[i].before);
        repeat(&text, shapes[i].repeated, shapes[i].times);
        struct fixture fixture = fixture_load(buf_string(&text));
        if (shapes[i].expected != NULL &&
            strstr(buf_string(&fixture.text), shapes[i].expected) == NULL) {
            fail_msg("shape %zu: no \"%s\" in: %.400s", i, shapes[i].expected,
                     buf_string(&fixture.text));
        }
        fixture_release(&fixture);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_off_anywhere_it_loads_or_explains),
        cmocka_unit_test(changed_anywhere_it_loads_or_explains),
        cmocka_unit_test(shapes_that_cost_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
