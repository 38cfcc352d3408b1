// SPDX-License-Identifier: MIT
// The node's file lock: one holder, named; free again only when the last descriptor is gone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/node_lock.h"
#include "serve/serve.h"

// Of a copied file, as in the image of a host, nobody can say whether its node is dead.
static void copied(const char *folder, const char *lock)
{
    char store[64];
    char copy[80];
    char text[2048];
    struct node_lock_holder holder;
    struct error err = ERROR_INIT;
    int fd;
    FILE *from = fopen(lock, "r");
    snprintf(store, sizeof store, "%s/b.db", folder);
    snprintf(copy, sizeof copy, "%s.lock", store);
    FILE *to = fopen(copy, "w");
    assert_true(from != NULL && to != NULL);
    assert_true(fputs(fgets(text, sizeof text, from), to) >= 0);
    fclose(from);
    fclose(to);
    assert_true(node_lock_take(store, &fd, &holder, &err));
    assert_string_equal(holder.node, "01a20b98");
    assert_true(holder.is_copy);
    close(fd);
    unlink(copy);
}

static void one_holder_by_name(void **state)
{
    (void)state;
    char folder[] = "/tmp/ironcron-lock-XXXXXX";
    char store[64];
    char lock[80];
    assert_non_null(mkdtemp(folder));
    snprintf(store, sizeof store, "%s/a.db", folder);
    snprintf(lock, sizeof lock, "%s.lock", store);
    struct node_lock_holder other;
    struct error err = ERROR_INIT;
    int fd;
    assert_false(node_lock_is_held(store, &other));
    assert_true(node_lock_take(store, &fd, &other, &err));
    struct node_lock_holder mine = {.node = "01a20b98",
                                    .host = "here",
                                    .command = "serve",
                                    .pid = getpid(),
                                    .started_at = instant_from_unix(1700000000)};
    assert_true(node_lock_sign(fd, &mine, &err));
    struct stat st;
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    int second;
    assert_false(node_lock_take(store, &second, &other, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_non_null(strstr(err.text, "01a20b98"));
    assert_int_equal(other.pid, getpid());
    assert_int_equal(other.started_at.us, mine.started_at.us);
    assert_true(node_lock_is_held(store, &other));
    assert_false(other.is_copy);
    copied(folder, lock);

    // A descriptor that another process has, too, keeps it, as the runner's does.
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ready[1]);
        (void)!read(ready[0], &byte, 1);
        _exit(0);
    }
    close(fd);
    assert_true(node_lock_is_held(store, &other));
    close(ready[1]);
    waitpid(child, NULL, 0);
    assert_false(node_lock_is_held(store, &other));
    close(ready[0]);
    unlink(lock);
    rmdir(folder);
}

static void dry_run_is_never_guessed(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int expected; // -1 = refused
    } cases[] = {{"1", 1},  {"true", 1}, {"YES", 1}, {"on", 1}, {"0", 0},      {"false", 0},
                 {"no", 0}, {"Off", 0},  {"", 0},    {"2", -1}, {"maybe", -1}, {" 1", -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        bool dry = false;
        struct error err = ERROR_INIT;
        setenv("JOB_DRY_RUN", cases[i].value, 1);
        bool clear = serve_dry_run_from_environment(&dry, &err);
        int got = clear ? (int)dry : -1;
        if (got != cases[i].expected) {
            fail_msg("JOB_DRY_RUN=\"%s\": %d", cases[i].value, got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_by_name),
        cmocka_unit_test(dry_run_is_never_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
