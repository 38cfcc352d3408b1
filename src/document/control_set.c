// SPDX-License-Identifier: MIT
#include "document/control_set.h"

#include <stdio.h>
#include <string.h>

#include "time/format.h"

#define CONTROLS_MAX ((size_t)512 * 1024 * 1024)

static const char *copy(struct arena *arena, const char *text)
{
    return text != NULL ? arena_string(arena, text) : NULL;
}

struct collecting {
    struct control_set *controls;
    size_t capacity;
};

static bool collect(void *context, const struct store_control_row *row)
{
    struct collecting *collecting = context;
    struct control_set *controls = collecting->controls;
    if (controls->count == collecting->capacity) {
        size_t capacity = collecting->capacity == 0 ? 16 : collecting->capacity * 2;
        struct store_control_row *rows = arena_alloc(&controls->arena, capacity, sizeof *rows);
        if (controls->count > 0) {
            memcpy(rows, controls->rows, controls->count * sizeof *rows);
        }
        controls->rows = rows;
        collecting->capacity = capacity;
    }
    struct store_control_row *kept = &controls->rows[controls->count++];
    *kept = *row;
    kept->job = copy(&controls->arena, row->job);
    kept->actor = copy(&controls->arena, row->actor);
    kept->reason = copy(&controls->arena, row->reason);
    return true;
}

bool control_set_load(struct control_set *controls, struct store *store, struct error *err)
{
    *controls = (struct control_set){0};
    arena_init(&controls->arena, CONTROLS_MAX);
    struct collecting collecting = {.controls = controls};
    return store == NULL || store->ops->read_controls(store, false, collect, &collecting, err);
}

void control_set_release(struct control_set *controls)
{
    arena_release(&controls->arena);
    *controls = (struct control_set){0};
}

static bool same_job(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

const struct store_control_row *control_set_exact(const struct control_set *controls,
                                                  const char *job, enum store_control_kind kind)
{
    for (size_t i = 0; i < controls->count; i++) {
        const struct store_control_row *row = &controls->rows[i];
        if (row->kind == kind && row->value != 0 && same_job(row->job, job)) {
            return row;
        }
    }
    return NULL;
}

const struct store_control_row *control_set_of(const struct control_set *controls, const char *job,
                                               enum store_control_kind kind)
{
    const struct store_control_row *all = control_set_exact(controls, NULL, kind);
    const struct store_control_row *own = control_set_exact(controls, job, kind);
    if (own == NULL || (all != NULL && all->value > own->value)) {
        return all;
    }
    return own;
}

void control_set_describe(const struct store_control_row *row, const struct zone *zone,
                          struct buf *out)
{
    char since[FORMAT_TIME_SIZE];
    format_in_zone(row->from, zone, since);
    if (row->kind == CONTROL_THROTTLE) {
        buf_printf(out, "throttled x%d", row->value);
    } else {
        buf_add_string(out, row->kind == CONTROL_PAUSE ? "paused" : "in dry-run");
    }
    buf_printf(out, " since %s by %s", since, row->actor != NULL ? row->actor : "?");
    if (row->reason != NULL) {
        buf_printf(out, " (%s)", row->reason);
    }
}

void control_set_undo(enum store_control_kind kind, const char *job, char *out, size_t size)
{
    const char *name = job != NULL ? job : "--all";
    switch (kind) {
    case CONTROL_PAUSE:
        snprintf(out, size, "ironcron resume %s", name);
        break;
    case CONTROL_DRY_RUN:
        snprintf(out, size, "ironcron dry-run off%s%s", job != NULL ? " " : "",
                 job != NULL ? job : "");
        break;
    default:
        snprintf(out, size, "ironcron throttle %s off", name);
        break;
    }
}
