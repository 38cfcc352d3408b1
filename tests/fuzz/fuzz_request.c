// SPDX-License-Identifier: MIT
// Any request against the table of the API: "METHOD TARGET\n" and a body. Whatever comes, the
// answer is a status, and one that is JSON can be read.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/check.h"
#include "fuzz_target.h"
#include "http/target.h"
#include "store/model/model_store.h"

static struct instant fixed_now(struct clock *clock)
{
    (void)clock;
    return instant_from_unix(1800000000);
}

static struct mono fixed_mono(struct clock *clock)
{
    (void)clock;
    return (struct mono){1000000};
}

static void changed(void *context)
{
    (void)context;
}

static void end_run(void *context, const struct http_request *request,
                    struct http_response *response)
{
    (void)context;
    (void)request;
    response->status = 200;
}

static struct api *the_api(void)
{
    static struct clock clock = {.now = fixed_now, .mono = fixed_mono};
    static struct health health;
    static struct endpoints endpoints;
    static struct config config;
    static struct api api;
    if (api.store == NULL) {
        health_init(&health, &clock, DURATION_S(30));
        endpoints_init(&endpoints, metrics_new(&(struct metrics_options){.version = "1"}), &health);
        api_init(&api, &endpoints, &clock);
        api.store = model_store_new(&clock);
        api.config = &config;
        api.changed = changed;
        api.end_run = end_run;
    }
    return &api;
}

static void ask(const char *method, const char *raw, const char *body, size_t length)
{
    struct http_target target;
    struct error err = ERROR_INIT;
    if (!http_target_parse(&target, raw, &err)) {
        CHECK(err.text[0] != '\0');
        return;
    }
    const struct http_header header = {"Content-Type", "application/json"};
    const struct http_request request = {.method = method,
                                         .path = target.path,
                                         .query = target.query,
                                         .query_count = target.query_count,
                                         .headers = &header,
                                         .header_count = 1,
                                         .body = body,
                                         .body_length = length,
                                         .peer = {.is_local = true, .uid = geteuid()}};
    struct http_response response;
    http_response_init(&response);
    if (strcmp(target.path, "/api/v1/status") != 0) { // needs an engine
        api_answer(the_api(), &request, &response);
    }
    CHECK(response.status >= 200 && response.status < 600);
    if (response.content_type != NULL && strstr(response.content_type, "json") != NULL) {
        json_t *document = json_loads(buf_string(&response.body), 0, NULL);
        CHECK(document != NULL);
        json_decref(document);
    }
    http_response_release(&response);
    http_target_release(&target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 16384) {
        return 0;
    }
    char *text = calloc(1, size + 1);
    CHECK(text != NULL);
    memcpy(text, data, size);
    char *line_end = strchr(text, '\n');
    char *body = line_end == NULL ? text + strlen(text) : line_end + 1;
    if (line_end != NULL) {
        *line_end = '\0';
    }
    char *raw = strchr(text, ' ');
    if (raw != NULL) {
        *raw++ = '\0';
        ask(text, raw, body, size - (size_t)(body - text));
    }
    free(text);
    return 0;
}
