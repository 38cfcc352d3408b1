// SPDX-License-Identifier: MIT
// Rows as text: aligned, bounded, nothing in them that moves a cursor.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "statement/result_table.h"

static void put(struct result_table *table, const char *text, bool is_number)
{
    result_table_cell(table, text, text == NULL ? 0 : strlen(text), is_number);
}

static void check_printed(struct result_table *table, const char *expected)
{
    struct buf out;
    buf_init(&out, 10000000);
    result_table_print(table, &out);
    assert_string_equal(buf_string(&out), expected);
    buf_release(&out);
    result_table_release(table);
}

static void rows_are_aligned(void **state)
{
    (void)state;
    struct result_table table;
    result_table_init(&table, 3);
    result_table_name(&table, 0, "id");
    result_table_name(&table, 1, "name");
    result_table_name(&table, 2, "x");
    put(&table, "1", true);
    put(&table, "Jürgen", false);
    put(&table, NULL, false);
    put(&table, "-22", true);
    put(&table, "", false);
    put(&table, "a\nb\tc\x1b[2J\x7f\xff", false);
    check_printed(&table, "  id | name   | x\n"
                          "-----+--------+------------------------\n"
                          "   1 | Jürgen | \n"
                          " -22 |        | a\\nb\\tc\\x1b[2J\\x7f\\xff\n"
                          "(2 rows)\n");
}

static void no_row_is_a_table_as_well(void **state)
{
    (void)state;
    struct result_table table;
    result_table_init(&table, 1);
    result_table_name(&table, 0, "n");
    check_printed(&table, " n\n---\n(0 rows)\n");
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char text[4 * RESULT_CELL_MAX];
    for (size_t i = 0; i + 1 < sizeof text; i += 2) {
        memcpy(text + i, "é", 2);
    }
    struct result_table table;
    result_table_init(&table, 1);
    result_table_name(&table, 0, "n");
    result_table_cell(&table, text, sizeof text, false);
    struct buf out;
    buf_init(&out, 100000);
    result_table_print(&table, &out);
    assert_non_null(strstr(buf_string(&out), "éé…\n"));
    assert_true(out.length < 2000);
    buf_release(&out);
    result_table_release(&table);
}

static void what_is_too_much_is_counted(void **state)
{
    (void)state;
    struct result_table table;
    result_table_init(&table, 2);
    result_table_name(&table, 0, "a");
    result_table_name(&table, 1, "b");
    for (int i = 0; i < 5000; i++) {
        if (result_table_keeps(&table)) {
            put(&table, "1", true);
            assert_true(result_table_keeps(&table)); // a row is kept whole
            put(&table, "2", true);
        } else {
            result_table_skip_row(&table);
        }
    }
    assert_int_equal(table.count, 2 * RESULT_ROWS_MAX);
    assert_int_equal(table.rows, 5000);
    struct buf out;
    buf_init(&out, 100000);
    result_table_print(&table, &out);
    assert_non_null(strstr(buf_string(&out), "(the first 100 of 5000 rows)\n"));
    buf_release(&out);
    result_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_aligned),
        cmocka_unit_test(no_row_is_a_table_as_well),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(what_is_too_much_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
