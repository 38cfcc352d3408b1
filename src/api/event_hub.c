// SPDX-License-Identifier: MIT
#include "api/event_hub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "document/json.h"

#define ABSENCE    DURATION_S(60) // a client that is away for so long finds no events kept
#define KEEP_ALIVE DURATION_S(15) // below the deadline of an exchange, and of most proxies

struct event_client {
    struct event_hub *hub;
    uint64_t next;     // number of the event to send next
    const char *rest;  // of what is being sent
    char *text;        // owns it
    struct mono spoke; // when something was last sent
};

void event_hub_init(struct event_hub *hub, struct clock *clock)
{
    *hub = (struct event_hub){.clock = clock,
                              .listened = clock_mono(clock),
                              .next = 1,
                              .boot = (uint64_t)instant_ms(clock_now(clock))};
}

void event_hub_release(struct event_hub *hub)
{
    CHECK(hub->clients == 0);
    for (size_t i = 0; i < EVENTS_KEPT; i++) {
        free(hub->texts[i]);
    }
}

// ---- what happens -------------------------------------------------------------------------------

// Thousands of runs a second cost nothing while nobody is interested.
static bool is_wanted(const struct event_hub *hub)
{
    return hub->clients > 0 || mono_since(clock_mono(hub->clock), hub->listened).us < ABSENCE.us;
}

void event_hub_add(struct event_hub *hub, const char *name, json_t *document)
{
    CHECK(document != NULL);
    AUTO(buf_release) struct buf text;
    buf_init(&text, 65536);
    char *data = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    CHECK(data != NULL);
    buf_printf(&text, "id: %" PRIu64 "-%" PRIu64 "\nevent: %s\ndata: %s\n\n", hub->boot, hub->next,
               name, data);
    free(data);
    char **slot = &hub->texts[hub->next % EVENTS_KEPT];
    free(*slot);
    *slot = alloc_string(buf_string(&text));
    hub->next++;
    hub->is_fresh = true;
}

static json_t *json_engine_run(const struct engine_run *run)
{
    return json_pack("{s:o, s:o, s:o, s:i, s:s, s:I, s:o}", "run_id", json_uuid(run->run_id), "job",
                     json_text(run->job->name), "due_at", json_time(run->due_at), "attempt",
                     run->attempt, "trigger", run_trigger_name(run->trigger), "fence",
                     (json_int_t)run->fence, "started_at", json_time(run->started_at));
}

static void on_started(void *context, const struct engine_run *run, struct duration delay)
{
    if (!is_wanted(context)) {
        return;
    }
    (void)delay;
    event_hub_add(context, "run_started", json_engine_run(run));
}

static void on_ended(void *context, const struct engine_run *run, enum run_state state,
                     enum run_failure failure, struct duration duration, const char *error)
{
    if (!is_wanted(context)) {
        return;
    }
    json_t *document = json_engine_run(run);
    json_object_set_new(document, "state", json_string(run_state_name(state)));
    json_object_set_new(document, "duration_ms", json_duration(duration));
    json_object_set_new(document, "reason",
                        json_text(failure != FAILURE_NONE ? run_failure_label(failure) : NULL));
    json_object_set_new(document, "error", json_text(error));
    event_hub_add(context, "run_ended", document);
}

static void on_passed_over(void *context, const struct job *job, struct instant due_at,
                           enum slot_outcome outcome, enum slot_reason reason)
{
    if (!is_wanted(context)) {
        return;
    }
    event_hub_add(context, "slot_passed_over",
                  json_pack("{s:s, s:o, s:s, s:s}", "job", job->name, "due_at", json_time(due_at),
                            "outcome", slot_outcome_name(outcome), "reason",
                            slot_reason_name(reason)));
}

static void on_store(void *context, const struct error *err, const struct engine_outage *outage)
{
    event_hub_add(context, err == NULL ? "store_up" : "store_down",
                  json_pack("{s:o, s:o, s:o}", "error", json_text(err == NULL ? NULL : err->text),
                            "since", json_time(outage->since), "lasted_ms",
                            json_duration(outage->lasted)));
}

const struct engine_events *event_hub_events(struct event_hub *hub)
{
    hub->events = (struct engine_events){.context = hub,
                                         .on_started = on_started,
                                         .on_ended = on_ended,
                                         .on_passed_over = on_passed_over,
                                         .on_store = on_store};
    return &hub->events;
}

json_t *event_hub_json_control(const struct control_outcome *outcome)
{
    return json_pack("{s:s, s:o, s:i, s:o, s:s, s:o, s:o}", "control",
                     store_control_name(outcome->kind), "job", json_text(outcome->job), "value",
                     outcome->value, "at", json_time(outcome->at), "actor", outcome->actor, "as",
                     json_text(outcome->as), "reason", json_text(outcome->reason));
}

// ---- clients ------------------------------------------------------------------------------------

bool event_hub_takes_wake(struct event_hub *hub)
{
    bool wakes = hub->is_fresh && hub->clients > 0;
    hub->is_fresh = false;
    return wakes;
}

static void begin_text(struct event_client *client, const char *text)
{
    free(client->text);
    client->text = alloc_string(text);
    client->rest = client->text;
}

// The next thing to send; false when there is none.
static bool next_text(struct event_client *client)
{
    struct event_hub *hub = client->hub;
    uint64_t oldest = hub->next > EVENTS_KEPT ? hub->next - EVENTS_KEPT + 1 : 1;
    if (client->next < oldest) {
        char text[128];
        snprintf(text, sizeof text, "event: lost\ndata: {\"events\":%" PRIu64 "}\n\n",
                 oldest - client->next);
        begin_text(client, text);
        client->next = oldest;
        return true;
    }
    if (client->next < hub->next) {
        begin_text(client, hub->texts[client->next % EVENTS_KEPT]);
        client->next++;
        return true;
    }
    if (mono_since(clock_mono(hub->clock), client->spoke).us >= KEEP_ALIVE.us) {
        begin_text(client, ": still here\n\n");
        client->spoke = clock_mono(hub->clock);
        return true;
    }
    return false;
}

static size_t client_read(void *context, char *bytes, size_t size)
{
    struct event_client *client = context;
    size_t used = 0;
    while (used < size && (*client->rest != '\0' || next_text(client))) {
        size_t length = strlen(client->rest);
        length = length < size - used ? length : size - used;
        memcpy(bytes + used, client->rest, length);
        client->rest += length;
        used += length;
    }
    if (used > 0) {
        client->spoke = clock_mono(client->hub->clock);
    }
    return used > 0 ? used : HTTP_STREAM_WAIT;
}

static void client_free(void *context)
{
    struct event_client *client = context;
    client->hub->clients--;
    client->hub->listened = clock_mono(client->hub->clock);
    free(client->text);
    free(client);
}

static uint64_t place_behind(const struct event_hub *hub, const char *last_id)
{
    char *end;
    if (last_id == NULL || strtoull(last_id, &end, 10) != hub->boot || *end != '-') {
        return hub->next;
    }
    uint64_t last = strtoull(end + 1, &end, 10);
    return *end == '\0' && last < hub->next ? last + 1 : hub->next;
}

bool event_hub_stream(struct event_hub *hub, const char *last_id, struct http_stream *stream_out)
{
    if (hub->clients == EVENTS_CLIENTS_MAX) {
        return false;
    }
    struct event_client *client = alloc_zero(1, sizeof *client);
    hub->clients++;
    client->hub = hub;
    client->next = place_behind(hub, last_id);
    client->spoke = clock_mono(hub->clock);
    begin_text(client, "retry: 2000\n\n");
    *stream_out = (struct http_stream){client_read, client_free, client};
    return true;
}
