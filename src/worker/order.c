// SPDX-License-Identifier: MIT
#include "worker/order.h"

#include <string.h>

#include "base/uuid.h"
#include "time/format.h"

// ---- from the scheduler's side ------------------------------------------------------------------

static json_t *timeout_of(const struct job *job)
{
    char timeout[FORMAT_DURATION_SIZE];
    format_duration(job->timeout, timeout);
    return job->timeout.us > 0 ? json_string(timeout) : json_null();
}

bool order_encode(const struct runner_start *start, const struct database *database,
                  const struct order_store *store, char **text_out, struct error *err)
{
    const struct job *job = start->job;
    char run_id[UUID_TEXT_SIZE];
    char due_at[FORMAT_TIME_SIZE];
    uuid_format(start->run_id, run_id);
    format_utc_ms(start->due_at, due_at);
    json_t *root = json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:s, s:s, s:I, s:o, s:I, s:I}", "job",
                             job->name, "database", database->name, "path", database->path,
                             "statement", job->sql->statement, "timeout", timeout_of(job),
                             "transaction", job->sql->transaction, "due_at", due_at, "run_id",
                             run_id, "fence", (json_int_t)start->fence, "params",
                             job_params_object(start->params), "store_device",
                             (json_int_t)store->device, "store_inode", (json_int_t)store->inode);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text == NULL) {
        return error_set(err, ERROR_SPAWN,
                         "cannot start job %s: its statement or a param is not valid UTF-8",
                         job->name);
    }
    *text_out = text;
    return true;
}

// ---- from the worker's side ---------------------------------------------------------------------

static bool take_params(struct order *order, json_t *params)
{
    size_t count = 0;
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(params, name, value)
    {
        if (count == JOB_PARAMS_MAX || !json_is_string(value)) {
            return false;
        }
        order->params[count++] =
            (struct job_variable){.name = name, .value = json_string_value(value)};
    }
    return true;
}

static bool take_all(struct order *order)
{
    json_t *params = NULL;
    int transaction = 0;
    json_int_t fence = 0;
    json_int_t device = 0;
    json_int_t inode = 0;
    const char *timeout = NULL;
    json_t *timeout_value = json_object_get(order->root, "timeout");
    timeout = json_string_value(timeout_value);
    if (json_unpack(order->root, "{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:I, s:o, s:I, s:I}", "job",
                    &order->job, "database", &order->database, "path", &order->path, "statement",
                    &order->statement, "transaction", &transaction, "due_at", &order->due_at,
                    "run_id", &order->run_id, "fence", &fence, "params", &params, "store_device",
                    &device, "store_inode", &inode) != 0) {
        return false;
    }
    order->timeout = timeout;
    order->transaction = transaction != 0;
    order->fence = fence;
    order->store = (struct order_store){.device = (dev_t)device, .inode = (ino_t)inode};
    return json_is_object(params) && take_params(order, params);
}

bool order_decode(const char *text, size_t length, struct order *order_out, struct error *err)
{
    struct order order = {.root = json_loadb(text, length, 0, NULL)};
    if (order.root == NULL || !take_all(&order)) {
        order_release(&order);
        return error_set(err, ERROR_USAGE,
                         "this is no order: `worker` is started by ironcron itself, for jobs of "
                         "kind sql on SQLite databases");
    }
    *order_out = order;
    return true;
}

void order_release(struct order *order)
{
    json_decref(order->root);
    *order = (struct order){0};
}
