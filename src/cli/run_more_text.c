// SPDX-License-Identifier: MIT
#include "cli/run_more_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run_text.h"
#include "cli/text_table.h"
#include "time/format.h"

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

void run_more_print_attempts(const struct run_more *more, const struct node_list *fleet,
                             const struct zone *zone, struct instant now)
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
        bool is_cut_off = node_list_cut_off(fleet, row);
        run_duration(row, now, is_cut_off, text, sizeof text);
        text_table_cell(table, COLOUR_NONE, text);
        run_result(row, text, sizeof text);
        text_table_cell(table, COLOUR_NONE, is_cut_off ? RUN_CUT_OFF : text);
    }
    text_table_print(table, stdout, 2);
}

void run_more_print_events(const struct run_more *more, const struct zone *zone)
{
    AUTO_TEXT_TABLE table = text_table_new("AT|EVENT|ACTOR|DETAIL");
    for (size_t i = 0; i < more->event_count; i++) {
        const struct store_audit_row *row = &more->events[i];
        char at[FORMAT_TIME_SIZE];
        format_in_zone(row->at, zone, at);
        text_table_cell(table, COLOUR_NONE, at);
        text_table_cell(table, COLOUR_BOLD, row->event);
        text_table_cell(table, COLOUR_NONE, row->actor);
        text_table_cell(table, COLOUR_NONE, row->detail);
    }
    putchar('\n');
    text_table_print(table, stdout, 0);
}
