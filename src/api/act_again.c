// SPDX-License-Identifier: MIT
// Running slots of the past: a backfill of a range, another attempt at the slot of a run.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/alloc.h"
#include "http/problem.h"
#include "time/format.h"

#define PARALLEL_MAX 1000

// False: answered.
static bool read_bound(struct api *api, const struct http_request *request, const char *name,
                       char out[FORMAT_TIME_SIZE], struct http_response *response)
{
    struct instant t;
    struct error err = ERROR_INIT;
    if (!format_parse_time(http_request_text(request, name), clock_now(api->clock), &t, &err)) {
        http_problem(response, 400, "%s: %s", name, err.text);
        return false;
    }
    format_utc_ms(t, out);
    return true;
}

void api_post_backfill(void *context, const struct http_request *request,
                       struct http_response *response)
{
    struct api *api = context;
    char from[FORMAT_TIME_SIZE];
    char to[FORMAT_TIME_SIZE];
    char parallel[32];
    const json_t *wanted = json_object_get(request->json, "max_parallel");
    json_int_t count = wanted == NULL || json_is_null(wanted) ? 1 : json_integer_value(wanted);
    if (api_job(api, request, response) == NULL ||
        !read_bound(api, request, "from", from, response) ||
        !read_bound(api, request, "to", to, response)) {
        return;
    }
    if (strcmp(from, to) > 0 || count < 1 || count > PARALLEL_MAX) {
        http_problem(response, 400, "from must not be after to, and max_parallel 1 to %d.",
                     PARALLEL_MAX);
        return;
    }
    snprintf(parallel, sizeof parallel, "%d", (int)count);
    bool force = json_is_true(json_object_get(request->json, "force"));
    json_t *wish = json_pack("{s:s, s:s, s:s, s:s*}", "from", from, "to", to, "max_parallel",
                             parallel, "force", force ? "yes" : NULL);
    char *params = json_dumps(wish, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(wish);
    struct store_intent intent = {.kind = INTENT_BACKFILL,
                                  .job = http_request_path_param(request, "job"),
                                  .params = params,
                                  .dry_run =
                                      json_is_true(json_object_get(request->json, "dry_run"))};
    api_carry_out(api, request, &intent, response);
    free(params);
}

// ---- another attempt ----------------------------------------------------------------------------

struct trial {
    bool found;
    char job[JOB_NAME_MAX + 1];
    enum run_state state;
    enum run_trigger trigger;
    int attempt;
    struct instant due_at;
};

static bool take_run(void *context, const struct store_run_row *row)
{
    struct trial *trial = context;
    trial->found = true;
    snprintf(trial->job, sizeof trial->job, "%s", row->job);
    trial->state = row->state;
    trial->trigger = row->trigger;
    trial->attempt = row->attempt;
    trial->due_at = row->due_at;
    return false;
}

static bool read_run(struct api *api, struct uuid id, struct trial *trial, struct error *err)
{
    struct store_run_filter filter = {.run_id = id, .limit = 1};
    *trial = (struct trial){0};
    return api->store->ops->read_runs(api->store, &filter, take_run, trial, err);
}

struct slot_found {
    bool found;
    enum slot_outcome outcome;
    struct uuid run_id;
};

static bool take_slot(void *context, const struct store_slot_row *row)
{
    *(struct slot_found *)context = (struct slot_found){true, row->outcome, row->run_id};
    return false;
}

// The attempt to come counts from the slot's last one, whichever of its runs was named.
static bool aim_at_slot(struct api *api, struct trial *trial, char *params, size_t size,
                        struct error *err)
{
    char due[FORMAT_TIME_SIZE];
    struct slot_found slot = {0};
    struct trial last;
    struct store_slot_filter filter = {.job = trial->job,
                                       .since = trial->due_at,
                                       .until = instant_add(trial->due_at, DURATION_MS(1))};
    format_utc_ms(trial->due_at, due);
    if (!api->store->ops->read_slots(api->store, &filter, take_slot, &slot, err) ||
        !read_run(api, slot.run_id, &last, err)) {
        return false;
    }
    if (!slot.found || !slot_outcome_is_retryable(slot.outcome)) {
        return error_set(err, ERROR_REFUSED,
                         "The slot of %s at %s is %s: only one whose last attempt ended badly can "
                         "be tried again. To run it all the same: POST /api/v1/jobs/%s/backfill "
                         "with force.",
                         trial->job, due, slot.found ? "not of that kind" : "not kept any more",
                         trial->job);
    }
    snprintf(params, size, "{\"attempt\":\"%d\",\"due_at\":\"%s\"}",
             (last.found ? last.attempt : trial->attempt) + 1, due);
    return true;
}

void api_post_retry(void *context, const struct http_request *request,
                    struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct uuid id;
    struct trial trial;
    char params[160];
    struct store_intent intent = {.kind = INTENT_RUN};
    if (!uuid_parse(http_request_path_param(request, "run"), &id) || uuid_is_nil(id)) {
        http_problem(response, 400, "run must be the UUID of a run.");
        return;
    }
    if (!read_run(api, id, &trial, &err)) {
        api_fail(response, &err);
        return;
    }
    if (!trial.found) {
        http_problem(response, 404, "There is no such run. All runs: /api/v1/runs");
        return;
    }
    if (!run_state_is_final(trial.state) ||
        (trial.trigger == TRIGGER_MANUAL && trial.state == RUN_SUCCESS)) {
        http_problem(response, 409, "This run %s: there is nothing to try again.",
                     trial.state == RUN_SUCCESS ? "succeeded" : "is going on");
        return;
    }
    if (trial.trigger != TRIGGER_MANUAL) {
        if (!aim_at_slot(api, &trial, params, sizeof params, &err)) {
            api_fail(response, &err);
            return;
        }
        intent.kind = INTENT_RETRY;
        intent.params = params;
    }
    intent.job = trial.job;
    api_carry_out(api, request, &intent, response);
}
