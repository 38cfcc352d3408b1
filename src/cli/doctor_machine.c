// SPDX-License-Identifier: MIT
// The clock, the zones, the disk, the store's file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "cli/doctor.h"
#include "cli/words.h"
#include "job/clock_changes.h"
#include "store/sqlite/sqlite_check.h"
#include "time/civil.h"
#include "time/format.h"

#define MB              ((int64_t)1024 * 1024)
#define DISK_FREE_LEAST (100 * MB)
#define WAL_MOST        (64 * MB)
#define FREE_MOST       (64 * MB)
#define SKEW_MOST       DURATION_S(2)
#define CHANGE_SOON     DURATION_S(14 * 86400)

static bool newest_sign(void *context, const struct store_node_row *row)
{
    struct instant *newest = context;
    if (instant_is_none(*newest) || instant_before(*newest, row->last_seen)) {
        *newest = row->last_seen;
    }
    return true;
}

static bool clock_went_back(struct doctor *doctor)
{
    struct instant newest = INSTANT_NONE;
    struct store *store = doctor->session->store;
    struct error ignored = ERROR_INIT;
    struct instant limit = instant_add(clock_now(doctor->session->clock), SKEW_MOST);
    if (store == NULL || !store->ops->read_nodes(store, newest_sign, &newest, &ignored) ||
        instant_is_none(newest) || !instant_before(limit, newest)) {
        return false;
    }
    char seen[FORMAT_TIME_SIZE];
    format_in_zone(newest, doctor->session->zone, seen);
    doctor_add(doctor, "clock", DOCTOR_TODO,
               "set the clock (timedatectl set-ntp true); until it has caught up no slot is due",
               "the clock was put back: a node wrote at %s, which is yet to come", seen);
    return true;
}

void doctor_clock(struct doctor *doctor)
{
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    if (clock_went_back(doctor)) {
        return;
    }
    if (result >= 0 && (result == TIME_ERROR || (state.status & STA_UNSYNC) != 0)) {
        doctor_add(doctor, "clock", DOCTOR_NOTE,
                   "run a time service, such as chrony or systemd-timesyncd (timedatectl set-ntp "
                   "true); in a container it is the host's",
                   "the kernel does not know its clock to be synchronised");
    } else {
        doctor_add(doctor, "clock", DOCTOR_OK, NULL, "plausible");
    }
}

// Soon enough to still do something about it.
void doctor_clock_changes(struct doctor *doctor)
{
    const struct config *config = doctor->session->config;
    AUTO(clock_changes_release) struct clock_changes changes;
    clock_changes_find(config->jobs, config->job_count, doctor->overview.now,
                       instant_add(doctor->overview.now, CHANGE_SOON), &changes);
    for (size_t i = 0; i < changes.count; i++) {
        const struct clock_change *change = &changes.list[i];
        char when[WORDS_TIME_SIZE];
        words_relative(instant_from_unix(change->change.at), doctor->overview.now, when);
        if (change->touched > 0) {
            doctor_add(doctor, "clock", DOCTOR_NOTE, "ironcron next --all --explain",
                       "%s changes its clock %s, which touches %zu job%s", zone_name(change->zone),
                       when, change->touched, words_plural(change->touched));
        }
    }
}

// A version is the year of its rules and a letter: "2025b".
void doctor_zones(struct doctor *doctor)
{
    const char *version = zone_cache_version(doctor->session->config->zones);
    long year = strtol(version, NULL, 10);
    long now = civil_from_seconds(instant_unix(clock_now(doctor->session->clock))).year;
    if (year == 0) {
        doctor_add(doctor, "zones", DOCTOR_NOTE, "install the tzdata package",
                   "the version of the time zone data is not known");
    } else if (now - year > 1) {
        doctor_add(doctor, "zones", DOCTOR_TODO,
                   "apt-get update && apt-get install tzdata, then: ironcron reload",
                   "tzdata %s is older than a year: rules of clock changes may be out of date",
                   version);
    } else {
        doctor_add(doctor, "zones", DOCTOR_OK, NULL, "tzdata %s", version);
    }
}

void doctor_disk(struct doctor *doctor)
{
    char folder[4096];
    struct statvfs disk;
    snprintf(folder, sizeof folder, "%s", doctor->session->config->store_path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        slash[slash == folder ? 1 : 0] = '\0';
    }
    if (statvfs(folder, &disk) != 0) {
        return; // the store's own error has said why
    }
    int64_t left = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    bool is_short = left < DISK_FREE_LEAST;
    doctor_add(doctor, "disk", is_short ? DOCTOR_TODO : DOCTOR_OK,
               is_short ? "free space there, or shorten `history`" : NULL, "%lld MB free for %s",
               (long long)(left / MB), folder);
}

bool doctor_store(struct doctor *doctor, bool deep, struct error *err)
{
    const char *path = doctor->session->config->store_path;
    struct sqlite_check check;
    if (!sqlite_check_run(doctor->session->store, deep, &check, err)) {
        return false;
    }
    if (deep && !check.is_sound) {
        doctor_add(doctor, "store", DOCTOR_TODO,
                   "stop the node, keep a copy of the file, then: sqlite3 FILE .recover",
                   "%s is damaged: %s", path, check.damage);
        return true;
    }
    doctor_add(doctor, "store", DOCTOR_OK, NULL, "%s, %.1f MB, %.1f MB of it free, log %.1f MB%s",
               path, (double)check.bytes / 1e6, (double)check.free_bytes / 1e6,
               (double)check.wal_bytes / 1e6, deep ? ", no damage found" : "");
    if (check.wal_bytes > WAL_MOST) {
        doctor_add(doctor, "store", DOCTOR_TODO,
                   "find who reads the store for long and end it: fuser -v STORE-wal",
                   "the write-ahead log has grown to %.0f MB: a reader keeps it from being emptied",
                   (double)check.wal_bytes / 1e6);
    }
    if (check.free_bytes > FREE_MOST && check.free_bytes > check.bytes / 2) {
        doctor_add(doctor, "store", DOCTOR_NOTE,
                   "it is used again by new rows; to give it back, stop the node and run: sqlite3 "
                   "STORE VACUUM",
                   "more than half of the file is free");
    }
    return true;
}
