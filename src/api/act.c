// SPDX-License-Identifier: MIT
// Acting: the same intents and controls as the command line writes, by whoever was admitted. The
// node takes its turn at once, so that the answer mostly tells the outcome already.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/api.h"
#include "base/check.h"
#include "document/control_outcome.h"
#include "document/control_set.h"
#include "document/json.h"
#include "document/running_ids.h"
#include "http/problem.h"
#include "job/params.h"

#define ANSWER_MAX   ((size_t)4 * 1024 * 1024)
#define THROTTLE_MAX 1000
#define LOOK_MS      20

static struct uuid new_id(struct api *api)
{
    uint8_t random[10];
    CHECK(getrandom(random, sizeof random, 0) == (ssize_t)sizeof random);
    return uuid_v7(instant_ms(clock_now(api->clock)), random);
}

// What is kept and shown to people holds no control bytes.
static bool check_text(const struct http_request *request, const char *name,
                       struct http_response *response)
{
    const char *text = http_request_text(request, name);
    size_t length = text == NULL ? 0 : strlen(text);
    bool is_clean = true;
    for (size_t i = 0; i < length; i++) {
        is_clean = is_clean && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    }
    if (length > API_TEXT_MAX || !is_clean) {
        http_problem(response, 400, "%s must be one line of at most %d bytes.", name, API_TEXT_MAX);
        return false;
    }
    return true;
}

static bool check_texts(const struct http_request *request, struct http_response *response)
{
    return check_text(request, "reason", response) && check_text(request, "as", response);
}

static bool check_id(const struct http_request *request, struct http_response *response)
{
    struct uuid id;
    const char *text = http_request_text(request, "intent_id");
    if (text != NULL && uuid_parse(text, &id) && uuid_is_nil(id)) {
        http_problem(response, 400, "intent_id must be a UUID of your own, not all zeros.");
        return false;
    }
    return true;
}

// ---- intents ------------------------------------------------------------------------------------

static bool put(struct api *api, const struct http_request *request, struct store_intent *intent,
                struct error *err)
{
    const char *id = http_request_text(request, "intent_id");
    if (id == NULL || !uuid_parse(id, &intent->intent_id)) {
        intent->intent_id = new_id(api);
    }
    intent->actor = api->actor;
    intent->as = http_request_text(request, "as");
    intent->reason = http_request_text(request, "reason");
    intent->created_at = clock_now(api->clock);
    struct store_op_intent_put op = {.op.kind = STORE_INTENT_PUT, .intent = *intent};
    if (!store_call(api->store, &op.op, err)) {
        return false;
    }
    store_op_release(&op.op);
    return true;
}

static void answer_refused(const struct store_intent *intent, struct http_response *response)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(intent->intent_id, id);
    http_problem_open(response, 409, intent->answer != NULL ? intent->answer : "The node refused.");
    buf_printf(&response->body, ",\"intent_id\":\"%s\"}\n", id);
}

// A repeat is the same wish; params are not compared, since they are forgotten.
static bool is_same(const struct store_intent *asked, const struct store_intent *kept)
{
    bool same_job = asked->job == NULL || kept->job == NULL ? asked->job == kept->job
                                                            : strcmp(asked->job, kept->job) == 0;
    return asked->kind == kept->kind && same_job && asked->dry_run == kept->dry_run &&
           (asked->kind != INTENT_CANCEL || uuid_equal(asked->run_id, kept->run_id));
}

// As it is, or as it has become within the time that an answer may take.
static bool read_intent(struct api *api, struct uuid id, struct arena *arena,
                        struct store_intent *intent, struct error *err)
{
    struct mono until = mono_add(clock_mono(api->clock), api->patience);
    while (api->store->ops->read_intent(api->store, id, arena, intent, err)) {
        if (intent->state != INTENT_PENDING || !mono_before(clock_mono(api->clock), until)) {
            return true;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return false;
}

static void answer_intent(struct api *api, const struct store_intent *asked,
                          struct http_response *response)
{
    struct error err = ERROR_INIT;
    struct store_intent intent = {0};
    struct uuid id = asked->intent_id;
    AUTO(arena_release) struct arena arena;
    arena_init(&arena, ANSWER_MAX);
    if (!read_intent(api, id, &arena, &intent, &err)) {
        api_fail(response, &err);
    } else if (!is_same(asked, &intent)) {
        http_problem(response, 409,
                     "This intent_id was used for another request, and nothing was done: choose a "
                     "new one for each.");
    } else if (intent.state == INTENT_REFUSED) {
        answer_refused(&intent, response);
    } else {
        api_send(response, intent.state == INTENT_DONE ? 200 : 202, json_intent(&intent));
        char text[UUID_TEXT_SIZE];
        uuid_format(id, text);
        snprintf(response->location, sizeof response->location, "/api/v1/intents/%s", text);
    }
}

void api_carry_out(struct api *api, const struct http_request *request, struct store_intent *intent,
                   struct http_response *response)
{
    struct error err = ERROR_INIT;
    if (!check_texts(request, response) || !check_id(request, response)) {
        return;
    }
    if (!put(api, request, intent, &err)) {
        api_fail(response, &err);
        return;
    }
    api->changed(api->context); // from here on nothing of the configuration may be looked at
    answer_intent(api, intent, response);
}

void api_post_run(void *context, const struct http_request *request, struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    const struct job *job = api_job(api, request, response);
    if (job == NULL) {
        return;
    }
    json_t *params = json_object_get(request->json, "params");
    char *text = json_object_size(params) > 0 ? json_dumps(params, JSON_COMPACT) : NULL;
    struct store_intent intent = {.kind = INTENT_RUN,
                                  .job = http_request_path_param(request, "job"),
                                  .params = text,
                                  .dry_run =
                                      json_is_true(json_object_get(request->json, "dry_run"))};
    if (job_params_check(job, text, &err)) {
        api_carry_out(api, request, &intent, response);
    } else {
        http_problem(response, 400, "%s", err.text);
    }
    free(text);
}

void api_post_cancel_run(void *context, const struct http_request *request,
                         struct http_response *response)
{
    struct store_intent intent = {.kind = INTENT_CANCEL};
    if (!uuid_parse(http_request_path_param(request, "run"), &intent.run_id) ||
        uuid_is_nil(intent.run_id)) {
        http_problem(response, 400, "run must be the UUID of a run.");
        return;
    }
    api_carry_out(context, request, &intent, response);
}

void api_post_cancel_job(void *context, const struct http_request *request,
                         struct http_response *response)
{
    struct store_intent intent = {.kind = INTENT_CANCEL,
                                  .job = http_request_path_param(request, "job")};
    if (api_job(context, request, response) != NULL) {
        api_carry_out(context, request, &intent, response);
    }
}

void api_post_reload(void *context, const struct http_request *request,
                     struct http_response *response)
{
    struct api *api = context;
    char node[UUID_TEXT_SIZE];
    char params[STORE_INTENT_NODE_SIZE];
    uuid_format(api->node, node);
    store_intent_for_node(node, params); // this node's files
    struct store_intent intent = {.kind = INTENT_RELOAD, .params = params};
    api_carry_out(api, request, &intent, response);
}

// ---- controls -----------------------------------------------------------------------------------

static bool cancel_running(struct api *api, const struct http_request *request, const char *job,
                           size_t *cancelled_out, struct error *err)
{
    AUTO(running_ids_release) struct running_ids running = {0};
    if (!running_ids_read(&running, api->store, job, err)) {
        return false;
    }
    for (size_t i = 0; i < running.count; i++) {
        struct store_intent intent = {.kind = INTENT_CANCEL, .run_id = running.list[i]};
        if (api->engine != NULL) {
            engine_feed(api->engine); // there may be thousands
        }
        if (!put(api, request, &intent, err)) {
            return false;
        }
    }
    *cancelled_out = running.count;
    return true;
}

// A control of a job that has left the configuration can still be lifted.
static bool check_job(struct api *api, const struct http_request *request,
                      const struct control_outcome *outcome, const struct control_set *before,
                      struct http_response *response)
{
    bool can_lift =
        outcome->value == 0 && control_set_exact(before, outcome->job, outcome->kind) != NULL;
    return outcome->job == NULL || can_lift || api_job(api, request, response) != NULL;
}

static bool write_control(struct api *api, struct control_outcome *outcome, struct error *err)
{
    struct store_op_control op = {.op.kind = STORE_CONTROL,
                                  .job = outcome->job,
                                  .kind = outcome->kind,
                                  .value = outcome->value,
                                  .actor = outcome->actor,
                                  .as = outcome->as,
                                  .reason = outcome->reason};
    if (!store_call(api->store, &op.op, err)) {
        return false;
    }
    outcome->changed = op.changed;
    store_op_release(&op.op);
    return true;
}

static void set_control(struct api *api, const struct http_request *request,
                        enum store_control_kind kind, int value, struct http_response *response)
{
    struct error err = ERROR_INIT;
    struct control_outcome outcome = {.kind = kind,
                                      .job = http_request_path_param(request, "job"),
                                      .value = value,
                                      .at = clock_now(api->clock),
                                      .actor = api->actor,
                                      .as = http_request_text(request, "as"),
                                      .reason = http_request_text(request, "reason"),
                                      .node_is_live = true};
    AUTO(control_set_release) struct control_set before = {0};
    bool cancels = json_is_true(json_object_get(request->json, "cancel_running"));
    if (!check_texts(request, response)) {
        return;
    }
    if (!control_set_load(&before, api->store, &err)) {
        api_fail(response, &err);
        return;
    }
    if (!check_job(api, request, &outcome, &before, response)) {
        return;
    }
    if (!write_control(api, &outcome, &err) ||
        (cancels && !cancel_running(api, request, outcome.job, &outcome.cancelled, &err))) {
        api_fail(response, &err);
        return;
    }
    api_send(response, 200, json_control_outcome(&outcome, &before));
    if (outcome.changed && api->tell != NULL) {
        api->tell(api->context, "control", event_hub_json_control(&outcome));
    } else if (outcome.changed) {
        event_hub_add(&api->events, "control", event_hub_json_control(&outcome));
    }
    api->changed(api->context);
}

void api_post_pause(void *context, const struct http_request *request,
                    struct http_response *response)
{
    set_control(context, request, CONTROL_PAUSE, 1, response);
}

void api_post_resume(void *context, const struct http_request *request,
                     struct http_response *response)
{
    set_control(context, request, CONTROL_PAUSE, 0, response);
}

void api_post_throttle(void *context, const struct http_request *request,
                       struct http_response *response)
{
    json_int_t factor = json_integer_value(json_object_get(request->json, "factor"));
    if (factor > THROTTLE_MAX || factor == 1) {
        http_problem(response, 400,
                     "factor must be 2 to %d: one slot of so many runs; or 0 to lift the throttle.",
                     THROTTLE_MAX);
        return;
    }
    set_control(context, request, CONTROL_THROTTLE, (int)factor, response);
}

void api_post_dry_run(void *context, const struct http_request *request,
                      struct http_response *response)
{
    bool on = json_is_true(json_object_get(request->json, "on"));
    set_control(context, request, CONTROL_DRY_RUN, on ? 1 : 0, response);
}
