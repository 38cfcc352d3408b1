// SPDX-License-Identifier: MIT
#include "call/call_runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "call/answer.h"
#include "call/call.h"
#include "call/transport.h"
#include "runner/table.h"
#include "time/format.h"

#define LOOK_EVERY_MS 1000 // the loop's timers stand still during a suspend, deadlines do not

struct call_queue {
    struct call *first, *last;
    int count;
};

struct call_runner {
    struct runner port; // first: the port is the whole
    struct call_runner_options options;
    struct transport transport;
    uv_timer_t timer;
    struct call_queue queues[CALL_ENDED + 1]; // by phase
    struct table by_run;
    struct map by_id;
    struct heap deadlines;
    struct mono trusted; // until when what runs may run
};

static struct call_runner *from_port(const struct runner *runner)
{
    return CONTAINER_OF((uintptr_t)runner, struct call_runner, port);
}

// ---- queues -------------------------------------------------------------------------------------

static void queue_remove(struct call_queue *queue, struct call *call)
{
    *(call->previous == NULL ? &queue->first : &call->previous->next) = call->next;
    *(call->next == NULL ? &queue->last : &call->next->previous) = call->previous;
    call->previous = call->next = NULL;
    queue->count--;
}

static void queue_add(struct call_queue *queue, struct call *call)
{
    call->previous = queue->last;
    *(queue->last == NULL ? &queue->first : &queue->last->next) = call;
    queue->last = call;
    queue->count++;
}

static void move(struct call_runner *runner, struct call *call, enum call_phase phase)
{
    queue_remove(&runner->queues[call->phase], call);
    call->phase = phase;
    queue_add(&runner->queues[phase], call);
}

static bool is_sooner(const struct heap_node *a, const struct heap_node *b)
{
    const struct call *left = CONTAINER_OF(a, struct call, timer);
    const struct call *right = CONTAINER_OF(b, struct call, timer);
    if (left->deadline.us != right->deadline.us) {
        return left->deadline.us < right->deadline.us;
    }
    return left->fence < right->fence;
}

static void on_timer(uv_timer_t *timer);

static void wake(struct call_runner *runner)
{
    uv_timer_start(&runner->timer, on_timer, 0, 0);
}

// ---- the end ------------------------------------------------------------------------------------

// Decides the end of a call, which is told later. Its request, if any, is dropped.
static void end(struct call_runner *runner, struct call *call, enum runner_end_kind kind)
{
    CHECK(call->phase != CALL_ENDED);
    if (call->phase == CALL_REQUESTING) {
        call->status = transfer_status(&call->transfer);
        transport_remove(&runner->transport, call->transfer.easy);
        transfer_close(&call->transfer);
    }
    call->end = kind;
    heap_remove(&runner->deadlines, &call->timer);
    move(runner, call, CALL_ENDED);
    wake(runner);
}

static void tell_end(struct call_runner *runner, struct call *call)
{
    const struct runner_events *events = &runner->port.events;
    struct duration took = mono_since(clock_mono(runner->options.clock), call->started);
    char *facts = call_facts(call, took);
    output_tell_rest(&call->output, events, call->run);
    struct runner_end report = {.kind = call->end,
                                .duration = took,
                                .output_bytes = call->output.total,
                                .output_cut = call->output.left_out > 0,
                                .error = call->error.length > 0 ? buf_string(&call->error) : NULL,
                                .failure = call->end == RUNNER_FAILED ? FAILURE_HTTP : FAILURE_NONE,
                                .facts = facts};
    queue_remove(&runner->queues[CALL_ENDED], call);
    table_remove(&runner->by_run, call->run);
    map_remove(&runner->by_id, call->id);
    events->on_end(events->context, call->run, &report);
    free(facts);
    call_free(call);
}

static void tell_ends(struct call_runner *runner)
{
    while (runner->queues[CALL_ENDED].first != NULL) {
        tell_end(runner, runner->queues[CALL_ENDED].first);
    }
}

// ---- the request --------------------------------------------------------------------------------

static void keep_output(struct call *call, const char *bytes, size_t length)
{
    output_tell(&call->output, &call->runner->port.events, call->run, bytes, length);
}

static void on_body(void *context, const char *bytes, size_t length)
{
    keep_output(context, bytes, length);
}

static void begin(struct call_runner *runner, struct call *call)
{
    const struct runner_events *events = &runner->port.events;
    struct error err = ERROR_INIT;
    call->transfer.on_body = on_body;
    call->transfer.context = call;
    transfer_open(&call->transfer, call->job->http, &call->request);
    if (!transport_add(&runner->transport, call->transfer.easy, &err)) {
        transfer_close(&call->transfer);
        buf_add_string(&call->error, err.text);
        end(runner, call, RUNNER_SPAWN_FAILED);
        return;
    }
    move(runner, call, CALL_REQUESTING);
    events->on_started(events->context, call->run, 0);
}

static void begin_waiting(struct call_runner *runner)
{
    struct call_queue *waiting = &runner->queues[CALL_WAITING];
    while (waiting->first != NULL && runner->queues[CALL_REQUESTING].count < CALL_RUNNER_AT_ONCE) {
        begin(runner, waiting->first);
    }
}

static void on_done(void *context, CURL *easy, CURLcode code)
{
    struct call_runner *runner = context;
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct call *call = (struct call *)(void *)private;
    const struct job_http *http = call->job->http;
    if (!answer_judge(&call->transfer, http, code, &call->error)) {
        end(runner, call, RUNNER_FAILED);
    } else if (!http->callback) {
        end(runner, call, RUNNER_SUCCEEDED);
    } else {
        call->status = transfer_status(&call->transfer);
        transport_remove(&runner->transport, easy);
        transfer_close(&call->transfer);
        move(runner, call, CALL_AWAITING);
    }
}

// ---- deadlines ----------------------------------------------------------------------------------

// May somebody be at work on it?
static bool is_sent(const struct call *call)
{
    return call->phase == CALL_AWAITING ||
           (call->phase == CALL_REQUESTING && transfer_was_sent(&call->transfer));
}

static void describe_progress(struct call *call)
{
    if (call->phase == CALL_REQUESTING) {
        answer_describe_progress(&call->transfer, call->job->http, &call->error);
    } else if (call->phase == CALL_AWAITING) {
        buf_printf(&call->error, "%s %.300s answered %d, and no callback came",
                   call->job->http->method, call->job->http->shown_url, call->status);
    } else {
        buf_printf(&call->error, "%s %.300s was not sent: %d requests are under way",
                   call->job->http->method, call->job->http->shown_url, CALL_RUNNER_AT_ONCE);
    }
}

static void time_out(struct call_runner *runner, struct call *call)
{
    char limit[FORMAT_DURATION_SIZE];
    format_duration(call->job->timeout, limit);
    describe_progress(call);
    buf_printf(&call->error, " within the timeout of %s; it was given up%s", limit,
               is_sent(call) ? ", the server may go on" : "");
    end(runner, call, RUNNER_TIMED_OUT);
}

static void time_out_all(struct call_runner *runner, struct mono now)
{
    for (struct heap_node *top; (top = heap_top(&runner->deadlines)) != NULL;) {
        struct call *call = CONTAINER_OF(top, struct call, timer);
        if (mono_before(now, call->deadline)) {
            return;
        }
        time_out(runner, call);
    }
}

// Nobody may rely any more on what we still run.
static void give_up_all(struct call_runner *runner)
{
    for (int phase = CALL_WAITING; phase < CALL_ENDED; phase++) {
        struct call *call;
        while ((call = runner->queues[phase].first) != NULL) {
            describe_progress(call);
            buf_add_string(&call->error,
                           " when the scheduler had stood still for longer than its lease; what "
                           "became of it is not known");
            end(runner, call, RUNNER_GONE);
        }
    }
}

static void look_at_trust(struct call_runner *runner, struct mono now)
{
    if (!mono_before(now, runner->trusted)) {
        give_up_all(runner);
    }
}

// Milliseconds until something is due.
static uint64_t wait_ms(const struct call_runner *runner, struct mono now)
{
    const struct heap_node *top = heap_top(&runner->deadlines);
    if (top == NULL) {
        return LOOK_EVERY_MS;
    }
    const struct call *call = CONTAINER_OF(top, struct call, timer);
    int64_t ms = mono_since(call->deadline, now).us / 1000 + 1;
    return ms < 0 ? 0 : ms > LOOK_EVERY_MS ? LOOK_EVERY_MS : (uint64_t)ms;
}

static void on_timer(uv_timer_t *timer)
{
    struct call_runner *runner = timer->data;
    struct mono now = clock_mono(runner->options.clock);
    look_at_trust(runner, now);
    time_out_all(runner, now);
    begin_waiting(runner);
    tell_ends(runner);
    if (runner->by_run.count > 0) {
        uv_timer_start(&runner->timer, on_timer, wait_ms(runner, now), 0);
    }
    runner->options.on_quiet(runner->options.context);
}

static void on_quiet(void *context)
{
    struct call_runner *runner = context;
    if (runner->queues[CALL_ENDED].first != NULL) {
        wake(runner);
    }
}

// ---- the port -----------------------------------------------------------------------------------

static bool start(struct runner *port, const struct runner_start *start, struct error *err)
{
    struct call_runner *runner = from_port(port);
    struct mono now = clock_mono(runner->options.clock);
    CHECK(start->job->http != NULL && table_get(&runner->by_run, start->run) == NULL);
    if (start->job->http->callback && !runner->options.accepts_callbacks) {
        return error_set(err, ERROR_REFUSED,
                         "cannot start job %s: its end comes by a callback, and nobody listens for "
                         "one; start `ironcron serve`, then run it again",
                         start->job->name);
    }
    struct call *call = call_new(start, now, runner->options.output_max);
    if (!request_build(&call->request, start, clock_now(runner->options.clock), err)) {
        call_free(call);
        return false;
    }
    call->runner = runner;
    queue_add(&runner->queues[CALL_WAITING], call);
    table_put(&runner->by_run, call->run, call);
    map_put(&runner->by_id, call->id, call);
    heap_push(&runner->deadlines, &call->timer);
    wake(runner);
    return true;
}

static void stop(struct runner *port, uint64_t run, bool at_once)
{
    (void)at_once; // a request has no softer end
    struct call_runner *runner = from_port(port);
    struct call *call = table_get(&runner->by_run, run);
    if (call != NULL && call->phase != CALL_ENDED) {
        if (is_sent(call)) {
            buf_add_string(&call->error, "the server may go on with it");
        }
        end(runner, call, RUNNER_CANCELLED);
    }
}

static void feed(struct runner *port, struct mono deadline)
{
    struct call_runner *runner = from_port(port);
    look_at_trust(runner, clock_mono(runner->options.clock));
    runner->trusted = deadline;
}

static const struct runner_ops call_ops = {.start = start, .stop = stop, .feed = feed};

// ---- callbacks ----------------------------------------------------------------------------------

static struct call *find(const struct call_runner *runner, struct uuid run_id)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(run_id, id);
    struct call *call = map_get(&runner->by_id, id);
    return call == NULL || call->phase == CALL_ENDED ? NULL : call;
}

const struct job *call_runner_job(const struct runner *port, struct uuid run_id)
{
    const struct call *call = find(from_port(port), run_id);
    return call == NULL ? NULL : call->job;
}

static void take_callback(struct call_runner *runner, struct call *call,
                          const struct callback *callback)
{
    call->ended_by = callback->by;
    if (callback->output != NULL) {
        keep_output(call, callback->output, strlen(callback->output));
    }
    if (!callback->success) {
        char *failure = callback_failure(callback);
        buf_add_string(&call->error, failure);
        free(failure);
    }
    end(runner, call, callback->success ? RUNNER_SUCCEEDED : RUNNER_FAILED);
    tell_end(runner, call);
}

enum call_end_result call_runner_end(struct runner *port, struct uuid run_id,
                                     const struct callback *callback)
{
    struct call_runner *runner = from_port(port);
    struct call *call = find(runner, run_id);
    if (call == NULL) {
        return CALL_END_UNKNOWN;
    }
    if (call->fence != callback->fence) {
        return CALL_END_WRONG_FENCE;
    }
    if (!call->job->http->callback) {
        return CALL_END_BY_RESPONSE;
    }
    take_callback(runner, call, callback);
    return CALL_END_TAKEN;
}

// ---- life ---------------------------------------------------------------------------------------

struct runner *call_runner_new(const struct call_runner_options *options)
{
    struct call_runner *runner = alloc_zero(1, sizeof *runner);
    runner->port.ops = &call_ops;
    runner->options = *options;
    runner->trusted = MONO_NEVER;
    heap_init(&runner->deadlines, is_sooner);
    map_init(&runner->by_id);
    transport_init(&runner->transport, options->loop);
    runner->transport.on_done = on_done;
    runner->transport.on_quiet = on_quiet;
    runner->transport.context = runner;
    uv_timer_init(options->loop, &runner->timer);
    runner->timer.data = runner;
    return &runner->port;
}

void call_runner_set_output_max(struct runner *port, int64_t bytes)
{
    from_port(port)->options.output_max = bytes;
}

void call_runner_free(struct runner *port)
{
    if (port == NULL) {
        return;
    }
    struct call_runner *runner = from_port(port);
    for (int phase = CALL_WAITING; phase <= CALL_ENDED; phase++) {
        struct call *call;
        while ((call = runner->queues[phase].first) != NULL) {
            if (phase == CALL_REQUESTING) {
                transport_remove(&runner->transport, call->transfer.easy);
            }
            queue_remove(&runner->queues[phase], call);
            call_free(call);
        }
    }
    transport_release(&runner->transport);
    table_release(&runner->by_run);
    map_release(&runner->by_id);
    heap_release(&runner->deadlines);
    free(runner);
}
