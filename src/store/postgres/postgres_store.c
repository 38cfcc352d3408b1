// SPDX-License-Identifier: MIT
// The port: operations are queued, the pump sends them (postgres_sending.c), takes what is answered
// (postgres_answers.c), and keeps the connection.
#include "store/postgres/postgres_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

#define CALL_DEADLINE DURATION_S(10)

// What can go goes at once, so that the server has work while the caller prepares more. The rest is
// the pump's.
static void submit(struct store *port, struct store_op *op)
{
    struct postgres_store *store = postgres_of(port);
    struct error ignored = ERROR_INIT;
    operation_push(&store->queue, op);
    while (store->again == NULL && store->queue.first != NULL && may_send(store) &&
           operation_check(store->queue.first, &ignored)) {
        struct postgres_store *taker = apart_taker(store, store->queue.first);
        task_goes(store, task_new(operation_pop(&store->queue)));
        (void)link_flush(taker);
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
    link_lost(store, &err);
}

static bool pump(struct store *port)
{
    struct postgres_store *store = postgres_of(port);
    struct error err = ERROR_INIT;
    link_reader_rest(store);
    if (next_op(store) == NULL && store->first == NULL && store->link == LINK_DOWN) {
        return false;
    }
    enum postgres_link before = store->link;
    if (!link_advance(store, &err)) {
        link_lost(store, &err);
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
    progress |= apart_pump(store);
    progress |= send_queued(store);
    if (!link_flush(store)) {
        fail_link(store, "closed the connection");
        return false;
    }
    if (store->link == LINK_UP && is_overdue(store)) {
        fail_link(store, "did not answer in time");
    }
    return progress;
}

static size_t wants(struct store *port, struct store_wants wants_out[])
{
    struct postgres_store *store = postgres_of(port);
    struct postgres_store *apart = store->apart.store;
    size_t count = 0;
    if (store->connection != NULL && (store->link != LINK_UP || store->first != NULL)) {
        wants_out[count++] = (struct store_wants){
            .fd = check_descriptor(store),
            .writable = check_connects(store) ? store->polling == PGRES_POLLING_WRITING
                                              : PQflush(store->connection) == 1};
    }
    return apart == NULL ? count : count + wants(&apart->store, wants_out + count);
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
    while (store->first != NULL &&
           store->first->op->kind >= STORE_OP_COUNT) { // nobody waits for it
        struct error err = ERROR_INIT;
        task_end(store, STORE_UNAVAILABLE, &err);
    }
    CHECK(store->queue.first == NULL && store->first == NULL && store->again == NULL);
    apart_close(store);
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
    .read_faults = postgres_read_faults,
    .reading_begins = postgres_reading_begins,
    .reading_ends = postgres_reading_ends,
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
    store->purpose = options->only_reads ? FOR_READING : FOR_ALL;
    store->url = alloc_string(options->url);
    store->application_name = alloc_string(options->application_name);
    *store_out = &store->store;
    return true;
}
