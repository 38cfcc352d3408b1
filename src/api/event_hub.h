// SPDX-License-Identifier: MIT
// What happens, as server-sent events: runs that start and end, slots that are passed over,
// controls, the store going and coming. The last EVENTS_KEPT are kept, and each client reads on
// from its own place; one that is too slow is told that it lost some. Best effort: what must not be
// missed is in the audit log.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "document/control_outcome.h"
#include "engine/events.h"
#include "http/request.h"
#include "time/clock.h"

#define EVENTS_KEPT        1024
#define EVENTS_CLIENTS_MAX 16

struct event_hub {
    struct engine_events events; // for a fanout
    struct clock *clock;
    char *texts[EVENTS_KEPT]; // of number n at n % EVENTS_KEPT; ready to send
    uint64_t next;            // number of the next event; the first is 1
    uint64_t boot;            // makes numbers of other boots recognisable
    int clients;
    struct mono listened; // when the last client left
    bool is_fresh;        // something was added that clients were not woken for
};

void event_hub_init(struct event_hub *hub, struct clock *clock);
void event_hub_release(struct event_hub *hub); // after its last client has gone
// Runs, slots and the store, for a fanout; the hub must not move.
const struct engine_events *event_hub_events(struct event_hub *hub);
// Takes the document over.
void event_hub_add(struct event_hub *hub, const char *name, json_t *document);
json_t *event_hub_json_control(const struct control_outcome *outcome); // of a "control"
// True when the streams should be asked again (http_server_wake); clears that.
bool event_hub_takes_wake(struct event_hub *hub);
// A stream of its own for each client, from the event behind `last_id` on, where that is still
// known; else from now on. False: too many clients.
bool event_hub_stream(struct event_hub *hub, const char *last_id, struct http_stream *stream_out);
