// SPDX-License-Identifier: MIT
// The last thing that the store has acknowledged to this node. A standby that was promoted may lack
// the primary's last commits, and then the rows do not say what this node has done: whoever
// connects shows its witness (link_up), and is refused where the rows do not know of it.
#include "store/postgres/postgres_private.h"

// After so long, or as long as history keeps runs, whichever is sooner, one may have gone.
#define RUN_BELIEVED DURATION_S(3600)

static void note(struct postgres_store *store, struct witness witness)
{
    struct witness *last = store->owner == NULL ? &store->witness : &store->owner->apart.witness;
    *last = witness;
    last->at = clock_mono(store->options.clock);
}

static void note_claims(struct postgres_store *store, const struct store_op_decide *op)
{
    for (size_t i = 0; i < op->slot_count; i++) {
        if (op->slots[i].verdict == VERDICT_CLAIMED) {
            note(store, (struct witness){.begun = op->slots[i].run_id});
        }
    }
}

static void note_ends(struct postgres_store *store, const struct store_op_finish *op)
{
    for (size_t i = 0; i < op->end_count; i++) {
        if (!op->ends[i].stale) {
            note(store, (struct witness){.ended = op->ends[i].run_id});
        }
    }
}

// One is enough: a server keeps the order of its commits, so who has the last has all before it. Of
// two connections each has its own, since they may tell of theirs in another order.
void witness_note(struct postgres_store *store, const struct store_op *op)
{
    switch (op->kind) {
    case STORE_JOIN: // under another id
        note(store, (struct witness){.seen = INSTANT_NONE});
        break;
    case STORE_BEAT:
        if (!CONTAINER_OF(op, const struct store_op_beat, op)->look) {
            note(store,
                 (struct witness){.seen = CONTAINER_OF(op, const struct store_op_beat, op)->now});
        }
        break;
    case STORE_DECIDE:
        note_claims(store, CONTAINER_OF(op, const struct store_op_decide, op));
        break;
    case STORE_FINISH:
        note_ends(store, CONTAINER_OF(op, const struct store_op_finish, op));
        break;
    default: // says nothing that a repeat would not say
        break;
    }
}

void postgres_store_set_history(struct store *port, struct duration runs)
{
    postgres_of(port)->runs_kept = runs;
}

static bool is_kept(const struct postgres_store *store, const struct witness *witness)
{
    struct duration age = mono_since(clock_mono(store->options.clock), witness->at);
    return age.us < RUN_BELIEVED.us && (store->runs_kept.us <= 0 || age.us < store->runs_kept.us);
}

// The later one of both.
static struct uuid last_ended(const struct postgres_store *store)
{
    const struct witness *last = &store->witness;
    const struct witness *apart = &store->apart.witness;
    if (uuid_is_nil(last->ended) || mono_before(last->at, apart->at)) {
        last = apart;
    }
    return is_kept(store, last) ? last->ended : (struct uuid){{0}};
}

void put_witness(struct parameters *parameters, const struct postgres_store *store)
{
    const struct witness *witness = &store->witness;
    put_instant(parameters, witness->seen);
    put_uuid(parameters, is_kept(store, witness) ? witness->begun : (struct uuid){{0}});
    put_uuid(parameters, last_ended(store));
}

// ---- what it came to ----------------------------------------------------------------------------

bool witness_fail(struct postgres_store *store, const PGresult *result, struct error *err)
{
    char where[300];
    link_describe(store, where, sizeof where);
    (void)error_set(err, ERROR_REFUSED,
                    "the store (%s) went back in time: it had acknowledged %s to this node, and "
                    "does not know of it; a standby was promoted without the last commits, or a "
                    "backup restored",
                    where, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    (void)error_mend(err, "give the address of the server that has them in `store:`, or, where "
                          "they are lost, run `ironcron doctor --accept-rewind`");
    store->behind = *err;
    return false;
}

bool postgres_store_is_behind(struct store *port, struct error *err)
{
    const struct postgres_store *store = postgres_of(port);
    *err = store->behind;
    return store->behind.code != ERROR_NONE;
}
