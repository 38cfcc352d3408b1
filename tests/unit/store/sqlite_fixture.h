// SPDX-License-Identifier: MIT
// A SQLite store on which a node has joined, for tests of its file.
#pragma once

#include "../../contract/contract.h"

#include "sqlite_file.h"
#include "store/sqlite/sqlite_store.h"

struct fixture {
    struct sqlite_file file;
    struct contract contract;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
void fixture_reopen(struct fixture *fixture);
// Closes the fixture's store and expects that it can't be opened any more; hands back why.
struct error fixture_open_fails(struct fixture *fixture, enum sqlite_store_mode mode);

void error_mentions(const struct error *err, const char *text);
void shell_prints(const char *expected, char *printed); // frees `printed`

#define SQLITE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)
