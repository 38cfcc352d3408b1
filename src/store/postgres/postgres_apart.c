// SPDX-License-Identifier: MIT
// While there is much to do, ends of runs and their output go on a second connection, so that two
// processes of the server share the work: ends cost it as much as claims. Nothing depends on that
// connection. What it does not do, the first one does, and an end that may have been written is
// recognised when it comes again.
//
// Operations are carried out in the order of submission. What goes apart overtakes, and is
// overtaken by, only what has nothing to do with it: signs of life, seals, and claims of slots by
// schedule but for those of jobs that forbid overlap and have a run here. All else waits until the
// other connection has nothing on its way.
#include "store/postgres/postgres_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"

#define APART_FROM    2000
#define APART_WITHIN  DURATION_S(1)
#define APART_IDLE    DURATION_S(10) // an idle node has one connection
#define APART_TRY_GAP DURATION_S(10)

static bool goes_apart(const struct store_op *op)
{
    return op->kind == STORE_FINISH || op->kind == STORE_OUTPUT;
}

struct postgres_store *apart_taker(struct postgres_store *store, const struct store_op *op)
{
    struct postgres_store *apart = store->apart.store;
    return apart != NULL && apart->link == LINK_UP && goes_apart(op) ? apart : store;
}

bool apart_is_idle(const struct postgres_store *store)
{
    return store->apart.store == NULL || store->apart.store->first == NULL;
}

bool apart_is_beside(const struct postgres_store *store, const struct store_op *base)
{
    if (store->apart.store == NULL) { // then nobody asks
        return false;
    }
    if (base->kind == STORE_DECIDE) {
        const struct store_op_decide *op = CONTAINER_OF(base, const struct store_op_decide, op);
        return op->slot_count <= STORE_BATCH_MAX && decide_is_scheduled(op) &&
               !decide_meets_held(store, op);
    }
    return base->kind == STORE_BEAT || base->kind == STORE_SEAL || base->kind == STORE_UNLOCK;
}

bool apart_fits(struct postgres_store *store, const struct postgres_store *taker,
                const struct store_op *op)
{
    return taker != store ? store->in_order == 0
                          : apart_is_idle(store) || apart_is_beside(store, op);
}

// ---- opening and closing ------------------------------------------------------------------------

// As the sessions of the node's SQL jobs are called: whoever fences the node ends them all.
static char *name_of(const struct postgres_store *store)
{
    char id[UUID_TEXT_SIZE];
    char name[64];
    uuid_format(store->node, id);
    snprintf(name, sizeof name, "ironcron/%.12s/ends", id + 24);
    return alloc_string(name);
}

void apart_open(struct postgres_store *store)
{
    struct postgres_store *apart = alloc_zero(1, sizeof *apart);
    apart->store.ops = store->store.ops;
    apart->options = store->options;
    apart->url = store->url;
    apart->application_name = name_of(store);
    apart->purpose = FOR_ENDS;
    apart->owner = store;
    apart->seen = store->found;
    store->apart.store = apart;
    struct error ignored = ERROR_INIT;
    if (!link_advance(apart, &ignored)) {
        link_close(apart);
    }
}

void apart_close(struct postgres_store *store)
{
    struct postgres_store *apart = store->apart.store;
    if (apart == NULL) {
        return;
    }
    CHECK(apart->first == NULL);
    link_close(apart);
    free(apart->strangers);
    free(apart->application_name);
    free(apart);
    store->apart.store = NULL;
}

void apart_note(struct postgres_store *store, const struct store_op *base)
{
    struct apart *apart = &store->apart;
    struct mono now = clock_mono(store->options.clock);
    if (store->first == NULL) {
        return;
    }
    if (mono_since(now, apart->counted_from).us > APART_WITHIN.us) {
        apart->counted_from = now;
        apart->ends = 0;
    }
    apart->ends += CONTAINER_OF(base, const struct store_op_finish, op)->end_count;
    apart->used_at = now;
    if (apart->store == NULL && apart->ends >= APART_FROM && !mono_before(now, apart->not_before)) {
        apart_open(store);
    }
}

bool apart_pump(struct postgres_store *store)
{
    struct apart *apart = &store->apart;
    struct mono now = clock_mono(store->options.clock);
    if (apart->store == NULL) {
        return false;
    }
    bool failed = apart->store->link == LINK_DOWN;
    bool rests = apart_is_idle(store) && mono_since(now, apart->used_at).us > APART_IDLE.us;
    if (failed) {
        apart->not_before = mono_add(now, APART_TRY_GAP);
    }
    if (failed || rests) {
        apart_close(store);
        return false;
    }
    return store_pump(&apart->store->store);
}
