// SPDX-License-Identifier: MIT
// Backfills: the slots of a past range run again, oldest first, beside the schedule. First the
// store is asked what became of them, piece by piece; then they are run, as many at once as wanted,
// wherever the job's own schedule leaves room. What is done is known from the ledger alone: each
// run bears an id that is made of the intent's id and the slot, so that the next node goes on where
// this one died. A run of a backfill is not tried again by itself.
#include "engine/backfill_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "time/format.h"

#define GIVES_WAY_EVERY DURATION_S(30)
#define GIVES_WAY_FOR   DURATION_S(4) // longer than they take to look

// Of the intent and the slot: the same on every node. The due time's 48 bits go over random ones.
struct uuid backfill_run_id(const struct engine_backfill *backfill, struct instant due_at)
{
    struct uuid id = backfill->intent_id;
    uint64_t due = (uint64_t)instant_ms(due_at);
    for (int i = 0; i < 6; i++) {
        id.bytes[15 - i] ^= (uint8_t)(due >> (8 * i));
    }
    return id;
}

void backfill_free(struct engine *engine, struct engine_backfill *backfill)
{
    struct engine_backfill **link = &engine->backfills;
    while (*link != backfill) {
        link = &(*link)->next;
    }
    *link = backfill->next;
    backfill->job->backfills--;
    free(backfill->actor);
    free(backfill->as);
    free(backfill->reason);
    free(backfill->slots);
    free(backfill->stopped);
    free(backfill);
}

void backfill_release(struct engine *engine)
{
    while (engine->backfills != NULL) {
        backfill_free(engine, engine->backfills);
    }
}

static void stop(struct engine_backfill *backfill, const char *why)
{
    if (backfill->stopped == NULL) {
        backfill->stopped = alloc_string(why);
        backfill->engine->busy = true;
    }
}

int backfill_stop(struct engine *engine, const struct engine_job *job, const char *why)
{
    int stopped = 0;
    for (struct engine_backfill *b = engine->backfills; b != NULL; b = b->next) {
        if ((job == NULL || b->job == job) && b->stopped == NULL) {
            stop(b, why);
            stopped++;
        }
    }
    return stopped;
}

// ---- the intent ---------------------------------------------------------------------------------

static bool read_time(const json_t *wish, const char *key, struct instant *out)
{
    struct error err = ERROR_INIT;
    const char *text = json_string_value(json_object_get(wish, key));
    return text != NULL && format_parse_time(text, INSTANT_NONE, out, &err);
}

static bool read_wish(struct engine_backfill *backfill, const char *params)
{
    json_t *wish = params == NULL ? NULL : json_loads(params, 0, NULL);
    const char *parallel = json_string_value(json_object_get(wish, "max_parallel"));
    backfill->force = json_object_get(wish, "force") != NULL;
    backfill->max_parallel = parallel == NULL ? 1 : (int)strtol(parallel, NULL, 10);
    bool read = read_time(wish, "from", &backfill->from) && read_time(wish, "to", &backfill->to) &&
                !instant_before(backfill->to, backfill->from) && backfill->from.us >= 0 &&
                backfill->max_parallel >= 1;
    json_decref(wish);
    return read;
}

void backfill_behind(struct uuid intent_id, char out[BACKFILL_BEHIND_SIZE])
{
    char id[UUID_TEXT_SIZE];
    uuid_format(intent_id, id);
    snprintf(out, BACKFILL_BEHIND_SIZE,
             "a backfill of this job is going on (%s); wait for it, or end it: ironcron runs "
             "cancel --job JOB",
             id);
}

static const struct engine_backfill *backfill_of(const struct engine *engine,
                                                 const struct engine_job *job)
{
    const struct engine_backfill *at = engine->backfills;
    while (at != NULL && at->job != job) {
        at = at->next;
    }
    return at;
}

const char *backfill_begin(struct engine *engine, struct engine_job *job,
                           const struct store_intent *intent)
{
    static char behind[BACKFILL_BEHIND_SIZE]; // good until the next call
    const struct engine_backfill *first = backfill_of(engine, job);
    if (first != NULL) {
        backfill_behind(first->intent_id, behind);
        return behind;
    }
    if (job->job->schedule.kind == SCHEDULE_REBOOT) {
        return "the slots of @reboot are boots, which cannot be had again; ironcron run does it "
               "once more";
    }
    struct engine_backfill *backfill = alloc_zero(1, sizeof *backfill);
    if (!read_wish(backfill, intent->params)) {
        free(backfill);
        return "the range is not understood: it needs a beginning that is not after its end";
    }
    backfill->engine = engine;
    backfill->job = job;
    backfill->intent_id = intent->intent_id;
    backfill->actor = alloc_string(intent->actor == NULL ? "" : intent->actor);
    backfill->as = alloc_optional(intent->as);
    backfill->reason = alloc_optional(intent->reason);
    backfill->dry_run = intent->dry_run;
    backfill->resumed = intent->answer != NULL;
    backfill->cursor = instant_add(backfill->from, DURATION_MS(-1));
    backfill->next = engine->backfills;
    engine->backfills = backfill;
    job->backfills++;
    engine->busy = true;
    return NULL;
}

// ---- running them -------------------------------------------------------------------------------

// The schedule goes first: a backfill takes only what nobody else waits for.
static bool has_room(const struct engine *engine, const struct engine_backfill *backfill)
{
    const struct engine_job *job = backfill->job;
    bool busy = job->in_flight > 0 || job->wait != WAIT_NONE || engine->ready_first != NULL;
    bool alone = job->job->overlap != JOB_OVERLAP_ALLOW;
    bool stands = mono_before(clock_mono(engine->options.clock), backfill->again_at);
    return !busy && !stands && !decide_is_paused(engine, job) && decide_has_capacity(engine) &&
           backfill->open < (size_t)(alone ? 1 : backfill->max_parallel) &&
           !(alone && decide_overlaps(job));
}

static void run_next(struct engine *engine, struct engine_backfill *backfill)
{
    struct backfill_slot *slots = backfill->slots;
    while (backfill->next_slot < backfill->count &&
           slots[backfill->next_slot].phase != PHASE_WANTED) {
        backfill->next_slot++;
    }
    if (backfill->next_slot == backfill->count || !has_room(engine, backfill)) {
        return;
    }
    struct backfill_slot *slot = &slots[backfill->next_slot];
    slot->phase = PHASE_PROPOSED;
    backfill->open++;
    decide_backfill(engine, backfill->job,
                    &(struct engine_backfill_run){.backfill = backfill,
                                                  .actor = backfill->actor,
                                                  .due_at = slot->due_at,
                                                  .attempt = slot->attempt,
                                                  .run_id = backfill_run_id(backfill, slot->due_at),
                                                  .dry_run = backfill->dry_run});
}

static struct backfill_slot *slot_of(struct engine_backfill *backfill, struct instant due_at)
{
    size_t low = 0;
    size_t high = backfill->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (instant_before(backfill->slots[middle].due_at, due_at)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < backfill->count && instant_equal(backfill->slots[low].due_at, due_at);
    return there ? &backfill->slots[low] : NULL;
}

static void slot_done(struct engine_backfill *backfill, struct backfill_slot *slot, size_t *counter)
{
    slot->phase = PHASE_DONE;
    backfill->open--;
    (*counter)++;
    backfill->changed = true;
    backfill->engine->busy = true;
}

void backfill_verdict(struct engine_backfill *backfill, const struct store_slot *decided)
{
    struct backfill_slot *slot = slot_of(backfill, decided->due_at);
    switch (decided->verdict) {
    case VERDICT_CLAIMED:
        slot->phase = PHASE_RUNS;
        return;
    case VERDICT_WRITTEN:
        slot_done(backfill, slot, &backfill->rehearsed);
        return;
    case VERDICT_TAKEN: // it runs, or was decided otherwise meanwhile
        slot_done(backfill, slot, &backfill->passed_over);
        return;
    default: // not now
        if (decided->verdict == VERDICT_LOCKED ||
            (decided->verdict == VERDICT_OVERLAP && !decide_overlaps(backfill->job))) {
            struct clock *clock = backfill->engine->options.clock;
            backfill->again_at = mono_add(clock_mono(clock), DURATION_S(1));
        }
        slot->phase = PHASE_WANTED;
        backfill->open--;
        backfill->next_slot = 0;
    }
}

// Other nodes do not say that something of the job waits there: now and then they get the time to
// take the place.
static void give_way(struct engine_backfill *backfill)
{
    struct engine *engine = backfill->engine;
    struct mono now = clock_mono(engine->options.clock);
    bool others =
        engine_member_count(engine) > 1 && backfill->job->job->overlap != JOB_OVERLAP_ALLOW;
    if (others && mono_since(now, backfill->gave_way).us >= GIVES_WAY_EVERY.us) {
        backfill->gave_way = now;
        backfill->again_at = mono_add(now, GIVES_WAY_FOR);
    }
}

void backfill_run_ended(struct engine *engine, const struct engine_run *run, enum run_state state)
{
    for (struct engine_backfill *b = engine->backfills; b != NULL; b = b->next) {
        struct backfill_slot *slot = b->job->job_id == 0 ? NULL : slot_of(b, run->due_at);
        if (slot != NULL && slot->phase == PHASE_RUNS &&
            uuid_equal(run->run_id, backfill_run_id(b, run->due_at))) {
            slot_done(b, slot, state == RUN_SUCCESS ? &b->succeeded : &b->failed);
            give_way(b);
        }
    }
}

static bool is_over(const struct engine_backfill *backfill)
{
    size_t done =
        backfill->succeeded + backfill->failed + backfill->passed_over + backfill->rehearsed;
    return backfill->open == 0 &&
           (backfill->stopped != NULL || (backfill->collected && done == backfill->count));
}

// Another node goes on with it, by the ledger.
static void let_go(struct engine *engine, struct engine_backfill *backfill)
{
    if (!engine->options.alone && backfill->open == 0 && backfill->stopped == NULL) {
        answer_forget(engine, backfill->intent_id);
        backfill_free(engine, backfill);
    }
}

static void backfill_step(struct engine *engine, struct engine_backfill *backfill, struct mono now)
{
    if (backfill->job->removed) {
        stop(backfill, "the job left the configuration");
    }
    // A node that lives for this alone would wait for ever.
    if (!engine->options.schedules && decide_is_paused(engine, backfill->job)) {
        stop(backfill, "the job is paused; resume it first: ironcron resume");
    }
    if (backfill->reading) {
        return;
    }
    if (is_over(backfill)) {
        backfill_finish(backfill, NULL);
    } else if (engine->drain.on) {
        let_go(engine, backfill);
    } else if (!backfill->collected) {
        backfill_read(backfill);
    } else if (backfill->stopped == NULL) {
        run_next(engine, backfill);
        backfill_tell_progress(backfill, now);
    }
}

void backfill_turn(struct engine *engine)
{
    struct mono now = clock_mono(engine->options.clock);
    for (struct engine_backfill *b = engine->backfills; b != NULL;) {
        struct engine_backfill *next = b->next; // it may be gone afterwards
        backfill_step(engine, b, now);
        b = next;
    }
}
