// SPDX-License-Identifier: MIT
#include "audit/controls.h"

#include <stdlib.h>

#include "base/alloc.h"

void controls_init(struct controls *controls)
{
    map_init(&controls->by_job);
    controls->all = NULL;
}

static void free_spans(struct control_span *span)
{
    while (span != NULL) {
        struct control_span *next = span->next;
        free(span->job);
        free(span);
        span = next;
    }
}

void controls_release(struct controls *controls)
{
    size_t at = 0;
    for (struct control_span *span; (span = map_next(&controls->by_job, &at)) != NULL;) {
        free_spans(span);
    }
    map_release(&controls->by_job);
    free_spans(controls->all);
    controls->all = NULL;
}

static bool add_span(void *context, const struct store_control_row *row)
{
    struct controls *controls = context;
    struct control_span *span = alloc_zero(1, sizeof *span);
    *span = (struct control_span){.kind = row->kind, .from = row->from, .to = row->to};
    if (row->job == NULL) {
        span->next = controls->all;
        controls->all = span;
        return true;
    }
    span->job = alloc_string(row->job);
    span->next = map_get(&controls->by_job, span->job);
    map_put(&controls->by_job, span->job, span);
    return true;
}

bool controls_read(struct controls *controls, struct store *store, struct error *err)
{
    return store->ops->read_controls(store, true, add_span, controls, err);
}

static bool any_in_force(const struct control_span *span, enum store_control_kind kind,
                         struct instant at, struct duration inwards)
{
    for (; span != NULL; span = span->next) {
        struct duration outwards = {-inwards.us};
        if (span->kind == kind && !instant_before(at, instant_add(span->from, inwards)) &&
            (instant_is_none(span->to) || instant_before(at, instant_add(span->to, outwards)))) {
            return true;
        }
    }
    return false;
}

static bool in_force(const struct controls *controls, enum store_control_kind kind, const char *job,
                     struct instant at, struct duration inwards)
{
    return any_in_force(controls->all, kind, at, inwards) ||
           (job != NULL && any_in_force(map_get(&controls->by_job, job), kind, at, inwards));
}

bool controls_surely(const struct controls *controls, enum store_control_kind kind, const char *job,
                     struct instant at)
{
    return in_force(controls, kind, job, at, DURATION_US(CONTROLS_SLACK_US));
}

bool controls_perhaps(const struct controls *controls, enum store_control_kind kind,
                      const char *job, struct instant at)
{
    return in_force(controls, kind, job, at, DURATION_US(-CONTROLS_SLACK_US));
}
