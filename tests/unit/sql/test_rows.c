// SPDX-License-Identifier: MIT
// Rows as a table: aligned, on one line each, cut, and counted beyond what is shown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "sql/rows.h"

static PGresult *shape_of(int columns, ExecStatusType status)
{
    static char names[8][8];
    PGresAttDesc attributes[8];
    memset(attributes, 0, sizeof attributes);
    for (int i = 0; i < columns; i++) {
        snprintf(names[i], sizeof names[i], "c%d", i);
        attributes[i].name = names[i];
    }
    PGresult *result = PQmakeEmptyPGresult(NULL, status);
    assert_true(columns == 0 || PQsetResultAttrs(result, columns, attributes) == 1);
    return result;
}

// NULL among the values is SQL's null.
static void add(struct rows *rows, int columns, const char *const *values)
{
    PGresult *row = shape_of(columns, PGRES_SINGLE_TUPLE);
    for (int i = 0; i < columns; i++) {
        char *value = (char *)(uintptr_t)values[i];
        assert_int_equal(PQsetvalue(row, 0, i, value, value == NULL ? -1 : (int)strlen(value)), 1);
    }
    rows_add(rows, row);
}

static void expect(struct rows *rows, int columns, const char *text)
{
    PGresult *shape = shape_of(columns, PGRES_TUPLES_OK);
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1 << 20);
    rows_flush(rows, shape, &out);
    PQclear(shape);
    assert_string_equal(buf_string(&out), text);
    assert_int_equal(rows->count, 0);
}

static void a_table_is_aligned(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    add(&rows, 2, (const char *const[]){"1", "\xc3\xa4\xc3\xb6"});
    add(&rows, 2, (const char *const[]){"200", NULL});
    expect(&rows, 2, " c0  | c1\n-----+----\n 1   | \xc3\xa4\xc3\xb6\n 200 | \n(2 rows)\n");
}

static void none_and_one(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    expect(&rows, 1, " c0\n----\n(0 rows)\n");
    add(&rows, 1, (const char *const[]){"x"});
    expect(&rows, 1, " c0\n----\n x\n(1 row)\n");
    expect(&rows, 0, "(0 rows)\n");
}

static void a_value_stays_on_its_line(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    add(&rows, 1, (const char *const[]){"a\nb\tc\x1b[31m\xff"});
    expect(&rows, 1, " c0\n-------------\n a b c?[31m?\n(1 row)\n");
}

static void a_long_value_is_cut_at_a_character(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    char value[300];
    memset(value, 'x', sizeof value);
    memcpy(value + ROWS_CELL_MAX - 1, "\xc3\xa4", 2); // across the border
    value[sizeof value - 1] = '\0';
    add(&rows, 1, (const char *const[]){value});
    PGresult *shape = shape_of(1, PGRES_TUPLES_OK);
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1 << 20);
    rows_flush(&rows, shape, &out);
    PQclear(shape);
    assert_non_null(strstr(buf_string(&out), "xxx...\n(1 row)"));
    assert_null(strchr(buf_string(&out), '\xc3'));
}

static void many_rows_are_counted(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    for (int i = 0; i < 12345; i++) {
        add(&rows, 1, (const char *const[]){"x"});
    }
    PGresult *shape = shape_of(1, PGRES_TUPLES_OK);
    AUTO(buf_release) struct buf out;
    buf_init(&out, 1 << 20);
    rows_flush(&rows, shape, &out);
    PQclear(shape);
    assert_non_null(strstr(buf_string(&out), "\n(the first 100 of 12345 rows)\n"));
}

// What is shown is what came first, without gaps.
static void large_rows_are_not_kept(void **state)
{
    (void)state;
    struct rows rows = {.count = 0};
    static char large[ROWS_BYTES_MAX];
    memset(large, 'x', sizeof large - 1);
    add(&rows, 1, (const char *const[]){"first"});
    add(&rows, 1, (const char *const[]){large});
    add(&rows, 1, (const char *const[]){"third"});
    assert_int_equal(rows.kept_count, 1);
    expect(&rows, 1, " c0\n-------\n first\n(the first 1 of 3 rows)\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_aligned),
        cmocka_unit_test(none_and_one),
        cmocka_unit_test(a_value_stays_on_its_line),
        cmocka_unit_test(a_long_value_is_cut_at_a_character),
        cmocka_unit_test(many_rows_are_counted),
        cmocka_unit_test(large_rows_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
