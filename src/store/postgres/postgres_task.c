// SPDX-License-Identifier: MIT
// How each operation is sent and its answers are taken.
#include "store/postgres/postgres_private.h"

const struct task_kind postgres_tasks[STORE_OP_COUNT] = {
    [STORE_JOIN] = {send_join, take_join, true},
    [STORE_LOAD] = {send_load, take_load, false},
    [STORE_PUBLISH] = {send_publish, take_publish, false},
    [STORE_DECIDE] = {send_decide, take_decide, false},
    [STORE_FINISH] = {send_finish, take_finish, false},
    [STORE_OUTPUT] = {send_output, take_nothing, false},
    [STORE_CONTROL] = {send_control, take_control, false},
    [STORE_INTENT_PUT] = {send_intent_put, take_intent_put, false},
    [STORE_INTENT_TAKE] = {send_intent_take, take_intent_take, false},
    [STORE_INTENT_END] = {send_intent_end, take_nothing, false},
    [STORE_AUDIT] = {send_audit, take_nothing, false},
    [STORE_SEAL] = {send_seal, take_seal, true},
    [STORE_PRUNE] = {send_prune, take_prune, false},
    [STORE_BEAT] = {send_beat, take_beat, false},
    [STORE_LEAVE] = {send_leave, take_nothing, false},
    [STORE_SLOTS] = {send_slots, take_slots, false},
    [STORE_INTENT_NOTE] = {send_intent_note, take_nothing, false},
    [STORE_FENCE] = {send_fence, take_fence, true},
    [STORE_MARKS] = {send_marks, take_marks, false},
    [STORE_INTENT_OWN] = {send_intent_own, take_intent_own, false},
    [STORE_VERSION] = {send_version, take_version, false},
};
