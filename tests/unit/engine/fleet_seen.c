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

static void operate(struct fleet *fleet, struct store_op *op)
{
    struct error err = ERROR_INIT;
    if (!store_call(fleet->store, op, &err)) {
        fail_msg("%s", err.text);
    }
    store_op_release(op);
}

void fleet_publish(struct fleet *fleet)
{
    char hash[16];
    snprintf(hash, sizeof hash, "h%d", ++fleet->published);
    const struct fleet_node *by = &fleet->nodes[0];
    for (int i = 0; i < FLEET_NODES && by->engine == NULL; i++) {
        by = &fleet->nodes[i];
    }
    struct store_op_version version = {
        .op = {.kind = STORE_VERSION}, .node = by->id, .actor = "op", .hash = hash, .text = "t"};
    operate(fleet, &version.op);
    fleet->version = version.version;
}

void fleet_control(struct fleet *fleet, const char *job, enum store_control_kind kind, int value)
{
    struct store_op_control control = {
        .op = {.kind = STORE_CONTROL}, .job = job, .kind = kind, .value = value, .actor = "op"};
    operate(fleet, &control.op);
}

struct uuid fleet_wish(struct fleet *fleet, const struct store_intent *wish)
{
    uint8_t bytes[10];
    fleet_random(bytes, sizeof bytes);
    struct store_op_intent_put put = {.op = {.kind = STORE_INTENT_PUT}, .intent = *wish};
    put.intent.intent_id = uuid_v7(instant_ms(fleet->now), bytes);
    put.intent.actor = "op@sim";
    operate(fleet, &put.op);
    return put.intent.intent_id;
}

struct uuid fleet_wish_run(struct fleet *fleet, const char *job)
{
    return fleet_wish(fleet, &(struct store_intent){.kind = INTENT_RUN, .job = job});
}

struct uuid fleet_wish_of_node(struct fleet *fleet, enum store_intent_kind kind, struct uuid node)
{
    char id[UUID_TEXT_SIZE];
    char params[STORE_INTENT_NODE_SIZE];
    uuid_format(node, id);
    store_intent_for_node(id, params);
    return fleet_wish(fleet,
                      &(struct store_intent){.kind = kind, .params = params, .reason = "new disk"});
}

const char *fleet_answer(struct fleet *fleet, struct uuid intent)
{
    return ground_answer(fleet->store, intent);
}

const char *fleet_outcome(struct fleet *fleet, const char *job, const char *due)
{
    return ground_outcome(fleet->store, job, due);
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
