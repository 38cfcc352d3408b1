// SPDX-License-Identifier: MIT
// The pump: sends what is queued, takes what is answered, and says how each operation ended.
#include "store/postgres/postgres_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

#define IN_FLIGHT_MAX 16 // operations sent and not answered: enough to hide the way there and back
#define CALL_DEADLINE DURATION_S(10)
// Whom the server broke off to end a deadlock goes again: the others have what they waited for.
#define AGAIN_MAX 3

// ---- sending ------------------------------------------------------------------------------------

void put_now(const struct postgres_store *store, struct parameters *parameters)
{
    if (store->options.store_clock != NULL) {
        put_instant(parameters, clock_now(store->options.store_clock));
    } else {
        put_null(parameters);
    }
}

// A statement that cannot be queued means that the connection is gone, which shows when it is read.
void task_send(struct postgres_store *store, enum postgres_statement statement,
               struct parameters *parameters)
{
    const char *values[PARAMETERS_MAX] = {NULL};
    int lengths[PARAMETERS_MAX] = {0};
    int formats[PARAMETERS_MAX] = {0};
    for (int i = 0; i < parameters->count; i++) {
        values[i] =
            parameters->at[i] == SIZE_MAX ? NULL : parameters->text.data + parameters->at[i];
        lengths[i] = (int)parameters->list_lengths[i];
        formats[i] = lengths[i] > 0;
    }
    PGconn *connection = store->connection;
    (void)PQsendQueryPrepared(connection, postgres_statement_name(statement), parameters->count,
                              values, lengths, formats, parameters->wants_binary);
    parameters_release(parameters);
}

void task_send_plain(struct postgres_store *store, enum postgres_statement statement)
{
    struct parameters none;
    parameters_init(&none);
    task_send(store, statement, &none);
}

void task_begin(struct postgres_store *store, struct task *task)
{
    task_send_plain(store, PG_BEGIN);
    task->in_block = true;
    task->committing = false;
    task->over = false;
}

static void lose(struct postgres_store *store, const struct error *err);

static void send_round(struct postgres_store *store, struct task *task)
{
    task->answers = 0;
    task->committing = true;
    task->over = true;
    struct mono now = clock_mono(store->options.clock);
    task->deadline = mono_add(now, store->options.call_deadline);
    task->passes = task->passes || mono_before(now, store->passing_until);
    postgres_tasks[task->op->kind].send(store, task);
    (void)PQpipelineSync(store->connection);
}

static void task_sent(struct postgres_store *store, struct task *task)
{
    task->next = NULL;
    if (store->last == NULL) {
        store->first = task;
    } else {
        store->last->next = task;
    }
    store->last = task;
    store->in_flight++;
    send_round(store, task);
}

static struct task *task_new(struct store_op *op)
{
    struct task *task = alloc_zero(1, sizeof *task);
    task->op = op;
    return task;
}

// A session with other locks than it is to have is not gone on with.
static void lock_only_ended(struct store_op *op)
{
    struct postgres_store *store = CONTAINER_OF(op, struct postgres_store, lock_only);
    if (op->result != STORE_OK && store->link == LINK_UP) {
        struct error err = op->err;
        lose(store, &err);
    }
}

// What is wrong by itself is refused in its turn, without a word to the server.
static bool may_send(const struct postgres_store *store)
{
    const struct store_op *op = store->again == NULL ? store->queue.first : store->again->op;
    if (op == NULL || store->link != LINK_UP || store->in_flight >= IN_FLIGHT_MAX ||
        store->locks_in_doubt) {
        return false;
    }
    bool alone = postgres_tasks[op->kind].takes_rounds ||
                 (store->first != NULL && postgres_tasks[store->first->op->kind].takes_rounds);
    return !alone || store->first == NULL;
}

// Nothing more is claimed before the session's locks are what they should be.
static bool send_lock_only_first(struct postgres_store *store)
{
    if (!store->locks_in_doubt || store->first != NULL || store->link != LINK_UP) {
        return false;
    }
    store->lock_only = (struct store_op){.kind = STORE_LOCK_ONLY, .done = lock_only_ended};
    locks_settled(store);
    task_sent(store, task_new(&store->lock_only));
    return true;
}

static struct task *again_pop(struct postgres_store *store)
{
    struct task *task = store->again;
    store->again = task->next;
    return task;
}

static bool send_queued(struct postgres_store *store)
{
    bool sent = send_lock_only_first(store);
    while (may_send(store)) {
        if (store->again != NULL) {
            task_sent(store, again_pop(store));
            sent = true;
            continue;
        }
        struct store_op *op = store->queue.first;
        struct error err = ERROR_INIT;
        if (!operation_check(op, &err)) {
            if (store->first != NULL) {
                return sent; // answers come in the order of submission
            }
            operation_done(operation_pop(&store->queue), STORE_REFUSED, &err);
            sent = true;
            continue;
        }
        task_sent(store, task_new(operation_pop(&store->queue)));
        sent = true;
    }
    return sent;
}

// ---- ending -------------------------------------------------------------------------------------

// Takes the first one out of what was sent.
static struct task *task_pop(struct postgres_store *store)
{
    struct task *task = store->first;
    store->first = task->next;
    if (store->first == NULL) {
        store->last = NULL;
    }
    store->in_flight--;
    return task;
}

static void task_end(struct postgres_store *store, enum store_result result,
                     const struct error *err)
{
    struct task *task = task_pop(store);
    struct store_op *op = task->op;
    free(task->state);
    free(task);
    if (postgres_tasks[op->kind].ended != NULL) {
        postgres_tasks[op->kind].ended(store, op, result);
    }
    if (result == STORE_OK) {
        witness_note(store, op);
    }
    operation_done(op, result, err);
}

// What can be done in part, without what somebody else has in hand.
static bool may_pass(const struct task *task)
{
    enum store_op_kind kind = task->op->kind;
    return !task->passes && (kind == STORE_DECIDE || kind == STORE_FINISH);
}

// It is certainly not done, and goes again as if for the first time; but the session may have taken
// or left locks for it.
static void task_again(struct postgres_store *store)
{
    struct task *task = task_pop(store);
    if (postgres_tasks[task->op->kind].ended != NULL) {
        postgres_tasks[task->op->kind].ended(store, task->op, STORE_UNAVAILABLE);
    }
    free(task->state);
    task->op->err = ERROR_INIT;
    *task = (struct task){
        .op = task->op, .again = task->again + 1, .passes = task->passes || task->locked_out};
    struct task **end = &store->again;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = task;
}

// The connection is gone, or nothing on it can be believed. What was sent with its commit may be
// done; the rest is certainly not.
static void lose(struct postgres_store *store, const struct error *err)
{
    struct error why = *err;
    link_close(store);
    struct operation_queue queue = store->queue;
    struct task *again = store->again;
    store->queue = (struct operation_queue){NULL, NULL};
    store->again = NULL;
    while (store->first != NULL) {
        const struct task *task = store->first;
        bool unknown = task->committing && !operation_is_read(task->op);
        task_end(store, unknown ? STORE_UNKNOWN : STORE_UNAVAILABLE, &why);
    }
    while (again != NULL) {
        struct task *task = again;
        again = task->next;
        operation_done(task->op, STORE_UNAVAILABLE, &why);
        free(task);
    }
    for (struct store_op *op; (op = operation_pop(&queue)) != NULL;) {
        operation_done(op, STORE_UNAVAILABLE, &why);
    }
}

static void take_failure(struct postgres_store *store, struct task *task, const PGresult *result)
{
    if (task->result == STORE_OK && !task->failing_is_fine) {
        task->result = task_result(result);
        task->broken_off = task_broken_off(result);
        task->locked_out = task_locked_out(result);
        link_explain(store, result, &task->op->err);
    }
}

static void take_answer(struct postgres_store *store, struct task *task, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
        if (task->result == STORE_OK) {
            postgres_tasks[task->op->kind].take(store, task, result);
        }
        task->answers++;
        break;
    case PGRES_FATAL_ERROR:
        take_failure(store, task, result);
        break;
    default: // a command without rows, a prepared statement, or one that was passed over
        break;
    }
}

// The sync's answer: the round is over, and when it was the last, the operation.
static void round_over(struct postgres_store *store)
{
    struct task *task = store->first;
    bool failed = task->result != STORE_OK;
    if (failed && task->in_block) {
        task->in_block = false;
        task->over = true;
        task->committing = false;
        task_send_plain(store, PG_ROLLBACK);
        (void)PQpipelineSync(store->connection);
        return;
    }
    task->in_block = task->in_block && !task->committing;
    if (!failed && !task->over) {
        task->round++;
        if (task->in_block) {
            send_round(store, task);
        } else { // others were sent meanwhile
            task_sent(store, task_pop(store));
        }
        return;
    }
    if ((task->broken_off && task->again < AGAIN_MAX) || (task->locked_out && may_pass(task))) {
        task_again(store);
        return;
    }
    task->op->locked_out = task->locked_out;
    if (!failed && task->not_replicated) {
        task->result = STORE_UNKNOWN;
        error_set(&task->op->err, ERROR_STORE,
                  "the wait for the synchronous standby was cancelled; a standby may lack what was "
                  "written");
    }
    struct error err = task->op->err;
    task_end(store, task->result, &err);
}

static bool take_answers(struct postgres_store *store)
{
    bool taken = false;
    while (store->link == LINK_UP && !PQisBusy(store->connection)) {
        PGresult *result = PQgetResult(store->connection);
        if (result == NULL) {
            // Between two statements of the pipeline, or nothing is on its way any more.
            if (store->first == NULL || PQisBusy(store->connection)) {
                break;
            }
            result = PQgetResult(store->connection);
            if (result == NULL) {
                break;
            }
        }
        taken = true;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            round_over(store);
        } else if (store->first != NULL) {
            take_answer(store, store->first, result);
        }
        PQclear(result);
    }
    return taken;
}

// ---- the port -----------------------------------------------------------------------------------

// What can go goes at once, so that the server has work while the caller prepares more. The rest is
// the pump's.
static void submit(struct store *port, struct store_op *op)
{
    struct postgres_store *store = postgres_of(port);
    struct error ignored = ERROR_INIT;
    operation_push(&store->queue, op);
    while (store->again == NULL && store->queue.first != NULL && may_send(store) &&
           operation_check(store->queue.first, &ignored)) {
        task_sent(store, task_new(operation_pop(&store->queue)));
        (void)PQflush(store->connection);
    }
}

static bool is_overdue(const struct postgres_store *store)
{
    return store->first != NULL &&
           !mono_before(clock_mono(store->options.clock), store->first->deadline);
}

static void fail_link(struct postgres_store *store, const char *what)
{
    char where[300];
    struct error err = ERROR_INIT;
    link_describe(store, where, sizeof where);
    error_set(&err, ERROR_UNAVAILABLE, "the store (%s) %s", where, what);
    lose(store, &err);
}

static bool pump(struct store *port)
{
    struct postgres_store *store = postgres_of(port);
    struct error err = ERROR_INIT;
    link_reader_rest(store);
    if (store->queue.first == NULL && store->first == NULL && store->again == NULL &&
        store->link != LINK_UP) {
        return false;
    }
    enum postgres_link before = store->link;
    if (!link_advance(store, &err)) {
        lose(store, &err);
        return false;
    }
    bool progress = store->link != before && store->link != LINK_CONNECTING;
    if (store->link != LINK_UP) {
        return progress;
    }
    if (PQconsumeInput(store->connection) == 0) {
        fail_link(store, "closed the connection");
        return false;
    }
    progress |= take_answers(store);
    progress |= send_queued(store);
    if (store->link == LINK_UP && PQflush(store->connection) < 0) {
        fail_link(store, "closed the connection");
        return false;
    }
    if (store->link == LINK_UP && is_overdue(store)) {
        fail_link(store, "did not answer in time");
    }
    return progress;
}

static bool wants(struct store *port, struct store_wants *wants_out)
{
    const struct postgres_store *store = postgres_of(port);
    bool waits = store->first != NULL || (store->queue.first != NULL && store->link != LINK_UP);
    if (store->connection == NULL || !waits) {
        return false;
    }
    *wants_out = (struct store_wants){.fd = check_descriptor(store)};
    if (check_connects(store)) {
        wants_out->writable = store->polling == PGRES_POLLING_WRITING;
    } else {
        wants_out->writable = PQflush(store->connection) == 1;
    }
    return true;
}

static bool changed(struct store *port)
{
    (void)port;
    return true; // nobody tells: the rows are read
}

static const char *watch_path(struct store *port)
{
    (void)port;
    return NULL;
}

static void close_store(struct store *port)
{
    struct postgres_store *store = postgres_of(port);
    link_close(store);
    while (store->first != NULL && store->first->op == &store->lock_only) {
        task_end(store, STORE_UNAVAILABLE, &store->lock_only.err); // nobody waits for it
    }
    CHECK(store->queue.first == NULL && store->first == NULL && store->again == NULL);
    PQfinish(store->reader);
    free(store->held);
    free(store->strangers);
    free(store->application_name);
    free(store->url);
    free(store);
}

static const struct store_ops postgres_ops = {
    .name = "postgresql",
    .submit = submit,
    .pump = pump,
    .wants = wants,
    .close = close_store,
    .changed = changed,
    .watch_path = watch_path,
    .read_runs = postgres_read_runs,
    .read_slots = postgres_read_slots,
    .read_audit = postgres_read_audit,
    .read_force = postgres_read_force,
    .read_jobs = postgres_read_jobs,
    .read_controls = postgres_read_controls,
    .read_nodes = postgres_read_nodes,
    .read_anchor = postgres_read_anchor,
    .read_intent = postgres_read_intent,
    .read_output = postgres_read_output,
};

bool postgres_store_open(const struct postgres_store_options *options, struct store **store_out,
                         struct error *err)
{
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(options->url, &why);
    if (parsed == NULL) {
        PQfreemem(why); // it may quote the URL, and with it a password
        return error_set(err, ERROR_CONFIG,
                         "the store's URL is not understood: write "
                         "postgresql://user@host:5432/database");
    }
    PQconninfoFree(parsed);
    struct postgres_store *store = alloc_zero(1, sizeof *store);
    store->store.ops = &postgres_ops;
    store->options = *options;
    if (store->options.call_deadline.us == 0) {
        store->options.call_deadline = CALL_DEADLINE;
    }
    store->only_reads = options->only_reads;
    store->url = alloc_string(options->url);
    store->application_name = alloc_string(options->application_name);
    *store_out = &store->store;
    return true;
}
