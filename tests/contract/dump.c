// SPDX-License-Identifier: MIT
// A store's whole content as text.
#include "contract.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/chain.h"

// "+1500" = 1.5 s after T0.
static const char *time_text(struct instant t, char out[32])
{
    if (instant_is_none(t)) {
        return "-";
    }
    snprintf(out, 32, "%+" PRId64, instant_ms(t) - T0);
    return out;
}

// An id of contract_id as its number; others in full.
static const char *id_text(struct uuid id, char out[UUID_TEXT_SIZE])
{
    if (uuid_is_nil(id)) {
        return "-";
    }
    uuid_format(id, out);
    if (strncmp(out, "01990000-0000-7000-8000-0000", 28) == 0) {
        snprintf(out, UUID_TEXT_SIZE, "#%lu", strtoul(out + 28, NULL, 16));
    }
    return out;
}

static const char *text(const char *text_or_null)
{
    return text_or_null == NULL ? "-" : text_or_null;
}

static bool dump_run(void *out, const struct store_run_row *r)
{
    char a[UUID_TEXT_SIZE];
    char b[UUID_TEXT_SIZE];
    char t[3][32];
    fprintf(out, "run %" PRId64 " %s %s due %s attempt %d %s %s node %s started %s ended %s",
            r->fence, id_text(r->run_id, a), text(r->job), time_text(r->due_at, t[0]), r->attempt,
            run_trigger_name(r->trigger), run_state_name(r->state), id_text(r->node, b),
            time_text(r->started_at, t[1]), time_text(r->ended_at, t[2]));
    fprintf(out, " took %" PRId64 " exit %s%d %s error %s\n", duration_ms(r->duration),
            r->has_exit_code ? "" : "-", r->exit_code, run_failure_label(r->failure),
            text(r->error));
    return true;
}

static bool dump_slot(void *out, const struct store_slot_row *s)
{
    char a[UUID_TEXT_SIZE];
    char t[32];
    fprintf(out, "slot %s %s %s run %s %s\n", s->job, time_text(s->due_at, t),
            text(slot_outcome_name(s->outcome)), id_text(s->run_id, a),
            slot_reason_name(s->reason));
    return true;
}

struct audit_dump {
    FILE *out;
    bool hashes;
};

static bool dump_audit(void *context, const struct store_audit_row *row)
{
    struct audit_dump *dump = context;
    char a[UUID_TEXT_SIZE];
    char b[UUID_TEXT_SIZE];
    char t[32];
    fprintf(dump->out, "audit %" PRId64 " %s %s %s run %s node %s by %s %s", row->seq,
            time_text(row->at, t), row->event, text(row->job), id_text(row->run_id, a),
            id_text(row->node, b), text(row->actor), text(row->detail));
    if (dump->hashes) {
        char prev[CHAIN_HEX_SIZE];
        char hash[CHAIN_HEX_SIZE];
        chain_hex(row->prev_hash, prev);
        chain_hex(row->hash, hash);
        fprintf(dump->out, " %s %s", prev, hash);
    }
    fprintf(dump->out, "\n");
    return true;
}

static bool dump_force(void *out, const struct store_force_row *f)
{
    char t[2][32];
    fprintf(out, "force %s %s from %s to %s\n", f->job, f->spec, time_text(f->from, t[0]),
            time_text(f->to, t[1]));
    return true;
}

static bool dump_job(void *out, const struct store_job *j)
{
    char t[2][32];
    fprintf(out, "job %" PRId64 " %s %s mark %s success %s throttle %d\n", j->job_id, j->name,
            text(j->spec), time_text(j->high_water, t[0]), time_text(j->last_success, t[1]),
            j->throttle_count);
    return true;
}

static bool dump_control(void *out, const struct store_control_row *c)
{
    char t[2][32];
    fprintf(out, "control %s %s %d from %s to %s by %s %s\n", text(c->job),
            store_control_name(c->kind), c->value, time_text(c->from, t[0]), time_text(c->to, t[1]),
            text(c->actor), text(c->reason));
    return true;
}

static bool dump_node(void *out, const struct store_node_row *n)
{
    char a[UUID_TEXT_SIZE];
    char t[2][32];
    fprintf(out, "node %s %s %s started %s seen %s %s running %d\n", id_text(n->node, a), n->host,
            n->version, time_text(n->started_at, t[0]), time_text(n->last_seen, t[1]), n->state,
            n->running);
    return true;
}

static void dump_anchor(FILE *out, struct store *store, struct error *err)
{
    struct store_anchor anchor;
    char hash[CHAIN_HEX_SIZE];
    char t[32];
    assert_true(store->ops->read_anchor(store, &anchor, err));
    chain_hex(anchor.hash, hash);
    fprintf(out, "anchor %" PRId64 " %s slots from %s\n", anchor.seq, hash,
            time_text(anchor.slots_from, t));
}

static void dump_retries(FILE *out, struct store *store, struct error *err)
{
    struct store_op_load load = {.op.kind = STORE_LOAD};
    assert_true(store_call(store, &load.op, err));
    for (size_t i = 0; i < load.retry_count; i++) {
        char t[2][32];
        const struct store_retry *r = &load.retries[i];
        fprintf(out, "retry of job %" PRId64 " %s attempt %d at %s\n", r->job_id,
                time_text(r->due_at, t[0]), r->attempt, time_text(r->retry_at, t[1]));
    }
    store_op_release(&load.op);
}

static void dump_intents(FILE *out, struct store *store, struct error *err)
{
    struct store_op_intent_take take = {.op.kind = STORE_INTENT_TAKE};
    assert_true(store_call(store, &take.op, err));
    for (size_t i = 0; i < take.intent_count; i++) {
        const struct store_intent *w = &take.intents[i];
        char id[2][UUID_TEXT_SIZE];
        char t[32];
        fprintf(out, "intent %s %s %s run %s %s %d by %s as %s %s at %s\n",
                id_text(w->intent_id, id[0]), store_intent_name(w->kind), text(w->job),
                id_text(w->run_id, id[1]), text(w->params), w->dry_run, text(w->actor), text(w->as),
                text(w->reason), time_text(w->created_at, t));
    }
    store_op_release(&take.op);
}

// Fails the test when reading fails.
#define READ(call)                                                                                 \
    do {                                                                                           \
        if (!(call)) {                                                                             \
            fail_msg("reading the store failed: %s", err.text);                                    \
        }                                                                                          \
    } while (0)

char *contract_dump(struct store *store, unsigned parts)
{
    char *content = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&content, &size);
    assert_non_null(out);
    struct error err = ERROR_INIT;
    const struct store_ops *ops = store->ops;
    if (parts & PART_RUNS) {
        READ(ops->read_runs(store, &(struct store_run_filter){.limit = 0}, dump_run, out, &err));
    }
    if (parts & PART_SLOTS) {
        READ(
            ops->read_slots(store, &(struct store_slot_filter){.job = NULL}, dump_slot, out, &err));
    }
    if (parts & PART_AUDIT) {
        struct audit_dump dump = {.out = out, .hashes = parts == PART_ALL};
        READ(ops->read_audit(store, &(struct store_audit_filter){.limit = 0}, dump_audit, &dump,
                             &err));
    }
    if (parts & PART_FORCE) {
        READ(ops->read_force(store, NULL, dump_force, out, &err));
    }
    if (parts & PART_JOBS) {
        READ(ops->read_jobs(store, NULL, dump_job, out, &err));
    }
    if (parts & PART_CONTROLS) {
        READ(ops->read_controls(store, true, dump_control, out, &err));
    }
    if (parts & PART_NODES) {
        READ(ops->read_nodes(store, dump_node, out, &err));
    }
    if (parts & PART_ANCHOR) {
        dump_anchor(out, store, &err);
    }
    if (parts & PART_RETRIES) {
        dump_retries(out, store, &err);
    }
    if (parts & PART_INTENTS) {
        dump_intents(out, store, &err);
    }
    fclose(out);
    return content;
}
