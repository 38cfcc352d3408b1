// SPDX-License-Identifier: MIT
#include "call/call.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/check.h"
#include "call/answer.h"

struct call *call_new(const struct runner_start *start, struct mono now, int64_t output_max)
{
    struct call *call = alloc_zero(1, sizeof *call);
    *call = (struct call){
        .run = start->run,
        .job = start->job,
        .run_id = start->run_id,
        .fence = start->fence,
        .started = now,
        .deadline = start->job->timeout.us == 0 ? MONO_NEVER : mono_add(now, start->job->timeout)};
    uuid_format(start->run_id, call->id);
    output_init(&call->output, output_max);
    buf_init(&call->error, ANSWER_TEXT_MAX);
    return call;
}

void call_free(struct call *call)
{
    transfer_close(&call->transfer);
    request_release(&call->request);
    output_release(&call->output);
    buf_release(&call->error);
    free(call);
}

char *call_facts(const struct call *call, struct duration took)
{
    json_t *facts = json_pack("{s:I, s:I}", "bytes", (json_int_t)call->transfer.body_bytes,
                              "time_ms", (json_int_t)duration_ms(took));
    CHECK(facts != NULL);
    if (call->status != 0) {
        json_object_set_new(facts, "status", json_integer(call->status));
    }
    if (call->transfer.body_over) {
        json_object_set_new(facts, "body_cut", json_true());
    }
    if (call->ended_by != NULL) {
        json_object_set_new(facts, "callback", json_string(call->ended_by));
    }
    char *text = json_dumps(facts, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(facts);
    CHECK(text != NULL);
    return text;
}
