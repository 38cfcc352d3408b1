// SPDX-License-Identifier: MIT
#include "cli/clock_report.h"

#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "cli/change_text.h"
#include "cli/json.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "job/clock_changes.h"
#include "time/format.h"

#define YEAR        DURATION_S(366 * 86400)
#define NAMES_SHOWN 12 // of jobs with the same schedule; --json has all of them
#define TEXT_MAX    1024

static const char *is_or_are(size_t count)
{
    return count == 1 ? "is" : "are";
}

// ---- slots of all jobs --------------------------------------------------------------------------

struct coming {
    struct heap_node node;
    const struct job *job;
    struct instant due;
};

static bool comes_first(const struct heap_node *a, const struct heap_node *b)
{
    const struct coming *left = (const struct coming *)(const void *)a;
    const struct coming *right = (const struct coming *)(const void *)b;
    if (!instant_equal(left->due, right->due)) {
        return instant_before(left->due, right->due);
    }
    return left->job < right->job;
}

static void tell_slot(const struct coming *coming, json_t *slots)
{
    char local[FORMAT_TIME_SIZE];
    format_in_zone(coming->due, coming->job->schedule.zone, local);
    if (slots == NULL) {
        printf("%-25s  %s\n", local, coming->job->name);
    } else {
        json_array_append_new(slots, json_pack("{s:o, s:s, s:s}", "due_at", json_time(coming->due),
                                               "local", local, "job", coming->job->name));
    }
}

void clock_report_slots(const struct config *config, struct instant from, int64_t count,
                        bool as_json)
{
    struct arena arena;
    struct heap heap;
    arena_init(&arena, (size_t)1024 * 1024 * 1024);
    heap_init(&heap, comes_first);
    struct coming *all = arena_alloc(&arena, config->job_count + 1, sizeof *all);
    for (size_t i = 0; i < config->job_count; i++) {
        all[i].job = &config->jobs[i];
        all[i].due = schedule_next(&config->jobs[i].schedule, from);
        if (!instant_is_none(all[i].due)) {
            heap_push(&heap, &all[i].node);
        }
    }
    json_t *slots = as_json ? json_array() : NULL;
    for (int64_t i = 0; i < count && heap.count > 0; i++) {
        struct coming *first = (struct coming *)(void *)heap_top(&heap);
        tell_slot(first, slots);
        heap_remove(&heap, &first->node);
        first->due = schedule_next(&first->job->schedule, first->due);
        if (!instant_is_none(first->due)) {
            heap_push(&heap, &first->node);
        }
    }
    if (as_json) {
        json_print(json_pack("{s:o}", "slots", slots));
    }
    heap_release(&heap);
    arena_release(&arena);
}

// ---- the report, for people ---------------------------------------------------------------------

static void print_summary_line(const struct clock_changes *changes,
                               const struct clock_change *change)
{
    AUTO(buf_release) struct buf date;
    buf_init(&date, TEXT_MAX);
    change_date_text(&change->change, &date);
    printf("  %zu of %zu job%s %s touched by the change of %s in %s\n", change->touched,
           changes->job_count, words_plural(changes->job_count), is_or_are(change->touched),
           buf_string(&date), zone_name(change->zone));
}

static void print_still_zones(const struct clock_changes *changes)
{
    size_t count = 0;
    for (size_t i = 0; i < changes->zone_count; i++) {
        if (changes->zones[i].changes == 0) {
            count++;
            printf("%s%s", count == 1 ? "The clock is not changed in " : ", ",
                   zone_name(changes->zones[i].zone));
        }
    }
    fputs(count > 0 ? ".\n" : "", stdout);
}

static void print_summary(const struct clock_changes *changes)
{
    char from[FORMAT_TIME_SIZE];
    char until[FORMAT_TIME_SIZE];
    format_utc_ms(changes->from, from);
    format_utc_ms(changes->until, until);
    printf("%zu clock change%s between %.10s and %.10s in %zu time zone%s; %zu of %zu job%s %s "
           "touched.\n",
           changes->count, words_plural(changes->count), from, until, changes->zone_count,
           words_plural(changes->zone_count), changes->touched, changes->job_count,
           words_plural(changes->job_count), is_or_are(changes->touched));
    for (size_t i = 0; i < changes->count; i++) {
        print_summary_line(changes, &changes->list[i]);
    }
    print_still_zones(changes);
}

static void print_group(const struct clock_change_group *group, const struct zone *zone)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    change_effect_text(&group->change, zone, &text);
    size_t shown = group->job_count > NAMES_SHOWN ? NAMES_SHOWN : group->job_count;
    printf("  ");
    for (size_t i = 0; i < shown; i++) {
        printf("%s", i > 0 ? ", " : "");
        terminal_print(stdout, COLOUR_BOLD, "%s", group->jobs[i]->name);
    }
    if (group->job_count > shown) {
        printf(" and %zu more", group->job_count - shown);
    }
    printf(" (");
    terminal_put(stdout, COLOUR_NONE, group->jobs[0]->schedule_text);
    printf(")\n    %s\n", buf_string(&text));
}

static void print_change(const struct clock_changes *changes, const struct clock_change *change)
{
    AUTO(buf_release) struct buf text;
    buf_init(&text, TEXT_MAX);
    change_date_text(&change->change, &text);
    buf_printf(&text, ", %s: ", zone_name(change->zone));
    change_clock_text(&change->change, &text);
    putchar('\n');
    terminal_print(stdout, COLOUR_BOLD, "%s\n", buf_string(&text));
    for (size_t i = 0; i < change->group_count; i++) {
        print_group(&change->groups[i], change->zone);
    }
    size_t rest = changes->job_count - change->touched;
    printf("  %zu %sjob%s %s not touched.\n", rest, change->touched > 0 ? "other " : "",
           words_plural(rest), is_or_are(rest));
}

// ---- the report, as JSON ------------------------------------------------------------------------

static json_t *json_group(const struct clock_change_group *group, const struct zone *zone)
{
    json_t *names = json_array();
    for (size_t i = 0; i < group->job_count; i++) {
        json_array_append_new(names, json_string(group->jobs[i]->name));
    }
    json_t *object = json_pack("{s:o, s:o}", "jobs", names, "schedule",
                               json_text(group->jobs[0]->schedule_text));
    change_effect_json(&group->change, zone, object);
    return object;
}

static json_t *json_change(const struct clock_change *change)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < change->group_count; i++) {
        json_array_append_new(groups, json_group(&change->groups[i], change->zone));
    }
    char local[FORMAT_TIME_SIZE];
    format_in_zone(instant_from_unix(change->change.at), change->zone, local);
    json_t *object = change_json(&change->change);
    json_object_set_new(object, "local", json_string(local));
    json_object_set_new(object, "timezone", json_string(zone_name(change->zone)));
    json_object_set_new(object, "zone_jobs", json_integer((json_int_t)change->zone_jobs));
    json_object_set_new(object, "touched", json_integer((json_int_t)change->touched));
    json_object_set_new(object, "effects", groups);
    return object;
}

static json_t *json_report(const struct clock_changes *changes)
{
    json_t *list = json_array();
    json_t *zones = json_array();
    for (size_t i = 0; i < changes->count; i++) {
        json_array_append_new(list, json_change(&changes->list[i]));
    }
    for (size_t i = 0; i < changes->zone_count; i++) {
        const struct clock_zone *zone = &changes->zones[i];
        json_array_append_new(zones, json_pack("{s:s, s:I, s:I}", "timezone", zone_name(zone->zone),
                                               "jobs", (json_int_t)zone->jobs, "changes",
                                               (json_int_t)zone->changes));
    }
    return json_pack("{s:o, s:o, s:I, s:I, s:o, s:o}", "from", json_time(changes->from), "until",
                     json_time(changes->until), "jobs", (json_int_t)changes->job_count, "touched",
                     (json_int_t)changes->touched, "zones", zones, "changes", list);
}

void clock_report(const struct config *config, struct instant from, bool as_json)
{
    AUTO(clock_changes_release) struct clock_changes changes;
    clock_changes_find(config->jobs, config->job_count, from, instant_add(from, YEAR), &changes);
    if (as_json) {
        json_print(json_report(&changes));
        return;
    }
    print_summary(&changes);
    for (size_t i = 0; i < changes.count; i++) {
        print_change(&changes, &changes.list[i]);
    }
}
