// SPDX-License-Identifier: MIT
// What is refused says where and why; what the database says of the text that it got leads back to
// what was written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "statement/statement.h"

#define PG   STATEMENT_POSTGRESQL
#define LITE STATEMENT_SQLITE

static const char *const params[] = {"tenant", NULL};

struct row {
    enum statement_dialect dialect;
    const char *text;
    const char *expected; // begins so
};

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PG, "", "there is no statement in it"},
        {PG, " ; -- select 1\n /* */;", "there is no statement in it"},
        {PG, "select $due_on", "line 1, column 8: $due_on is unknown, did you mean $due_at?"},
        {PG, "select $DUE_AT", "line 1, column 8: $DUE_AT is unknown, did you mean $due_at?"},
        {PG, "select $tennant", "line 1, column 8: $tennant is unknown, did you mean $tenant?"},
        {PG, "select 'é',\n  'é', $zebra",
         "line 2, column 8: $zebra is unknown: there are $due_at, $run_id, $fence and the job's "
         "declared params"},
        {PG, "select $due_atx", "line 1, column 8: $due_atx is unknown, did you mean $due_at?"},
        {PG, "select $1",
         "line 1, column 8: $1 is no parameter here: facts and params are written "
         "by name"},
        {PG, "select $12abc", "line 1, column 8: $12abc is no parameter"},
        {PG, "do $ begin end $",
         "line 1, column 4: a $ by itself: in the configuration $$ stands "
         "for one dollar"},
        {LITE, "select ?", "line 1, column 8: ? is no parameter"},
        {LITE, "select ?1", "line 1, column 8: ?1 is no parameter"},
        {LITE, "select :due_at", "line 1, column 8: :due_at is no parameter"},
        {LITE, "select $$", "line 1, column 8: $$ is no parameter"},
        {LITE, "select :$a", "line 1, column 8: :$a is no parameter"},
        {LITE, "select @due_at", "line 1, column 8: @due_at is no parameter"},
        {LITE, "select $due_at(1)", "line 1, column 8: write a space behind $due_at"},
        {LITE, "select $due_at$b", "line 1, column 8: write a space behind $due_at"},
        {LITE, "select $due_at::x", "line 1, column 8: write a space behind $due_at"},
        {PG, "select 'a", "line 1, column 8: this string is never closed"},
        {PG, "select\n 'a''", "line 2, column 2: this string is never closed"},
        {PG, "select E'a\\'", "line 1, column 9: this string is never closed"},
        {PG, "select E'a\\", "line 1, column 9: this string is never closed"},
        {PG, "select \"a", "line 1, column 8: this quoted name is never closed"},
        {PG, "select $x$ $y$", "line 1, column 8: this dollar quote is never closed"},
        {PG, "select $due_at$1", "line 1, column 8: this dollar quote is never closed"},
        {PG, "select 1 /* /* */", "line 1, column 10: this comment is never closed"},
        {LITE, "select [a", "line 1, column 8: this quoted name is never closed"},
        {LITE, "select `a", "line 1, column 8: this quoted name is never closed"},
        {LITE, "select 1 /*", "line 1, column 10: this comment is never closed"},
        {PG, "delete from a where b < $due_at;\nselect 1",
         "line 1, column 25: $due_at can be bound in a single statement only, and at line 2, "
         "column 1 a second one begins"},
        {PG, "select 1; select $fence",
         "line 1, column 18: $fence can be bound in a single "
         "statement only, and at line 1, column 11 a second"},
        {LITE, "begin; select $fence; commit",
         "line 1, column 15: $fence can be bound in a single"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct statement statement;
        struct error err = ERROR_INIT;
        if (statement_parse(rows[i].text, rows[i].dialect, params, &statement, &err)) {
            fail_msg("accepted: %s", rows[i].text);
        }
        if (err.code != ERROR_CONFIG ||
            strncmp(err.text, rows[i].expected, strlen(rows[i].expected)) != 0) {
            fail_msg("%s\nsaid:     %s\nexpected: %s", rows[i].text, err.text, rows[i].expected);
        }
    }
}

static void a_name_of_any_length_is_told(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text - 1);
    text[0] = '$';
    struct statement statement;
    struct error err = ERROR_INIT;
    assert_false(statement_parse(text, PG, NULL, &statement, &err));
    assert_non_null(strstr(err.text, "is unknown"));
    assert_true(strlen(err.text) < 500);
}

static void check_place(size_t line, size_t column, struct statement_place place)
{
    if (place.line != line || place.column != column) {
        fail_msg("line %zu, column %zu; expected line %zu, column %zu", place.line, place.column,
                 line, column);
    }
}

static void places_lead_back_to_the_source(void **state)
{
    (void)state;
    struct statement statement;
    struct error err = ERROR_INIT;
    assert_true(statement_parse("select 'é', $due_at,\n $fence, wrong from x", PG, params,
                                &statement, &err));
    // select 'é', $1::timestamptz,\n $2::bigint, wrong from x
    size_t wrong = (size_t)(strstr(statement.text, "wrong") - statement.text);
    size_t first = (size_t)(strstr(statement.text, "$1") - statement.text);
    size_t second = (size_t)(strstr(statement.text, "$2") - statement.text);
    check_place(1, 1, statement_place_of_byte(&statement, 0));
    check_place(1, 13, statement_place_of_byte(&statement, first));
    check_place(1, 13, statement_place_of_byte(&statement, first + 5));
    check_place(2, 2, statement_place_of_byte(&statement, second));
    check_place(2, 10, statement_place_of_byte(&statement, wrong));
    check_place(2, 10, statement_place_of_character(&statement, wrong - 1)); // é has two bytes
    check_place(2, 22, statement_place_of_byte(&statement, strlen(statement.text)));
    check_place(2, 22, statement_place_of_character(&statement, 100000));
    statement_release(&statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(a_name_of_any_length_is_told),
        cmocka_unit_test(places_lead_back_to_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
