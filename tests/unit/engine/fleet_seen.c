// SPDX-License-Identifier: MIT
// What operators of a fleet do, and what is seen of it.
#include "fleet.h"

// cmocka wants these before it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

struct uuid fleet_wish(struct fleet *fleet, const struct store_intent *wish)
{
    struct error err = ERROR_INIT;
    uint8_t bytes[10];
    fleet_random(bytes, sizeof bytes);
    struct store_op_intent_put put = {.op = {.kind = STORE_INTENT_PUT}, .intent = *wish};
    put.intent.intent_id = uuid_v7(instant_ms(fleet->now), bytes);
    put.intent.actor = "op@sim";
    if (!store_call(fleet->store, &put.op, &err)) {
        fail_msg("%s", err.text);
    }
    store_op_release(&put.op);
    return put.intent.intent_id;
}

const char *fleet_answer(struct fleet *fleet, struct uuid intent)
{
    static const char *const states[] = {"PENDING", "DONE", "REFUSED"};
    static char text[300];
    struct store_intent found;
    struct arena arena;
    struct error err = ERROR_INIT;
    arena_init(&arena, (size_t)1 << 20);
    if (!fleet->store->ops->read_intent(fleet->store, intent, &arena, &found, &err)) {
        fail_msg("%s", err.text);
    }
    snprintf(text, sizeof text, "%s %s", states[found.state],
             found.answer == NULL ? "" : found.answer);
    arena_release(&arena);
    return text;
}

static bool outcome_row(void *context, const struct store_slot_row *row)
{
    const char *outcome = slot_outcome_name(row->outcome);
    snprintf(context, 64, "%s%s%s", outcome == NULL ? "open" : outcome,
             row->reason == REASON_NONE ? "" : " ", slot_reason_name(row->reason));
    return true;
}

const char *fleet_outcome(struct fleet *fleet, const char *job, const char *due)
{
    static char text[64];
    struct error err = ERROR_INIT;
    struct store_slot_filter filter = {.job = job,
                                       .since = fleet_time(due),
                                       .until = instant_add(fleet_time(due), DURATION_MS(1))};
    text[0] = '\0';
    if (!fleet->store->ops->read_slots(fleet->store, &filter, outcome_row, text, &err)) {
        fail_msg("%s", err.text);
    }
    return text;
}

int fleet_runner(const struct fleet *fleet, const char *job)
{
    int node = -1;
    for (size_t i = 0; i < fleet->run_count; i++) {
        node = strcmp(fleet->runs[i].job, job) == 0 ? fleet->runs[i].node : node;
    }
    return node;
}

int fleet_count(const struct fleet *fleet, const char *job, int node)
{
    int count = 0;
    for (size_t i = 0; i < fleet->run_count; i++) {
        const struct fleet_run *run = &fleet->runs[i];
        count += strcmp(run->job, job) == 0 && (node < 0 || run->node == node);
    }
    return count;
}

int fleet_overlaps(const struct fleet *fleet, const char *job)
{
    int overlaps = 0;
    for (size_t i = 0; i < fleet->run_count; i++) {
        const struct fleet_run *a = &fleet->runs[i];
        for (size_t j = 0; j < i; j++) {
            const struct fleet_run *b = &fleet->runs[j];
            bool same = strcmp(a->job, job) == 0 && strcmp(b->job, job) == 0;
            bool before = !instant_is_none(b->ended) && !instant_before(a->began, b->ended);
            overlaps += same && !before;
        }
    }
    return overlaps;
}

int fleet_operations(struct fleet *fleet, int index, enum store_op_kind kind)
{
    int sent = fleet->nodes[index].operations[kind];
    fleet->nodes[index].operations[kind] = 0;
    return sent;
}
