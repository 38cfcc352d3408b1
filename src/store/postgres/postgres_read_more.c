// SPDX-License-Identifier: MIT
// Reading schedules in force, jobs, controls, nodes, the anchor, one intent, and a run's output.
#include "store/postgres/postgres_question.h"

#include <string.h>

#include "store/chain.h"

// ---- schedules in force, jobs -------------------------------------------------------------------

struct force_reader {
    store_force_fn *fn;
    void *context;
};

static bool give_force(const PGresult *row, const void *reader_of)
{
    const struct force_reader *reader = reader_of;
    struct store_force_row force = {
        .job = field_text(row, 0, 0),
        .spec = field_text(row, 0, 1),
        .from = field_instant(row, 0, 2),
        .to = field_instant(row, 0, 3),
    };
    return reader->fn(reader->context, &force);
}

bool postgres_read_force(struct store *port, const char *job, store_force_fn *fn, void *context,
                         struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select j.name, f.spec, f.from_ms, f.to_ms from ironcron.job j"
                             " join ironcron.in_force f using (job_id)");
    if (job != NULL) {
        put_text(&question.parameters, job);
        question_where(&question, "j.name = ", "");
    }
    buf_add_string(&question.sql, " order by j.name collate \"C\", f.from_ms");
    return question_each(&question, port, give_force, &(struct force_reader){fn, context}, err);
}

struct job_reader {
    store_job_fn *fn;
    void *context;
};

static bool give_job(const PGresult *row, const void *reader_of)
{
    const struct job_reader *reader = reader_of;
    struct store_job job = {
        .job_id = field_int(row, 0, 0),
        .name = field_text(row, 0, 1),
        .spec = field_text(row, 0, 2),
        .high_water = field_instant(row, 0, 3),
        .last_success = field_instant(row, 0, 4),
        .throttle_count = (int)field_int(row, 0, 5),
    };
    return reader->fn(reader->context, &job);
}

bool postgres_read_jobs(struct store *port, const char *only, store_job_fn *fn, void *context,
                        struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question,
                  "select j.job_id, j.name, f.spec, j.high_water, j.last_success, j.throttle"
                  " from ironcron.job j left join ironcron.in_force f"
                  " on f.job_id = j.job_id and f.to_ms is null");
    if (only != NULL) {
        put_text(&question.parameters, only);
        question_where(&question, "j.name = ", "");
    }
    buf_add_string(&question.sql, " order by j.name collate \"C\"");
    return question_each(&question, port, give_job, &(struct job_reader){fn, context}, err);
}

// ---- controls, nodes ----------------------------------------------------------------------------

struct control_reader {
    store_control_fn *fn;
    void *context;
};

static bool give_control(const PGresult *row, const void *reader_of)
{
    const struct control_reader *reader = reader_of;
    struct store_control_row control = {
        .job = field_text(row, 0, 0),
        .kind = (enum store_control_kind)field_int(row, 0, 1),
        .value = (int)field_int(row, 0, 2),
        .from = field_instant(row, 0, 3),
        .to = field_instant(row, 0, 4),
        .actor = field_text(row, 0, 5),
        .reason = field_text(row, 0, 6),
    };
    return reader->fn(reader->context, &control);
}

bool postgres_read_controls(struct store *port, bool history, store_control_fn *fn, void *context,
                            struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select job, kind, value, from_ms, to_ms, actor, reason"
                             " from ironcron.control");
    buf_add_string(&question.sql, history ? " order by id" : " where to_ms is null order by id");
    return question_each(&question, port, give_control, &(struct control_reader){fn, context}, err);
}

struct node_reader {
    store_node_fn *fn;
    void *context;
};

static bool give_node(const PGresult *row, const void *reader_of)
{
    const struct node_reader *reader = reader_of;
    struct store_node_row node = {
        .node = field_uuid(row, 0, 0),
        .host = field_text(row, 0, 1),
        .version = field_text(row, 0, 2),
        .started_at = field_instant(row, 0, 3),
        .last_seen = field_instant(row, 0, 4),
        .state = field_text(row, 0, 5),
        .running = (int)field_int(row, 0, 6),
        .max_running = (int)field_int(row, 0, 7),
        .dry_run = field_bool(row, 0, 8),
        .draining = field_bool(row, 0, 9),
        .labels = field_text(row, 0, 10),
        .valid_until = field_instant(row, 0, 11),
        .definitions = field_int(row, 0, 12),
        .refused = field_text(row, 0, 13),
        .draining_since = field_instant(row, 0, 14),
        .draining_by = field_text(row, 0, 15),
        .draining_as = field_text(row, 0, 16),
        .draining_reason = field_text(row, 0, 17),
    };
    return reader->fn(reader->context, &node);
}

bool postgres_read_nodes(struct store *port, store_node_fn *fn, void *context, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(
        &question,
        "select n.node, n.host, n.version, n.started_at, greatest(n.last_seen, b.at), n.state,"
        " n.running, n.max_running, n.dry_run, n.draining, n.labels,"
        " greatest(n.valid_until, b.valid_until), n.definitions, n.refused, n.draining_since,"
        " n.draining_by, n.draining_as, n.draining_reason from ironcron.node n"
        " left join ironcron.beat_beside b using (node_no) order by n.node_no desc");
    return question_each(&question, port, give_node, &(struct node_reader){fn, context}, err);
}

// ---- single things ------------------------------------------------------------------------------

static bool give_anchor(const PGresult *row, const void *reader)
{
    struct store_anchor *anchor = *(struct store_anchor *const *)reader;
    anchor->seq = field_int(row, 0, 0);
    (void)field_bytes(row, 0, 1, anchor->hash, CHAIN_HASH_SIZE);
    anchor->slots_from = field_instant(row, 0, 2);
    anchor->head_seq = field_int(row, 0, 3);
    (void)field_bytes(row, 0, 4, anchor->head_hash, CHAIN_HASH_SIZE);
    return true;
}

bool postgres_read_anchor(struct store *port, struct store_anchor *anchor_out, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select e.anchor_seq, e.anchor_hash,"
                             " (select value from ironcron.meta where key = 'slots_from'),"
                             " e.head_seq, e.head_hash"
                             " from (select) one left join ironcron.audit_ends e on true");
    *anchor_out = (struct store_anchor){.slots_from = INSTANT_NONE};
    return question_each(&question, port, give_anchor, &anchor_out, err);
}

struct fault_reader {
    store_fault_fn *fn;
    void *context;
};

static bool give_fault(const PGresult *row, const void *reader_of)
{
    const struct fault_reader *reader = reader_of;
    return reader->fn(reader->context, field_instant(row, 0, 0), field_text(row, 0, 1));
}

bool postgres_read_faults(struct store *port, store_fault_fn *fn, void *context, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select at, fault from ironcron.audit_faults()");
    return question_each(&question, port, give_fault, &(struct fault_reader){fn, context}, err);
}

struct intent_reader {
    struct arena *arena;
    struct store_intent *out;
    bool *found;
};

static bool give_intent(const PGresult *row, const void *reader_of)
{
    const struct intent_reader *reader = reader_of;
    *reader->found = true;
    postgres_intent_row(row, 0, reader->arena, reader->out);
    return true;
}

bool postgres_read_intent(struct store *port, struct uuid intent_id, struct arena *arena,
                          struct store_intent *intent_out, struct error *err)
{
    bool found = false;
    struct intent_reader reader = {arena, intent_out, &found};
    AUTO(question_release) struct question question;
    question_init(&question,
                  "select i.intent_id, i.kind, i.job, i.run_id, i.params, i.dry_run, i.actor,"
                  " i.acts_as, i.reason, i.created_at, i.state, i.answer, n.node"
                  " from ironcron.intent i"
                  " left join ironcron.node n on n.node_no = i.node_no and n.state = 'live'");
    put_uuid(&question.parameters, intent_id);
    question_where(&question, "i.intent_id = ", "::uuid");
    return question_each(&question, port, give_intent, &reader, err) &&
           (found || error_set(err, ERROR_NOT_FOUND, "there is no such intent"));
}

struct output_reader {
    int64_t offset;
    char *bytes;
    size_t size;
    size_t *length;
};

// Pieces lie end to end; the first may begin before what is wanted.
static bool give_output(const PGresult *row, const void *reader_of)
{
    const struct output_reader *reader = reader_of;
    size_t held = 0;
    unsigned char *piece = PQunescapeBytea((const unsigned char *)PQgetvalue(row, 0, 1), &held);
    size_t skip = (size_t)(reader->offset + (int64_t)*reader->length - field_int(row, 0, 0));
    size_t take = piece != NULL && held > skip ? held - skip : 0;
    size_t room = reader->size - *reader->length;
    take = take < room ? take : room;
    if (take > 0) {
        memcpy(reader->bytes + *reader->length, piece + skip, take);
    }
    PQfreemem(piece);
    *reader->length += take;
    return take > 0 && *reader->length < reader->size;
}

bool postgres_read_output(struct store *port, struct uuid run_id, int64_t offset, char *bytes,
                          size_t size, size_t *length_out, struct error *err)
{
    *length_out = 0;
    struct output_reader reader = {offset, bytes, size, length_out};
    AUTO(question_release) struct question question;
    question_init(&question, "select o.start, o.bytes from ironcron.output o"
                             " join ironcron.run r on r.run_id = o.run_id");
    put_uuid(&question.parameters, run_id);
    question_where(&question, "r.run_id = ", "::uuid");
    put_int(&question.parameters, offset);
    question_where(&question, "o.start + length(o.bytes) > ", "::bigint");
    buf_add_string(&question.sql, " order by o.start");
    return question_each(&question, port, give_output, &reader, err);
}
