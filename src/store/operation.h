// SPDX-License-Identifier: MIT
// What every store demands of an operation before it touches a row, and the texts that every store
// writes in the same words. For implementations of the port only.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

#define OPERATION_ERROR_MAX 4096 // bytes of a run's error that are kept (the contract's 4 KB)

// False with ERROR_REFUSED when the operation is wrong by itself. After a true answer nothing about
// its form can fail any more, so that a store need not undo half of it.
bool operation_check(const struct store_op *op, struct error *err) MUST_USE;
bool operation_is_read(const struct store_op *op);  // writes nothing
size_t operation_weight(const struct store_op *op); // about how many rows it writes
// It has slots of definitions that are not the active ones.
bool operation_is_outdated(const struct store_op_decide *op, int64_t active);

// A queue of operations in the order of submission; they link through op->next.
struct operation_queue {
    struct store_op *first;
    struct store_op *last;
};
void operation_push(struct operation_queue *queue,
                    struct store_op *op);                      // also readies op's outputs
struct store_op *operation_pop(struct operation_queue *queue); // NULL when empty
// Ends an operation; outputs of one that is not STORE_OK are dropped.
void operation_done(struct store_op *op, enum store_result result, const struct error *err);
// Fills err with ERROR_REFUSED and returns STORE_REFUSED.
enum store_result operation_refuse(struct error *err, const char *format, ...) PRINTF(2, 3);

// An optional instant is there: neither INSTANT_NONE nor the zero of a struct that was only
// cleared.
static inline bool operation_has(struct instant t)
{
    return t.us > 0;
}

#define OPERATION_DETAIL_SIZE 192
// {"attempt":1,"due_at":"…","reason":"overlap","trigger":"schedule"}: attempt for runs, reason for
// others.
void operation_slot_detail(const struct store_slot *slot, bool is_run, enum slot_reason reason,
                           char out[OPERATION_DETAIL_SIZE]);
// {"as":…,"factor":…,"reason":…} without the absent ones, the caller frees it; NULL when all are
// absent.
char *operation_control_detail(const struct store_op_control *op);
char *operation_report_detail(const struct store_op_report *op);   // "as" and "reason", likewise
char *operation_fenced_detail(const char *host, struct uuid node); // the caller frees it
char *operation_version_detail(const char *hash, int64_t version); // likewise
const char *operation_control_event(const struct store_op_control *op); // "PAUSED"
// An error text as it is kept: cut at a character. Returns its length.
size_t operation_error_length(const char *error);
// What is recorded about a run whose node was gone when another joined or fenced it.
extern const char operation_lost_error[];
