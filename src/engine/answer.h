// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: intents that this node has taken, and their answers.
#pragma once

#include "engine/engine.h"

struct answers {
    struct answer *list; // owed
    size_t count, capacity;
};

// An answer is owed from now on. False: it was already.
bool answer_begin(struct engine *engine, struct uuid intent_id);
void answer_forget(struct engine *engine, struct uuid intent_id); // it is another node's now
void answer_done(struct engine *engine, struct uuid intent_id, const char *text);
void answer_run(struct engine *engine, struct uuid intent_id, struct uuid run_id, const char *text);
void answer_refuse(struct engine *engine, struct uuid intent_id, const char *why);
// Done, once what this node says of itself from now on is in the store.
void answer_after_report(struct engine *engine, struct uuid intent_id, const char *text);
void answers_report(struct answers *answers); // it is on its way …
void answers_reported(struct engine *engine); // … and there
void answers_release(struct answers *answers);
