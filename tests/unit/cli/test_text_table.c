// SPDX-License-Identifier: MIT
// Tables line up whatever the cells hold, and nothing in them reaches the terminal as a command.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/terminal.h"
#include "cli/text_table.h"

static char *printed(const struct text_table *table, size_t indent)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    text_table_print(table, out, indent);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_columns_line_up(void **state)
{
    (void)state;
    AUTO_TEXT_TABLE table = text_table_new("JOB|>N|LAST");
    const char *rows[][3] = {{"a", "1", "ok"}, {"längst", "1000", "x"}, {"日本", "22", NULL}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (size_t j = 0; j < 3; j++) {
            text_table_cell(table, COLOUR_BAD, rows[i][j]);
        }
    }
    char *text = printed(table, 1);
    assert_string_equal(text, " JOB        N  LAST\n"
                              " a          1  ok\n"
                              " längst  1000  x\n"
                              " 日本      22  -\n");
    assert_int_equal(text_table_rows(table), 3);
    free(text);
}

static void test_cells_are_clean(void **state)
{
    (void)state;
    AUTO_TEXT_TABLE table = text_table_new("A|B");
    text_table_cell(table, COLOUR_NONE, "red\033[31m\nline\ttab");
    text_table_cell(table, COLOUR_NONE, "c1 \xC2\x9B broken \xFF\x07");
    char *text = printed(table, 0);
    assert_string_equal(text, "A                  B\n"
                              "red?[31m line tab  c1 ?? broken ??\n");
    free(text);
}

static void test_columns_of_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"", 0},
        {"abc", 3},
        {"äöü", 3},
        {"日本", 4},
        {"e\xCC\x81", 1},
        {"…", 1},
        {"\xF0\x9F\x98\x80", 2},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        if (terminal_columns(cases[i].text) != cases[i].columns) {
            fail_msg("\"%s\": %zu columns, expected %zu", cases[i].text,
                     terminal_columns(cases[i].text), cases[i].columns);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_line_up),
        cmocka_unit_test(test_cells_are_clean),
        cmocka_unit_test(test_columns_of_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
