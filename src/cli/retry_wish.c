// SPDX-License-Identifier: MIT
#include "cli/retry_wish.h"

#include <stdio.h>

#include "time/format.h"

struct slot_search {
    bool found;
    enum slot_outcome outcome;
    struct uuid run_id;
};

static bool take_slot(void *context, const struct store_slot_row *row)
{
    struct slot_search *search = context;
    *search = (struct slot_search){true, row->outcome, row->run_id};
    return false;
}

static bool refuse_slot(const struct run_kept *run, const struct slot_search *slot,
                        struct error *err)
{
    char due[FORMAT_TIME_SIZE];
    format_utc_ms(run->row.due_at, due);
    if (!slot->found) {
        return error_set(err, ERROR_REFUSED,
                         "the slot of %s that this run was for is not kept any more; run it anew: "
                         "ironcron backfill %s --from %s --to %s",
                         run->job, run->job, due, due);
    }
    switch (slot->outcome) {
    case SLOT_OPEN:
        return error_set(err, ERROR_REFUSED,
                         "the slot of %s at %s is open: an attempt runs, or comes by itself. See: "
                         "ironcron why %s --at %s",
                         run->job, due, run->job, due);
    case SLOT_SUCCESS:
        return error_set(err, ERROR_REFUSED,
                         "the slot of %s at %s has succeeded; to run it all the same: ironcron "
                         "backfill %s --from %s --to %s --force",
                         run->job, due, run->job, due, due);
    default:
        return error_set(err, ERROR_REFUSED,
                         "the slot of %s at %s is %s, and no attempt of it has failed; run it: "
                         "ironcron backfill %s --from %s --to %s",
                         run->job, due, slot_outcome_name(slot->outcome), run->job, due, due);
    }
}

// The attempt to come counts from the slot's last one, whichever of its runs was named.
static bool find_slot(const struct session *session, struct retry_wish *wish, struct error *err)
{
    struct slot_search slot = {0};
    struct run_kept last;
    char due[FORMAT_TIME_SIZE];
    struct instant due_at = wish->run.row.due_at;
    struct store_slot_filter filter = {
        .job = wish->run.job, .since = due_at, .until = instant_add(due_at, DURATION_MS(1))};
    if (!session->store->ops->read_slots(session->store, &filter, take_slot, &slot, err)) {
        return false;
    }
    if (!slot.found || !slot_outcome_is_retryable(slot.outcome)) {
        return refuse_slot(&wish->run, &slot, err);
    }
    if (!run_kept_read(&last, session->store, slot.run_id, err)) {
        return false;
    }
    format_utc_ms(due_at, due);
    wish->kind = INTENT_RETRY;
    snprintf(wish->params, sizeof wish->params, "{\"attempt\":\"%d\",\"due_at\":\"%s\"}",
             (last.is_there ? last.row.attempt : wish->run.row.attempt) + 1, due);
    return true;
}

bool retry_wish_find(const struct session *session, const char *id, struct retry_wish *wish_out,
                     struct error *err)
{
    struct uuid run_id;
    *wish_out = (struct retry_wish){.kind = INTENT_RUN};
    struct run_kept *run = &wish_out->run;
    if (!session_run_id(session, id, &run_id, err) ||
        !run_kept_read(run, session->store, run_id, err)) {
        return false;
    }
    if (!run->is_there) {
        return error_set(err, ERROR_NOT_FOUND, "there is no run %s\nAll ids: ironcron runs", id);
    }
    if (run->row.state == RUN_STARTED) {
        return error_set(err, ERROR_REFUSED,
                         "run %s of %s is going on; end it first: ironcron runs cancel %s", id,
                         run->job, id);
    }
    if (run->row.trigger != TRIGGER_MANUAL) {
        return find_slot(session, wish_out, err);
    }
    return run->row.state != RUN_SUCCESS ||
           error_set(err, ERROR_REFUSED, "run %s of %s succeeded; for another one: ironcron run %s",
                     id, run->job, run->job);
}
