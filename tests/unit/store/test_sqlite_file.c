// SPDX-License-Identifier: MIT
// What only the SQLite store promises: its file, its views, what it refuses, reading beside a
// writer.
#include "sqlite_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- the file -----------------------------------------------------------------------------------

static void the_file_is_ours_alone(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(stat(f->file.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    const char *wal = f->contract.store->ops->watch_path(f->contract.store);
    assert_int_equal(stat(wal, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    shell_prints(
        "wal\n1768125038\n2\n",
        sqlite_file_shell("sqlite3 -readonly '%s' 'pragma journal_mode; pragma application_id; "
                          "pragma user_version'",
                          f->file.path));
}

static void what_was_written_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    int64_t job = contract_publish(&f->contract, "a", "s");
    struct store_slot slot = contract_claim(&f->contract, job, 1000);
    contract_end(&f->contract, &slot, RUN_SUCCESS, INSTANT_NONE);
    contract_seal(&f->contract);
    char *before = contract_dump(f->contract.store, PART_ALL);
    fixture_reopen(f);
    char *after = contract_dump(f->contract.store, PART_ALL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_true(contract_claim(&f->contract, job, 2000).fence > slot.fence);
}

static void views_have_the_contracts_names_and_forms(void **state)
{
    struct fixture *f = *state;
    struct contract *c = &f->contract;
    int64_t job = contract_publish(c, "a", "s");
    contract_advance(&c->clock, 1001);
    struct store_slot slot = contract_claim(c, job, 1000);
    struct store_slot skip = contract_slot(c, job, 2000, DECIDE_SKIP, TRIGGER_SCHEDULE, 1);
    skip.reason = REASON_PAUSED;
    contract_decide(c, &skip);
    contract_advance(&c->clock, 999);
    struct store_end end = {.run_id = slot.run_id,
                            .fence = slot.fence,
                            .state = RUN_TIMED_OUT,
                            .failure = FAILURE_TIMEOUT,
                            .duration = DURATION_MS(998),
                            .error = "too slow"};
    struct store_op_finish finish = {
        .op.kind = STORE_FINISH, .node = c->node, .ends = &end, .end_count = 1};
    CALL_OK(c, &finish);
    struct store_slot open = contract_claim(c, job, 3000);
    (void)open;
    contract_seal(c);
    const char *path = f->file.path;
    shell_prints(
        "run_id|job|due_at|attempt|trigger|state|node|fence|started_at|ended_at|duration_ms|exit_"
        "code|"
        "error\n"
        "01990000-0000-7000-8000-000000000002|a|2025-11-24T16:00:01.000Z|1|schedule|TIMED_OUT|"
        "01990000-0000-7000-8000-000000000001|1|2025-11-24T16:00:01.001Z|2025-11-24T16:00:01.999Z|"
        "998||too slow\n"
        "01990000-0000-7000-8000-000000000003|a|2025-11-24T16:00:03.000Z|1|schedule|STARTED|"
        "01990000-0000-7000-8000-000000000001|2|2025-11-24T16:00:02.000Z||||\n",
        sqlite_file_shell("sqlite3 -readonly -header '%s' 'select * from job_runs'", path));
    shell_prints("job|due_at|outcome|run_id|reason\n"
                 "a|2025-11-24T16:00:01.000Z|TIMED_OUT|01990000-0000-7000-8000-000000000002|\n"
                 "a|2025-11-24T16:00:02.000Z|SKIPPED||paused\n"
                 "a|2025-11-24T16:00:03.000Z||01990000-0000-7000-8000-000000000003|\n",
                 sqlite_file_shell("sqlite3 -readonly -header '%s' 'select * from slots'", path));
    shell_prints("node|host|version|started_at|last_seen|state|running|draining_since|draining_by|"
                 "draining_reason|definitions|refused\n"
                 "01990000-0000-7000-8000-000000000001|h1|1.0|2025-11-24T16:00:00.000Z|"
                 "2025-11-24T16:00:00.000Z|live|0||||0|\n",
                 sqlite_file_shell("sqlite3 -readonly -header '%s' 'select * from nodes'", path));
    shell_prints(
        "seq,at,event,job,run_id,node,actor,detail,prev_hash,hash\n"
        "alert_id,rule,severity,job,state,started_at,ended_at,count,verdict\n"
        "notification_id,alert_id,receiver,state,reason,attempts,created_at,sent_at\n",
        sqlite_file_shell("for v in audit_log alerts notifications; do sqlite3 -readonly '%s' "
                          "\"select group_concat(name) from pragma_table_info('$v')\"; done",
                          path));
    shell_prints("SKIPPED|a||01990000-0000-7000-8000-000000000001||64|64|1\n",
                 sqlite_file_shell(
                     "sqlite3 -readonly '%s' \"select event, job, run_id, node, actor, "
                     "length(prev_hash), length(hash), json_valid(detail) from audit_log where "
                     "event = 'SKIPPED'\"",
                     path));
}

static void times_in_views_are_exact_to_the_millisecond(void **state)
{
    struct fixture *f = *state;
    int64_t job = contract_publish(&f->contract, "a", "s");
    for (int i = 0; i < 500; i++) {
        contract_claim(&f->contract, job, 1 + 997 * (int64_t)i);
    }
    shell_prints("0\n", sqlite_file_shell(
                            "sqlite3 -readonly '%s' \"select count(*) from slot s where not exists "
                            "(select 1 from slots v where v.due_at = strftime("
                            "'%%Y-%%m-%%dT%%H:%%M:%%S', s.due_at / 1000, 'unixepoch') || "
                            "printf('.%%03dZ', s.due_at %% 1000))\"",
                            f->file.path));
}

static void audit_rows_cannot_be_changed(void **state)
{
    struct fixture *f = *state;
    contract_seal(&f->contract);
    static const char *const attempts[] = {"update audit set event = 'X'", "delete from audit",
                                           "update audit_seal set hash = x'00'",
                                           "delete from audit_seal"};
    for (size_t i = 0; i < 4; i++) {
        free(sqlite_file_shell("! sqlite3 '%s' \"%s\" 2>&1", f->file.path, attempts[i]));
    }
    contract_holds(&f->contract, PART_AUDIT,
                   "audit 1 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n");
}

// ---- refusals -----------------------------------------------------------------------------------

static void a_newer_version_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("sqlite3 '%s' 'pragma user_version = 99'", f->file.path));
    struct error err = fixture_open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_VERSION);
    error_mentions(&err, "version 99");
    error_mentions(&err, "version 2 at most");
}

// As version 1 made it: without what a fleet asks for.
static const char as_version_1[] =
    "for c in dry_run max_running labels draining is_full definitions refused draining_since "
    "draining_by"
    " draining_as draining_reason left_to; do"
    " sqlite3 '%s' \"drop view if exists nodes; alter table node drop column $c\"; done;"
    "sqlite3 '%s' 'alter table intent drop column node; drop table definitions;"
    " pragma user_version = 1'";

static void an_older_version_is_brought_up_to_date_by_who_writes(void **state)
{
    struct fixture *f = *state;
    contract_publish(&f->contract, "a", "s");
    char *before = contract_dump(f->contract.store, PART_ALL);
    free(sqlite_file_shell(as_version_1, f->file.path, f->file.path));
    struct error err = fixture_open_fails(f, SQLITE_STORE_READ_ONLY);
    assert_int_equal(err.code, ERROR_VERSION);
    error_mentions(&err, "ironcron serve");
    fixture_reopen(f);
    char *after = contract_dump(f->contract.store, PART_ALL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    shell_prints("2\n",
                 sqlite_file_shell("sqlite3 -readonly '%s' 'pragma user_version'", f->file.path));
    contract_join(&f->contract);
}

static void garbage_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("rm '%s'*; head -c 20000 /dev/urandom > '%s'", f->file.path,
                           f->file.path));
    struct error err = fixture_open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_ENVIRONMENT);
    error_mentions(&err, "not a SQLite database");
}

static void the_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("rm '%s'*; sqlite3 '%s' 'create table t (x)'", f->file.path,
                           f->file.path));
    struct error err = fixture_open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_ENVIRONMENT);
    error_mentions(&err, "another program");
    shell_prints("t\n", sqlite_file_shell("sqlite3 '%s' .tables", f->file.path));
}

static void a_damaged_file_is_named_with_its_remedy(void **state)
{
    struct fixture *f = *state;
    int64_t job = contract_publish(&f->contract, "a", "s");
    for (int i = 1; i <= 200; i++) {
        contract_claim(&f->contract, job, 1000 * i);
    }
    fixture_reopen(f); // everything is in the main file
    store_close(f->contract.store);
    free(sqlite_file_shell("dd if=/dev/zero of='%s' bs=4096 seek=1 count=30 conv=notrunc 2>&1",
                           f->file.path));
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    struct clock *clock = &f->contract.clock.clock;
    if (sqlite_store_open(f->file.path, SQLITE_STORE_WRITE, clock, &store, &err)) {
        struct store_op_load load = {.op.kind = STORE_LOAD};
        assert_false(store_call(store, &load.op, &err));
        assert_int_equal(load.op.result, STORE_UNAVAILABLE);
        store_close(store);
    }
    f->contract.store = NULL;
    assert_int_equal(err.code, ERROR_STORE);
    error_mentions(&err, ".recover");
}

static void places_that_cannot_hold_a_store(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    struct clock *clock = &f->contract.clock.clock;
    assert_false(sqlite_store_open("/nonexistent/x.db", SQLITE_STORE_WRITE, clock, &store, &err));
    error_mentions(&err, "folder");
    error_reset(&err);
    assert_false(sqlite_store_open(f->file.folder, SQLITE_STORE_WRITE, clock, &store, &err));
    assert_int_not_equal(err.code, ERROR_NONE);
}

// ---- reading only -------------------------------------------------------------------------------

static void a_reader_sees_what_a_writer_commits(void **state)
{
    struct fixture *f = *state;
    struct store *reader = NULL;
    struct error err = ERROR_INIT;
    assert_true(sqlite_store_open(f->file.path, SQLITE_STORE_READ_ONLY, &f->contract.clock.clock,
                                  &reader, &err));
    assert_false(reader->ops->changed(reader));
    contract_publish(&f->contract, "a", "s");
    assert_true(reader->ops->changed(reader));
    assert_false(reader->ops->changed(reader));
    char *seen = contract_dump(reader, PART_JOBS);
    assert_string_equal(seen, "job 1 a s mark +0 success - throttle 0\n");
    free(seen);
    struct store_op_beat beat = {.op.kind = STORE_BEAT, .node = f->contract.node};
    assert_false(store_call(reader, &beat.op, &err));
    assert_int_equal(beat.op.result, STORE_REFUSED);
    store_close(reader);
    assert_false(f->contract.store->ops->changed(f->contract.store)); // its own commits are no news
}

static void a_reader_works_when_nobody_writes(void **state)
{
    struct fixture *f = *state;
    contract_publish(&f->contract, "a", "s");
    store_close(f->contract.store);
    struct error err = ERROR_INIT;
    assert_true(sqlite_store_open(f->file.path, SQLITE_STORE_READ_ONLY, &f->contract.clock.clock,
                                  &f->contract.store, &err));
    contract_holds(&f->contract, PART_JOBS, "job 1 a s mark +0 success - throttle 0\n");
    store_close(f->contract.store);
    f->contract.store = NULL;
    shell_prints("store.db\n",
                 sqlite_file_shell("ls '%s'", f->file.folder)); // it left nothing behind
}

static void a_reader_makes_no_store(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("rm '%s'*", f->file.path));
    struct error err = fixture_open_fails(f, SQLITE_STORE_READ_ONLY);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    shell_prints("", sqlite_file_shell("ls '%s'", f->file.folder));
    free(sqlite_file_shell(": > '%s'", f->file.path));
    struct store *store = NULL;
    assert_false(sqlite_store_open(f->file.path, SQLITE_STORE_READ_ONLY, &f->contract.clock.clock,
                                   &store, &err));
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    error_mentions(&err, "empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(the_file_is_ours_alone),
        SQLITE_TEST(what_was_written_is_there_after_a_restart),
        SQLITE_TEST(views_have_the_contracts_names_and_forms),
        SQLITE_TEST(times_in_views_are_exact_to_the_millisecond),
        SQLITE_TEST(audit_rows_cannot_be_changed),
        SQLITE_TEST(a_newer_version_is_refused),
        SQLITE_TEST(an_older_version_is_brought_up_to_date_by_who_writes),
        SQLITE_TEST(garbage_is_refused),
        SQLITE_TEST(the_database_of_another_program_is_refused),
        SQLITE_TEST(a_damaged_file_is_named_with_its_remedy),
        SQLITE_TEST(places_that_cannot_hold_a_store),
        SQLITE_TEST(a_reader_sees_what_a_writer_commits),
        SQLITE_TEST(a_reader_works_when_nobody_writes),
        SQLITE_TEST(a_reader_makes_no_store),
    };
    return cmocka_run_group_tests_name("SQLite file", tests, NULL, NULL);
}
