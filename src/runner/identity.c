// SPDX-License-Identifier: MIT
#include "runner/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#define FRESH_FOR   DURATION_S(10)
#define ENTRIES_MAX 256
#define RECORD_MAX  ((size_t)1024 * 1024)

struct identity_entry {
    char *user; // NULL = ourselves
    struct identity identity;
    struct mono until;
};

static void entry_release(struct identity_entry *entry)
{
    free(entry->user);
    free(entry->identity.name);
    free(entry->identity.home);
    free(entry->identity.groups);
}

void identity_cache_release(struct identity_cache *cache)
{
    for (size_t i = 0; i < cache->count; i++) {
        entry_release(&cache->entries[i]);
    }
    free(cache->entries);
    *cache = (struct identity_cache){0};
}

// The record's strings live in *memory_out, which the caller frees. Returns 0 or an errno; a user
// that does not exist is ENOENT.
static int read_record(const char *user, struct passwd *record, char **memory_out)
{
    char *memory = NULL;
    int result = ERANGE;
    for (size_t size = 4096; result == ERANGE && size <= RECORD_MAX; size *= 4) {
        struct passwd *found = NULL;
        memory = alloc_resize(memory, size, 1);
        result = user != NULL ? getpwnam_r(user, record, memory, size, &found)
                              : getpwuid_r(geteuid(), record, memory, size, &found);
        if (result == 0 && found == NULL) {
            result = ENOENT;
        }
    }
    *memory_out = memory;
    return result;
}

static void read_groups(struct identity *identity)
{
    int capacity = 32;
    identity->groups = alloc_resize(NULL, (size_t)capacity, sizeof(gid_t));
    identity->group_count = capacity;
    while (getgrouplist(identity->name, identity->gid, identity->groups, &identity->group_count) <
               0 &&
           capacity < 65536) {
        // glibc says how many it needs, others leave the count as it was.
        capacity = identity->group_count > capacity ? identity->group_count : capacity * 2;
        identity->groups = alloc_resize(identity->groups, (size_t)capacity, sizeof(gid_t));
        identity->group_count = capacity;
    }
}

// A container may run under a uid that has no record: that is no reason to refuse our own jobs.
static void identity_without_record(struct identity *identity)
{
    char number[16];
    snprintf(number, sizeof number, "%u", (unsigned)geteuid());
    *identity = (struct identity){.name = alloc_string(number),
                                  .home = alloc_string("/"),
                                  .uid = geteuid(),
                                  .gid = getegid()};
}

static bool identity_read(const char *user, struct identity *identity, struct error *err)
{
    struct passwd record;
    char *memory = NULL;
    int result = read_record(user, &record, &memory);
    if (result != 0 && user == NULL) {
        free(memory);
        identity_without_record(identity);
        return true;
    }
    if (result != 0) {
        free(memory);
        return result == ENOENT || result == ESRCH
                   ? error_set(
                         err, ERROR_SPAWN,
                         "there is no user %s on this machine: create it, or change the job's user",
                         user)
                   : error_set(err, ERROR_SPAWN, "cannot look up user %s: %s; see: getent passwd",
                               user, strerror(result));
    }
    *identity = (struct identity){.name = alloc_string(record.pw_name),
                                  .home = alloc_string(record.pw_dir),
                                  .uid = record.pw_uid,
                                  .gid = record.pw_gid,
                                  .is_other = record.pw_uid != geteuid()};
    free(memory);
    if (identity->is_other) {
        read_groups(identity);
    }
    return true;
}

static bool same_user(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

// A free place for the user: its old one, a new one, or the first when there are too many.
static struct identity_entry *entry_place(struct identity_cache *cache, const char *user)
{
    for (size_t i = 0; i < cache->count; i++) {
        if (same_user(cache->entries[i].user, user)) {
            return &cache->entries[i];
        }
    }
    if (cache->count == ENTRIES_MAX) {
        return &cache->entries[0];
    }
    ARRAY_RESERVE(cache->entries, cache->count, cache->capacity);
    cache->entries[cache->count] = (struct identity_entry){0};
    return &cache->entries[cache->count++];
}

bool identity_cache_get(struct identity_cache *cache, const char *user, struct mono now,
                        const struct identity **identity_out, struct error *err)
{
    struct identity_entry *entry = entry_place(cache, user);
    if (entry->identity.name == NULL || !same_user(entry->user, user) ||
        !mono_before(now, entry->until)) {
        struct identity fresh;
        if (!identity_read(user, &fresh, err)) {
            return false;
        }
        entry_release(entry);
        *entry = (struct identity_entry){
            .user = alloc_optional(user), .identity = fresh, .until = mono_add(now, FRESH_FOR)};
    }
    *identity_out = &entry->identity;
    return true;
}
