// SPDX-License-Identifier: MIT
// What may happen to a store on a bad day: another writer, a full disk, a disk that turned
// read-only, kill -9.
#include "sqlite_fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- two writers --------------------------------------------------------------------------------

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
    error_mentions(&err, "another process");
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

// ---- disks --------------------------------------------------------------------------------------

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

// A removed or replaced file would take everything and keep nothing: that is not done, but said,
// and heals when the file comes back.
static void a_file_that_is_not_there_any_more_takes_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char *before = contract_dump(f->contract.store, PART_ALL);
    for (size_t i = 0; i < 2 * ARRAY_LENGTH(suffixes); i++) {
        char path[512];
        char aside[520];
        snprintf(path, sizeof path, "%s%s", f->file.path, suffixes[i / 2]);
        snprintf(aside, sizeof aside, "%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        FILE *other = i % 2 == 0 ? NULL : fopen(path, "w");
        struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = "E"};
        struct error err = ERROR_INIT;
        if (store_call(f->contract.store, &op.op, &err) || op.op.result != STORE_UNAVAILABLE) {
            fail_msg("%s %s: result %d", path, other == NULL ? "removed" : "replaced",
                     op.op.result);
        }
        error_mentions(&err, suffixes[i / 2]);
        error_mentions(&err, other == NULL ? "removed" : "replaced");
        if (other != NULL) {
            fclose(other);
        }
        assert_int_equal(rename(aside, path), 0);
    }
    char *after = contract_dump(f->contract.store, PART_ALL);
    assert_string_equal(before, after);
    free(before);
    free(after);
    struct store_op_audit op = {.op.kind = STORE_AUDIT, .event = "E"};
    CALL_OK(&f->contract, &op);
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
    error_mentions(&err, "space");
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
    error_mentions(&err, "Read-only file system");
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
    return fixture_teardown(state);
}

// ---- kill -9 ------------------------------------------------------------------------------------

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(another_writer_makes_it_wait_and_nothing_is_lost),
        SQLITE_TEST(a_file_that_is_not_there_any_more_takes_nothing),
        cmocka_unit_test_setup_teardown(a_full_disk_is_survived, fixture_setup, teardown_mount),
        SQLITE_TEST(what_was_answered_survives_kill_9),
    };
    return cmocka_run_group_tests_name("SQLite survival", tests, NULL, NULL);
}
