// SPDX-License-Identifier: MIT
#include "sqlite_fixture.h"

#include <stdlib.h>
#include <string.h>

int fixture_setup(void **state)
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

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->contract.store);
    sqlite_file_remove(&fixture->file);
    free(fixture);
    return 0;
}

void fixture_reopen(struct fixture *fixture)
{
    store_close(fixture->contract.store);
    fixture->contract.store = sqlite_file_open(&fixture->file, &fixture->contract.clock.clock);
}

struct error fixture_open_fails(struct fixture *fixture, enum sqlite_store_mode mode)
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

void error_mentions(const struct error *err, const char *text)
{
    if (strstr(err->text, text) == NULL) {
        fail_msg("\"%s\" is missing in: %s", text, err->text);
    }
}

void shell_prints(const char *expected, char *printed)
{
    if (strcmp(printed, expected) != 0) {
        fail_msg("expected:\n%s\nprinted:\n%s", expected, printed);
    }
    free(printed);
}
