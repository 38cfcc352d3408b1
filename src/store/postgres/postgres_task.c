// SPDX-License-Identifier: MIT
// How each operation is sent and its answers are taken, and what a failure means for it.
#include "store/postgres/postgres_private.h"

#include <string.h>

const struct task_kind postgres_tasks[STORE_OP_COUNT + 1] = {
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
    [STORE_IDENTITY] = {send_identity, take_identity, false, NULL},
    [STORE_REPORT] = {send_report, take_nothing, false, NULL},
};

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
