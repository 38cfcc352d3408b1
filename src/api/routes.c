// SPDX-License-Identifier: MIT
// Everything that HTTP offers, in one table.
#include <stdio.h>

#include "api/api.h"
#include "base/attributes.h"
#include "http/problem.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, HTTP_IN_QUERY, HTTP_TEXT, false, NULL                                                \
    }
#define JOB                                                                                        \
    {                                                                                              \
        "job", HTTP_IN_PATH, HTTP_TEXT, true, "name of a job"                                      \
    }
#define RUN                                                                                        \
    {                                                                                              \
        "run", HTTP_IN_PATH, HTTP_UUID, true, "id of a run"                                        \
    }
#define LIMIT                                                                                      \
    {                                                                                              \
        "limit", HTTP_IN_QUERY, HTTP_INTEGER, false, "at most so many, 1 to 1000; 100"             \
    }
#define SINCE                                                                                      \
    {                                                                                              \
        "since", HTTP_IN_QUERY, HTTP_TIME, false, "from this time on"                              \
    }
#define UNTIL                                                                                      \
    {                                                                                              \
        "until", HTTP_IN_QUERY, HTTP_TIME, false, "before this time"                               \
    }
#define REASON                                                                                     \
    {                                                                                              \
        "reason", HTTP_IN_BODY, HTTP_TEXT, false, "why, for the audit log"                         \
    }
#define ID                                                                                         \
    {                                                                                              \
        "intent_id", HTTP_IN_BODY, HTTP_UUID, false,                                               \
            "chosen by the client: a repeat is recognised by it"                                   \
    }
#define AS                                                                                         \
    {                                                                                              \
        "as", HTTP_IN_BODY, HTTP_TEXT, false, "for whom; recorded beside the actor"                \
    }

static const struct http_parameter nothing[] = {END};
static const struct http_parameter runs[] = {
    {"job", HTTP_IN_QUERY, HTTP_TEXT, false, "of this job"},
    {"state", HTTP_IN_QUERY, HTTP_TEXT, false, "STARTED, SUCCESS, FAILED …"},
    SINCE,
    UNTIL,
    LIMIT,
    {"after", HTTP_IN_QUERY, HTTP_INTEGER, false, "behind the run with this fence"},
    END};
static const struct http_parameter run[] = {RUN, END};
static const struct http_parameter output[] = {
    RUN, {"offset", HTTP_IN_QUERY, HTTP_INTEGER, false, "from this byte on; at most 1 MB"}, END};
static const struct http_parameter jobs[] = {
    {"state", HTTP_IN_QUERY, HTTP_TEXT, false, "in this state: ok, failing, running, paused …"},
    LIMIT,
    {"after", HTTP_IN_QUERY, HTTP_TEXT, false, "behind the job of this name"},
    END};
static const struct http_parameter job[] = {
    JOB, {"next", HTTP_IN_QUERY, HTTP_INTEGER, false, "so many coming slots, 100 at most; 3"}, END};
static const struct http_parameter audit[] = {
    {"job", HTTP_IN_QUERY, HTTP_TEXT, false, "of this job"},
    {"event", HTTP_IN_QUERY, HTTP_TEXT, false, "STARTED, PAUSED …"},
    SINCE,
    UNTIL,
    LIMIT,
    {"after", HTTP_IN_QUERY, HTTP_INTEGER, false, "behind the row with this seq"},
    END};
static const struct http_parameter slots[] = {
    {"job", HTTP_IN_QUERY, HTTP_TEXT, true, "of this job"},
    SINCE,
    UNTIL,
    LIMIT,
    {"after", HTTP_IN_QUERY, HTTP_TIME, false, "behind the slot that was due then"},
    END};
static const struct http_parameter why[] = {
    JOB,
    {"at", HTTP_IN_QUERY, HTTP_TIME, false, "the slot of this time; the newest that is due"},
    END};
#define FROM                                                                                       \
    {                                                                                              \
        "from", HTTP_IN_QUERY, HTTP_TIME, false, "slots after this time; now"                      \
    }
#define COUNT                                                                                      \
    {                                                                                              \
        "count", HTTP_IN_QUERY, HTTP_INTEGER, false, "so many; 5, of all jobs 20"                  \
    }
#define EXPLAIN                                                                                    \
    {                                                                                              \
        "explain", HTTP_IN_QUERY, HTTP_BOOLEAN, false,                                             \
            "also in words, and what changes of the clock do"                                      \
    }
static const struct http_parameter job_next[] = {JOB, FROM, COUNT, EXPLAIN, END};
static const struct http_parameter next[] = {
    {"schedule", HTTP_IN_QUERY, HTTP_TEXT, false, "of this schedule; all jobs"},
    {"tz", HTTP_IN_QUERY, HTTP_TEXT, false, "zone of the schedule; UTC"},
    FROM,
    COUNT,
    EXPLAIN,
    END};
static const struct http_parameter doctor[] = {
    {"deep", HTTP_IN_QUERY, HTTP_BOOLEAN, false, "read the whole store"}, END};
static const struct http_parameter verify[] = {SINCE, END};
static const struct http_parameter backfill[] = {
    JOB,
    {"from", HTTP_IN_BODY, HTTP_TIME, true, "the first slot"},
    {"to", HTTP_IN_BODY, HTTP_TIME, true, "the last slot"},
    {"force", HTTP_IN_BODY, HTTP_BOOLEAN, false, "also what has succeeded"},
    {"max_parallel", HTTP_IN_BODY, HTTP_INTEGER, false, "so many at once; 1"},
    {"dry_run", HTTP_IN_BODY, HTTP_BOOLEAN, false, "claim and audit only"},
    ID,
    REASON,
    AS,
    END};
static const struct http_parameter intent[] = {
    {"intent", HTTP_IN_PATH, HTTP_UUID, true, "id of an intent"}, END};
static const struct http_parameter start_run[] = {
    JOB,
    {"params", HTTP_IN_BODY, HTTP_OBJECT, false, "declared params, texts by name"},
    {"dry_run", HTTP_IN_BODY, HTTP_BOOLEAN, false, "claim and audit only"},
    ID,
    REASON,
    AS,
    END};
static const struct http_parameter cancel_run[] = {RUN, ID, REASON, AS, END};
static const struct http_parameter cancel_job[] = {JOB, ID, REASON, AS, END};
static const struct http_parameter order_node[] = {
    {"node", HTTP_IN_PATH, HTTP_UUID, true, "id of a node"}, ID, REASON, AS, END};
static const struct http_parameter reload[] = {ID, REASON, AS, END};
static const struct http_parameter act_on_job[] = {JOB, REASON, AS, END};
static const struct http_parameter act_on_all[] = {REASON, AS, END};
#define CANCEL                                                                                     \
    {                                                                                              \
        "cancel_running", HTTP_IN_BODY, HTTP_BOOLEAN, false, "end what runs as well"               \
    }
static const struct http_parameter pause_job[] = {JOB, CANCEL, REASON, AS, END};
static const struct http_parameter pause_all[] = {CANCEL, REASON, AS, END};
#define FACTOR                                                                                     \
    {                                                                                              \
        "factor", HTTP_IN_BODY, HTTP_INTEGER, true, "one slot of so many runs; 0 lifts it"         \
    }
static const struct http_parameter throttle_job[] = {JOB, FACTOR, REASON, AS, END};
static const struct http_parameter throttle_all[] = {FACTOR, REASON, AS, END};
#define ON                                                                                         \
    {                                                                                              \
        "on", HTTP_IN_BODY, HTTP_BOOLEAN, true, "true: dry-run; false: live"                       \
    }
static const struct http_parameter dry_run_job[] = {JOB, ON, REASON, AS, END};
static const struct http_parameter dry_run_all[] = {ON, REASON, AS, END};

// The table of observe/endpoints.c has these; their context is another one.
static void answer_endpoint(void *context, const struct http_request *request,
                            struct http_response *response)
{
    endpoints_answer(((struct api *)context)->endpoints, request, response);
}

static void answer_events(void *context, const struct http_request *request,
                          struct http_response *response)
{
    struct api *api = context;
    const char *last_id = http_request_header(request, "Last-Event-ID");
    if (!event_hub_stream(&api->events, last_id, &response->stream)) {
        http_problem(response, 503, "%d clients listen to events already; that is the most.",
                     EVENTS_CLIENTS_MAX);
        response->retry_after = 5;
        return;
    }
    response->content_type = "text/event-stream";
}

static void answer_end(void *context, const struct http_request *request,
                       struct http_response *response)
{
    struct api *api = context;
    api->end_run(api->context, request, response);
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", answer_endpoint, HTTP_ANYBODY, NULL, "what is here", NULL},
    {HTTP_GET, "/livez", answer_endpoint, HTTP_ANYBODY, NULL, "200 while the loop turns", NULL},
    {HTTP_GET, "/readyz", answer_endpoint, HTTP_ANYBODY, NULL, "200 while jobs can start", NULL},
    // Its own rule, http.metrics_public, is looked at behind this.
    {HTTP_GET, "/metrics", answer_endpoint, HTTP_ANYBODY, NULL, "for Prometheus", NULL},
    {HTTP_GET, "/api/v1/openapi.json", api_get_description, HTTP_VIEWER, nothing,
     "this description", "Object"},
    {HTTP_GET, "/api/v1/events", answer_events, HTTP_VIEWER, nothing,
     "what happens, as server-sent events", NULL},
    {HTTP_GET, "/api/v1/status", api_get_status, HTTP_VIEWER, nothing, "the node in a few words",
     "Status"},
    {HTTP_GET, "/api/v1/overview", api_get_overview, HTTP_VIEWER, nothing,
     "what `ironcron status` shows", "Overview"},
    {HTTP_GET, "/api/v1/doctor", api_get_doctor, HTTP_VIEWER, doctor, "what needs a hand",
     "Doctor"},
    {HTTP_GET, "/api/v1/validate", api_get_validate, HTTP_VIEWER, nothing,
     "would the node's files start a node here?", "Validation"},
    {HTTP_GET, "/api/v1/next", api_get_next, HTTP_VIEWER, next,
     "the coming slots of a schedule, or of all jobs", "Next"},
    {HTTP_GET, "/api/v1/jobs", api_get_jobs, HTTP_VIEWER, jobs, "the jobs by name", "Job[]"},
    {HTTP_GET, "/api/v1/jobs/{job}", api_get_job, HTTP_VIEWER, job, "one job", "JobInFull"},
    {HTTP_GET, "/api/v1/jobs/{job}/why", api_get_why, HTTP_VIEWER, why,
     "why a slot did or did not run", "Why"},
    {HTTP_GET, "/api/v1/jobs/{job}/next", api_get_job_next, HTTP_VIEWER, job_next,
     "its coming slots", "JobNext"},
    {HTTP_POST, "/api/v1/jobs/{job}/run", api_post_run, HTTP_OPERATOR, start_run,
     "one manual run now", "Intent"},
    {HTTP_POST, "/api/v1/jobs/{job}/backfill", api_post_backfill, HTTP_OPERATOR, backfill,
     "run the slots of a past range", "Intent"},
    {HTTP_POST, "/api/v1/jobs/{job}/cancel", api_post_cancel_job, HTTP_OPERATOR, cancel_job,
     "end what runs of a job", "Intent"},
    {HTTP_POST, "/api/v1/jobs/{job}/pause", api_post_pause, HTTP_OPERATOR, pause_job, "pause a job",
     "ControlOutcome"},
    {HTTP_POST, "/api/v1/jobs/{job}/resume", api_post_resume, HTTP_OPERATOR, act_on_job,
     "lift its pause", "ControlOutcome"},
    {HTTP_POST, "/api/v1/jobs/{job}/throttle", api_post_throttle, HTTP_OPERATOR, throttle_job,
     "run one slot of several", "ControlOutcome"},
    {HTTP_POST, "/api/v1/jobs/{job}/dry-run", api_post_dry_run, HTTP_OPERATOR, dry_run_job,
     "execute nothing of it", "ControlOutcome"},
    {HTTP_POST, "/api/v1/pause", api_post_pause, HTTP_OPERATOR, pause_all, "pause all jobs",
     "ControlOutcome"},
    {HTTP_POST, "/api/v1/resume", api_post_resume, HTTP_OPERATOR, act_on_all,
     "lift the pause of all jobs", "ControlOutcome"},
    {HTTP_POST, "/api/v1/throttle", api_post_throttle, HTTP_OPERATOR, throttle_all,
     "throttle all jobs", "ControlOutcome"},
    {HTTP_POST, "/api/v1/dry-run", api_post_dry_run, HTTP_OPERATOR, dry_run_all,
     "execute nothing at all", "ControlOutcome"},
    {HTTP_POST, "/api/v1/reload", api_post_reload, HTTP_OPERATOR, reload,
     "read the configuration anew", "Intent"},
    {HTTP_GET, "/api/v1/runs", api_get_runs, HTTP_VIEWER, runs, "runs, the newest first", "Run[]"},
    {HTTP_GET, "/api/v1/runs/{run}", api_get_run, HTTP_VIEWER, run, "one run", "RunInFull"},
    {HTTP_GET, "/api/v1/runs/{run}/output", api_get_output, HTTP_VIEWER, output,
     "what it printed, from an offset on", NULL},
    {HTTP_POST, "/api/v1/runs/{run}/cancel", api_post_cancel_run, HTTP_OPERATOR, cancel_run,
     "end a run", "Intent"},
    {HTTP_POST, "/api/v1/runs/{run}/retry", api_post_retry, HTTP_OPERATOR, cancel_run,
     "another attempt at its slot", "Intent"},
    {HTTP_GET, "/api/v1/slots", api_get_slots, HTTP_VIEWER, slots, "slots of a job by due time",
     "Slot[]"},
    // Proven by a signature or a token, which its handler checks.
    {HTTP_POST, "/api/v1/runs/{run}/end", answer_end, HTTP_ANYBODY, NULL,
     "the end of an http job's run, told by whoever carried it out", NULL},
    {HTTP_GET, "/api/v1/audit", api_get_audit, HTTP_VIEWER, audit,
     "sealed rows of the audit log, the newest first", "Audit[]"},
    {HTTP_GET, "/api/v1/audit/verify", api_get_verify, HTTP_VIEWER, verify, "is the ledger whole?",
     "Verification"},
    {HTTP_GET, "/api/v1/nodes", api_get_nodes, HTTP_VIEWER, nothing, "the nodes, the newest first",
     "Node[]"},
    {HTTP_POST, "/api/v1/nodes/{node}/drain", api_post_drain_node, HTTP_OPERATOR, order_node,
     "begin nothing new there, until it is resumed or started anew", "Intent"},
    {HTTP_POST, "/api/v1/nodes/{node}/resume", api_post_resume_node, HTTP_OPERATOR, order_node,
     "let it take jobs again", "Intent"},
    {HTTP_GET, "/api/v1/controls", api_get_controls, HTTP_VIEWER, nothing, "the controls in force",
     "Control[]"},
    {HTTP_GET, "/api/v1/intents/{intent}", api_get_intent, HTTP_VIEWER, intent,
     "what became of an intent", "Intent"},
};

// A name is kept now: an answer may come after a reload that changes the tokens.
static bool admit(void *context, const struct http_route *route, const struct http_request *request,
                  struct http_response *response)
{
    struct api *api = context;
    const char *token = NULL;
    if (!bearers_check(&api->endpoints->bearers, request, route->access, &token, response)) {
        return false;
    }
    api->actor[0] = '\0';
    if (token != NULL) {
        snprintf(api->actor, sizeof api->actor, "%s", token);
    } else if (request->peer.is_local && route->access >= HTTP_OPERATOR) {
        actor_of_user(request->peer.uid, api->actor);
    }
    return true;
}

// The others answer out of what the node has at hand; and an end that is told needs what runs here.
static bool asks_store(const struct http_route *route)
{
    static http_handler_fn *const others[] = {answer_endpoint, answer_events, answer_end,
                                              api_get_description, api_get_status};
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        if (route->handler == others[i]) {
            return false;
        }
    }
    return true;
}

static bool takes_a_command(const struct http_route *route)
{
    static http_handler_fn *const those[] = {api_get_why,    api_get_job_next, api_get_next,
                                             api_get_doctor, api_get_validate, api_get_overview,
                                             api_get_verify};
    for (size_t i = 0; i < ARRAY_LENGTH(those); i++) {
        if (route->handler == those[i]) {
            return true;
        }
    }
    return false;
}

// A store that is a file is read at once. One on a server may let anybody wait who asks it.
static void call(void *context, const struct http_route *route, const struct http_request *request,
                 struct http_response *response)
{
    struct api *api = context;
    bool may_wait = api->store->ops->wants != NULL && asks_store(route);
    if (api->aside != NULL && (may_wait || takes_a_command(route))) {
        api->aside(api->context, route, request, response);
    } else {
        route->handler(context, request, response);
    }
}

const struct http_router *api_router(void)
{
    static const struct http_router router = {routes, sizeof routes / sizeof *routes, admit, call};
    return &router;
}
