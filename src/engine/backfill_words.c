// SPDX-License-Identifier: MIT
// What a backfill says of itself: in the audit when it begins and ends, in its intent meanwhile.
#include "engine/backfill_private.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "time/format.h"

#define NOTE_EVERY DURATION_MS(300)

static json_t *counts_json(const struct engine_backfill *backfill)
{
    json_t *counts =
        json_pack("{s:I, s:I, s:I, s:I}", "failed", (json_int_t)backfill->failed, "passed_over",
                  (json_int_t)backfill->passed_over, "slots", (json_int_t)backfill->count,
                  "succeeded", (json_int_t)backfill->succeeded);
    if (backfill->rehearsed > 0) {
        json_object_set_new(counts, "dry_run", json_integer((json_int_t)backfill->rehearsed));
    }
    return counts;
}

static char *text_of(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

struct backfill_audit {
    struct store_op_audit audit; // first
    char *job, *actor, *detail;
};

static void audit_on_done(struct store_op *op)
{
    struct backfill_audit *audit = CONTAINER_OF(op, struct backfill_audit, audit.op);
    struct engine *engine = op->context;
    engine->busy = true;
    if (!link_settled(op)) {
        return;
    }
    engine->unsealed = true;
    free(audit->job);
    free(audit->actor);
    free(audit->detail);
    link_free(op);
}

static void audit_submit(struct engine_backfill *backfill, const char *event, json_t *detail)
{
    struct engine *engine = backfill->engine;
    struct backfill_audit *audit = alloc_zero(1, sizeof *audit);
    audit->job = alloc_string(backfill->job->job->name);
    audit->actor = alloc_string(backfill->actor);
    audit->detail = text_of(detail);
    audit->audit = (struct store_op_audit){.op = {.kind = STORE_AUDIT, .done = audit_on_done},
                                           .node = engine->options.node,
                                           .event = event,
                                           .job = audit->job,
                                           .actor = audit->actor,
                                           .detail = audit->detail};
    link_submit(engine, &audit->audit.op);
}

void backfill_tell_begin(struct engine_backfill *backfill)
{
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    format_utc_ms(backfill->from, from);
    format_utc_ms(backfill->to, to);
    json_t *detail =
        json_pack("{s:s, s:b, s:b, s:s, s:i, s:I}", "from", from, "force", backfill->force,
                  "dry_run", backfill->dry_run, "to", to, "max_parallel", backfill->max_parallel,
                  "slots", (json_int_t)backfill->count);
    json_object_set_new(detail, "as", json_string(backfill->as));
    json_object_set_new(detail, "reason", json_string(backfill->reason));
    audit_submit(backfill, "BACKFILL", detail);
}

// The last word: nothing of it is under way any more.
void backfill_finish(struct engine_backfill *backfill, const char *refused)
{
    struct engine *engine = backfill->engine;
    if (refused != NULL) {
        answer_refuse(engine, backfill->intent_id, refused);
    } else {
        json_t *counts = counts_json(backfill);
        if (backfill->stopped != NULL) {
            json_object_set_new(counts, "stopped", json_string(backfill->stopped));
        }
        if (backfill->collected && backfill->count > 0) {
            audit_submit(backfill, "BACKFILL_ENDED", json_deep_copy(counts));
        }
        char *answer = text_of(counts);
        answer_done(engine, backfill->intent_id, answer);
        free(answer);
    }
    backfill_free(engine, backfill);
}

struct backfill_note {
    struct store_op_intent_note note; // first
    char *answer;
};

static void note_on_done(struct store_op *op)
{
    struct backfill_note *note = CONTAINER_OF(op, struct backfill_note, note.op);
    const struct engine *engine = op->context;
    link_answered(op); // lost is lost: the next one says more
    for (struct engine_backfill *b = engine->backfills; b != NULL; b = b->next) {
        b->noting = b->noting && !uuid_equal(b->intent_id, note->note.intent_id);
    }
    free(note->answer);
    link_free(op);
}

void backfill_tell_progress(struct engine_backfill *backfill, struct mono now)
{
    bool due = mono_since(now, backfill->noted_at).us >= NOTE_EVERY.us;
    if (!backfill->changed || backfill->noting || !due) {
        return;
    }
    struct backfill_note *note = alloc_zero(1, sizeof *note);
    note->answer = text_of(counts_json(backfill));
    note->note =
        (struct store_op_intent_note){.op = {.kind = STORE_INTENT_NOTE, .done = note_on_done},
                                      .intent_id = backfill->intent_id,
                                      .answer = note->answer};
    backfill->changed = false;
    backfill->noting = true;
    backfill->noted_at = now;
    link_submit(backfill->engine, &note->note.op);
}
