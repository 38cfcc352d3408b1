// SPDX-License-Identifier: MIT
// Backfills: the slots of a past range run again, oldest first, beside the schedule. First the
// store is asked what became of them, piece by piece; then they are run, as many at once as wanted,
// wherever the job's own schedule leaves room. What is done is known from the ledger alone: each
// run bears an id that is made of the intent's id and the slot, so that the next node goes on where
// this one died. A run of a backfill is not tried again by itself.
#include "engine/engine_private.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "time/format.h"

#define PIECE      1000
#define COUNT_MOST 100000 // counted no further
#define NOTE_EVERY DURATION_MS(300)

enum slot_phase { PHASE_TODO, PHASE_PROPOSED, PHASE_RUNS, PHASE_DONE };

struct backfill_slot {
    struct instant due_at;
    int attempt;
    enum slot_phase phase;
};

struct engine_backfill {
    struct engine_backfill *next;
    struct engine *engine;
    struct engine_job *job;
    struct uuid intent_id;
    char *actor, *as, *reason;
    struct instant from, to; // both included
    bool force, dry_run;
    bool resumed; // another node began it
    int max_parallel;
    struct instant cursor; // the ledger is read up to here
    bool reading;
    bool collected;
    struct backfill_slot *slots; // oldest first
    size_t count, capacity;
    size_t overflow;  // slots beyond the limit
    size_t next_slot; // those before it are not TODO
    size_t open;      // proposed or running
    size_t succeeded, failed, passed_over;
    char *stopped; // why nothing more is begun
    bool changed;  // since the last note
    bool noting;
    struct mono noted_at;
};

// Of the intent and the slot: the same on every node. The due time's 48 bits go over random ones.
static struct uuid run_id_of(const struct engine_backfill *backfill, struct instant due_at)
{
    struct uuid id = backfill->intent_id;
    uint64_t due = (uint64_t)instant_ms(due_at);
    for (int i = 0; i < 6; i++) {
        id.bytes[15 - i] ^= (uint8_t)(due >> (8 * i));
    }
    return id;
}

static void backfill_free(struct engine *engine, struct engine_backfill *backfill)
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

static char *copy(const char *text)
{
    return text == NULL ? NULL : alloc_string(text);
}

const char *backfill_begin(struct engine *engine, struct engine_job *job,
                           const struct store_intent *intent)
{
    if (job->backfills > 0) {
        return "a backfill of this job is going on; wait for it, or end it: ironcron runs cancel "
               "--job JOB";
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
    backfill->as = copy(intent->as);
    backfill->reason = copy(intent->reason);
    backfill->dry_run = intent->dry_run;
    backfill->resumed = intent->answer != NULL;
    backfill->cursor = instant_add(backfill->from, DURATION_MS(-1));
    backfill->next = engine->backfills;
    engine->backfills = backfill;
    job->backfills++;
    engine->busy = true;
    return NULL;
}

// ---- words --------------------------------------------------------------------------------------

static json_t *counts_json(const struct engine_backfill *backfill)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "failed", (json_int_t)backfill->failed, "passed_over",
                     (json_int_t)backfill->passed_over, "slots", (json_int_t)backfill->count,
                     "succeeded", (json_int_t)backfill->succeeded);
}

static char *text_of(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

struct backfill_audit {
    struct store_op_audit audit; // first
    struct engine *engine;
    char *job, *actor, *detail;
};

static void audit_on_done(struct store_op *op)
{
    struct backfill_audit *audit = CONTAINER_OF(op, struct backfill_audit, audit.op);
    struct engine *engine = audit->engine;
    link_answered(engine, op);
    engine->busy = true;
    if (op->result == STORE_UNAVAILABLE || op->result == STORE_UNKNOWN) {
        link_hold(engine, op);
        return;
    }
    engine->operations--;
    engine->unsealed = true;
    store_op_release(op);
    free(audit->job);
    free(audit->actor);
    free(audit->detail);
    free(audit);
}

static void audit_submit(struct engine_backfill *backfill, const char *event, json_t *detail)
{
    struct engine *engine = backfill->engine;
    struct backfill_audit *audit = alloc_zero(1, sizeof *audit);
    audit->engine = engine;
    audit->job = alloc_string(backfill->job->job->name);
    audit->actor = alloc_string(backfill->actor);
    audit->detail = text_of(detail);
    audit->audit = (struct store_op_audit){.op = {.kind = STORE_AUDIT, .done = audit_on_done},
                                           .node = engine->options.node,
                                           .event = event,
                                           .job = audit->job,
                                           .actor = audit->actor,
                                           .detail = audit->detail};
    engine->operations++;
    store_submit(engine->options.store, &audit->audit.op);
}

static void audit_begin(struct engine_backfill *backfill)
{
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    format_utc_ms(backfill->from, from);
    format_utc_ms(backfill->to, to);
    json_t *detail =
        json_pack("{s:s, s:b, s:b, s:s, s:i, s:I}", "from", from, "force", backfill->force,
                  "dry_run", backfill->dry_run, "to", to, "max_parallel", backfill->max_parallel,
                  "slots", (json_int_t)backfill->count);
    json_object_set_new(detail, "as", json_string(backfill->as));
    json_object_set_new(detail, "reason", json_string(backfill->reason));
    audit_submit(backfill, "BACKFILL", detail);
}

// The last word: nothing of it is under way any more.
static void finish(struct engine_backfill *backfill, const char *refused)
{
    struct engine *engine = backfill->engine;
    if (refused != NULL) {
        control_answer(engine, backfill->intent_id, INTENT_REFUSED, (struct uuid){{0}}, refused);
    } else {
        json_t *counts = counts_json(backfill);
        if (backfill->stopped != NULL) {
            json_object_set_new(counts, "stopped", json_string(backfill->stopped));
        }
        if (backfill->collected && backfill->count > 0) {
            audit_submit(backfill, "BACKFILL_ENDED", json_deep_copy(counts));
        }
        char *answer = text_of(counts);
        control_answer(engine, backfill->intent_id, INTENT_DONE, (struct uuid){{0}}, answer);
        free(answer);
    }
    backfill_free(engine, backfill);
}

struct backfill_note {
    struct store_op_intent_note note; // first
    struct engine *engine;
    char *answer;
};

static void note_on_done(struct store_op *op)
{
    struct backfill_note *note = CONTAINER_OF(op, struct backfill_note, note.op);
    note->engine->operations--;
    link_answered(note->engine, op); // lost is lost: the next one says more
    for (struct engine_backfill *b = note->engine->backfills; b != NULL; b = b->next) {
        b->noting = b->noting && !uuid_equal(b->intent_id, note->note.intent_id);
    }
    store_op_release(op);
    free(note->answer);
    free(note);
}

static void note_submit(struct engine_backfill *backfill, struct mono now)
{
    bool due = mono_since(now, backfill->noted_at).us >= NOTE_EVERY.us;
    if (!backfill->changed || backfill->noting || !due) {
        return;
    }
    struct backfill_note *note = alloc_zero(1, sizeof *note);
    note->engine = backfill->engine;
    note->answer = text_of(counts_json(backfill));
    note->note =
        (struct store_op_intent_note){.op = {.kind = STORE_INTENT_NOTE, .done = note_on_done},
                                      .intent_id = backfill->intent_id,
                                      .answer = note->answer};
    backfill->changed = false;
    backfill->noting = true;
    backfill->noted_at = now;
    backfill->engine->operations++;
    store_submit(backfill->engine->options.store, &note->note.op);
}

// ---- which slots --------------------------------------------------------------------------------

static void slot_add(struct engine_backfill *backfill, struct instant due_at, int attempt,
                     enum slot_phase phase)
{
    if (backfill->count == BACKFILL_MAX) {
        backfill->overflow++;
        return;
    }
    ARRAY_RESERVE(backfill->slots, backfill->count, backfill->capacity);
    backfill->slots[backfill->count++] =
        (struct backfill_slot){.due_at = due_at, .attempt = attempt, .phase = phase};
}

// A slot in the ledger: wanted, done by this backfill before, or to be left alone.
static void take_found(struct engine_backfill *backfill, const struct store_found_slot *found)
{
    bool good = found->outcome == SLOT_SUCCESS;
    if (uuid_equal(found->run_id, run_id_of(backfill, found->due_at))) {
        slot_add(backfill, found->due_at, found->attempt, PHASE_DONE);
        backfill->succeeded += good || found->outcome == SLOT_DRY_RUN;
        backfill->passed_over += found->outcome == SLOT_OPEN;
        backfill->failed += !good && found->outcome != SLOT_DRY_RUN && found->outcome != SLOT_OPEN;
    } else if (found->outcome != SLOT_OPEN && (backfill->force || !good)) {
        slot_add(backfill, found->due_at, uuid_is_nil(found->run_id) ? 1 : found->attempt + 1,
                 PHASE_TODO);
    }
}

// What the schedule would have made due before the job was ever in force, up to `until`.
static void take_unrecorded(struct engine_backfill *backfill, struct instant after,
                            struct instant until)
{
    const struct schedule *schedule = &backfill->job->job->schedule;
    for (struct instant t = schedule_next(schedule, after);
         !instant_is_none(t) && !instant_before(until, t) && backfill->overflow < COUNT_MOST;
         t = schedule_next(schedule, t)) {
        slot_add(backfill, t, 1, PHASE_TODO);
    }
}

static struct instant earlier(struct instant a, struct instant b)
{
    return instant_before(a, b) ? a : b;
}

// Both in the order of time: the ledger's rows, and between them what was never in force.
static void take_piece(struct engine_backfill *backfill, const struct store_slots_item *item)
{
    struct instant unrecorded =
        instant_is_none(item->force_from) ? backfill->to : earlier(item->force_from, backfill->to);
    struct instant after = backfill->cursor;
    for (size_t i = 0; i < item->found_count; i++) {
        const struct store_found_slot *found = &item->found[i];
        struct instant before = instant_add(found->due_at, DURATION_US(-1));
        take_unrecorded(backfill, after, earlier(before, unrecorded));
        take_found(backfill, found);
        after = found->due_at;
    }
    take_unrecorded(backfill, after, earlier(item->seen, unrecorded));
    backfill->cursor = item->seen;
}

// Why the range cannot be had; false when it can.
static bool is_out_of_reach(struct engine_backfill *backfill, const struct store_slots_item *item,
                            struct instant slots_from, char why[300])
{
    char time[FORMAT_TIME_SIZE];
    bool kept = instant_is_none(slots_from) || !instant_before(backfill->from, slots_from);
    bool in_force =
        !instant_is_none(item->force_from) && !kept && instant_before(item->force_from, slots_from);
    if (instant_is_none(item->high_water) || instant_before(item->high_water, backfill->from)) {
        format_utc_ms(instant_is_none(item->high_water) ? backfill->from : item->high_water, time);
        snprintf(why, 300,
                 "the slots of that range are not decided yet: %s is as far as the ledger goes",
                 time);
        return true;
    }
    if (in_force && !backfill->force) {
        format_utc_ms(slots_from, time);
        snprintf(why, 300,
                 "slots before %s were pruned, so that nobody knows which of them succeeded: begin "
                 "there, or run all of them with --force",
                 time);
        return true;
    }
    backfill->to = earlier(backfill->to, item->high_water);
    return false;
}

static void refuse_overflow(struct engine_backfill *backfill)
{
    char why[300];
    size_t all = backfill->count + backfill->overflow;
    snprintf(why, sizeof why,
             "%s%zu slots are too many, 10,000 is the most: take a shorter range, one after the "
             "other",
             backfill->overflow >= COUNT_MOST ? "more than " : "", all);
    finish(backfill, why);
}

struct backfill_read {
    struct store_op_slots slots; // first
    struct engine_backfill *backfill;
    struct store_slots_item item;
};

static void read_on_done(struct store_op *op)
{
    struct backfill_read *read = CONTAINER_OF(op, struct backfill_read, slots.op);
    struct engine_backfill *backfill = read->backfill;
    struct engine *engine = backfill->engine;
    char why[300];
    engine->operations--;
    engine->busy = true;
    backfill->reading = false;
    link_answered(engine, op);
    bool refused = false;
    if (op->result == STORE_OK) {
        refused = is_out_of_reach(backfill, &read->item, read->slots.slots_from, why);
        if (!refused) {
            take_piece(backfill, &read->item);
            backfill->collected = !instant_before(backfill->cursor, backfill->to);
        }
    }
    store_op_release(op);
    free(read);
    if (refused) {
        finish(backfill, why);
    } else if (backfill->overflow > 0 &&
               (backfill->collected || backfill->overflow >= COUNT_MOST)) {
        refuse_overflow(backfill);
    } else if (backfill->collected && backfill->count > 0 && !backfill->resumed) {
        audit_begin(backfill);
    }
}

static void read_submit(struct engine_backfill *backfill)
{
    struct backfill_read *read = alloc_zero(1, sizeof *read);
    read->backfill = backfill;
    read->item = (struct store_slots_item){.job_id = backfill->job->job_id,
                                           .since = instant_add(backfill->cursor, DURATION_MS(1)),
                                           .until = backfill->to,
                                           .limit = PIECE};
    read->slots.op.kind = STORE_SLOTS;
    read->slots.op.done = read_on_done;
    read->slots.items = &read->item;
    read->slots.item_count = 1;
    backfill->reading = true;
    backfill->engine->operations++;
    store_submit(backfill->engine->options.store, &read->slots.op);
}

// ---- running them -------------------------------------------------------------------------------

// The schedule goes first: a backfill takes only what nobody else waits for.
static bool has_room(const struct engine *engine, const struct engine_backfill *backfill)
{
    const struct engine_job *job = backfill->job;
    bool busy = job->in_flight > 0 || job->wait != WAIT_NONE || engine->ready_first != NULL;
    bool alone = job->job->overlap != JOB_OVERLAP_ALLOW;
    return !busy && !decide_is_paused(engine, job) && decide_has_capacity(engine) &&
           backfill->open < (size_t)(alone ? 1 : backfill->max_parallel) &&
           !(alone && decide_overlaps(job));
}

static void run_next(struct engine *engine, struct engine_backfill *backfill)
{
    struct backfill_slot *slots = backfill->slots;
    while (backfill->next_slot < backfill->count &&
           slots[backfill->next_slot].phase != PHASE_TODO) {
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
                                                  .run_id = run_id_of(backfill, slot->due_at),
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
        slot_done(backfill, slot, &backfill->succeeded);
        return;
    case VERDICT_TAKEN: // it runs, or was decided otherwise meanwhile
        slot_done(backfill, slot, &backfill->passed_over);
        return;
    default: // not now
        slot->phase = PHASE_TODO;
        backfill->open--;
        backfill->next_slot = 0;
    }
}

void backfill_run_ended(struct engine *engine, const struct engine_run *run, enum run_state state)
{
    for (struct engine_backfill *b = engine->backfills; b != NULL; b = b->next) {
        struct backfill_slot *slot = b->job->job_id == 0 ? NULL : slot_of(b, run->due_at);
        if (slot != NULL && slot->phase == PHASE_RUNS &&
            uuid_equal(run->run_id, run_id_of(b, run->due_at))) {
            slot_done(b, slot, state == RUN_SUCCESS ? &b->succeeded : &b->failed);
        }
    }
}

static bool is_over(const struct engine_backfill *backfill)
{
    size_t done = backfill->succeeded + backfill->failed + backfill->passed_over;
    return backfill->open == 0 &&
           (backfill->stopped != NULL || (backfill->collected && done == backfill->count));
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
        finish(backfill, NULL);
    } else if (!backfill->collected) {
        read_submit(backfill);
    } else if (backfill->stopped == NULL) {
        run_next(engine, backfill);
        note_submit(backfill, now);
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
