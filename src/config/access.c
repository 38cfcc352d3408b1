// SPDX-License-Identifier: MIT
#include "config/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"

#define RECORD_MAX ((size_t)1024 * 1024)
#define GROUPS_MAX 65536

void access_user_release(struct access_user *user)
{
    free(user->name);
    free(user->groups);
    *user = (struct access_user){0};
}

static void read_groups(struct access_user *user, gid_t primary)
{
    int capacity = 32;
    do {
        user->groups = alloc_resize(user->groups, (size_t)capacity, sizeof *user->groups);
        user->group_count = capacity;
        capacity *= 2;
    } while (getgrouplist(user->name, primary, user->groups, &user->group_count) < 0 &&
             capacity <= GROUPS_MAX);
    if (user->group_count > capacity / 2) {
        user->group_count = capacity / 2;
    }
}

// Answers come from the user database, which may be on the network: failing is not the same as
// absent.
static int find_user(const char *name, uid_t *uid_out, gid_t *gid_out)
{
    char *memory = NULL;
    struct passwd record;
    struct passwd *found = NULL;
    int result = ERANGE;
    for (size_t size = 4096; result == ERANGE && size <= RECORD_MAX; size *= 4) {
        memory = alloc_resize(memory, size, 1);
        result = getpwnam_r(name, &record, memory, size, &found);
    }
    if (found != NULL) {
        *uid_out = found->pw_uid;
        *gid_out = found->pw_gid;
    }
    free(memory);
    return found != NULL ? 0 : result == 0 ? ENOENT : result;
}

bool access_user_init(struct access_user *user, const char *name, struct error *err)
{
    *user = (struct access_user){.uid = geteuid()};
    if (name == NULL) {
        return true;
    }
    gid_t primary = 0;
    int result = find_user(name, &user->uid, &primary);
    if (result == ENOENT || result == ESRCH) {
        return error_set(err, ERROR_NOT_FOUND, "there is no user \"%s\"", name);
    }
    if (result != 0) {
        return error_set(err, ERROR_IO, "the user \"%s\" cannot be looked up: %s", name,
                         strerror(result));
    }
    user->name = alloc_string(name);
    read_groups(user, primary);
    return true;
}

bool access_can_become(const struct access_user *user)
{
    return geteuid() == 0 || user->uid == geteuid();
}

static bool in_group(const struct access_user *user, gid_t group)
{
    for (int i = 0; i < user->group_count; i++) {
        if (user->groups[i] == group) {
            return true;
        }
    }
    return false;
}

// The kernel's rule: the first class that fits decides, even when a later one would allow more.
static bool may_execute(const struct access_user *user, const struct stat *status)
{
    mode_t mode = status->st_mode;
    if (user->uid == 0) {
        return S_ISDIR(mode) || (mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0;
    }
    if (user->uid == status->st_uid) {
        return (mode & S_IXUSR) != 0;
    }
    return (mode & (in_group(user, status->st_gid) ? S_IXGRP : S_IXOTH)) != 0;
}

// `bits`: 4 to read, 2 to write.
static bool may_use(const struct access_user *user, const struct stat *status, mode_t bits)
{
    int class = user->uid == status->st_uid ? 6 : in_group(user, status->st_gid) ? 3 : 0;
    return user->uid == 0 || (status->st_mode >> class & bits) == bits;
}

// `path` is resolved: every folder on the way must let the user through.
static bool may_reach(const struct access_user *user, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct stat status;
        bool through = stat(path, &status) == 0 && may_execute(user, &status);
        *slash = '/';
        if (!through) {
            return false;
        }
    }
    return true;
}

static enum access_result judge(const struct access_user *user, const char *path, bool folder)
{
    char resolved[PATH_MAX];
    struct stat status;
    if (realpath(path, resolved) == NULL || stat(resolved, &status) != 0) {
        return errno == EACCES ? ACCESS_DENIED : ACCESS_MISSING;
    }
    if (folder ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode)) {
        return ACCESS_WRONG_KIND;
    }
    struct statvfs disk;
    if (!folder && statvfs(resolved, &disk) == 0 && (disk.f_flag & ST_NOEXEC) != 0) {
        return ACCESS_NOEXEC;
    }
    // For ourselves the kernel knows best: it also looks at access control lists.
    bool allowed = user->uid == geteuid() ? faccessat(AT_FDCWD, resolved, X_OK, AT_EACCESS) == 0
                                          : may_execute(user, &status) && may_reach(user, resolved);
    return allowed ? ACCESS_FINE : ACCESS_DENIED;
}

enum access_result access_program(const struct access_user *user, const char *path)
{
    return judge(user, path, false);
}

enum access_result access_folder(const struct access_user *user, const char *path)
{
    return judge(user, path, true);
}

enum access_result access_data(const struct access_user *user, const char *path, bool write)
{
    char resolved[PATH_MAX];
    struct stat status;
    if (realpath(path, resolved) == NULL || stat(resolved, &status) != 0) {
        return errno == EACCES ? ACCESS_DENIED : ACCESS_MISSING;
    }
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return ACCESS_WRONG_KIND;
    }
    bool allowed = user->uid == geteuid()
                       ? faccessat(AT_FDCWD, resolved, write ? R_OK | W_OK : R_OK, AT_EACCESS) == 0
                       : may_use(user, &status, write ? 6 : 4) && may_reach(user, resolved);
    return allowed ? ACCESS_FINE : ACCESS_DENIED;
}
