// SPDX-License-Identifier: MIT
// The HTTP API: /api/v1/…, and beside it what a node offers anyway (/livez, /readyz, /metrics).
// One table (api/routes.c) says what there is, who may, and what a request may hold; the handlers
// read the store in bounded pieces, and act by the same intents and controls as the command line.
#pragma once

#include <jansson.h>

#include "api/actor.h"
#include "api/event_hub.h"
#include "config/config.h"
#include "document/control_outcome.h"
#include "document/cut_off.h"
#include "engine/engine.h"
#include "http/route.h"
#include "observe/endpoints.h"
#include "store/store.h"

#define API_PAGE_MAX     1000
#define API_PAGE_DEFAULT 100
#define API_TEXT_MAX     1000            // bytes of a reason or a name
#define API_READING      DURATION_MS(20) // on the node's loop

struct api {
    struct endpoints *endpoints; // health, metrics and tokens; not owned
    struct store *store;         // not owned
    struct engine *engine;       // not owned; NULL: somebody else feeds its runner
    const struct config *config; // in force; the owner sets it anew after a reload
    struct clock *clock;
    struct uuid node;
    struct event_hub events;
    // Something was written to the store: the owner lets the node take a turn at once. After it
    // configuration and tokens may be others.
    void (*changed)(void *context);
    // Calls a handler where it keeps nobody waiting: those that may take long, and all that ask a
    // store on a server. NULL: they are called at once.
    void (*aside)(void *context, const struct http_route *route, const struct http_request *request,
                  struct http_response *response);
    // Answers with the document of a command (`words`, up to NULL), as --json prints it. Blocks.
    // `missing`: the status of what it says no to.
    void (*run_command)(void *context, const char *const *words, int missing,
                        struct http_response *response);
    // Tells who listens to events; NULL: the hub here.
    void (*tell)(void *context, const char *name, json_t *event);
    struct duration reading;  // how long a page may be read, or the rest of a document
    struct duration patience; // how long an answer may wait for what becomes of a wish
    http_handler_fn *end_run; // POST …/runs/{run}/end; gets `context`, too
    void *context;
    char actor[ACTOR_SIZE]; // of the request that is being answered
};

void api_init(struct api *api, struct endpoints *endpoints, struct clock *clock);
void api_release(struct api *api);
// The handler for struct http_server_options; context is the struct api.
void api_answer(void *context, const struct http_request *request, struct http_response *response);

// The table, for the description and for tests.
const struct http_router *api_router(void);
// The OpenAPI 3.1 document of the table.
json_t *api_description(void);

// ---- for handlers -------------------------------------------------------------------------------

// Takes the document over; false: it was too large, which has been answered.
void api_send(struct http_response *response, int status, json_t *document);
void api_fail(struct http_response *response, const struct error *err);
// False: answered.
bool api_time(struct api *api, const struct http_request *request, const char *name,
              struct instant *out, struct http_response *response);
// 1 … API_PAGE_MAX; false: answered.
bool api_limit(const struct http_request *request, size_t *limit_out,
               struct http_response *response);
// The number in `name`, 0 without one.
int64_t api_number(const struct http_request *request, const char *name);
// Header Link: the same request with another `after`.
void api_link_next(const struct http_request *request, const char *after,
                   struct http_response *response);
// The same for rows that are read backwards by their number; 1 or less = there is no next page.
void api_link_below(const struct http_request *request, int64_t before,
                    struct http_response *response);
// The job of the path; NULL: answered.
const struct job *api_job(struct api *api, const struct http_request *request,
                          struct http_response *response);

// One that was killed is still written down as live. On SQLite only one node can hold the store; in
// a fleet the lease tells.
const char *api_node_state(const struct api *api, const struct store_node_row *row);

// The nodes that are gone, for runs that were cut off with them.
bool api_gone(const struct api *api, struct cut_off *nodes, struct error *err) MUST_USE;

// Puts the intent, lets the node take its turn, and answers with what came of it.
void api_carry_out(struct api *api, const struct http_request *request, struct store_intent *intent,
                   struct http_response *response);

http_handler_fn api_get_status, api_get_slots, api_post_backfill, api_post_retry;
http_handler_fn api_get_runs, api_get_run, api_get_output;
http_handler_fn api_get_jobs, api_get_job;
http_handler_fn api_get_audit, api_get_nodes, api_get_controls, api_get_intent;
http_handler_fn api_post_run, api_post_cancel_run, api_post_cancel_job, api_post_reload;
http_handler_fn api_post_pause, api_post_resume, api_post_throttle, api_post_dry_run;
http_handler_fn api_post_drain_node, api_post_resume_node;
http_handler_fn api_get_description;
// By a command (read_by_command.c).
http_handler_fn api_get_why, api_get_job_next, api_get_next, api_get_doctor, api_get_validate,
    api_get_overview, api_get_verify;
