// SPDX-License-Identifier: MIT
#include "serve/node_store.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/log.h"
#include "serve/node_state.h"
#include "serve/open_store.h"
#include "store/postgres/postgres_store.h"

// At most so often is written down what was seen.
#define REMEMBER_EVERY DURATION_S(60)

static bool is_on_server(const struct node *node)
{
    return node->loaded->config->store_url != NULL;
}

// ---- what is remembered -------------------------------------------------------------------------

static bool remember(struct node *node, const struct store_op_identity *seen, struct error *err)
{
    const char *path = node->loaded->config->store_path;
    bool news = node->memory.system[0] == '\0' || seen->sealed != node->memory.sealed;
    if (!node_state_check(path, seen, err) || (news && !node_state_write(path, seen, err))) {
        return false;
    }
    node->memory.sealed = seen->sealed;
    node->memory.database = seen->database;
    snprintf(node->memory.system, sizeof node->memory.system, "%s", seen->system);
    return true;
}

static void note_locks(struct node_memory *memory, const struct store_op_identity *seen)
{
    if (seen->op.result == STORE_OK) {
        memory->locks = seen->locks;
        memory->locks_most = seen->locks_most;
    }
}

bool node_store_remember(struct node *node, struct error *err)
{
    if (!is_on_server(node)) {
        return true;
    }
    struct store_op_identity seen = {.op = {.kind = STORE_IDENTITY},
                                     .asked = node_state_seen(node->loaded->config->store_path)};
    if (!store_call(node->store, &seen.op, err)) {
        return error_wrap(err, "asking the store who it is");
    }
    note_locks(&node->memory, &seen);
    bool done = remember(node, &seen, err);
    store_op_release(&seen.op);
    return done;
}

// Restored or failed over under a node that runs, it is no longer the ledger of what runs here.
static void stop_for(struct node *node, const struct error *err)
{
    LOG(LOG_ERROR, "store_changed", "%s; stopping", err->text);
    node->store_is_wrong = true;
    uv_stop(&node->loop);
}

static void on_seen(struct store_op *op)
{
    struct node_memory *memory = CONTAINER_OF(op, struct node_memory, asked.op);
    struct node *node = CONTAINER_OF(memory, struct node, memory);
    struct error err = ERROR_INIT;
    memory->asking = false;
    note_locks(memory, &memory->asked);
    if (op->result == STORE_OK && !remember(node, &memory->asked, &err)) {
        if (err.code == ERROR_REFUSED) {
            stop_for(node, &err);
        } else {
            LOG(LOG_WARN, "state_not_written", "%s", err.text);
        }
    }
    store_op_release(op);
}

static void look_at_server(struct node *node)
{
    struct node_memory *memory = &node->memory;
    struct mono now = clock_mono(node->clock);
    bool due = mono_since(now, memory->asked_at).us >= REMEMBER_EVERY.us;
    if (!is_on_server(node) || memory->asking || !due || !engine_store_is_up(node->engine)) {
        return;
    }
    memory->asked = (struct store_op_identity){.op = {.kind = STORE_IDENTITY, .done = on_seen},
                                               .asked = memory->sealed};
    memory->asking = true;
    memory->asked_at = now;
    store_submit(node->store, &memory->asked.op);
}

// The store itself found out, when it connected again: what is written down is all that is known.
static void look_for_a_rewind(struct node *node)
{
    struct error why = ERROR_INIT;
    struct error err = ERROR_INIT;
    if (!is_on_server(node) || !postgres_store_is_behind(node->store, &why)) {
        return;
    }
    why.text[error_cause_length(&why)] = '\0';
    if (!node_state_lacks(node->loaded->config->store_path, why.text, &err)) {
        LOG(LOG_WARN, "state_not_written", "%s", err.text);
    }
    stop_for(node, &why);
}

static void tell_history(struct node *node)
{
    if (is_on_server(node)) {
        postgres_store_set_history(node->store, node->loaded->config->history_runs);
    }
}

// ---- who else writes to it ----------------------------------------------------------------------

// Did another process write to the store? Only asked when its file has changed.
static void look_at_store(struct node *node)
{
    if (node->store->ops->changed(node->store)) {
        engine_store_changed(node->engine);
    }
}

static int64_t stamp_of(const char *path)
{
    struct stat st;
    if (path == NULL || stat(path, &st) != 0) {
        return 0;
    }
    return (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec + st.st_size;
}

static void on_watch(uv_fs_event_t *handle, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    (void)status;
    struct node *node = handle->data;
    look_at_store(node);
    // Not at once: what a turn writes is the next event, and libuv reads events until none is left.
    if (engine_is_busy(node->engine)) {
        node_turn_soon(node);
    }
}

// In case that the notification does not work here: one stat, no statement.
static void look_at_file(struct node *node)
{
    int64_t stamp = stamp_of(node->store->ops->watch_path(node->store));
    if (stamp != node->store_stamp) {
        node->store_stamp = stamp;
        look_at_store(node);
    }
}

void node_store_tick(struct node *node)
{
    look_at_file(node);
    look_at_server(node);
    tell_history(node);
    look_for_a_rewind(node);
}

// ---- life ---------------------------------------------------------------------------------------

bool node_store_open(struct node *node, struct error *err)
{
    node->memory.asked_at = clock_mono(node->clock);
    return open_store(node->loaded->config, OPEN_STORE_WRITE, node->options.command, node->clock,
                      &node->store, err) &&
           node_store_remember(node, err);
}

static void on_event(void *context)
{
    node_turn(context);
}

bool node_store_watch(struct node *node, struct error *err)
{
    const char *path = node->store->ops->watch_path(node->store);
    uv_fs_event_init(&node->loop, &node->watch);
    node->watch.data = node;
    if (path != NULL) {
        (void)uv_fs_event_start(&node->watch, on_watch, path, 0); // else the tick looks at the file
    }
    return store_watch_open(&node->store_watch, &node->loop, node->store, on_event, node, err);
}

void node_store_settle(struct node *node)
{
    if (node->store != NULL) {
        store_settle(node->store);
    }
}
