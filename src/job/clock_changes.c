// SPDX-License-Identifier: MIT
#include "job/clock_changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

#define ARENA_MAX ((size_t)2 * 1024 * 1024 * 1024)
// A zone changes its clock twice a year, Morocco four times at most; this bounds what a broken zone
// file may do.
#define ZONE_CHANGES_MAX 10000
#define KEY_SIZE         320

// Jobs of one zone with the same schedule.
struct family {
    const struct schedule *schedule;
    size_t *members; // indices of jobs, ascending
    size_t count, capacity;
    struct family *next; // of the zone
    bool is_touched;
};

struct zone_entry {
    struct clock_zone use;
    struct family *first, **last;
};

struct search {
    struct clock_changes *changes;
    const struct job *jobs;
    struct map zones;    // name to struct zone_entry
    struct map families; // zone and fields to struct family
    struct clock_change *list;
    size_t count, capacity;
};

// ---- who belongs together -----------------------------------------------------------------------

static void key_of(const struct schedule *schedule, char key[KEY_SIZE])
{
    const struct cron *cron = &schedule->cron;
    const uint8_t *nth = cron->nth_weekdays;
    snprintf(key, KEY_SIZE,
             "%s %d%d%d%d %" PRIx64 " %" PRIx64 " %x %x %x %x %x %x %x %x.%x.%x.%x.%x",
             zone_name(schedule->zone), (int)schedule->dst, cron->days_star, cron->weekdays_star,
             cron->hours_all, cron->seconds, cron->minutes, cron->hours, cron->days,
             cron->last_days, cron->near_days, cron->months, cron->weekdays, cron->last_weekdays,
             nth[0], nth[1], nth[2], nth[3], nth[4]);
}

static struct zone_entry *zone_of(struct search *search, const struct zone *zone)
{
    struct zone_entry *entry = map_get(&search->zones, zone_name(zone));
    if (entry == NULL) {
        entry = arena_alloc(&search->changes->arena, 1, sizeof *entry);
        entry->use.zone = zone;
        entry->last = &entry->first;
        map_put(&search->zones, zone_name(zone), entry);
    }
    return entry;
}

static struct family *family_of(struct search *search, struct zone_entry *zone,
                                const struct schedule *schedule)
{
    char key[KEY_SIZE];
    key_of(schedule, key);
    struct family *family = map_get(&search->families, key);
    if (family == NULL) {
        family = arena_alloc(&search->changes->arena, 1, sizeof *family);
        family->schedule = schedule;
        map_put(&search->families, arena_string(&search->changes->arena, key), family);
        *zone->last = family;
        zone->last = &family->next;
    }
    return family;
}

static void sort_into_families(struct search *search)
{
    for (size_t i = 0; i < search->changes->job_count; i++) {
        const struct schedule *schedule = &search->jobs[i].schedule;
        if (schedule->kind == SCHEDULE_CRON) {
            struct zone_entry *zone = zone_of(search, schedule->zone);
            struct family *family = family_of(search, zone, schedule);
            zone->use.jobs++;
            ARRAY_RESERVE(family->members, family->count, family->capacity);
            family->members[family->count++] = i;
        }
    }
}

// ---- what becomes of them -----------------------------------------------------------------------

static void note_group(struct search *search, struct clock_change *change, struct family *family,
                       const struct schedule_change *judged)
{
    struct arena *arena = &search->changes->arena;
    struct clock_change_group *group = &change->groups[change->group_count++];
    *group = (struct clock_change_group){.job_count = family->count, .change = *judged};
    group->jobs = arena_alloc(arena, family->count, sizeof *group->jobs);
    for (size_t i = 0; i < family->count; i++) {
        group->jobs[i] = &search->jobs[family->members[i]];
    }
    change->touched += family->count;
    search->changes->touched += family->is_touched ? 0 : family->count;
    family->is_touched = true;
}

static int by_definition(const void *a, const void *b)
{
    const struct clock_change_group *left = a;
    const struct clock_change_group *right = b;
    return (left->jobs[0] > right->jobs[0]) - (left->jobs[0] < right->jobs[0]);
}

static void judge_zone(struct search *search, struct zone_entry *zone,
                       const struct zone_change *of_zone)
{
    size_t families = 0;
    for (struct family *family = zone->first; family != NULL; family = family->next) {
        families++;
    }
    struct clock_change change = {
        .zone = zone->use.zone, .change = *of_zone, .zone_jobs = zone->use.jobs};
    change.groups = arena_alloc(&search->changes->arena, families, sizeof *change.groups);
    for (struct family *family = zone->first; family != NULL; family = family->next) {
        struct schedule_change judged = schedule_judge_change(family->schedule, of_zone);
        if (schedule_change_touches(&judged)) {
            note_group(search, &change, family, &judged);
        }
    }
    qsort(change.groups, change.group_count, sizeof *change.groups, by_definition);
    ARRAY_RESERVE(search->list, search->count, search->capacity);
    search->list[search->count++] = change;
    zone->use.changes++;
}

static void go_through_zone(struct search *search, struct zone_entry *zone)
{
    int64_t at = instant_unix(search->changes->from);
    struct zone_change change;
    while (zone->use.changes < ZONE_CHANGES_MAX && zone_next_change(zone->use.zone, at, &change) &&
           change.at <= instant_unix(search->changes->until)) {
        judge_zone(search, zone, &change);
        at = change.at;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct clock_change *left = a;
    const struct clock_change *right = b;
    if (left->change.at != right->change.at) {
        return left->change.at < right->change.at ? -1 : 1;
    }
    return strcmp(zone_name(left->zone), zone_name(right->zone));
}

static void keep(struct search *search)
{
    struct clock_changes *changes = search->changes;
    changes->count = search->count;
    changes->list = arena_alloc(&changes->arena, search->count + 1, sizeof *changes->list);
    if (search->count > 0) {
        memcpy(changes->list, search->list, search->count * sizeof *changes->list);
        qsort(changes->list, changes->count, sizeof *changes->list, by_time);
    }
    changes->zones = arena_alloc(&changes->arena, search->zones.count + 1, sizeof *changes->zones);
    for (size_t i = 0; i < search->zones.count; i++) {
        const struct zone_entry *entry = search->zones.entries[i].value;
        changes->zones[changes->zone_count++] = entry->use;
    }
}

static void search_release(struct search *search)
{
    for (size_t i = 0; i < search->families.count; i++) {
        struct family *family = search->families.entries[i].value;
        free(family->members);
    }
    map_release(&search->zones);
    map_release(&search->families);
    free(search->list);
}

void clock_changes_find(const struct job *jobs, size_t job_count, struct instant from,
                        struct instant until, struct clock_changes *changes_out)
{
    *changes_out = (struct clock_changes){.from = from, .until = until, .job_count = job_count};
    arena_init(&changes_out->arena, ARENA_MAX);
    struct search search = {.changes = changes_out, .jobs = jobs};
    map_init(&search.zones);
    map_init(&search.families);
    sort_into_families(&search);
    for (size_t i = 0; i < search.zones.count; i++) {
        go_through_zone(&search, search.zones.entries[i].value);
    }
    keep(&search);
    search_release(&search);
}

void clock_changes_release(struct clock_changes *changes)
{
    arena_release(&changes->arena);
    *changes = (struct clock_changes){0};
}
