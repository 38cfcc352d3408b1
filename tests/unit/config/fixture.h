// SPDX-License-Identifier: MIT
// Configurations out of texts and scratch folders, for the tests of this room.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"

// What loading gave: a config, or problems printed one a line. Ends the test when it fails
// unexpectedly.
struct fixture {
    struct config *config; // NULL when it was refused
    struct config_problems problems;
    struct buf text; // the problems, as people see them
};

// `text` as file "t.yml"; paths count from /folder; the environment and files are in reach.
struct fixture fixture_load(const char *text);
struct fixture fixture_load_file(const char *path);
void fixture_release(struct fixture *fixture);
// A config, or a failure that shows the problems.
struct fixture fixture_load_fine(const char *text);

// A folder of its own, and files in it. The caller frees the paths.
char *fixture_folder(void);
void fixture_folder_remove(char *folder); // frees it too
char *fixture_file(const char *folder, const char *name, const char *content);
