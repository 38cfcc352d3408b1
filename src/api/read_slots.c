// SPDX-License-Identifier: MIT
// The slots of a job in the order of their due times, and the node in a few words.
#include "api/api.h"
#include "document/json.h"
#include "http/problem.h"
#include "time/format.h"

#define SPAN_DEFAULT DURATION_S(86400)
#define SPAN_MAX     DURATION_S(86400 * 7) // a long span costs all slots of it

struct page {
    json_t *array;
    size_t limit;
    struct instant last;
};

static bool take(void *context, const struct store_slot_row *row)
{
    struct page *page = context;
    json_array_append_new(page->array, json_slot(row));
    page->last = row->due_at;
    return json_array_size(page->array) < page->limit;
}

static bool read_span(struct api *api, const struct http_request *request,
                      struct store_slot_filter *filter, struct http_response *response)
{
    struct instant after;
    if (!api_time(api, request, "since", &filter->since, response) ||
        !api_time(api, request, "until", &filter->until, response) ||
        !api_time(api, request, "after", &after, response)) {
        return false;
    }
    if (instant_is_none(filter->until)) {
        filter->until = clock_now(api->clock);
    }
    if (instant_is_none(filter->since)) {
        filter->since = instant_add(filter->until, (struct duration){-SPAN_DEFAULT.us});
    }
    if (!instant_is_none(after)) {
        filter->since = instant_add(after, DURATION_MS(1));
    }
    if (instant_since(filter->until, filter->since).us > SPAN_MAX.us) {
        http_problem(response, 400, "From since to until may be at most 7 days.");
        return false;
    }
    return true;
}

void api_get_slots(void *context, const struct http_request *request,
                   struct http_response *response)
{
    struct api *api = context;
    struct error err = ERROR_INIT;
    struct page page = {0};
    struct store_slot_filter filter = {.job = http_request_query(request, "job")};
    if (!api_limit(request, &page.limit, response) || !read_span(api, request, &filter, response)) {
        return;
    }
    page.array = json_array();
    if (!api->store->ops->read_slots(api->store, &filter, take, &page, &err)) {
        json_decref(page.array);
        api_fail(response, &err);
        return;
    }
    bool is_full = json_array_size(page.array) == page.limit;
    api_send(response, 200, page.array);
    if (is_full) {
        char after[FORMAT_TIME_SIZE];
        format_utc_ms(page.last, after);
        api_link_next(request, after, response);
    }
}

// ---- the node -----------------------------------------------------------------------------------

static json_t *json_checks(struct health *health)
{
    json_t *checks = json_array();
    for (int i = 0; i < HEALTH_CHECK_COUNT; i++) {
        enum health_check check = (enum health_check)i;
        const char *reason = health_reason(health, check);
        json_array_append_new(checks,
                              json_pack("{s:s, s:b, s:o, s:o}", "name", health_check_name(check),
                                        "ok", reason == NULL, "reason", json_text(reason), "note",
                                        json_text(health_noted(health, check))));
    }
    return checks;
}

// The last one, over or not.
static json_t *json_outage(const struct api *api)
{
    const struct engine_outage *outage = &api->endpoints->health->outage;
    if (instant_is_none(outage->since)) {
        return json_null();
    }
    bool is_over = engine_store_is_up(api->engine);
    struct instant until = instant_add(outage->since, outage->lasted);
    struct duration so_far = instant_since(clock_now(api->clock), outage->since);
    return json_pack("{s:o, s:o, s:o}", "since", json_time(outage->since), "until",
                     is_over ? json_time(until) : json_null(), "lasted_ms",
                     json_duration(is_over ? outage->lasted : so_far));
}

void api_get_status(void *context, const struct http_request *request,
                    struct http_response *response)
{
    (void)request;
    struct api *api = context;
    struct health *health = api->endpoints->health;
    const char *mode = engine_is_dry_run(api->engine) ? "dry-run" : "live";
    struct engine_drain_order order;
    bool drains = engine_told_to_drain(api->engine, &order);
    api_send(
        response, 200,
        json_pack("{s:o, s:o, s:s, s:o, s:s, s:b, s:b, s:o, s:i, s:i, s:o, s:o, s:o, s:o, s:o}",
                  "at", json_time(clock_now(api->clock)), "environment",
                  json_text(api->config->environment), "mode", mode, "node", json_uuid(api->node),
                  "version", IRONCRON_VERSION, "ready", (int)health_is_ready(health), "store_is_up",
                  (int)engine_store_is_up(api->engine), "store_outage", json_outage(api), "jobs",
                  (int)api->config->job_count, "running", engine_running(api->engine), "checks",
                  json_checks(health), "definitions", json_version(engine_version(api->engine)),
                  "active_definitions", json_version(engine_active_version(api->engine)), "refused",
                  json_text(engine_refused(api->engine)), "draining_since",
                  json_time(drains ? order.since : INSTANT_NONE)));
}
