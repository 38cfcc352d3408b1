// SPDX-License-Identifier: MIT
// How each operation is sent and its answers are taken, and what a failure means for it.
#include "store/postgres/postgres_private.h"

#include <string.h>

const struct task_kind postgres_tasks[POSTGRES_KIND_COUNT] = {
    [STORE_JOIN] = {send_join, take_join, true, join_ended},
    [STORE_LOAD] = {send_load, take_load, false, NULL},
    [STORE_PUBLISH] = {send_publish, take_publish, false, NULL},
    [STORE_DECIDE] = {send_decide, take_decide, false, decide_ended},
    [STORE_FINISH] = {send_finish, take_finish, false, finish_ended},
    [STORE_OUTPUT] = {send_output, take_nothing, false, NULL},
    [STORE_CONTROL] = {send_control, take_control, false, NULL},
    [STORE_INTENT_PUT] = {send_intent_put, take_intent_put, false, NULL},
    [STORE_INTENT_TAKE] = {send_intent_take, take_intent_take, false, NULL},
    [STORE_INTENT_END] = {send_intent_end, take_nothing, false, NULL},
    [STORE_AUDIT] = {send_audit, take_nothing, false, NULL},
    [STORE_SEAL] = {send_seal, take_seal, false, NULL},
    [STORE_PRUNE] = {send_prune, take_prune, false, NULL},
    [STORE_BEAT] = {send_beat, take_beat, false, NULL},
    [STORE_LEAVE] = {send_leave, take_nothing, false, NULL},
    [STORE_SLOTS] = {send_slots, take_slots, false, NULL},
    [STORE_INTENT_NOTE] = {send_intent_note, take_nothing, false, NULL},
    [STORE_FENCE] = {send_fence, take_fence, true, NULL},
    [STORE_MARKS] = {send_marks, take_marks, false, NULL},
    [STORE_INTENT_OWN] = {send_intent_own, take_intent_own, false, NULL},
    [STORE_VERSION] = {send_version, take_version, false, NULL},
    [STORE_DEFINITIONS] = {send_definitions, take_definitions, false, NULL},
    [STORE_LOCK_ONLY] = {send_lock_only, take_lock_only, true, NULL},
    [STORE_UNLOCK] = {send_unlock, take_unlock, false, unlock_ended},
    [STORE_IDENTITY] = {send_identity, take_identity, false, NULL},
    [STORE_REPORT] = {send_report, take_nothing, false, NULL},
};

// ---- sending ------------------------------------------------------------------------------------

void put_now(const struct postgres_store *store, struct parameters *parameters)
{
    if (store->options.store_clock != NULL) {
        put_instant(parameters, clock_now(store->options.store_clock));
    } else {
        put_null(parameters);
    }
}

// A statement that cannot be queued means that the connection is gone, which shows when it is read.
void task_send(struct postgres_store *store, enum postgres_statement statement,
               struct parameters *parameters)
{
    const char *values[PARAMETERS_MAX] = {NULL};
    int lengths[PARAMETERS_MAX] = {0};
    int formats[PARAMETERS_MAX] = {0};
    for (int i = 0; i < parameters->count; i++) {
        values[i] =
            parameters->at[i] == SIZE_MAX ? NULL : parameters->text.data + parameters->at[i];
        lengths[i] = (int)parameters->list_lengths[i];
        formats[i] = lengths[i] > 0;
    }
    PGconn *connection = store->connection;
    (void)PQsendQueryPrepared(connection, postgres_statement_name(statement), parameters->count,
                              values, lengths, formats, parameters->wants_binary);
    parameters_release(parameters);
}

void task_send_plain(struct postgres_store *store, enum postgres_statement statement)
{
    struct parameters none;
    parameters_init(&none);
    task_send(store, statement, &none);
}

void task_begin(struct postgres_store *store, struct task *task)
{
    task_send_plain(store, PG_BEGIN);
    task->in_block = true;
    task->committing = false;
    task->over = false;
}

// ---- failures -----------------------------------------------------------------------------------

bool has_state(const PGresult *answer, const char *beginning)
{
    const char *state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    return state != NULL && strncmp(state, beginning, strlen(beginning)) == 0;
}

// The caller's fault, or one of the moment?
enum store_result task_result(const PGresult *failure)
{
    bool refused =
        has_state(failure, "IC001") || has_state(failure, "22") || has_state(failure, "23");
    return refused ? STORE_REFUSED : STORE_UNAVAILABLE;
}

// A deadlock or a conflict: between others' wishes and ours, nothing is wrong with it.
bool task_broken_off(const PGresult *failure)
{
    return has_state(failure, "40P01") || has_state(failure, "40001");
}

bool task_locked_out(const PGresult *failure)
{
    return has_state(failure, "55P03");
}
