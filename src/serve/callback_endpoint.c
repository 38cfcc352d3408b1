// SPDX-License-Identifier: MIT
#include "serve/callback_endpoint.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "call/call_runner.h"
#include "call/signature.h"
#include "http/problem.h"

#define PREFIX "/api/v1/runs/"
#define SUFFIX "/end"

struct ending {
    struct node *node;
    const struct http_request *request;
    struct http_response *response;
    struct uuid run_id;
    char id[UUID_TEXT_SIZE];
    struct callback callback;
    char by[160]; // who told it, for the record
    // The run in the store; `job` is NULL when there is none.
    char *job;
    char *error;
    struct store_run_row row;
};

static bool refuse_end(const struct ending *ending, int status, const char *text)
{
    http_problem(ending->response, status, "%s", text);
    return false;
}

// ---- which run ----------------------------------------------------------------------------------

static bool read_path(const char *path, struct ending *ending)
{
    size_t length = strlen(path);
    size_t around = strlen(PREFIX) + strlen(SUFFIX);
    if (strncmp(path, PREFIX, strlen(PREFIX)) != 0 || length < around ||
        strcmp(path + length - strlen(SUFFIX), SUFFIX) != 0 ||
        memchr(path + strlen(PREFIX), '/', length - around) != NULL) {
        return false;
    }
    if (length - around == UUID_TEXT_SIZE - 1) {
        memcpy(ending->id, path + strlen(PREFIX), UUID_TEXT_SIZE - 1);
    }
    return true;
}

static bool keep_row(void *context, const struct store_run_row *row)
{
    struct ending *ending = context;
    free(ending->job);
    free(ending->error);
    ending->row = *row;
    ending->job = alloc_string(row->job);
    ending->error = alloc_optional(row->error);
    return false;
}

// The run's row as it is now. False: the store cannot tell, which has been answered.
static bool read_row(struct ending *ending)
{
    struct store_run_filter filter = {
        .run_id = ending->run_id, .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1};
    struct store *store = ending->node->store;
    struct error err = ERROR_INIT;
    if (store->ops->read_runs(store, &filter, keep_row, ending, &err)) {
        return true;
    }
    http_problem(ending->response, 503, "The store does not answer: %s. Tell this end again later.",
                 err.text);
    return false;
}

static bool find_run(struct ending *ending)
{
    bool named = uuid_parse(ending->id, &ending->run_id) && !uuid_is_nil(ending->run_id);
    if (named && !read_row(ending)) {
        return false;
    }
    return ending->job != NULL ||
           refuse_end(ending, 404,
                      "There is no such run: take its id from the header X-Ironcron-Run-Id. One "
                      "whose history was pruned is gone as well.");
}

// ---- who tells it -------------------------------------------------------------------------------

static bool refuse_unproven(const struct ending *ending, const char *text)
{
    refuse_end(ending, 401, text);
    ending->response->authenticate = "Bearer realm=\"ironcron\"";
    return false;
}

static const char *secret_of(const struct ending *ending)
{
    const struct job *job = call_runner_job(ending->node->calls, ending->run_id);
    if (job == NULL) {
        job = config_job(ending->node->loaded->config, ending->job);
    }
    return job == NULL || job->http == NULL ? NULL : job->http->secret;
}

static bool check_signature(struct ending *ending, const char *signature)
{
    const char *secret = secret_of(ending);
    const struct http_request *request = ending->request;
    if (secret == NULL) {
        return refuse_unproven(ending,
                               "The job of this run has no secret to check a signature with: "
                               "send a token of role operator instead.");
    }
    snprintf(ending->by, sizeof ending->by, "signature");
    switch (signature_check(signature, secret, clock_now(ending->node->clock), request->body,
                            request->body_length)) {
    case SIGNATURE_GOOD:
        return true;
    case SIGNATURE_MALFORMED:
        return refuse_unproven(
            ending,
            SIGNATURE_HEADER " must be t=UNIX_SECONDS,v1=HEX of HMAC-SHA256(secret, \"t.body\").");
    case SIGNATURE_STALE:
        return refuse_unproven(ending, "The signature's time is more than 5 minutes from now: sign "
                                       "anew for each try, and check the clocks of both hosts.");
    case SIGNATURE_WRONG:
        break;
    }
    return refuse_unproven(ending,
                           "The signature does not fit: sign exactly the bytes of the body, "
                           "with the job's secret.");
}

static bool check_token(struct ending *ending, const struct bearers *bearers)
{
    const char *name = NULL;
    const struct http_request *request = ending->request;
    bool can_tell = bearers->count > 0 && http_request_header(request, "Authorization") != NULL;
    if (!request->peer.is_local && !can_tell) {
        return refuse_unproven(
            ending, "An end must be proven: sign it with the job's secret in " SIGNATURE_HEADER
                    ", or send a token of role operator.");
    }
    if (!bearers_check(bearers, request, HTTP_OPERATOR, &name, ending->response)) {
        return false;
    }
    snprintf(ending->by, sizeof ending->by, "%s%s", name == NULL ? "unix socket" : "token ",
             name == NULL ? "" : name);
    return true;
}

static bool check_teller(struct ending *ending, const struct bearers *bearers)
{
    const char *signature = http_request_header(ending->request, SIGNATURE_HEADER);
    return signature != NULL ? check_signature(ending, signature) : check_token(ending, bearers);
}

// ---- the answer ---------------------------------------------------------------------------------

static bool read_body(struct ending *ending)
{
    struct error err = ERROR_INIT;
    const struct http_request *request = ending->request;
    const char *body = request->body == NULL ? "" : request->body;
    if (!callback_parse(body, request->body_length, &ending->callback, &err)) {
        http_problem(ending->response, 400, "%s.", err.text);
        return false;
    }
    ending->callback.by = ending->by;
    return true;
}

static void confirm(const struct ending *ending)
{
    ending->response->content_type = "application/json";
    buf_printf(&ending->response->body, "{\"run_id\":\"%s\",\"job\":\"%s\",\"state\":\"%s\"}\n",
               ending->id, ending->job, run_state_name(ending->row.state));
}

static bool is_same_error(const struct ending *ending)
{
    if (ending->callback.success) {
        return true;
    }
    char *told = callback_failure(&ending->callback);
    bool same = ending->error != NULL && strcmp(told, ending->error) == 0;
    free(told);
    return same;
}

static bool is_ended_by_callback(const struct ending *ending)
{
    const struct job *job = config_job(ending->node->loaded->config, ending->job);
    return job != NULL && job->http != NULL && job->http->callback;
}

// STARTED, and yet no request of ours.
static void answer_open(const struct ending *ending)
{
    if (!uuid_equal(ending->row.node, ending->node->id)) {
        refuse_end(ending, 409, "This run is under way on another node: tell its end there.");
    } else if (is_ended_by_callback(ending)) {
        refuse_end(ending, 503,
                   "An end of this run is noted, but the store does not take it now. "
                   "Tell it again until the answer is 200.");
    } else {
        refuse_end(ending, 409,
                   "This is not a run that a callback ends: that needs an http job with "
                   "\"complete: callback\".");
    }
}

// The run is not under way here: it ended before, or is of another kind.
static void answer_ended(const struct ending *ending)
{
    enum run_state told = ending->callback.success ? RUN_SUCCESS : RUN_FAILED;
    if (ending->row.fence != ending->callback.fence) {
        refuse_end(ending, 409,
                   "This run has another fence: the end is of another attempt, and "
                   "changes nothing.");
    } else if (!run_state_is_final(ending->row.state)) {
        answer_open(ending);
    } else if (ending->row.state == told && is_same_error(ending)) {
        confirm(ending);
    } else {
        http_problem(ending->response, 409,
                     "This run has ended as %s already%s%s; this end is too late.",
                     run_state_name(ending->row.state), ending->error == NULL ? "" : ": ",
                     ending->error == NULL ? "" : ending->error);
    }
}

// 200 is a promise, so it is given only for what the store has.
static void answer_taken(struct ending *ending)
{
    node_turn(ending->node);
    if (!read_row(ending)) {
        return;
    }
    answer_ended(ending);
}

static void answer(struct ending *ending)
{
    switch (call_runner_end(ending->node->calls, ending->run_id, &ending->callback)) {
    case CALL_END_TAKEN:
        answer_taken(ending);
        return;
    case CALL_END_UNKNOWN:
        answer_ended(ending);
        return;
    case CALL_END_WRONG_FENCE:
        http_problem(ending->response, 409,
                     "This run has another fence: take it from the header X-Ironcron-Fence.");
        return;
    case CALL_END_BY_RESPONSE:
        http_problem(ending->response, 409,
                     "The answer to its request ends this run; a callback needs \"complete: "
                     "callback\" in the job.");
        return;
    }
}

bool callback_endpoint_answer(struct node *node, const struct bearers *bearers,
                              const struct http_request *request, struct http_response *response)
{
    struct ending ending = {.node = node, .request = request, .response = response};
    if (!read_path(request->path, &ending)) {
        return false;
    }
    if (strcmp(request->method, "POST") != 0) {
        http_problem(response, 405, "%.200s takes POST, not %.40s.", request->path,
                     request->method);
        response->allow = "POST";
        return true;
    }
    if (find_run(&ending) && check_teller(&ending, bearers) && read_body(&ending)) {
        answer(&ending);
    }
    callback_release(&ending.callback);
    free(ending.job);
    free(ending.error);
    return true;
}
