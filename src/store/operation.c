// SPDX-License-Identifier: MIT
#include "store/operation.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "time/format.h"

#define OUTPUT_CHUNK_MAX ((size_t)64 * 1024)
#define THROTTLE_MAX     1000
#define VERSION_TEXT_MAX ((size_t)512 << 20)
// Outputs are what was read for one operation: a million jobs with their schedules fit.
#define ARENA_MAX ((size_t)2 << 30)

// `op` is the first member of every operation.
#define AS(op, type) ((const struct type *)(const void *)(op))

const char operation_lost_error[] =
    "the node that ran this was gone; whether the work was done is not known";

// ---- queue --------------------------------------------------------------------------------------

void operation_push(struct operation_queue *queue, struct store_op *op)
{
    CHECK(op->kind < STORE_OP_COUNT && op->done != NULL);
    op->next = NULL;
    op->result = STORE_OK;
    op->locked_out = false;
    op->err.code = ERROR_NONE;
    op->err.text[0] = '\0';
    arena_init(&op->arena, ARENA_MAX);
    if (queue->last == NULL) {
        queue->first = op;
    } else {
        queue->last->next = op;
    }
    queue->last = op;
}

struct store_op *operation_pop(struct operation_queue *queue)
{
    struct store_op *op = queue->first;
    if (op != NULL) {
        queue->first = op->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        op->next = NULL;
    }
    return op;
}

void operation_done(struct store_op *op, enum store_result result, const struct error *err)
{
    op->result = result;
    if (result != STORE_OK) {
        arena_release(&op->arena);
        if (err != &op->err) {
            op->err = *err;
        }
    }
    op->done(op);
}

enum store_result operation_refuse(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err->code = ERROR_REFUSED;
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    utf8_trim_partial(err->text);
    return STORE_REFUSED;
}

bool operation_is_read(const struct store_op *op)
{
    return op->kind == STORE_LOAD || op->kind == STORE_INTENT_TAKE || op->kind == STORE_SLOTS ||
           op->kind == STORE_MARKS || op->kind == STORE_IDENTITY || op->kind == STORE_DEFINITIONS ||
           (op->kind == STORE_BEAT && AS(op, store_op_beat)->look);
}

size_t operation_weight(const struct store_op *op)
{
    switch (op->kind) {
    case STORE_DECIDE:
        return 4 * AS(op, store_op_decide)->slot_count;
    case STORE_FINISH:
        return 4 * AS(op, store_op_finish)->end_count;
    case STORE_PUBLISH:
        return 3 * AS(op, store_op_publish)->item_count;
    case STORE_OUTPUT: // a chunk may be sixteen pages
        return 16 * AS(op, store_op_output)->chunk_count;
    case STORE_SEAL:
        return AS(op, store_op_seal)->limit;
    case STORE_PRUNE:
        return 4 * AS(op, store_op_prune)->limit;
    default:
        return 4;
    }
}

// ---- checks -------------------------------------------------------------------------------------

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_REFUSED,
                     "the store was given %s; this is a fault of ironcron itself, report it", what);
}

// The audit chain hashes lines: a line feed inside a value would let two rows have the same bytes.
static bool is_line(const char *text)
{
    if (text != NULL) {
        for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
            if ((*c < 0x20 && *c != '\t') || *c == 0x7f) {
                return false;
            }
        }
    }
    return true;
}

static bool check_lines(struct error *err, const char *a, const char *b, const char *c,
                        const char *d)
{
    return (is_line(a) && is_line(b) && is_line(c) && is_line(d)) ||
           bad(err, "a text with control characters");
}

static bool slot_form_is_good(const struct store_slot *slot)
{
    bool runs = slot->decision == DECIDE_RUN || slot->decision == DECIDE_DRY_RUN;
    if (slot->job_id <= 0 || slot->due_at.us < 0 || slot->trigger >= TRIGGER_COUNT ||
        slot->decision > DECIDE_WAIT || slot->reason >= SLOT_REASON_COUNT) {
        return false;
    }
    bool scheduled = slot->trigger == TRIGGER_SCHEDULE || slot->trigger == TRIGGER_CATCHUP;
    if (slot->decision == DECIDE_WAIT) {
        return scheduled && !slot->awaited && operation_has(slot->wait_until);
    }
    if ((slot->awaited && !scheduled) || (slot->by_hand && slot->trigger != TRIGGER_RETRY)) {
        return false;
    }
    if (runs) {
        return !uuid_is_nil(slot->run_id) && slot->attempt >= 1;
    }
    return slot->trigger != TRIGGER_MANUAL && slot->trigger != TRIGGER_BACKFILL;
}

static bool check_decide(const struct store_op_decide *op, struct error *err)
{
    if (op->slot_count > STORE_BATCH_MAX) {
        return bad(err, "more than 1,000 slots at once");
    }
    for (size_t i = 0; i < op->slot_count; i++) {
        if (!slot_form_is_good(&op->slots[i])) {
            return bad(err, "a slot without a job, a due time, a run id or a decision that fits");
        }
        if (!is_line(op->slots[i].detail)) {
            return bad(err, "a text with control characters");
        }
    }
    return check_lines(err, op->actor, NULL, NULL, NULL);
}

static bool check_slots(const struct store_op_slots *op, struct error *err)
{
    for (size_t i = 0; i < op->item_count; i++) {
        const struct store_slots_item *item = &op->items[i];
        if (item->job_id <= 0 || item->limit == 0 || item->since.us < 0) {
            return bad(err, "a look at slots without a job, a beginning or a limit");
        }
    }
    return true;
}

static bool check_finish(const struct store_op_finish *op, struct error *err)
{
    for (size_t i = 0; i < op->end_count; i++) {
        const struct store_end *end = &op->ends[i];
        if (end->state >= RUN_STATE_COUNT || !run_state_is_final(end->state) ||
            end->failure >= FAILURE_COUNT || uuid_is_nil(end->run_id)) {
            return bad(err, "the end of a run without id or final state");
        }
        if (!is_line(end->detail)) {
            return bad(err, "a text with control characters");
        }
    }
    return true;
}

static bool check_output(const struct store_op_output *op, struct error *err)
{
    for (size_t i = 0; i < op->chunk_count; i++) {
        if (op->chunks[i].length > OUTPUT_CHUNK_MAX || op->chunks[i].offset < 0) {
            return bad(err, "a piece of output over 64 KB or with a negative offset");
        }
    }
    return true;
}

static bool check_control(const struct store_op_control *op, struct error *err)
{
    bool fits = op->kind == CONTROL_THROTTLE
                    ? op->value == 0 || (op->value >= 2 && op->value <= THROTTLE_MAX)
                    : op->kind < CONTROL_KIND_COUNT && (op->value == 0 || op->value == 1);
    if (!fits) {
        return bad(err, "a control with an impossible value (a throttle is x2 to x1000)");
    }
    return check_lines(err, op->job, op->actor, op->as, op->reason);
}

static bool check_publish(const struct store_op_publish *op, struct error *err)
{
    if (op->at.us < 0) {
        return bad(err, "definitions without the instant from which they are in force");
    }
    for (size_t i = 0; i < op->item_count; i++) {
        const char *name = op->items[i].name;
        if (name == NULL || name[0] == '\0' || strlen(name) > 128) {
            return bad(err, "a job without a name or with one over 128 characters");
        }
        if (!check_lines(err, name, op->items[i].spec, NULL, NULL)) {
            return false;
        }
    }
    return check_lines(err, op->actor, op->detail, NULL, NULL);
}

static bool check_intent(const struct store_intent *intent, struct error *err)
{
    if (uuid_is_nil(intent->intent_id) || intent->kind >= INTENT_KIND_COUNT) {
        return bad(err, "an intent without id or kind");
    }
    return check_lines(err, intent->job, intent->actor, intent->as, intent->reason);
}

static bool check_audit(const struct store_op_audit *op, struct error *err)
{
    if (op->event == NULL || op->event[0] == '\0') {
        return bad(err, "an audit event without a name");
    }
    return check_lines(err, op->event, op->job, op->actor, op->detail);
}

static bool check_join(const struct store_op_join *op, struct error *err)
{
    if (uuid_is_nil(op->node) || op->host == NULL || op->version == NULL) {
        return bad(err, "a node without id, host or version");
    }
    if (op->lease.us < 0 || op->grace.us < 0) {
        return bad(err, "a node with a lease or a grace below nothing");
    }
    return check_lines(err, op->host, op->version, op->detail, op->labels);
}

static bool check_version(const struct store_op_version *op, struct error *err)
{
    if (op->hash == NULL || op->hash[0] == '\0' || op->text == NULL ||
        strlen(op->text) > VERSION_TEXT_MAX) {
        return bad(err, "definitions without hash or text, or with more than 512 MB of it");
    }
    return check_lines(err, op->hash, op->actor, NULL, NULL);
}

static bool check_report(const struct store_op_report *op, struct error *err)
{
    if (uuid_is_nil(op->node) || op->definitions < 0) {
        return bad(err, "a report of no node, or of no version");
    }
    return check_lines(err, op->refused, op->actor, op->as, op->reason);
}

static bool check_marks(const struct store_op_marks *op, struct error *err)
{
    for (size_t i = 0; i < op->mark_count; i++) {
        if (op->marks[i].job_id <= 0) {
            return bad(err, "a look at the mark of no job");
        }
    }
    return true;
}

static bool check_ids(struct uuid a, struct uuid b, struct error *err)
{
    return (!uuid_is_nil(a) && !uuid_is_nil(b)) ||
           bad(err, "a node, an intent or a fencing without id");
}

bool operation_check(const struct store_op *op, struct error *err)
{
    switch (op->kind) {
    case STORE_JOIN:
        return check_join(AS(op, store_op_join), err);
    case STORE_PUBLISH:
        return check_publish(AS(op, store_op_publish), err);
    case STORE_DECIDE:
        return check_decide(AS(op, store_op_decide), err);
    case STORE_FINISH:
        return check_finish(AS(op, store_op_finish), err);
    case STORE_OUTPUT:
        return check_output(AS(op, store_op_output), err);
    case STORE_CONTROL:
        return check_control(AS(op, store_op_control), err);
    case STORE_INTENT_PUT:
        return check_intent(&AS(op, store_op_intent_put)->intent, err);
    case STORE_INTENT_END:
        return AS(op, store_op_intent_end)->state != INTENT_PENDING ||
               bad(err, "an intent's end that is no end");
    case STORE_SLOTS:
        return check_slots(AS(op, store_op_slots), err);
    case STORE_INTENT_NOTE:
        return check_lines(err, AS(op, store_op_intent_note)->answer, NULL, NULL, NULL);
    case STORE_AUDIT:
        return check_audit(AS(op, store_op_audit), err);
    case STORE_VERSION:
        return check_version(AS(op, store_op_version), err);
    case STORE_REPORT:
        return check_report(AS(op, store_op_report), err);
    case STORE_MARKS:
        return check_marks(AS(op, store_op_marks), err);
    case STORE_FENCE:
        return check_ids(AS(op, store_op_fence)->node, AS(op, store_op_fence)->fencing_id, err);
    case STORE_INTENT_OWN:
        return check_ids(AS(op, store_op_intent_own)->node, AS(op, store_op_intent_own)->intent_id,
                         err);
    default:
        return true;
    }
}

// ---- texts --------------------------------------------------------------------------------------

void operation_slot_detail(const struct store_slot *slot, bool is_run, enum slot_reason reason,
                           char out[OPERATION_DETAIL_SIZE])
{
    char due_at[FORMAT_TIME_SIZE];
    format_utc_ms(slot->due_at, due_at);
    if (is_run) {
        snprintf(out, OPERATION_DETAIL_SIZE,
                 "{\"attempt\":%d,\"due_at\":\"%s\",\"trigger\":\"%s\"}", slot->attempt, due_at,
                 run_trigger_name(slot->trigger));
    } else {
        snprintf(out, OPERATION_DETAIL_SIZE,
                 "{\"due_at\":\"%s\",\"reason\":\"%s\",\"trigger\":\"%s\"}", due_at,
                 slot_reason_name(reason), run_trigger_name(slot->trigger));
    }
}

static char *dump(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    return text;
}

// NULL when nothing is in it.
static char *dump_some(json_t *object)
{
    if (json_object_size(object) == 0) {
        json_decref(object);
        return NULL;
    }
    return dump(object);
}

char *operation_control_detail(const struct store_op_control *op)
{
    json_t *detail = json_pack("{s:s*, s:s*}", "as", op->as, "reason", op->reason);
    if (op->kind == CONTROL_THROTTLE && op->value != 0) {
        json_object_set_new(detail, "factor", json_integer(op->value));
    }
    return dump_some(detail);
}

char *operation_report_detail(const struct store_op_report *op)
{
    return dump_some(json_pack("{s:s*, s:s*}", "as", op->as, "reason", op->reason));
}

const char *operation_control_event(const struct store_op_control *op)
{
    static const char *const events[CONTROL_KIND_COUNT][2] = {
        [CONTROL_PAUSE] = {"RESUMED", "PAUSED"},
        [CONTROL_DRY_RUN] = {"DRY_RUN_OFF", "DRY_RUN_ON"},
        [CONTROL_THROTTLE] = {"UNTHROTTLED", "THROTTLED"},
    };
    return events[op->kind][op->value != 0];
}

char *operation_fenced_detail(const char *host, struct uuid node)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(node, id);
    return dump(json_pack("{s:s, s:s}", "host", host, "node", id));
}

char *operation_version_detail(const char *hash, int64_t version)
{
    return dump(json_pack("{s:s, s:I}", "hash", hash, "version", (json_int_t)version));
}

bool operation_is_outdated(const struct store_op_decide *op, int64_t active)
{
    if (op->version == active) {
        return false;
    }
    for (size_t i = 0; i < op->slot_count; i++) {
        if (op->slots[i].trigger == TRIGGER_SCHEDULE || op->slots[i].trigger == TRIGGER_CATCHUP) {
            return true;
        }
    }
    return false;
}

size_t operation_error_length(const char *error)
{
    return error == NULL ? 0 : utf8_cut(error, strlen(error), OPERATION_ERROR_MAX);
}
