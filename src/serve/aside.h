// SPDX-License-Identifier: MIT
// Requests that are answered aside: each by a process of its own, a copy of this one that answers
// what it was asked and ends. So nothing that a store on a server, or a whole command, may keep one
// waiting for stands in the scheduler's way, and nothing is shared with it: what the copy knows is
// what the node knew when it was asked. It has none of the node's descriptors, and a connection to
// the store of its own.
#pragma once

#include <jansson.h>
#include <uv.h>

#include "http/request.h"
#include "time/clock.h"

#define ASIDES_AT_ONCE 4 // processes, each with a connection to the store, or three where it acts

struct asides {
    uv_loop_t *loop;
    struct clock *clock;
    void (*on_answer)(void *context);  // some request that waits should be handled again
    void (*on_written)(void *context); // something was written to the store
    void (*on_event)(void *context, const char *name, json_t *event); // takes it over
    void *context;
    struct aside *first;
    int running;
};

// What a copy tells the node.
struct aside_channel {
    int fd;
};
void aside_tell_written(struct aside_channel *channel);
void aside_tell_event(struct aside_channel *channel, const char *name, json_t *event);

// Runs in the copy, and may block: answers the request.
typedef void aside_work_fn(void *context, struct aside_channel *channel,
                           const struct http_request *request, struct http_response *response);

// The first time begins it, as soon as it has its turn; the answer is `later` until it is there.
void asides_answer(struct asides *asides, aside_work_fn *work, void *context,
                   const struct http_request *request, struct http_response *response);
// What was kept of a request that is over.
void asides_forget(struct asides *asides, void *kept);
void asides_tick(struct asides *asides);  // each second or two
void asides_close(struct asides *asides); // ends all; nothing is answered any more
// Before the loop is closed, and after the requests are gone.
void asides_release(struct asides *asides);
