// SPDX-License-Identifier: MIT
// The nodes that live, as the store last told, and which of them goes first for a job. A node that
// is alone goes first for all.
#include "engine/engine_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fnv.h"

// How long each node that goes before this one has for a slot before the next one looks at it.
#define RANK_DELAY DURATION_MS(1500)
#define RANK_MOST  3

// ---- who is there -------------------------------------------------------------------------------

void members_clear(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        json_decref(fleet->members[i].labels);
    }
    free(fleet->members);
    fleet->members = NULL;
    fleet->count = 0;
}

void members_take(struct engine *engine, const struct store_op_beat *beat)
{
    struct fleet *fleet = &engine->fleet;
    uint64_t digest = FNV_START;
    members_clear(fleet);
    fleet->members = alloc_zero(beat->member_count + 1, sizeof *fleet->members);
    fleet->count = beat->member_count;
    fleet->dry_run = false;
    for (size_t i = 0; i < beat->member_count; i++) {
        const struct store_member *row = &beat->members[i];
        struct fleet_member *member = &fleet->members[i];
        bool states[] = {row->draining, row->full, row->is_overdue};
        *member = (struct fleet_member){
            .node = row->node,
            .hash = fnv_add(FNV_START, row->node.bytes, sizeof row->node.bytes),
            .labels = row->labels == NULL ? NULL : json_loads(row->labels, 0, NULL),
            .draining = row->draining,
            .full = row->full,
            .is_overdue = row->is_overdue};
        fleet->dry_run = fleet->dry_run || row->dry_run;
        digest = fnv_add(fnv_add(digest, row->node.bytes, sizeof row->node.bytes), states,
                         sizeof states);
    }
    if (digest != fleet->digest) {
        fleet->digest = digest;
        fleet->epoch++;
        planner_look_again(engine, engine_now(engine));
        engine->store_changed = true; // intents of a node that has gone are nobody's now
        engine->busy = true;
    }
}

size_t engine_member_count(const struct engine *engine)
{
    return engine->options.alone || engine->fleet.count == 0 ? 1 : engine->fleet.count;
}

// ---- who goes first -----------------------------------------------------------------------------

// The same on every node: the highest of hashes of job and node (rendezvous hashing), so that a
// node that comes or goes changes the place of its own share only.
static uint64_t mixed(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

static bool has_labels(const json_t *labels, const struct job *job)
{
    const struct job_variable *wanted = job == NULL ? NULL : job->nodes;
    for (; wanted != NULL && wanted->name != NULL; wanted++) {
        const char *value = json_string_value(json_object_get(labels, wanted->name));
        if (value == NULL || strcmp(value, wanted->value) != 0) {
            return false;
        }
    }
    return true;
}

static bool comes_into_question(const struct fleet_member *member, const struct job *job)
{
    return !member->draining && !member->is_overdue && has_labels(member->labels, job);
}

static bool goes_before(const struct fleet_member *a, const struct fleet_member *b, uint64_t key)
{
    if (a->full != b->full) {
        return b->full;
    }
    return mixed(a->hash ^ key) > mixed(b->hash ^ key);
}

static const struct fleet_member *own(const struct engine *engine)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (uuid_equal(engine->fleet.members[i].node, engine->options.node)) {
            return &engine->fleet.members[i];
        }
    }
    return NULL;
}

static int rank_by(const struct engine *engine, uint64_t key, const struct job *job)
{
    const struct fleet *fleet = &engine->fleet;
    const struct fleet_member *self = own(engine);
    if (self == NULL || engine->drain.on || !comes_into_question(self, job)) {
        return -1;
    }
    int rank = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *other = &fleet->members[i];
        rank += other != self && comes_into_question(other, job) && goes_before(other, self, key);
    }
    return rank;
}

// Where all drain, each of them may do what is to be done once for all.
int fleet_rank_of(const struct engine *engine, const void *key, size_t size)
{
    if (engine->options.alone || (engine->drain.on && !fleet_has_node(engine, NULL))) {
        return 0;
    }
    return rank_by(engine, fnv_add(FNV_START, key, size), NULL);
}

int fleet_rank(const struct engine *engine, const struct job *job)
{
    if (engine->options.alone) {
        return 0;
    }
    return rank_by(engine, fnv_add(FNV_START, job->name, strlen(job->name)), job);
}

struct duration fleet_delay(int rank)
{
    return (struct duration){RANK_DELAY.us * (rank > RANK_MOST ? RANK_MOST : rank)};
}

bool fleet_may_run(const struct engine *engine, const struct job *job)
{
    return job->nodes == NULL || has_labels(engine->labels, job);
}

bool fleet_has_node(const struct engine *engine, const struct job *job)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (comes_into_question(&engine->fleet.members[i], job)) {
            return true;
        }
    }
    return false;
}

bool fleet_has_other(const struct engine *engine)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        const struct fleet_member *member = &engine->fleet.members[i];
        if (!uuid_equal(member->node, engine->options.node) && comes_into_question(member, NULL)) {
            return true;
        }
    }
    return false;
}

bool fleet_all_drain(const struct engine *engine, const struct job *job)
{
    bool any = engine->options.alone && engine->drain.on;
    for (size_t i = 0; i < engine->fleet.count; i++) {
        const struct fleet_member *member = &engine->fleet.members[i];
        any = any || (member->draining && !member->is_overdue && has_labels(member->labels, job));
    }
    return any && !fleet_has_node(engine, job);
}

bool fleet_is_member(const struct engine *engine, struct uuid node)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (uuid_equal(engine->fleet.members[i].node, node)) {
            return true;
        }
    }
    return false;
}

bool fleet_is_keeper(const struct engine *engine)
{
    static const char word[] = "keeper";
    return !engine->fleet.fenced && fleet_rank_of(engine, word, sizeof word - 1) == 0;
}
