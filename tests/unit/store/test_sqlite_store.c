// SPDX-License-Identifier: MIT
// What only the SQLite store promises: its file, its refusals, its survival.
#include "../../contract/contract.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sqlite_file.h"
#include "store/sqlite/sqlite_store.h"

// A store on which a node has joined, in `contract` for its helpers.
struct fixture {
    struct sqlite_file file;
    struct contract contract;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    sqlite_file_make(&fixture->file);
    contract_clock_init(&fixture->contract.clock);
    fixture->contract.store = sqlite_file_open(&fixture->file, &fixture->contract.clock.clock);
    contract_join(&fixture->contract);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->contract.store);
    sqlite_file_remove(&fixture->file);
    free(fixture);
    return 0;
}

static void close_and_reopen(struct fixture *fixture)
{
    store_close(fixture->contract.store);
    fixture->contract.store = sqlite_file_open(&fixture->file, &fixture->contract.clock.clock);
}

// Closes the fixture's store and expects that it can't be opened any more; hands back why.
static struct error open_fails(struct fixture *fixture, enum sqlite_store_mode mode)
{
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    store_close(fixture->contract.store);
    fixture->contract.store = NULL;
    if (sqlite_store_open(fixture->file.path, mode, &fixture->contract.clock.clock, &store, &err)) {
        store_close(store);
        fail_msg("a store was opened that should have been refused");
    }
    assert_null(store);
    return err;
}

static void mentions(const struct error *err, const char *text)
{
    if (strstr(err->text, text) == NULL) {
        fail_msg("\"%s\" is missing in: %s", text, err->text);
    }
}

static void shell_prints(const char *expected, char *printed)
{
    if (strcmp(printed, expected) != 0) {
        fail_msg("expected:\n%s\nprinted:\n%s", expected, printed);
    }
    free(printed);
}

// ---- the file ------------------------------------------------------------------------------------

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
        "wal\n1768125038\n1\n",
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
    close_and_reopen(f);
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
        "01990000-0000-7000-8000-000000000001|1|2025-11-24T16:00:01.001Z|2025-11-24T16:00:02.000Z|"
        "998||too slow\n"
        "01990000-0000-7000-8000-000000000003|a|2025-11-24T16:00:03.000Z|1|schedule|STARTED|"
        "01990000-0000-7000-8000-000000000001|2|2025-11-24T16:00:02.000Z||||\n",
        sqlite_file_shell("sqlite3 -readonly -header '%s' 'select * from job_runs'", path));
    shell_prints("job|due_at|outcome|run_id|reason\n"
                 "a|2025-11-24T16:00:01.000Z|TIMED_OUT|01990000-0000-7000-8000-000000000002|\n"
                 "a|2025-11-24T16:00:02.000Z|SKIPPED||paused\n"
                 "a|2025-11-24T16:00:03.000Z||01990000-0000-7000-8000-000000000003|\n",
                 sqlite_file_shell("sqlite3 -readonly -header '%s' 'select * from slots'", path));
    shell_prints("node|host|version|started_at|last_seen|state|running\n"
                 "01990000-0000-7000-8000-000000000001|h1|1.0|2025-11-24T16:00:00.000Z|"
                 "2025-11-24T16:00:00.000Z|live|0\n",
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

// ---- refusals ------------------------------------------------------------------------------------

static void a_newer_version_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("sqlite3 '%s' 'pragma user_version = 99'", f->file.path));
    struct error err = open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_VERSION);
    mentions(&err, "version 99");
    mentions(&err, "version 1 at most");
}

static void garbage_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("rm '%s'*; head -c 20000 /dev/urandom > '%s'", f->file.path,
                           f->file.path));
    struct error err = open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_STORE);
    mentions(&err, "not a SQLite database");
}

static void the_database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;
    free(sqlite_file_shell("rm '%s'*; sqlite3 '%s' 'create table t (x)'", f->file.path,
                           f->file.path));
    struct error err = open_fails(f, SQLITE_STORE_WRITE);
    assert_int_equal(err.code, ERROR_STORE);
    mentions(&err, "another program");
    shell_prints("t\n", sqlite_file_shell("sqlite3 '%s' .tables", f->file.path));
}

static void a_damaged_file_is_named_with_its_remedy(void **state)
{
    struct fixture *f = *state;
    int64_t job = contract_publish(&f->contract, "a", "s");
    for (int i = 1; i <= 200; i++) {
        contract_claim(&f->contract, job, 1000 * i);
    }
    close_and_reopen(f); // everything is in the main file
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
    mentions(&err, ".recover");
}

static void places_that_cannot_hold_a_store(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    struct error err = ERROR_INIT;
    struct clock *clock = &f->contract.clock.clock;
    assert_false(sqlite_store_open("/nonexistent/x.db", SQLITE_STORE_WRITE, clock, &store, &err));
    mentions(&err, "folder");
    error_reset(&err);
    assert_false(sqlite_store_open(f->file.folder, SQLITE_STORE_WRITE, clock, &store, &err));
    assert_int_not_equal(err.code, ERROR_NONE);
}

// ---- reading only --------------------------------------------------------------------------------

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
    struct error err = open_fails(f, SQLITE_STORE_READ_ONLY);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    shell_prints("", sqlite_file_shell("ls '%s'", f->file.folder));
    free(sqlite_file_shell(": > '%s'", f->file.path));
    struct store *store = NULL;
    assert_false(sqlite_store_open(f->file.path, SQLITE_STORE_READ_ONLY, &f->contract.clock.clock,
                                   &store, &err));
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    mentions(&err, "empty");
}

// ---- two writers ---------------------------------------------------------------------------------

static void another_writer_makes_it_wait_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(f->file.path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
    struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = "E"};
    struct error err = ERROR_INIT;
    assert_false(store_call(f->contract.store, &op.op, &err));
    assert_int_equal(op.op.result, STORE_UNAVAILABLE);
    assert_int_equal(err.code, ERROR_UNAVAILABLE);
    mentions(&err, "another process");
    struct store_op_load load = {.op.kind = STORE_LOAD}; // reading goes on meanwhile
    CALL_OK(&f->contract, &load);
    store_op_release(&load.op);
    sqlite3_exec(other, "commit", NULL, NULL, NULL);
    sqlite3_close(other);
    CALL_OK(&f->contract, &op);
    contract_holds(&f->contract, PART_AUDIT,
                   "audit 0 +0 NODE_STARTED - run - node #1 by - {\"host\":\"h1\"}\n"
                   "audit 0 +0 E - run - node - by - -\n");
}

// ---- disks ---------------------------------------------------------------------------------------

// Fills the store until an operation is refused for want of space; the number that were done.
static int fill(struct contract *c, int64_t job, struct error *err)
{
    char text[4000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 1; i < 2000; i++) {
        struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = "E", .actor = text};
        if (!store_call(c->store, &op.op, err)) {
            assert_int_not_equal(op.op.result, STORE_REFUSED);
            return i;
        }
    }
    (void)job;
    fail_msg("the disk never got full");
    return 0;
}

static void a_full_disk_is_survived(void **state)
{
    struct fixture *f = *state;
    store_close(f->contract.store);
    f->contract.store = NULL;
    if (mount("none", f->file.folder, "tmpfs", 0, "size=600k") != 0) {
        skip(); // not root
    }
    f->contract.store = sqlite_file_open(&f->file, &f->contract.clock.clock);
    contract_join(&f->contract);
    int64_t job = contract_publish(&f->contract, "a", "s");
    struct store_slot slot = contract_claim(&f->contract, job, 1000);
    struct error err = ERROR_INIT;
    int done = fill(&f->contract, job, &err);
    char *before = contract_dump(f->contract.store, PART_ALL);
    assert_int_equal(err.code, ERROR_STORE);
    mentions(&err, "space");
    // Room again: it goes on where it was, with the same operation.
    assert_int_equal(mount("none", f->file.folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    char *after = contract_dump(f->contract.store, PART_ALL);
    assert_string_equal(before, after);
    assert_true(done > 3);
    assert_false(contract_end(&f->contract, &slot, RUN_SUCCESS, INSTANT_NONE));
    contract_seal(&f->contract);
    // A file system that turned read-only, as Linux does after an error of the disk.
    assert_int_equal(mount("none", f->file.folder, "tmpfs", MS_REMOUNT, "size=8m"), 0);
    store_close(f->contract.store);
    f->contract.store = NULL;
    shell_prints("ok\n", sqlite_file_shell("sqlite3 '%s' 'pragma integrity_check'", f->file.path));
    assert_int_equal(mount("none", f->file.folder, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=8m"), 0);
    struct store *store = NULL;
    error_reset(&err);
    assert_false(sqlite_store_open(f->file.path, SQLITE_STORE_WRITE, &f->contract.clock.clock,
                                   &store, &err));
    mentions(&err, "Read-only file system");
    // What cannot be written can still be read.
    error_reset(&err);
    if (!sqlite_store_open(f->file.path, SQLITE_STORE_READ_ONLY, &f->contract.clock.clock, &store,
                           &err)) {
        fail_msg("reading from a read-only file system: %s", err.text);
    }
    f->contract.store = store;
    char *readable = contract_dump(store, PART_SLOTS);
    assert_string_equal(readable, "slot a +1000 SUCCESS run #3 \n");
    free(readable);
    free(before);
    free(after);
}

static int teardown_mount(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->contract.store);
    fixture->contract.store = NULL;
    (void)umount(fixture->file.folder);
    return teardown(state);
}

// ---- kill -9 -------------------------------------------------------------------------------------

// Claims and ends without pause; tells each fence whose commit was answered.
static void write_until_killed(const char *path, int pipe_end)
{
    static struct contract c;
    struct error err = ERROR_INIT;
    contract_clock_init(&c.clock);
    c.ids = (uint64_t)getpid() << 16;
    if (!sqlite_store_open(path, SQLITE_STORE_WRITE, &c.clock.clock, &c.store, &err)) {
        _exit(1);
    }
    contract_join(&c);
    int64_t job = contract_publish(&c, "a", "s");
    struct store_op_load load = {.op.kind = STORE_LOAD};
    CALL_OK(&c, &load);
    int64_t due = (instant_ms(load.jobs[0].high_water) - T0) / 1000 * 1000;
    store_op_release(&load.op);
    for (;;) {
        due += 1000;
        struct store_slot slot = contract_claim(&c, job, due);
        contract_end(&c, &slot, RUN_SUCCESS, INSTANT_NONE);
        contract_seal(&c);
        if (write(pipe_end, &slot.fence, sizeof slot.fence) != (ssize_t)sizeof slot.fence) {
            _exit(1);
        }
    }
}

struct fence_search {
    int64_t fence;
    enum run_state state;
};

static bool find_fence(void *context, const struct store_run_row *row)
{
    struct fence_search *search = context;
    if (row->fence == search->fence) {
        search->state = row->state;
        return false;
    }
    return true;
}

static void what_was_answered_survives_kill_9(void **state)
{
    struct fixture *f = *state;
    store_close(f->contract.store);
    for (int round = 0; round < 6; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_until_killed(f->file.path, ends[1]);
        }
        close(ends[1]);
        int64_t fence = 0;
        for (int i = 0; i < 20 + round; i++) {
            assert_int_equal(read(ends[0], &fence, sizeof fence), sizeof fence);
        }
        kill(child, SIGKILL);
        int64_t later;
        while (read(ends[0], &later, sizeof later) == (ssize_t)sizeof later) {
            fence = later;
        }
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        shell_prints("ok\n",
                     sqlite_file_shell("sqlite3 '%s' 'pragma integrity_check'", f->file.path));
        f->contract.store = sqlite_file_open(&f->file, &f->contract.clock.clock);
        struct fence_search search = {.fence = fence, .state = RUN_STATE_COUNT};
        struct error err = ERROR_INIT;
        assert_true(f->contract.store->ops->read_runs(
            f->contract.store, &(struct store_run_filter){.limit = 0}, find_fence, &search, &err));
        assert_int_equal(search.state, RUN_SUCCESS);
        if (round < 5) {
            store_close(f->contract.store);
        }
    }
}

// ---- the documented check ------------------------------------------------------------------------

// Runs the shell script of docs/audit-format.md, as it stands there, on this store.
static char *check_by_the_page(struct fixture *f)
{
    return sqlite_file_shell(
        "cd '%s' && awk '/^## /{on=0} /^## Checking/{on=1} /^```/{code=!code;next} on&&code' "
        "'%s/docs/audit-format.md' | sed 's|^db=.*|db=store.db|' > check.sh && sh check.sh",
        f->file.folder, SOURCE_ROOT);
}

static void the_documented_script_checks_the_chain(void **state)
{
    struct fixture *f = *state;
    struct contract *c = &f->contract;
    int64_t job = contract_publish(c, "a", "s");
    for (int i = 1; i <= 3; i++) {
        contract_advance(&c->clock, 1000);
        struct store_slot slot = contract_claim(c, job, 1000 * i);
        contract_end(c, &slot, RUN_SUCCESS, INSTANT_NONE);
    }
    struct store_op_audit note = {.op.kind = STORE_AUDIT,
                                  .event = "NOTE",
                                  .job = "tab\there",
                                  .actor = "Zoë",
                                  .detail = "{\"it's\":\"100%\\\\\"}"};
    CALL_OK(c, &note);
    contract_seal(c);
    shell_prints("", check_by_the_page(f));
    // Also after pruning.
    struct store_op_prune prune = {
        .op.kind = STORE_PRUNE, .audit_before = at_ms(1500), .limit = 100};
    CALL_OK(c, &prune);
    assert_int_equal(prune.deleted, 4);
    shell_prints("", check_by_the_page(f));
    // And it sees what was changed, and what was taken out.
    free(sqlite_file_shell(
        "sqlite3 '%s' \"drop trigger audit_no_update; update audit set event = 'FAILED' "
        "where id = 6\"",
        f->file.path));
    shell_prints("row 6: its content does not have its hash\n", check_by_the_page(f));
    free(sqlite_file_shell(
        "sqlite3 '%s' \"drop trigger audit_no_delete; delete from audit where id = 7\"",
        f->file.path));
    shell_prints("row 6: its content does not have its hash\nrow 8: the row before it is missing\n",
                 check_by_the_page(f));
}

static void the_documented_example_is_right(void **state)
{
    struct fixture *f = *state;
    contract_seal(&f->contract);
    char *hash = sqlite_file_shell(
        "sqlite3 -readonly '%s' 'select hash from audit_log where seq = 1'", f->file.path);
    char *printed =
        sqlite_file_shell("awk '/^## /{on=0} /^## A worked/{on=1} /^```sh/{code=1;next} "
                          "/^```/{code=0} on&&code' '%s/docs/audit-format.md' | sh | cut -d' ' -f1",
                          SOURCE_ROOT);
    assert_string_equal(hash, printed);
    free(printed);
    hash[strlen(hash) - 1] = '\0';
    free(sqlite_file_shell("grep -q '^%s  -$' '%s/docs/audit-format.md'", hash, SOURCE_ROOT));
    free(hash);
}

#define SQLITE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(the_file_is_ours_alone),
        SQLITE_TEST(what_was_written_is_there_after_a_restart),
        SQLITE_TEST(views_have_the_contracts_names_and_forms),
        SQLITE_TEST(times_in_views_are_exact_to_the_millisecond),
        SQLITE_TEST(audit_rows_cannot_be_changed),
        SQLITE_TEST(a_newer_version_is_refused),
        SQLITE_TEST(garbage_is_refused),
        SQLITE_TEST(the_database_of_another_program_is_refused),
        SQLITE_TEST(a_damaged_file_is_named_with_its_remedy),
        SQLITE_TEST(places_that_cannot_hold_a_store),
        SQLITE_TEST(a_reader_sees_what_a_writer_commits),
        SQLITE_TEST(a_reader_works_when_nobody_writes),
        SQLITE_TEST(a_reader_makes_no_store),
        SQLITE_TEST(another_writer_makes_it_wait_and_nothing_is_lost),
        cmocka_unit_test_setup_teardown(a_full_disk_is_survived, setup, teardown_mount),
        SQLITE_TEST(what_was_answered_survives_kill_9),
        SQLITE_TEST(the_documented_script_checks_the_chain),
        SQLITE_TEST(the_documented_example_is_right),
    };
    return cmocka_run_group_tests_name("SQLite store", tests, NULL, NULL);
}
