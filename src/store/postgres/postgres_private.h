// SPDX-License-Identifier: MIT
// Inside the PostgreSQL store.
//
// An operation is a task: one or more statements and a sync, which the server carries out as one
// transaction; its answers come in the same order, and the sync's answer means that it is
// committed. A task of several rounds (it needs an answer before it can go on) opens a transaction
// of its own, and has the pipeline for itself until it ends; or, where each round is a transaction
// by itself, queues up for the next one like any other.
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/operation.h"
#include "store/postgres/postgres_store.h"

enum postgres_statement {
#define X(id, text) id,
#include "store/postgres/postgres_sql.def"
#undef X
    POSTGRES_STATEMENT_COUNT
};

const char *postgres_statement_name(enum postgres_statement statement);

// What a connection is for.
enum purpose {
    FOR_ALL,
    FOR_ENDS,   // ends of runs and their output, beside another one (postgres_apart.c)
    FOR_READING // of one who changes nothing
};

enum postgres_link {
    LINK_DOWN,
    LINK_CONNECTING,
    LINK_CHECKING,  // is it what we want? (postgres_check.c)
    LINK_PREPARING, // every statement of the table, once
    LINK_UP
};

struct task {
    struct store_op *op;
    struct task *next;
    struct mono deadline;
    int round;            // 0, 1, …
    int answers;          // of this round, with rows, taken so far
    bool in_block;        // a transaction of its own is open
    bool committing;      // the round that was sent ends in a commit
    bool over;            // nothing more will be sent
    bool not_replicated;  // committed, but the standby may not have it
    bool failing_is_fine; // what this round does may be left undone
    bool beside;          // of what goes apart nothing matters to it (postgres_apart.c)
    bool may_be_done;     // it was sent before, on a connection that is gone
    bool broken_off;      // the server undid it for the sake of others: it may be sent again
    bool locked_out;      // it waited in vain for what somebody has in hand …
    bool passes;          // … and goes again without waiting: that is passed over
    int again;            // times that it was
    enum store_result result;
    int64_t number; // the operation's own, between rounds
    void *state;    // likewise; freed at the end
};

// Which database: a store never goes on with another one. What a host has seen of it in former
// lives is for serve/node_state.h.
struct postgres_identity {
    char system[24];  // the server's system identifier; empty = not known yet
    int64_t database; // oid
    int64_t timeline; // rises with each promotion
    int64_t up_since; // of the server, in its microseconds: no other one has the same
};

// Of the server, when a connection was last made.
struct connections {
    int maximum; // 0 = it never told
    int reserved;
    int used;
};

// A run of a job that forbids overlap, for which this session holds the job's lock.
struct held {
    int64_t fence;
    int64_t job_id;
    int times;      // that it was taken
    bool releasing; // its end has been sent
};

// A session of somebody else that has the lock of a job, or its row, as the server has remarked.
struct stranger {
    int64_t job_id;
    char who[300];
};

// The last of this node's writes that was acknowledged on a connection: one of these.
struct witness {
    struct instant seen;      // a sign of life
    struct uuid begun, ended; // a run
    struct mono at;
};

// Of the first connection: the one that takes ends from it while there is much to do.
struct apart {
    struct postgres_store *store; // NULL = there is none
    struct mono counted_from;     // in the second since then, …
    size_t ends;                  // … so many ends found the first one at work
    struct mono used_at;          // when ends last did
    struct mono not_before;       // it could not be had: until then it is not tried again
    struct witness witness;       // of what was done there, also when it is closed
};

struct postgres_store {
    struct store store;
    struct postgres_store_options options;
    char *url;
    char *application_name;
    PGconn *connection;
    enum postgres_link link;
    PostgresPollingStatusType polling;
    struct mono link_deadline;
    size_t step; // of the checks
    enum purpose purpose;
    PGconn *prover;  // the second connection of the checks
    bool only_asks;  // questions of the moment: no statement is prepared
    int64_t backend; // process number of the session
    struct postgres_identity seen, found;
    struct witness witness;
    struct duration runs_kept; // 0 = for ever
    struct error behind;       // why this is a database of the past, once that was seen
    struct connections connections;
    struct uuid node;  // the one that joined last; nil = none
    struct held *held; // by fence
    size_t held_count, held_capacity;
    struct mono passing_until;  // somebody has rows in hand: nothing waits for them first
    struct stranger *strangers; // of the operation that is being answered
    size_t stranger_count, stranger_capacity;
    bool locks_in_doubt;          // what failed may have taken or left some
    struct store_op lock_only;    // the operation that ends the doubt
    struct operation_queue queue; // not sent
    struct task *first, *last;    // sent, in order
    struct task *again;           // to be sent again, before the queue
    size_t in_flight;
    size_t in_order; // of these, what must neither overtake an end nor be overtaken by one
    struct apart apart;
    struct postgres_store *owner; // FOR_ENDS: the store whose ends these are
    PGconn *reader; // for the port's synchronous reading; closed when nobody has read for a while
    struct mono read_at;
    struct duration reading_most; // 0 = as long as it takes
};

static inline struct postgres_store *postgres_of(struct store *store)
{
    return CONTAINER_OF(store, struct postgres_store, store);
}

// ---- postgres_values.c: parameters --------------------------------------------------------------

#define PARAMETERS_MAX 20
// Texts of one statement's parameters, one after the other. Init, put in order, send, release.
struct parameters {
    struct buf text;
    size_t at[PARAMETERS_MAX];           // where in `text`; SIZE_MAX = NULL
    size_t list_lengths[PARAMETERS_MAX]; // of the lists, which are binary; 0 = it is a text
    uint32_t elements;                   // of the list that is put
    int count;
    bool wants_binary; // the answer comes in binary form
};
void parameters_init(struct parameters *parameters);
void parameters_release(struct parameters *parameters);
void put_int(struct parameters *parameters, int64_t number);
void put_null(struct parameters *parameters);
void put_text(struct parameters *parameters, const char *text_or_null);
void put_bool(struct parameters *parameters, bool value);
void put_uuid(struct parameters *parameters, struct uuid id);      // nil = NULL
void put_instant(struct parameters *parameters, struct instant t); // not set = NULL
// Arrays: begin, elements, end.
void array_begin(struct parameters *parameters);
void array_end(struct parameters *parameters);
void array_int(struct parameters *parameters, int64_t number);
void array_text(struct parameters *parameters, const char *text_or_null);
void array_uuid(struct parameters *parameters, struct uuid id);
void array_instant(struct parameters *parameters, struct instant t);

// The same in binary form (postgres_lists.c), for task_send: put_list, elements, end. Whole numbers
// are bigint.
enum list_type { LIST_INT, LIST_BOOL, LIST_TEXT, LIST_UUID, LIST_BYTES };
void put_list(struct parameters *parameters, enum list_type type);
void list_null(struct parameters *parameters);
void list_int(struct parameters *parameters, int64_t number);
void list_bool(struct parameters *parameters, bool value);
void list_text(struct parameters *parameters, const char *text_or_null);
void list_uuid(struct parameters *parameters, struct uuid id);      // nil = NULL
void list_instant(struct parameters *parameters, struct instant t); // not set = NULL
void list_bytes(struct parameters *parameters, const void *bytes, size_t length);
void list_end(struct parameters *parameters);

int64_t field_int(const PGresult *result, int row, int column); // NULL = 0
bool field_bool(const PGresult *result, int row, int column);
struct instant field_instant(const PGresult *result, int row, int column); // NULL = none
struct uuid field_uuid(const PGresult *result, int row, int column);       // NULL = nil
const char *field_text(const PGresult *result, int row, int column);       // NULL = NULL
const char *field_string(const PGresult *result, int row, int column, struct arena *arena);
// bytea as text, decoded; the number of bytes, at most `size`.
size_t field_bytes(const PGresult *result, int row, int column, void *out, size_t size);
// The elements of an integer array; the count, at most `size`.
size_t field_ints(const PGresult *result, int row, int column, int64_t *out, size_t size);
void field_uuids(const PGresult *result, int row, int column, struct uuid *out, size_t count);

// Of an answer in binary form. Texts are what they are in the other.
int64_t binary_int(const PGresult *result, int row, int column); // NULL = 0
struct instant binary_instant(const PGresult *result, int row, int column);
struct uuid binary_uuid(const PGresult *result, int row, int column);
size_t binary_ints(const PGresult *result, int row, int column, int64_t *out, size_t size);
// The elements of an array, one after the other; of one that is NULL each is.
struct binary_list {
    const char *at, *end;
    size_t count;
};
struct binary_list binary_list(const PGresult *result, int row, int column);
// The next element's bytes, which the result owns; NULL = NULL.
const char *list_next(struct binary_list *list, size_t *length_out);

// ---- postgres_link.c: the connection ------------------------------------------------------------

// Brings the link forward without waiting. False: it failed, and err says why.
bool link_advance(struct postgres_store *store, struct error *err) MUST_USE;
void link_close(struct postgres_store *store);
// Which connection, without secrets: "ironcron at db.internal:5432".
void link_describe(const struct postgres_store *store, char *out, size_t size);
// What the server said about a failed statement, in one sentence.
void link_explain(const struct postgres_store *store, const PGresult *result, struct error *err);
// A connection for reading, opened and checked when there is none. Blocks, within the deadline.
bool link_reader(struct postgres_store *store, struct error *err) MUST_USE;
// Closes it when nobody has read for a while.
void link_reader_rest(struct postgres_store *store);

// ---- postgres_witness.c: what was acknowledged --------------------------------------------------

void witness_note(struct postgres_store *store, const struct store_op *op); // done
void put_witness(struct parameters *parameters, const struct postgres_store *store);
// The database does not know of it. Always false.
bool witness_fail(struct postgres_store *store, const PGresult *result, struct error *err);

// Sends what libpq has kept back. False: the connection is gone.
bool link_flush(struct postgres_store *store);

// ---- postgres_sending.c: which goes next, and where ---------------------------------------------

struct task *task_new(struct store_op *op);
// The operation that is to be sent next; NULL = none waits.
struct store_op *next_op(const struct postgres_store *store);
bool may_send(struct postgres_store *store); // that one, now
// Sends it: on the connection that takes it, or on this one.
void task_goes(struct postgres_store *store, struct task *task);
void task_sent(struct postgres_store *store, struct task *task);
void send_round(struct postgres_store *store, struct task *task);
bool send_queued(struct postgres_store *store); // what may go; true when something did

// ---- postgres_answers.c: how they end -----------------------------------------------------------

bool take_answers(struct postgres_store *store); // those that are there; true when one was
// The first one of what was sent has ended.
void task_end(struct postgres_store *store, enum store_result result, const struct error *err);
// The connection is gone, or nothing on it can be believed: all that is not done ends.
void link_lost(struct postgres_store *store, const struct error *err);

// ---- postgres_apart.c: a second connection for ends ---------------------------------------------

// Whose rows and locks these are.
static inline struct postgres_store *owner_of(struct postgres_store *store)
{
    return store->owner == NULL ? store : store->owner;
}
// Which connection takes it now.
struct postgres_store *apart_taker(struct postgres_store *store, const struct store_op *op);
// Whether it may go on that one before what is on its way on the other has ended.
bool apart_fits(struct postgres_store *store, const struct postgres_store *taker,
                const struct store_op *op);
// It has nothing to do with ends that are on their way.
bool apart_is_beside(const struct postgres_store *store, const struct store_op *op);
bool apart_is_idle(const struct postgres_store *store); // nothing is on its way there
void apart_open(struct postgres_store *store);          // begins to; there is none yet
// Ends are about to be sent: opens the second connection when that is worth while.
void apart_note(struct postgres_store *store, const struct store_op *op);
bool apart_pump(struct postgres_store *store);
void apart_close(struct postgres_store *store); // nothing may be on its way there

// ---- postgres_task.c: sending -------------------------------------------------------------------

// Puts one statement into the pipeline; releases the parameters.
void task_send(struct postgres_store *store, enum postgres_statement statement,
               struct parameters *parameters);
void task_send_plain(struct postgres_store *store,
                     enum postgres_statement statement); // without parameters
void put_now(const struct postgres_store *store, struct parameters *parameters);
// Opens a transaction for several rounds: this one is not the last.
void task_begin(struct postgres_store *store, struct task *task);

// ---- the operations -----------------------------------------------------------------------------

// Sends the statements of the task's round; sets over and committing. Refusing is setting result.
typedef void task_send_fn(struct postgres_store *store, struct task *task);
// Takes the answer to the task's statement number `task->answers` of this round.
typedef void task_take_fn(struct postgres_store *store, struct task *task, const PGresult *result);
// The operation has ended so; NULL where nobody in the store wants to know.
typedef void task_ended_fn(struct postgres_store *store, struct store_op *op,
                           enum store_result result);
struct task_kind {
    task_send_fn *send;
    task_take_fn *take;
    bool takes_rounds;
    task_ended_fn *ended;
};
// The store's own operations.
#define STORE_LOCK_ONLY     STORE_OP_COUNT
#define STORE_UNLOCK        (STORE_OP_COUNT + 1)
#define POSTGRES_KIND_COUNT (STORE_OP_COUNT + 2)
extern const struct task_kind postgres_tasks[POSTGRES_KIND_COUNT];
// Whether its SQLSTATE, five characters, begins so.
bool has_state(const PGresult *answer, const char *beginning);
enum store_result task_result(const PGresult *failure);
bool task_broken_off(const PGresult *failure);
bool task_locked_out(const PGresult *failure); // it waited in vain for what somebody has in hand

task_send_fn send_join, send_beat, send_leave, send_report, send_fence;
task_take_fn take_join, take_beat, take_fence;
task_send_fn send_load, send_publish, send_version, send_definitions, send_marks;
task_take_fn take_load, take_publish, take_version, take_definitions, take_marks;
task_send_fn send_decide, send_slots, send_finish, send_output;
task_take_fn take_decide, take_slots, take_finish;
task_send_fn send_control, send_intent_put, send_intent_take, send_intent_note, send_intent_end,
    send_intent_own;
task_take_fn take_control, take_intent_put, take_intent_take, take_intent_own;
task_send_fn send_audit, send_seal, send_prune;
task_take_fn take_seal, take_prune;
task_take_fn take_nothing;
task_send_fn send_identity;
task_take_fn take_identity;

// ---- postgres_locks.c: session locks of jobs ----------------------------------------------------

task_send_fn send_lock_only, send_unlock;
task_take_fn take_lock_only, take_unlock;
task_ended_fn join_ended, decide_ended, finish_ended, unlock_ended;
// An operation that lets the locks of these ends go, which must stay until it is sent; NULL = they
// have none.
struct store_op *locks_unlock(struct postgres_store *store, const struct store_op_finish *op);
static inline bool slot_wants_lock(const struct store_slot *slot)
{
    return slot->decision == DECIDE_RUN && slot->forbid_overlap;
}
// It claims a run of a job that forbids overlap and of which the session has one.
bool decide_meets_held(const struct postgres_store *store, const struct store_op_decide *op);
// Nothing in it but slots that follow a schedule.
bool decide_is_scheduled(const struct store_op_decide *op);
// Who has a job, as the server has remarked (in `arena`); NULL = it has not.
const char *locks_stranger(const struct postgres_store *store, int64_t job_id, struct arena *arena);
// Some of an operation was passed over: for a while others do not wait for the like either.
void locks_passed(struct postgres_store *store);
// The server's remark that somebody else has a job's lock.
void locks_take_stranger(struct postgres_store *store, const PGresult *remark);
// The locks that go with these ends. The answer is how many of them the session did not have.
void list_released(struct parameters *parameters, struct postgres_store *store,
                   const struct store_end *ends, size_t count);
// Two arrays: the jobs of the runs for which the session has locks, and these runs' fences.
void put_held(struct parameters *parameters, const struct postgres_store *store);
void locks_settled(struct postgres_store *store); // the session has those that it is to have

// Begins a statement's parameters with the node whose operation it is.
void put_node(struct parameters *parameters, struct uuid node);
struct store_retry *take_retries(const PGresult *result, struct arena *arena, size_t *count_out);

// Runs of the dead, and whether their slots get another attempt.
struct losing {
    struct uuid node;
    struct instant now;
    struct instant (*retry)(void *context, const struct store_lost *lost, struct instant now);
    void *context;
    const struct store_lost *lost;
    size_t count;
};
struct store_lost *take_lost(const PGresult *result, struct arena *arena, size_t *count_out);
void send_lose(struct postgres_store *store, const struct losing *losing); // nothing when none
void send_take_over(struct postgres_store *store, struct uuid node, bool adopts,
                    const struct store_op_fence *fence); // NULL = a join
void send_left(struct postgres_store *store, struct uuid node);
struct uuid *take_left(const PGresult *result, struct arena *arena, size_t *count_out);
void send_end_sessions(struct postgres_store *store, struct task *task);

void postgres_intent_row(const PGresult *result, int row, struct arena *arena,
                         struct store_intent *out);

// ---- reading ------------------------------------------------------------------------------------

bool postgres_read_runs(struct store *, const struct store_run_filter *, store_run_fn *, void *,
                        struct error *);
bool postgres_read_slots(struct store *, const struct store_slot_filter *, store_slot_fn *, void *,
                         struct error *);
bool postgres_read_audit(struct store *, const struct store_audit_filter *, store_audit_fn *,
                         void *, struct error *);
bool postgres_read_force(struct store *, const char *, store_force_fn *, void *, struct error *);
bool postgres_read_jobs(struct store *, const char *, store_job_fn *, void *, struct error *);
bool postgres_read_controls(struct store *, bool, store_control_fn *, void *, struct error *);
bool postgres_read_nodes(struct store *, store_node_fn *, void *, struct error *);
bool postgres_read_anchor(struct store *, struct store_anchor *, struct error *);
bool postgres_read_faults(struct store *, store_fault_fn *, void *, struct error *);
bool postgres_reading_begins(struct store *, struct error *);
void postgres_reading_ends(struct store *);
bool postgres_read_intent(struct store *, struct uuid, struct arena *, struct store_intent *,
                          struct error *);
bool postgres_read_output(struct store *, struct uuid, int64_t, char *, size_t, size_t *,
                          struct error *);
