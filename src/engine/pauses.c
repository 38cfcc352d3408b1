// SPDX-License-Identifier: MIT
// When was what paused? Slots that were due in a pause are SKIPPED, also those that are decided
// long afterwards. A pause that ended before every slot that is still to be decided is forgotten:
// the store keeps the history.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

#define ALL_MIN 64 // pauses of all jobs, before it is looked which of them may be forgotten

struct pause_span {
    char *job; // NULL = all
    struct instant from;
    struct instant to; // none = still
    struct pause_span *next;
    uint64_t read; // by which reading of the controls it was seen last
};

static struct pause_span *first_of(const struct pauses *pauses, const char *job)
{
    return job == NULL ? pauses->all : map_get(&pauses->by_job, job);
}

static void set_first(struct pauses *pauses, const char *job, struct pause_span *first)
{
    if (job == NULL) {
        pauses->all = first;
    } else if (first == NULL) {
        map_remove(&pauses->by_job, job);
    } else {
        map_put(&pauses->by_job, first->job, first); // the key lives in the first one
    }
}

static void free_list(struct pause_span *span)
{
    while (span != NULL) {
        struct pause_span *next = span->next;
        free(span->job);
        free(span);
        span = next;
    }
}

void pauses_release(struct pauses *pauses)
{
    size_t at = 0;
    for (struct pause_span *span; (span = map_next(&pauses->by_job, &at)) != NULL;) {
        free_list(span);
    }
    map_release(&pauses->by_job);
    free_list(pauses->all);
    free(pauses->open);
}

// ---- what may be forgotten ----------------------------------------------------------------------

// All slots of the job up to here are decided.
static struct instant decided_until(const struct engine_job *job)
{
    bool waits = job->wait != WAIT_NONE && instant_before(job->waiting_due, job->cursor);
    return waits ? job->waiting_due : job->cursor;
}

static struct instant all_decided_until(const struct engine *engine)
{
    struct instant until = INSTANT_NONE;
    size_t at = 0;
    for (const struct engine_job *job; (job = map_next(&engine->jobs, &at)) != NULL;) {
        struct instant own = decided_until(job);
        until = instant_is_none(until) || instant_before(own, until) ? own : until;
    }
    return until;
}

static struct pause_span *drop_before(struct pauses *pauses, struct pause_span *first,
                                      struct instant until)
{
    struct pause_span **link = &first;
    while (*link != NULL) {
        struct pause_span *span = *link;
        if (instant_is_none(span->to) || instant_is_none(until) ||
            instant_before(until, span->to)) {
            link = &span->next;
            continue;
        }
        *link = span->next;
        pauses->count -= 1;
        pauses->all_count -= span->job == NULL;
        free(span->job);
        free(span);
    }
    return first;
}

static struct pause_span *forget(struct engine *engine, const char *job, struct pause_span *first)
{
    struct pauses *pauses = &engine->pauses;
    if (job != NULL) {
        const struct engine_job *known = map_get(&engine->jobs, job);
        map_remove(&pauses->by_job, job); // its key may go with the first
        return known == NULL ? first : drop_before(pauses, first, decided_until(known));
    }
    if (pauses->all_count < pauses->all_limit || pauses->all_count < ALL_MIN) {
        return first;
    }
    first = drop_before(pauses, first, all_decided_until(engine));
    pauses->all_limit = pauses->all_count * 2;
    return first;
}

// ---- what is known ------------------------------------------------------------------------------

static struct pause_span *note(struct engine *engine, const struct store_control_row *row)
{
    struct pauses *pauses = &engine->pauses;
    struct pause_span *span = alloc_zero(1, sizeof *span);
    *span = (struct pause_span){.job = alloc_optional(row->job),
                                .from = row->from,
                                .to = row->to,
                                .next = forget(engine, row->job, first_of(pauses, row->job))};
    set_first(pauses, span->job, span);
    pauses->count++;
    pauses->all_count += span->job == NULL;
    if (instant_is_none(span->to)) {
        ARRAY_RESERVE(pauses->open, pauses->open_count, pauses->open_capacity);
        pauses->open[pauses->open_count++] = span;
    }
    return span;
}

static struct pause_span *find(const struct pauses *pauses, const struct store_control_row *row)
{
    struct pause_span *span = first_of(pauses, row->job);
    while (span != NULL && !instant_equal(span->from, row->from)) {
        span = span->next;
    }
    return span;
}

struct history {
    struct engine *engine;
    struct instant since; // what ended before matters no more; none = all of it does
};

static bool history_row(void *context, const struct store_control_row *row)
{
    const struct history *history = context;
    bool over = !instant_is_none(history->since) && !instant_is_none(row->to) &&
                !instant_before(history->since, row->to);
    if (row->kind == CONTROL_PAUSE && !over) {
        note(history->engine, row);
    }
    return true;
}

bool pauses_load(struct engine *engine, const struct store_op_load *load, struct error *err)
{
    struct history history = {.engine = engine, .since = INSTANT_NONE};
    for (size_t i = 0; i < load->job_count; i++) {
        const struct store_job *job = &load->jobs[i];
        bool earlier = job->spec != NULL && (instant_is_none(history.since) ||
                                             instant_before(job->high_water, history.since));
        history.since = earlier ? job->high_water : history.since;
    }
    struct store *store = engine->options.store;
    return store->ops->read_controls(store, true, history_row, &history, err) ||
           error_wrap(err, "reading the pauses");
}

void pauses_update(struct engine *engine, const struct store_control_row *rows, size_t count)
{
    struct pauses *pauses = &engine->pauses;
    pauses->read++;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == CONTROL_PAUSE) {
            struct pause_span *span = find(pauses, &rows[i]);
            (span == NULL ? note(engine, &rows[i]) : span)->read = pauses->read;
        }
    }
    // Only now: what is over may be forgotten when another one is noted.
    for (size_t i = 0; i < count; i++) {
        struct pause_span *span = rows[i].kind == CONTROL_PAUSE ? find(pauses, &rows[i]) : NULL;
        if (span != NULL) {
            span->to = rows[i].to;
        }
    }
    struct instant now = engine_now(engine);
    size_t open = 0;
    for (size_t i = 0; i < pauses->open_count; i++) {
        struct pause_span *span = pauses->open[i];
        bool lasts = span->read == pauses->read && instant_is_none(span->to);
        if (lasts) {
            pauses->open[open++] = span;
        } else if (span->read != pauses->read) {
            span->to = now; // so long ago that nobody says when
        }
    }
    pauses->open_count = open;
}

static bool any_at(const struct pause_span *span, struct instant at)
{
    for (; span != NULL; span = span->next) {
        bool begun = !instant_before(at, span->from);
        bool over = !instant_is_none(span->to) && !instant_before(at, span->to);
        if (begun && !over) {
            return true;
        }
    }
    return false;
}

bool pauses_cover(const struct pauses *pauses, const char *job, struct instant at)
{
    return any_at(pauses->all, at) || any_at(map_get(&pauses->by_job, job), at);
}
