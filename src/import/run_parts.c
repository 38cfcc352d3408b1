// SPDX-License-Identifier: MIT
#include "import/run_parts.h"

#include <string.h>

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// The times of Debian's /etc/crontab.
const struct run_parts_folder run_parts_folders[RUN_PARTS_FOLDERS] = {
    {"cron.hourly", "hourly", "17 * * * *"},
    {"cron.daily", "daily", "25 6 * * *"},
    {"cron.weekly", "weekly", "47 6 * * 7"},
    {"cron.monthly", "monthly", "52 6 1 * *"},
};

bool run_parts_takes(const char *name)
{
    return name[0] != '\0' && name[strspn(name, NAME_BYTES)] == '\0';
}

const struct run_parts_folder *run_parts_called(const char *command)
{
    const char *call = strstr(command, "run-parts");
    for (size_t i = 0; call != NULL && i < RUN_PARTS_FOLDERS; i++) {
        const char *name = run_parts_folders[i].name;
        const char *found = strstr(call, name);
        char behind = found != NULL ? found[strlen(name)] : '\0';
        bool ends = behind == '\0' || strchr(NAME_BYTES ".", behind) == NULL;
        if (found != NULL && found[-1] == '/' && ends) {
            return &run_parts_folders[i];
        }
    }
    return NULL;
}

const struct run_parts_folder *run_parts_by_name(const char *name)
{
    for (size_t i = 0; i < RUN_PARTS_FOLDERS; i++) {
        if (strcmp(name, run_parts_folders[i].name) == 0) {
            return &run_parts_folders[i];
        }
    }
    return NULL;
}
