// SPDX-License-Identifier: MIT
#include "cli/run_more.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/run_text.h"
#include "cli/text_table.h"
#include "time/format.h"

#define MORE_MAX     ((size_t)16 * 1024 * 1024)
#define ATTEMPTS_MAX 128 // a slot has 101 at most

// ---- attempts -----------------------------------------------------------------------------------

static bool note_slot(void *context, const struct store_slot_row *row)
{
    *(struct store_slot_row *)context = *row;
    return false;
}

// Newest first: filled from the end.
static bool note_attempt(void *context, const struct store_run_row *row)
{
    struct run_more *more = context;
    bool of_slot = instant_equal(row->due_at, more->run->due_at) && row->trigger != TRIGGER_MANUAL;
    if (of_slot && more->attempt_count < ATTEMPTS_MAX) {
        struct store_run_row *kept = &more->attempts[ATTEMPTS_MAX - 1 - more->attempt_count++];
        *kept = *row;
        kept->job = more->run->job;
        kept->error = row->error != NULL ? arena_string(&more->arena, row->error) : NULL;
    }
    return !of_slot || row->attempt > 1;
}

static bool note_start(void *context, const struct store_run_row *row)
{
    *(struct instant *)context = row->started_at;
    return false;
}

// From the slot's last attempt back to its first: no more of the history is gone through.
static bool read_attempts(struct run_more *more, struct store *store, struct uuid last,
                          struct error *err)
{
    struct instant started = more->run->started_at;
    struct store_run_filter newest = {
        .run_id = last, .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1};
    if (!store->ops->read_runs(store, &newest, note_start, &started, err)) {
        return false;
    }
    struct store_run_filter all = {.job = more->run->job,
                                   .since = INSTANT_NONE,
                                   .until = instant_add(started, DURATION_MS(1))};
    more->attempts = arena_alloc(&more->arena, ATTEMPTS_MAX, sizeof *more->attempts);
    if (!store->ops->read_runs(store, &all, note_attempt, more, err)) {
        return false;
    }
    more->attempts += ATTEMPTS_MAX - more->attempt_count;
    return true;
}

bool run_more_load(struct run_more *more, struct store *store, const struct store_run_row *run,
                   struct error *err)
{
    *more = (struct run_more){.run = run, .facts = json_object()};
    arena_init(&more->arena, MORE_MAX);
    if (run->trigger == TRIGGER_MANUAL) {
        return true;
    }
    struct store_slot_row row = {.job = NULL};
    struct store_slot_filter filter = {
        .job = run->job, .since = run->due_at, .until = instant_add(run->due_at, DURATION_MS(1))};
    if (!store->ops->read_slots(store, &filter, note_slot, &row, err)) {
        return false;
    }
    if (row.job == NULL) {
        return true;
    }
    more->slot.is_known = true;
    more->slot.outcome = row.outcome;
    more->slot.reason = row.reason;
    return read_attempts(more, store, row.run_id, err);
}

void run_more_release(struct run_more *more)
{
    arena_release(&more->arena);
    json_decref(more->facts);
    *more = (struct run_more){0};
}

// ---- facts --------------------------------------------------------------------------------------

void run_more_note(struct run_more *more, const struct store_audit_row *row)
{
    bool is_end = strcmp(row->event, run_state_name(more->run->state)) == 0 &&
                  run_state_is_final(more->run->state);
    json_t *detail = is_end && row->detail != NULL ? json_loads(row->detail, 0, NULL) : NULL;
    if (json_is_object(detail)) {
        json_object_update(more->facts, detail);
    }
    json_decref(detail);
}

// Those that every process has, in units that people read. True: it is told, here or elsewhere.
static bool print_known_fact(const char *key, json_int_t number)
{
    char text[FORMAT_DURATION_SIZE];
    if (strcmp(key, "cpu_ms") == 0) {
        format_duration_human(DURATION_MS(number), text);
        printf("  %-10s %s\n", "cpu time", text);
    } else if (strcmp(key, "memory_peak") == 0) {
        printf("  %-10s %.1f MB at the most\n", "memory", (double)number / 1e6);
    } else if (strcmp(key, "output_bytes") != 0) {
        return false;
    }
    return true;
}

static void print_fact(const char *key, json_t *value)
{
    char name[64];
    if (json_is_integer(value) && print_known_fact(key, json_integer_value(value))) {
        return;
    }
    snprintf(name, sizeof name, "%s", key);
    for (char *c = strchr(name, '_'); c != NULL; c = strchr(c, '_')) {
        *c = ' ';
    }
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("  %-10s ", name);
    terminal_put(stdout, COLOUR_NONE, text != NULL ? text : json_string_value(value));
    putchar('\n');
    free(text);
}

void run_more_print_facts(const struct run_more *more)
{
    const char *key;
    json_t *value;
    json_object_foreach(more->facts, key, value)
    {
        print_fact(key, value);
    }
    if (more->slot.is_known) {
        const char *outcome = slot_outcome_name(more->slot.outcome);
        const char *reason = slot_reason_name(more->slot.reason);
        printf("  %-10s %s%s%s\n", "slot", outcome != NULL ? outcome : "open",
               *reason != '\0' ? ", reason " : "", reason);
    }
}

void run_more_print_attempts(const struct run_more *more, const struct zone *zone,
                             struct instant now)
{
    if (more->attempt_count < 2) {
        return;
    }
    printf("\nattempts at the slot\n");
    AUTO_TEXT_TABLE table = text_table_new(">NO|RUN|STATE|STARTED|TOOK|RESULT");
    for (size_t i = 0; i < more->attempt_count; i++) {
        const struct store_run_row *row = &more->attempts[i];
        char id[UUID_TEXT_SIZE];
        char at[FORMAT_TIME_SIZE];
        char text[512];
        bool is_this = uuid_equal(row->run_id, more->run->run_id);
        uuid_format(row->run_id, id);
        format_in_zone(row->started_at, zone, at);
        text_table_cellf(table, COLOUR_NONE, "%d", row->attempt);
        text_table_cell(table, is_this ? COLOUR_BOLD : COLOUR_NONE, id);
        text_table_cell(table, run_state_colour(row->state), run_state_name(row->state));
        text_table_cell(table, COLOUR_NONE, at);
        run_duration(row, now, text, sizeof text);
        text_table_cell(table, COLOUR_NONE, text);
        run_result(row, text, sizeof text);
        text_table_cell(table, COLOUR_NONE, text);
    }
    text_table_print(table, stdout, 2);
}

// ---- what goes on -------------------------------------------------------------------------------

void run_more_next(const struct run_more *more, const struct zone *zone, struct buf *out)
{
    const struct store_run_row *run = more->run;
    char id[UUID_TEXT_SIZE];
    char due[FORMAT_TIME_SIZE];
    uuid_format(run->run_id, id);
    format_in_zone(run->due_at, zone, due);
    if (run->state == RUN_STARTED) {
        buf_printf(out, "ironcron runs output %s -f", id);
    } else if (run->trigger == TRIGGER_MANUAL) {
        buf_printf(out, "ironcron jobs show %s", run->job);
    } else {
        buf_printf(out, "ironcron why %s --at %s", run->job, due);
    }
}

void run_more_json(const struct run_more *more, const struct zone *zone, json_t *document)
{
    AUTO(buf_release) struct buf next;
    buf_init(&next, 1024);
    run_more_next(more, zone, &next);
    json_t *attempts = json_array();
    for (size_t i = 0; i < more->attempt_count; i++) {
        json_array_append_new(attempts, json_run(&more->attempts[i]));
    }
    bool is_known = more->slot.is_known;
    const char *reason = is_known ? slot_reason_name(more->slot.reason) : "";
    json_object_set_new(document, "slot_outcome",
                        json_text(is_known ? slot_outcome_name(more->slot.outcome) : NULL));
    json_object_set_new(document, "slot_reason", json_text(*reason != '\0' ? reason : NULL));
    json_object_set(document, "facts", more->facts);
    json_object_set_new(document, "attempts", attempts);
    json_object_set_new(document, "next", json_text(buf_string(&next)));
}
