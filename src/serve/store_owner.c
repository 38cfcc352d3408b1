// SPDX-License-Identifier: MIT
#include "serve/store_owner.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static bool folder_stat(const char *path, struct stat *status_out)
{
    const char *slash = strrchr(path, '/');
    char *folder =
        slash == NULL ? alloc_string(".") : alloc_bytes(path, (size_t)(slash - path) + 1);
    bool known = stat(folder, status_out) == 0;
    free(folder);
    return known;
}

bool store_owner_allows(const char *store_path, bool also_new, struct error *err)
{
    struct stat status;
    bool known = stat(store_path, &status) == 0 || (also_new && folder_stat(store_path, &status));
    if (geteuid() != 0 || !known || status.st_uid == 0) {
        return true;
    }
    const struct passwd *user = getpwuid(status.st_uid);
    char number[24];
    snprintf(number, sizeof number, "#%u", (unsigned)status.st_uid);
    const char *name = user == NULL ? number : user->pw_name;
    return error_set(
        err, ERROR_REFUSED,
        "the store %s belongs to user %s, and root does not run that user's jobs: start "
        "the service (systemctl start ironcron), or use: sudo -u %s ironcron …",
        store_path, name, name);
}
