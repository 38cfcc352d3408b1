// SPDX-License-Identifier: MIT
// Reading runs, slots and the audit log.
#include "store/postgres/postgres_question.h"

#include "store/chain.h"

// ---- runs ---------------------------------------------------------------------------------------

struct run_reader {
    store_run_fn *fn;
    void *context;
};

static bool give_run(const PGresult *row, const void *reader_of)
{
    const struct run_reader *reader = reader_of;
    struct store_run_row run = {
        .run_id = field_uuid(row, 0, 0),
        .job = field_text(row, 0, 1),
        .due_at = field_instant(row, 0, 2),
        .attempt = (int)field_int(row, 0, 3),
        .trigger = (enum run_trigger)field_int(row, 0, 4),
        .state = (enum run_state)field_int(row, 0, 5),
        .node = field_uuid(row, 0, 6),
        .fence = field_int(row, 0, 7),
        .started_at = field_instant(row, 0, 8),
        .ended_at = field_instant(row, 0, 9),
        .duration = {instant_from_ms(field_int(row, 0, 10)).us}, // which is bounded
        .has_exit_code = !PQgetisnull(row, 0, 11),
        .exit_code = (int)field_int(row, 0, 11),
        .failure = (enum run_failure)field_int(row, 0, 12),
        .error = field_text(row, 0, 13),
    };
    return reader->fn(reader->context, &run);
}

static void add_conditions(struct question *question, const struct store_run_filter *filter)
{
    if (filter->job != NULL) {
        put_text(&question->parameters, filter->job);
        question_where(question, "r.job_id = (select job_id from ironcron.job where name = ", ")");
    }
    if (!uuid_is_nil(filter->run_id)) {
        put_uuid(&question->parameters, filter->run_id);
        question_where(question, "r.run_id = ", "::uuid");
    }
    if (filter->by_state) {
        buf_printf(&question->sql, "%sr.state = %d", question->joint, (int)filter->state);
        question->joint = " and ";
    }
    question_range(question, "r.fence", filter->fence_from, filter->fence_before);
    question_span(question, "r.started_at", filter->since, filter->until);
}

// A job's newest runs are mostly those of its latest slots, which its index gives. So many that are
// as wanted say below which fence none has to be looked at; whatever lies above it is in the same
// index.
static void add_floor(struct question *question, const struct store_run_filter *filter)
{
    buf_printf(&question->sql,
               "%sr.fence >= coalesce((select min(l.fence) from"
               " (select r.fence from ironcron.run r",
               question->joint);
    question->joint = " where ";
    add_conditions(question, filter);
    buf_printf(&question->sql, " order by r.due_at desc limit %zu) l), 0)", filter->limit);
    question->joint = " and ";
}

bool postgres_read_runs(struct store *port, const struct store_run_filter *filter, store_run_fn *fn,
                        void *context, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(
        &question,
        "select r.run_id, j.name, r.due_at, r.attempt, r.trigger, r.state, n.node, r.fence,"
        " r.started_at, r.ended_at, r.duration, r.exit_code, r.failure, r.error"
        " from ironcron.run r left join ironcron.job j using (job_id)"
        " left join ironcron.node n using (node_no)");
    if (filter->last_of_each_job) {
        buf_printf(&question.sql, "%sr.run_id = j.last_run", question.joint);
        question.joint = " and ";
    }
    add_conditions(&question, filter);
    if (filter->job != NULL && filter->limit > 0 && !filter->last_of_each_job) {
        add_floor(&question, filter);
    }
    // Of one job: never by the index of all runs.
    buf_printf(&question.sql, " order by r.fence%s desc", filter->job != NULL ? " + 0" : "");
    question_limit(&question, filter->limit);
    return question_each(&question, port, give_run, &(struct run_reader){fn, context}, err);
}

// ---- slots --------------------------------------------------------------------------------------

struct slot_reader {
    store_slot_fn *fn;
    void *context;
};

static bool give_slot(const PGresult *row, const void *reader_of)
{
    const struct slot_reader *reader = reader_of;
    struct store_slot_row slot = {
        .job = field_text(row, 0, 0),
        .due_at = field_instant(row, 0, 1),
        .outcome = (enum slot_outcome)field_int(row, 0, 2),
        .run_id = field_uuid(row, 0, 3),
        .reason = (enum slot_reason)field_int(row, 0, 4),
    };
    return reader->fn(reader->context, &slot);
}

bool postgres_read_slots(struct store *port, const struct store_slot_filter *filter,
                         store_slot_fn *fn, void *context, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select j.name, s.due_at, s.outcome, r.run_id, s.reason"
                             " from ironcron.slot s join ironcron.job j using (job_id)"
                             " left join ironcron.run r on r.run_id = s.run_id");
    if (filter->job != NULL) {
        put_text(&question.parameters, filter->job);
        question_where(&question, "s.job_id = (select job_id from ironcron.job where name = ", ")");
    }
    question_span(&question, "s.due_at", filter->since, filter->until);
    buf_add_string(&question.sql, filter->job != NULL ? " order by s.due_at"
                                                      : " order by j.name collate \"C\", s.due_at");
    return question_each(&question, port, give_slot, &(struct slot_reader){fn, context}, err);
}

// ---- audit --------------------------------------------------------------------------------------

struct audit_reader {
    store_audit_fn *fn;
    void *context;
};

static bool give_audit(const PGresult *row, const void *reader_of)
{
    const struct audit_reader *reader = reader_of;
    struct store_audit_row audit = {
        .seq = field_int(row, 0, 0),
        .at = field_instant(row, 0, 1),
        .event = field_text(row, 0, 2),
        .job = field_text(row, 0, 3),
        .run_id = field_uuid(row, 0, 4),
        .node = field_uuid(row, 0, 5),
        .actor = field_text(row, 0, 6),
        .detail = field_text(row, 0, 7),
    };
    (void)field_bytes(row, 0, 8, audit.prev_hash, CHAIN_HASH_SIZE);
    (void)field_bytes(row, 0, 9, audit.hash, CHAIN_HASH_SIZE);
    return reader->fn(reader->context, &audit);
}

// In the order of the chain; what is not sealed yet comes last, in the order of its writing.
bool postgres_read_audit(struct store *port, const struct store_audit_filter *filter,
                         store_audit_fn *fn, void *context, struct error *err)
{
    AUTO(question_release) struct question question;
    question_init(&question, "select a.seq, a.at, a.event, a.job, a.run_id, a.node, a.actor,"
                             " a.detail, a.prev, a.hash"
                             " from ironcron.audit_row a");
    if (filter->job != NULL) {
        put_text(&question.parameters, filter->job);
        question_where(&question, "a.job = ", "");
    }
    if (filter->event != NULL) {
        put_text(&question.parameters, filter->event);
        question_where(&question, "a.event = upper(", ")");
    }
    question_range(&question, "a.seq", filter->seq_from, filter->seq_before);
    question_range(&question, "a.block", 0, filter->seq_before);
    if (filter->seq_from > 0) { // in the block that it is in
        put_int(&question.parameters, filter->seq_from);
        question_where(
            &question,
            "a.block >= (select coalesce(max(seq), 0) from ironcron.audit_seal where seq <= ", ")");
    }
    question_span(&question, "a.at", filter->since, filter->until);
    buf_add_string(&question.sql, filter->newest_first
                                      ? " order by a.block desc nulls first, a.id desc, a.ord desc"
                                      : " order by a.block nulls last, a.id, a.ord");
    question_limit(&question, filter->limit);
    return question_each(&question, port, give_audit, &(struct audit_reader){fn, context}, err);
}
