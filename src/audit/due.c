// SPDX-License-Identifier: MIT
#include "audit/due.h"

#include "audit/verify.h"

void due_begin(struct due *due, const char *job, struct due_span *spans, size_t span_count,
               struct instant after, struct instant until)
{
    due->job = job;
    due->spans = spans;
    due->span_count = span_count;
    due->after = after;
    due->until = until;
    due->next_span = 0;
    due->cursor = INSTANT_NONE;
    due->chunk_count = 0;
    due->chunk_next = 0;
}

static bool collect(void *context, struct instant slot)
{
    struct due *due = context;
    due->chunk[due->chunk_count++] = slot;
    return due->chunk_count < DUE_CHUNK;
}

static struct instant latest(struct instant a, struct instant b)
{
    return instant_is_none(b) || instant_before(b, a) ? a : b;
}

static struct instant earliest(struct instant a, struct instant b)
{
    return instant_is_none(b) || instant_before(a, b) ? a : b;
}

// Recomputes a chunk of the span at hand.
static void fill(struct due *due, struct error *err)
{
    struct due_span *span = &due->spans[due->next_span - 1];
    due->chunk_count = 0;
    due->chunk_next = 0;
    struct error why = ERROR_INIT;
    if (!verify_recompute(span->spec, due->job, due->cursor, due->span_until, collect, due, &why)) {
        span->is_unreadable = true;
        due->chunk_count = 0;
        *err = why;
    }
    // A full chunk may have more behind it.
    due->cursor = due->chunk_count == DUE_CHUNK ? due->chunk[DUE_CHUNK - 1] : INSTANT_NONE;
}

struct instant due_peek(struct due *due, struct error *err)
{
    while (due->chunk_next == due->chunk_count) {
        if (instant_is_none(due->cursor)) {
            if (due->next_span == due->span_count) {
                return INSTANT_NONE;
            }
            struct due_span *span = &due->spans[due->next_span++];
            // Nothing was scheduled before 1970; who wrote so must not make us count from there.
            due->cursor = latest(latest(span->from, instant_from_unix(0)), due->after);
            due->span_until = earliest(due->until, span->to);
        }
        if (instant_before(due->cursor, due->span_until)) {
            fill(due, err);
        } else {
            due->cursor = INSTANT_NONE;
        }
    }
    return due->chunk[due->chunk_next];
}

void due_advance(struct due *due)
{
    due->chunk_next++;
}

const struct due_span *due_span_of(const struct due *due, struct instant t)
{
    for (size_t i = 0; i < due->span_count; i++) {
        const struct due_span *span = &due->spans[i];
        if (instant_before(span->from, t) &&
            (instant_is_none(span->to) || !instant_before(span->to, t))) {
            return span;
        }
    }
    return NULL;
}
