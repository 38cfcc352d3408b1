// SPDX-License-Identifier: MIT
#include "runner/router.h"

#include "base/attributes.h"

static struct runner_router *from_port(struct runner *port)
{
    return CONTAINER_OF(port, struct runner_router, port);
}

// ---- towards the runners ------------------------------------------------------------------------

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct runner *runner = from_port(port)->routes[start->job->kind];
    if (runner == NULL) {
        return error_set(err, ERROR_SPAWN,
                         "cannot start job %s: this ironcron was built without jobs of kind %s",
                         start->job->name, job_kind_name(start->job->kind));
    }
    return runner->ops->start(runner, start, err);
}

// The next runner after this position that was not among those before it.
static struct runner *each_runner(const struct runner_router *router, int *at)
{
    while (*at < JOB_KIND_COUNT) {
        struct runner *runner = router->routes[(*at)++];
        bool seen = runner == NULL;
        for (int i = 0; i < *at - 1; i++) {
            seen = seen || router->routes[i] == runner;
        }
        if (!seen) {
            return runner;
        }
    }
    return NULL;
}

static void stop(struct runner *port, uint64_t run, bool at_once)
{
    int at = 0;
    for (struct runner *runner; (runner = each_runner(from_port(port), &at)) != NULL;) {
        runner->ops->stop(runner, run, at_once);
    }
}

static void feed(struct runner *port, struct mono deadline)
{
    int at = 0;
    for (struct runner *runner; (runner = each_runner(from_port(port), &at)) != NULL;) {
        runner->ops->feed(runner, deadline);
    }
}

// ---- towards the owner --------------------------------------------------------------------------

static void on_started(void *context, uint64_t run, int pid)
{
    const struct runner_events *events = &((struct runner_router *)context)->port.events;
    events->on_started(events->context, run, pid);
}

static void on_output(void *context, uint64_t run, const char *bytes, size_t length)
{
    const struct runner_events *events = &((struct runner_router *)context)->port.events;
    events->on_output(events->context, run, bytes, length);
}

static void on_end(void *context, uint64_t run, const struct runner_end *end)
{
    const struct runner_events *events = &((struct runner_router *)context)->port.events;
    events->on_end(events->context, run, end);
}

void runner_router_init(struct runner_router *router)
{
    static const struct runner_ops ops = {.start = start, .stop = stop, .feed = feed};
    *router = (struct runner_router){.port = {.ops = &ops}};
}

void runner_router_set(struct runner_router *router, enum job_kind kind, struct runner *runner)
{
    router->routes[kind] = runner;
    if (runner != NULL) {
        runner->events = (struct runner_events){
            .context = router, .on_started = on_started, .on_output = on_output, .on_end = on_end};
    }
}
