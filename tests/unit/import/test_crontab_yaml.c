// SPDX-License-Identifier: MIT
// What is written, to the byte; and that it never becomes more than may be loaded.
#include "imported.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "import/crontab.h"
#include "import/yaml_text.h"

static void a_document(void **state)
{
    (void)state;
    struct imported imported = imported_text("# the lot\n5 4 * * mon root  /usr/bin/a \"$X\" 'y'\n"
                                             "PATH=/bin\n@daily www-data b \"c\" \\d\n",
                                             true);
    assert_string_equal(buf_string(&imported.yaml), "jobs:\n"
                                                    "  # tab:2\n"
                                                    "  - name: tab-a\n"
                                                    "    description: \"the lot\"\n"
                                                    "    schedule: \"5 4 * * mon\"\n"
                                                    "    timezone: UTC\n"
                                                    "    shell: \"/usr/bin/a \\\"$$X\\\" 'y'\"\n"
                                                    "    user: root\n"
                                                    "    timeout: 0s\n"
                                                    "  # tab:4\n"
                                                    "  - name: tab-b\n"
                                                    "    schedule: \"@daily\"\n"
                                                    "    timezone: UTC\n"
                                                    "    shell: 'b \"c\" \\d'\n"
                                                    "    user: www-data\n"
                                                    "    env:\n"
                                                    "      PATH: /bin\n"
                                                    "    timeout: 0s\n");
    assert_string_equal(buf_string(&imported.remarks), "");
    imported_release(&imported);
}

static void nothing_to_carry_over(void **state)
{
    (void)state;
    struct imported imported = imported_text("# nothing\n\n", false);
    assert_string_equal(buf_string(&imported.yaml), "jobs: []\n");
    imported_release(&imported);
}

static void texts(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\""},
        {"word/x-1.2", "word/x-1.2"},
        {"yes", "\"yes\""},
        {"NULL", "\"NULL\""},
        {"1e3", "\"1e3\""},
        {"-x", "\"-x\""},
        {"a b", "\"a b\""},
        {"a: #", "\"a: #\""},
        {"$", "\"$$\""},
        {"\"$\"", "'\"$$\"'"},
        {"\"'", "\"\\\"'\""},
        {"\n\t\033", "\"\\n\\t\\x1b\""},
        {"\302\205", "\"\\x85\""},
        {"\342\200\250", "\"\\u2028\""},
        {"\303\274", "\"\303\274\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf out;
        buf_init(&out, 100);
        yaml_text_add(&out, cases[i][0]);
        assert_string_equal(buf_string(&out), cases[i][1]);
        buf_release(&out);
    }
}

static void collect_names(struct map *names, struct imported *imported, struct arena *arena)
{
    for (size_t i = 0; i < imported->config->job_count; i++) {
        const char *name = imported->config->jobs[i].name;
        assert_null(map_get(names, name));
        map_put(names, arena_string(arena, name), (void *)(uintptr_t)1);
    }
}

// A crontab may be larger than a configuration file, and its YAML is larger than itself. Each part
// loads by itself, and together they are whole: no name comes twice.
static void what_does_not_fit_is_in_the_next_part(void **state)
{
    (void)state;
    static const char *const lines[] = {"* * * * * a\n", "A=1\n* * * * * a\nB=2\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        struct buf text;
        struct map names;
        struct arena arena;
        size_t jobs = 0;
        size_t parts = 2;
        map_init(&names);
        arena_init(&arena, (size_t)64 * 1024 * 1024);
        buf_init(&text, CRONTAB_BYTES_MAX);
        for (int n = 0; n < 60000; n++) {
            buf_add_string(&text, lines[i]);
        }
        for (size_t part = 1; part <= parts; part++) {
            struct imported imported = imported_part(text.data, text.length, false, part);
            assert_int_equal(imported.lost, 0);
            parts = imported.parts;
            jobs += imported.jobs;
            collect_names(&names, &imported, &arena);
            imported_release(&imported);
        }
        assert_int_equal(jobs, 60000);
        assert_in_range(parts, 3, 9);
        map_release(&names);
        arena_release(&arena);
        buf_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document),
        cmocka_unit_test(nothing_to_carry_over),
        cmocka_unit_test(texts),
        cmocka_unit_test(what_does_not_fit_is_in_the_next_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
