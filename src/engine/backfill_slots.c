// SPDX-License-Identifier: MIT
// Which slots a backfill is about: those of the ledger, read piece by piece, and before the job was
// in force those that its schedule would have made due.
#include "engine/backfill_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "time/format.h"

#define PIECE      1000
#define COUNT_MOST 100000 // counted no further

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
    if (uuid_equal(found->run_id, backfill_run_id(backfill, found->due_at))) {
        slot_add(backfill, found->due_at, found->attempt, PHASE_DONE);
        backfill->succeeded += good;
        backfill->rehearsed += found->outcome == SLOT_DRY_RUN;
        backfill->passed_over += found->outcome == SLOT_OPEN;
        backfill->failed += !good && found->outcome != SLOT_DRY_RUN && found->outcome != SLOT_OPEN;
    } else if (found->outcome != SLOT_OPEN && (backfill->force || !good)) {
        slot_add(backfill, found->due_at, uuid_is_nil(found->run_id) ? 1 : found->attempt + 1,
                 PHASE_WANTED);
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
        slot_add(backfill, t, 1, PHASE_WANTED);
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
    backfill_finish(backfill, why);
}

struct slots_read {
    struct store_op_slots slots; // first
    struct engine_backfill *backfill;
    struct store_slots_item item;
};

static void read_on_done(struct store_op *op)
{
    struct slots_read *read = CONTAINER_OF(op, struct slots_read, slots.op);
    struct engine_backfill *backfill = read->backfill;
    char why[300];
    backfill->engine->busy = true;
    backfill->reading = false;
    link_answered(op);
    bool refused = false;
    if (op->result == STORE_OK) {
        refused = is_out_of_reach(backfill, &read->item, read->slots.slots_from, why);
        if (!refused) {
            take_piece(backfill, &read->item);
            backfill->collected = !instant_before(backfill->cursor, backfill->to);
        }
    }
    link_free(op);
    if (refused) {
        backfill_finish(backfill, why);
    } else if (backfill->overflow > 0 &&
               (backfill->collected || backfill->overflow >= COUNT_MOST)) {
        refuse_overflow(backfill);
    } else if (backfill->collected && backfill->count > 0 && !backfill->resumed) {
        backfill_tell_begin(backfill);
    }
}

void backfill_read(struct engine_backfill *backfill)
{
    struct slots_read *read = alloc_zero(1, sizeof *read);
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
    link_submit(backfill->engine, &read->slots.op);
}
