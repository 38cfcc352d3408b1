// SPDX-License-Identifier: MIT
// What a user may do with a path, judged by mode bits, owner and groups, without becoming that
// user.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct access_user {
    char *name; // as configured; NULL = ourselves
    uid_t uid;
    gid_t *groups; // all of them, the primary one too
    int group_count;
};

// NULL = ourselves. ERROR_NOT_FOUND: there is no such user.
bool access_user_init(struct access_user *user, const char *name, struct error *err) MUST_USE;
void access_user_release(struct access_user *user);
// May this process become that user?
bool access_can_become(const struct access_user *user);

enum access_result {
    ACCESS_FINE,
    ACCESS_MISSING,    // it, or a folder on the way, is not there
    ACCESS_WRONG_KIND, // a folder where a file belongs, or the other way round
    ACCESS_DENIED,     // the user may not execute (enter) it, or a folder on the way
    ACCESS_NOEXEC,     // the file system forbids programs
};
enum access_result access_program(const struct access_user *user, const char *path);
enum access_result access_folder(const struct access_user *user, const char *path);
// To read a file or folder, or to read and write it.
enum access_result access_data(const struct access_user *user, const char *path, bool write);
