// SPDX-License-Identifier: MIT
#include "observe/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/attributes.h"

static void close_file(FILE **file)
{
    if (*file != NULL) {
        fclose(*file);
    }
}

// Seconds since the epoch, 0 when unknown.
static int64_t boot_time(void)
{
    static int64_t known;
    if (known != 0) {
        return known;
    }
    AUTO(close_file) FILE *file = fopen("/proc/stat", "re");
    char line[256];
    while (file != NULL && known == 0 && fgets(line, sizeof line, file) != NULL) {
        sscanf(line, "btime %" SCNd64, &known);
    }
    return known;
}

static void read_stat(struct process_stats *stats)
{
    AUTO(close_file) FILE *file = fopen("/proc/self/stat", "re");
    char line[1024];
    if (file == NULL || fgets(line, sizeof line, file) == NULL) {
        return;
    }
    // The command's name may hold blanks and parentheses: the fields begin behind the last one.
    const char *rest = strrchr(line, ')');
    uint64_t user, system, start, virtual_bytes;
    int64_t pages;
    // Fields 14, 15, 22, 23 and 24 of proc(5).
    if (rest == NULL || sscanf(rest + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                               " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNd64,
                               &user, &system, &start, &virtual_bytes, &pages) != 5) {
        return;
    }
    int64_t ticks = sysconf(_SC_CLK_TCK);
    stats->cpu_us = (int64_t)(user + system) * (1000000 / ticks);
    stats->virtual_bytes = virtual_bytes;
    stats->resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    int64_t boot = boot_time();
    stats->start_us = boot == 0 ? 0 : boot * 1000000 + (int64_t)start * (1000000 / ticks);
}

static uint64_t count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return 0;
    }
    uint64_t count = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count - 1; // the folder itself was open
}

static uint64_t limit_of(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) {
        return 0;
    }
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
}

void process_stats_read(struct process_stats *stats_out)
{
    *stats_out = (struct process_stats){0};
    read_stat(stats_out);
    stats_out->open_fds = count_fds();
    stats_out->max_fds = limit_of(RLIMIT_NOFILE);
    stats_out->virtual_max_bytes = limit_of(RLIMIT_AS);
}
