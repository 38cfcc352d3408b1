// SPDX-License-Identifier: MIT
// What is a $name and what only looks like one, and how many statements there are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "statement/statement.h"

#define PG   STATEMENT_POSTGRESQL
#define LITE STATEMENT_SQLITE

static const char *const params[] = {"tenant", "größe", "e", "_x1", NULL};

struct row {
    enum statement_dialect dialect;
    const char *text;
    const char *expected; // NULL: as written
    const char *names;    // "due_at fence"
    bool several;
};

static void check_row(const struct row *row)
{
    struct statement statement;
    struct error err = ERROR_INIT;
    if (!statement_parse(row->text, row->dialect, params, &statement, &err)) {
        fail_msg("%s\nrefused: %s", row->text, err.text);
    }
    struct buf names;
    buf_init(&names, 10000);
    for (size_t i = 0; i < statement.name_count; i++) {
        buf_printf(&names, "%s%s", i > 0 ? " " : "", statement.names[i]);
    }
    const char *expected = row->expected != NULL ? row->expected : row->text;
    if (strcmp(statement.text, expected) != 0) {
        fail_msg("%s\nbecame:   %s\nexpected: %s", row->text, statement.text, expected);
    }
    if (strcmp(buf_string(&names), row->names) != 0) {
        fail_msg("%s\nnames: %s\nexpected: %s", row->text, buf_string(&names), row->names);
    }
    if (statement.is_single == row->several) {
        fail_msg("%s\nsingle: %d", row->text, statement.is_single);
    }
    buf_release(&names);
    statement_release(&statement);
}

static void names_become_parameters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PG, "select 1", NULL, "", false},
        {PG, "select $due_at", "select $1::timestamptz", "due_at", false},
        {PG, "select $due_at, $run_id, $fence, $tenant",
         "select $1::timestamptz, $2::uuid, $3::bigint, $4", "due_at run_id fence tenant", false},
        {PG, "select $tenant,$fence,$tenant", "select $1,$2::bigint,$1", "tenant fence", false},
        {PG, "select $due_at::date", "select $1::timestamptz::date", "due_at", false},
        {PG, "select -$fence", "select -$1::bigint", "fence", false},
        {PG, "$fence", "$1::bigint", "fence", false},
        {PG, "select($fence)", "select($1::bigint)", "fence", false},
        {PG, "select 1$fence", "select 1$1::bigint", "fence", false}, // the server refuses it
        {PG, "select $größe", "select $1", "größe", false},
        {PG, "select $_x1", "select $1", "_x1", false},
        {PG, "select $e'x'", "select $1'x'", "e", false},
        {PG, "select '' $e '$e'", "select '' $1 '$e'", "e", false},
        {PG, "select $tenant-1", "select $1-1", "tenant", false},
        {PG, "select a[$fence:$fence]", "select a[$1::bigint:$1::bigint]", "fence", false},
        {PG, "select \"a\"$fence", "select \"a\"$1::bigint", "fence", false},
        {PG, "select j ? 'a' and :x @ $fence", "select j ? 'a' and :x @ $1::bigint", "fence",
         false},
        {LITE, "select $due_at, $due_at, $fence", NULL, "due_at fence", false},
        {LITE, "select $tenant-$fence", NULL, "tenant fence", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        check_row(&rows[i]);
    }
}

static void literals_and_comments_keep_what_they_have(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PG, "select '$due_at'", NULL, "", false},
        {PG, "select 'it''s $due_at'", NULL, "", false},
        {PG, "select '\\', $fence", "select '\\', $1::bigint", "fence", false},
        {PG, "select E'\\'$due_at'", NULL, "", false},
        {PG, "select e'\\\\', $fence", "select e'\\\\', $1::bigint", "fence", false},
        {PG, "select E'''$due_at'", NULL, "", false},
        {PG, "select be'\\', $fence", "select be'\\', $1::bigint", "fence", false},
        {PG, "select _e'\\', $fence", "select _e'\\', $1::bigint", "fence", false},
        {PG, "select 1e'\\', $fence", "select 1e'\\', $1::bigint", "fence", false},
        {PG, "select E'a'\n'\\'$due_at'", NULL, "", false},
        {PG, "select E'a' -- b'\n -- c\n '\\'$due_at'", NULL, "", false},
        {PG, "select E'a' '\\', $fence", "select E'a' '\\', $1::bigint", "fence", false},
        {PG, "select E'a' /*\n*/ '\\', $fence", "select E'a' /*\n*/ '\\', $1::bigint", "fence",
         false},
        {PG, "select E'a' -- '\n", NULL, "", false},
        {PG, "select 'a'\n'\\', $fence", "select 'a'\n'\\', $1::bigint", "fence", false},
        {PG, "select U&'\\', $fence", "select U&'\\', $1::bigint", "fence", false},
        {PG, "select B'1', x'$fence', N'$fence'", NULL, "", false},
        {PG, "select \"$due_at\", \"a\"\"$fence\"", NULL, "", false},
        {PG, "select U&\"$due_at\"", NULL, "", false},
        {PG, "select $$ $due_at $$, $fence", "select $$ $due_at $$, $1::bigint", "fence", false},
        {PG, "select $a$ $$ $b$ $fence $a $a$", NULL, "", false},
        {PG, "select $a$ $b$a$, $fence", "select $a$ $b$a$, $1::bigint", "fence", false},
        {PG, "select $due_at$ $fence $due_at$", NULL, "", false},
        {PG, "select $A$ $a$ $fence $A$", NULL, "", false},
        {PG, "select $é$ ' $fence $é$", NULL, "", false},
        {PG, "select $$'$$, $fence, $$'$$", "select $$'$$, $1::bigint, $$'$$", "fence", false},
        {PG, "select foo$due_at, foo$fence$bar$fence$", NULL, "", false},
        {PG, "select foo$1", NULL, "", false},
        {PG, "select é$fence", NULL, "", false},
        {PG, "select 1 -- $due_at", NULL, "", false},
        {PG, "select 1 -- ' \r, $fence", "select 1 -- ' \r, $1::bigint", "fence", false},
        {PG, "select 1 - -$fence", "select 1 - -$1::bigint", "fence", false},
        {PG, "select /* $due_at /* ' */ $fence */ 1", NULL, "", false},
        {PG, "select 1 */* x */ $fence", "select 1 */* x */ $1::bigint", "fence", false},
        {PG, "/*/ $fence */ select 1", NULL, "", false},
        {PG, "select $$ -- $$, $fence", "select $$ -- $$, $1::bigint", "fence", false},
        {PG, "select [$fence]", "select [$1::bigint]", "fence", false},
        {PG, "select `$fence`", "select `$1::bigint`", "fence", false},
        {LITE, "select '$due_at', \"$due_at\", [$due_at], `$due_at`", NULL, "", false},
        {LITE, "select 'it''s ?', \"a\"\"?\", `a``?`, [?']", NULL, "", false},
        {LITE, "select E'\\', $fence", NULL, "fence", false},
        {LITE, "select x'$fence'", NULL, "", false},
        {LITE, "select /* /* */ $fence", NULL, "fence", false},
        {LITE, "/*/ ? */ select 1", NULL, "", false},
        {LITE, "select 1 -- ? \r ?\n, $fence", NULL, "fence", false},
        {LITE, "select a$due_at, a$1", NULL, "", false},
        {LITE, "select 1 <> 2, 3 >> 1, j->'$.a', j->>'$[0]'", NULL, "", false},
        {LITE, "select a: b", NULL, "", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        check_row(&rows[i]);
    }
}

static void statements_are_counted(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {PG, "select 1;", NULL, "", false},
        {PG, ";; -- a\n select $fence ; ; /* b */ ;", ";; -- a\n select $1::bigint ; ; /* b */ ;",
         "fence", false},
        {PG, "select 1; select 2", NULL, "", true},
        {PG, "select 1;;select 2;", NULL, "", true},
        {PG, "select ';'; -- ; select 2", NULL, "", false},
        {PG, "select $$;$$", NULL, "", false},
        {PG, "select 1; ''", NULL, "", true},
        {PG, "create rule r as on insert to t do (select 1; select 2)", NULL, "", false},
        {PG, "create function f() returns int begin atomic select 1; select 2; end", NULL, "",
         false},
        {PG, "CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC select case when true then 1 end; END;",
         NULL, "", false},
        {PG, "create function f(begin int) returns int language sql as 'a'; select 1", NULL, "",
         true},
        {PG, "begin; select 1; end", NULL, "", true},
        {PG, "create table begin(a int); select 1", NULL, "", true},
        {LITE, "create trigger t after insert on a begin select 1; select 2; end", NULL, "", false},
        {LITE,
         "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; "
         "select 1",
         NULL, "", true},
        {LITE,
         "create trigger t after insert on a when case 1 when 1 then 1 end begin select 1; end;",
         NULL, "", false},
        {LITE, "select (1; select 2)", NULL, "", true},
        {LITE, "insert into a values(1); delete from b", NULL, "", true},
        {LITE, "vacuum;", NULL, "", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        check_row(&rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_parameters),
        cmocka_unit_test(literals_and_comments_keep_what_they_have),
        cmocka_unit_test(statements_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
