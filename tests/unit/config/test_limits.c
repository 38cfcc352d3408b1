// SPDX-License-Identifier: MIT
// What docs/limits.md says of definitions: as much as it names is taken, one more is refused.
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define DATABASE  "databases: [ { name: d, url: \"sqlite:/tmp/d.db\" } ]\n"
#define STATEMENT "select 1 as "

// `piece` as often as it may come; a "#" in it becomes 1, 2 …
static const struct repeated {
    const char *before, *piece, *after;
    int most;
    const char *refused;
} repeated[] = {
    {"jobs: [ { name: ", "n", ", schedule: \"@daily\", shell: x } ]\n", 128, "128 at most"},
    {"jobs: [ { name: a, schedule: \"@daily\", shell: x, params: {", " p#: x,", " } } ]\n", 64,
     "64 is the most"},
    {"jobs: [ { name: a, schedule: \"@daily\", shell: x, params: { ", "p", ": x } } ]\n", 64,
     "64 at most"},
    {"jobs: []\ndatabases:\n", "  - { name: d#, url: \"sqlite:/tmp/d#.db\" }\n", "", 100,
     "more than 100"},
    {"jobs: []\ndatabases: [ { name: ", "d", ", url: \"sqlite:/tmp/d.db\" } ]\n", 128,
     "longer than 128 bytes"},
    {DATABASE
     "jobs: [ { name: a, schedule: \"@daily\", sql: { database: d, statement: \"" STATEMENT,
     "x", "\" } } ]\n", 100000 - (int)sizeof STATEMENT + 1, "longer than 100000 bytes"},
};

// A number in the place of "#".
static const struct bound {
    const char *text;
    int most;
    const char *unit;
} bounds[] = {
    {"jobs: [ { name: a, schedule: \"@daily\", shell: x, retries: { max: # } } ]\n", 100, ""},
    {"jobs:\n  - { name: a, schedule: \"@daily\", shell: x }\n"
     "  - { name: b, schedule: \"@daily\", shell: x, after: [ a ], after_within: # }\n",
     31, "d"},
    {"node: { max_running: # }\njobs: []\n", 10000, ""},
    {"jobs: []\ndatabases: [ { name: d, url: \"postgresql://u@h/d\", connections: # } ]\n", 100,
     ""},
};

static void add_numbered(struct buf *text, const char *piece, int number, const char *unit)
{
    for (const char *at = piece; *at != '\0'; at++) {
        if (*at == '#') {
            buf_printf(text, "%d%s", number, unit);
        } else {
            buf_add(text, at, 1);
        }
    }
}

static void expect(const struct buf *text, const char *refused)
{
    struct fixture fixture = fixture_load(buf_string(text));
    const char *told = buf_string(&fixture.text);
    if (refused == NULL ? fixture.config == NULL : strstr(told, refused) == NULL) {
        fail_msg("%.200s …\n%s", buf_string(text), told);
    }
    assert_true((fixture.config == NULL) == (refused != NULL));
    fixture_release(&fixture);
}

static void so_many_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof repeated / sizeof *repeated; i++) {
        const struct repeated *limit = &repeated[i];
        for (int more = 0; more <= 1; more++) {
            AUTO(buf_release) struct buf text;
            buf_init(&text, (size_t)1 << 20);
            buf_add_string(&text, limit->before);
            for (int j = 1; j <= limit->most + more; j++) {
                add_numbered(&text, limit->piece, j, "");
            }
            buf_add_string(&text, limit->after);
            expect(&text, more == 0 ? NULL : limit->refused);
        }
    }
}

static void so_large_and_no_larger(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const struct bound *bound = &bounds[i];
        for (int more = 0; more <= 1; more++) {
            AUTO(buf_release) struct buf text;
            buf_init(&text, (size_t)1 << 20);
            add_numbered(&text, bound->text, bound->most + more, bound->unit);
            expect(&text, more == 0 ? NULL : "out of bounds");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_and_no_more),
        cmocka_unit_test(so_large_and_no_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
