// SPDX-License-Identifier: MIT
// What is published when definitions come into force: each schedule that is new, another one or
// gone, by what the store says was in force; and the last slots of those that end.
#include "engine/publication.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void engine_set_release(struct engine_set *set)
{
    if (set == NULL || --set->references > 0) {
        return;
    }
    if (set->set.release != NULL) {
        set->set.release(set->set.owner);
    }
    free(set);
}

struct engine_set *engine_set_new(const struct job_set *set)
{
    struct engine_set *held = alloc_zero(1, sizeof *held);
    held->set = *set;
    held->references = 1;
    return held;
}

struct map job_set_by_name(const struct job_set *set)
{
    struct map definitions;
    map_init(&definitions);
    for (size_t i = 0; i < set->count; i++) {
        map_put(&definitions, set->jobs[i].name, (void *)(uintptr_t)&set->jobs[i]);
    }
    return definitions;
}

struct publication *publication_new(struct engine *engine, struct engine_set *fresh)
{
    struct publication *p = alloc_zero(1, sizeof *p);
    p->engine = engine;
    p->fresh = fresh;
    return p;
}

void publication_clear(struct publication *p)
{
    map_release(&p->old);
    map_release(&p->names);
    arena_release(&p->arena);
    store_op_release(&p->before.op);
    store_op_release(&p->since.op);
    store_op_release(&p->publish.op);
    store_op_release(&p->closing.decide.op);
    p->added = p->changed = p->removed = p->closed = 0;
    p->publish = (struct store_op_publish){.item_count = 0};
}

// ---- what is published --------------------------------------------------------------------------

static void fill_item(struct publication *p, const char *name, const char *spec,
                      const struct store_job *old)
{
    p->olds[p->publish.item_count] = old;
    p->publish.items[p->publish.item_count++] =
        (struct store_publish_item){.name = name, .spec = spec};
}

static void fill_set(struct publication *p)
{
    const struct job_set *set = &p->fresh->set;
    for (size_t i = 0; i < set->count; i++) {
        char *spec = job_schedule_spec(&set->jobs[i]);
        const struct store_job *old = map_get(&p->old, set->jobs[i].name);
        bool in_force = old != NULL && old->spec != NULL;
        p->added += !in_force;
        p->changed += in_force && strcmp(old->spec, spec) != 0;
        fill_item(p, set->jobs[i].name, arena_string(&p->arena, spec), old);
        free(spec);
    }
    for (size_t i = 0; i < p->load->job_count; i++) {
        const struct store_job *old = &p->load->jobs[i];
        if (old->spec != NULL && map_get(&p->names, old->name) == NULL) {
            fill_item(p, old->name, NULL, old);
            p->removed++;
        }
    }
}

void publication_fill(struct publication *p)
{
    const struct job_set *set = &p->fresh->set;
    map_init(&p->old);
    p->names = job_set_by_name(set);
    arena_init(&p->arena, (size_t)2 << 30);
    for (size_t i = 0; i < p->load->job_count; i++) {
        map_put(&p->old, p->load->jobs[i].name, &p->load->jobs[i]);
    }
    size_t most = set->count + p->load->job_count + 1;
    p->publish.items = arena_alloc(&p->arena, most, sizeof *p->publish.items);
    p->olds = arena_alloc(&p->arena, most, sizeof *p->olds);
    fill_set(p);
    p->closing = (struct closing){.engine = p->engine, .until = p->at};
    p->closing.decide.slots = arena_alloc(&p->arena, STORE_BATCH_MAX, sizeof(struct store_slot));
}

// ---- the last slots of what was in force --------------------------------------------------------

// False: its schedule does not end.
static bool close_item(struct publication *p, size_t i)
{
    struct closing *closing = &p->closing;
    const struct store_publish_item *item = &p->publish.items[i];
    const struct store_job *old = p->olds[i];
    bool ends = old != NULL && old->spec != NULL &&
                (item->spec == NULL || strcmp(item->spec, old->spec) != 0);
    if (!ends ||
        !closing_read_spec(old->spec, old->name, p->fresh->set.zones, &closing->schedule)) {
        return false;
    }
    bool gone = item->spec == NULL;
    bool live = p->engine->live;
    closing->job_id = old->job_id;
    closing->job = old->name;
    closing->after = closing->since = old->high_water;
    closing->decision = live && !gone ? DECIDE_SKIP : DECIDE_MISS;
    closing->reason = gone ? REASON_REMOVED : live ? REASON_CHANGED : REASON_DOWNTIME;
    return true;
}

bool publication_close_some(struct publication *p)
{
    struct closing *closing = &p->closing;
    closing->decide = (struct store_op_decide){.op = {.kind = STORE_DECIDE},
                                               .node = p->engine->options.node,
                                               .version = p->fresh->set.version,
                                               .slots = closing->decide.slots};
    while (p->closed < p->publish.item_count) {
        closing->goes_on = closing->goes_on || close_item(p, p->closed);
        if (closing->goes_on && !closing_add(closing)) {
            return true; // it is full
        }
        closing->goes_on = false;
        p->closed++;
    }
    return closing->decide.slot_count > 0;
}
