// SPDX-License-Identifier: MIT
// The intents that this node has taken, and their answers. What was taken is not carried out twice,
// however often it is read before its answer is in the store. An answer that is true only once a
// report of this node is in the store waits for that.
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/alloc.h"

struct answer {
    struct uuid intent_id;
    char *later; // done, with this, when a report is in the store; NULL = it waits for none …
    bool told;   // … that has been submitted
};

static struct answer *find(const struct answers *answers, struct uuid intent_id)
{
    for (size_t i = 0; i < answers->count; i++) {
        if (uuid_equal(answers->list[i].intent_id, intent_id)) {
            return &answers->list[i];
        }
    }
    return NULL;
}

bool answer_begin(struct engine *engine, struct uuid intent_id)
{
    struct answers *answers = &engine->answers;
    if (find(answers, intent_id) != NULL) {
        return false;
    }
    ARRAY_RESERVE(answers->list, answers->count, answers->capacity);
    answers->list[answers->count++] = (struct answer){.intent_id = intent_id};
    return true;
}

void answer_forget(struct engine *engine, struct uuid intent_id)
{
    struct answers *answers = &engine->answers;
    struct answer *answer = find(answers, intent_id);
    if (answer != NULL) {
        free(answer->later);
        *answer = answers->list[--answers->count];
    }
}

void answers_release(struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        free(answers->list[i].later);
    }
    free(answers->list);
}

// ---- into the store -----------------------------------------------------------------------------

struct intent_end {
    struct store_op_intent_end end; // first
    char *answer;
};

static void end_on_done(struct store_op *op)
{
    struct intent_end *end = CONTAINER_OF(op, struct intent_end, end.op);
    struct engine *engine = op->context;
    engine->busy = true;
    if (!link_settled(op)) {
        return;
    }
    answer_forget(engine, end->end.intent_id);
    free(end->answer);
    link_free(op);
}

static void end_submit(struct engine *engine, struct uuid intent_id, enum store_intent_state state,
                       struct uuid run_id, const char *text)
{
    struct intent_end *end = alloc_zero(1, sizeof *end);
    end->answer = alloc_string(text);
    end->end = (struct store_op_intent_end){.op = {.kind = STORE_INTENT_END, .done = end_on_done},
                                            .intent_id = intent_id,
                                            .state = state,
                                            .run_id = run_id,
                                            .answer = end->answer};
    link_submit(engine, &end->end.op);
}

void answer_run(struct engine *engine, struct uuid intent_id, struct uuid run_id, const char *text)
{
    end_submit(engine, intent_id, INTENT_DONE, run_id, text);
}

void answer_done(struct engine *engine, struct uuid intent_id, const char *text)
{
    end_submit(engine, intent_id, INTENT_DONE, (struct uuid){{0}}, text);
}

void answer_refuse(struct engine *engine, struct uuid intent_id, const char *why)
{
    end_submit(engine, intent_id, INTENT_REFUSED, (struct uuid){{0}}, why);
}

// ---- after a report -----------------------------------------------------------------------------

void answer_after_report(struct engine *engine, struct uuid intent_id, const char *text)
{
    find(&engine->answers, intent_id)->later = alloc_string(text);
    engine->drain.report_wanted = true;
    engine->busy = true;
}

void answers_report(struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++) {
        answers->list[i].told = answers->list[i].later != NULL;
    }
}

void answers_reported(struct engine *engine)
{
    const struct answers *answers = &engine->answers;
    for (size_t i = 0; i < answers->count; i++) {
        struct answer *answer = &answers->list[i];
        if (answer->told) {
            answer_done(engine, answer->intent_id, answer->later);
            free(answer->later);
            answer->later = NULL;
            answer->told = false;
        }
    }
}
