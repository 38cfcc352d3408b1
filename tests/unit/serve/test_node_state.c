// SPDX-License-Identifier: MIT
// What a host remembers of its store: the same one goes on, another one or an older one is refused,
// and so is a file that says nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/node_state.h"

static char folder[64];
static char path[128];

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ironcron-state-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/node", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder); // nothing else is left there
}

static const struct store_op_identity seen = {
    .system = "7301234567890123456", .database = 16384, .timeline = 2, .sealed = 41};

static void expect(struct store_op_identity now, const char *words)
{
    struct error err = ERROR_INIT;
    bool good = node_state_check(path, &now, &err);
    assert_int_equal(good, words == NULL);
    if (words != NULL) {
        assert_non_null(strstr(err.text, words));
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, "ironcron doctor --accept-rewind"));
    }
}

static void put(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void no_file_knows_nothing(void **state)
{
    (void)state;
    expect(seen, NULL);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void the_same_store_goes_on(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_true(node_state_write(path, &seen, &err));
    expect(seen, NULL);
    struct store_op_identity later = seen;
    later.sealed = 42;
    later.timeline = 3;
    expect(later, NULL);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void what_is_behind_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_true(node_state_write(path, &seen, &err));
    struct store_op_identity now = seen;
    now.sealed = 40;
    now.timeline = 3; // promoted without the last commits
    expect(now, "went back in time");
    now = seen;
    now.timeline = 1;
    expect(now, "went back in time");
}

// It is longer than what was seen, but has another row where that was.
static void what_went_back_and_on_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct store_op_identity now = seen;
    assert_int_equal(node_state_seen(path), 0);
    now.hash = "aa";
    assert_true(node_state_write(path, &now, &err));
    now.asked = node_state_seen(path);
    assert_int_equal(now.asked, 41);
    now.sealed = 50;
    now.hash = "cc";
    now.asked_hash = "aa";
    expect(now, NULL);
    now.asked_hash = "bb";
    expect(now, "went back in time, and went on from there: row 41");
    now.asked_hash = NULL; // pruned
    expect(now, NULL);
}

static void what_it_lacks_is_remembered(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_true(node_state_write(path, &seen, &err));
    assert_true(node_state_lacks(path, "the store went back in time: it lacks a run", &err));
    struct store_op_identity later = seen;
    later.sealed = 100;
    expect(later, "it lacks a run");
    assert_int_equal(node_state_seen(path), 41);
    assert_true(node_state_write(path, &later, &err)); // somebody has said that it is meant
    expect(later, NULL);
    assert_false(node_state_lacks("/nowhere/at/all", "x", &err));
}

static void another_database_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_true(node_state_write(path, &seen, &err));
    struct store_op_identity now = seen;
    now.system = "7309999999999999999";
    now.sealed = 100;
    expect(now, "another database");
    now = seen;
    now.database = 16385;
    expect(now, "another database");
}

static void a_file_that_says_nothing_is_refused(void **state)
{
    (void)state;
    put("");
    expect(seen, "cannot be read");
    put("{\"system\": \"7301234567890123456\"}\n");
    expect(seen, "does not say what it should");
    put("[1, 2]\n");
    expect(seen, "does not say what it should");
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_false(node_state_write("/nowhere/at/all", &seen, &err));
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_file_knows_nothing, begin, end),
        cmocka_unit_test_setup_teardown(the_same_store_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(what_is_behind_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(what_went_back_and_on_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(what_it_lacks_is_remembered, begin, end),
        cmocka_unit_test_setup_teardown(another_database_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_file_that_says_nothing_is_refused, begin, end),
        cmocka_unit_test(a_folder_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
