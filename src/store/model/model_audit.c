// SPDX-License-Identifier: MIT
// The audit log and its chain.
#include "store/model/model_private.h"

#include <string.h>

#include "base/alloc.h"
#include "store/chain.h"

void model_audit_add(struct model_store *store, const char *event, const char *job,
                     struct uuid run_id, struct uuid node, const char *actor, const char *detail)
{
    ARRAY_RESERVE(store->audit, store->audit_count, store->audit_capacity);
    struct store_audit_row *row = &store->audit[store->audit_count];
    *row = (struct store_audit_row){.at = store->now,
                                    .event = alloc_string(event),
                                    .job = alloc_optional(job),
                                    .run_id = run_id,
                                    .node = node,
                                    .actor = alloc_optional(actor),
                                    .detail = alloc_optional(detail)};
    store->audit_count++;
}

enum store_result model_audit(struct model_store *store, struct store_op *base)
{
    const struct store_op_audit *op = CONTAINER_OF(base, struct store_op_audit, op);
    model_audit_add(store, op->event, op->job, op->run_id, op->node, op->actor, op->detail);
    return STORE_OK;
}

enum store_result model_seal(struct model_store *store, struct store_op *base)
{
    struct store_op_seal *op = CONTAINER_OF(base, struct store_op_seal, op);
    for (op->sealed = 0; op->sealed < op->limit && store->sealed < store->audit_count;
         op->sealed++) {
        struct store_audit_row *row = &store->audit[store->sealed];
        const uint8_t *prev =
            store->sealed == 0 ? store->anchor.hash : store->audit[store->sealed - 1].hash;
        store->sealed++;
        row->seq = store->anchor.seq + (int64_t)store->sealed;
        memcpy(row->prev_hash, prev, CHAIN_HASH_SIZE);
        chain_hash(row, row->hash);
    }
    op->more = store->sealed < store->audit_count;
    return STORE_OK;
}

enum store_result model_identity(struct model_store *store, struct store_op *base)
{
    (void)store;
    CONTAINER_OF(base, struct store_op_identity, op)->system = "";
    return STORE_OK;
}
