// SPDX-License-Identifier: MIT
// Definitions come into force: at the start and at a reload. First everything that the schedules
// before demanded up to now is decided, then the new ones are recorded as in force from now on, so
// that the ledger has neither gap nor overlap at the border. The store is asked one question after
// the other, and only the start waits for the answers. Until the last of them nothing is decided,
// by the old definitions or the new ones; where one fails the old ones go on, and all of it is
// begun anew when the store is asked again.
#include "engine/publication.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "engine/decide.h"

void publication_free(struct publication *p)
{
    if (p != NULL) {
        publication_clear(p);
        engine_set_release(p->fresh);
        free(p);
    }
}

static void end_try(struct publication *p, bool finally)
{
    publication_clear(p);
    p->step = finally ? STEP_ENDED : STEP_WAITS;
}

// ---- one question after the other ---------------------------------------------------------------

static void ask(struct publication *p, struct store_op *op, void (*done)(struct store_op *op))
{
    p->step = STEP_ASKS;
    op->done = done;
    link_submit(p->engine, op);
}

// The store does everything else.
static void locked_out(struct publication *p)
{
    p->again_at = mono_add(clock_mono(p->engine->options.clock), LOCKED_AGAIN);
}

static void give_up(struct publication *p)
{
    error_reset(&p->err);
    (void)error_set(&p->err, ERROR_UNAVAILABLE, "the node is stopping");
    end_try(p, true);
}

// False: it goes no further.
static bool goes_on(struct publication *p, struct store_op *op, const char *what)
{
    struct engine *engine = p->engine;
    engine->busy = true;
    if (op->locked_out) {
        locked_out(p);
        engine->operations--;
    } else {
        link_answered(op);
    }
    if (engine->draining) {
        give_up(p);
        return false;
    }
    if (op->result == STORE_OK) {
        return true;
    }
    p->err = op->err;
    (void)error_wrap(&p->err, "%s", what);
    if (op->result == STORE_REFUSED) {
        fleet_tell(engine); // was this node fenced?
    }
    end_try(p, p->at_start || op->result == STORE_REFUSED);
    return false;
}

static void finish(struct publication *p)
{
    struct engine *engine = p->engine;
    feed_runner(engine);
    adopt_sweep(engine); // else those that the last reload removed would be looked for one by one
    adopt_jobs(p);
    if (p->fresh != engine->set) {
        adopt_leave(p);
        engine_set_release(engine->set); // runs under way hold it on
        engine->set = p->fresh;
        engine->set->references++;
        after_forget(engine);
        engine->store_changed = true; // controls name jobs: apply them to the new ones
    }
    if (!p->publish.outdated) {
        engine->fleet.version = p->fresh->set.version; // what was told before is older
        engine->fleet.outdated = false;
    }
    p->done = true;
    end_try(p, true);
    feed_runner(engine);
}

// From where on the slots of new and changed jobs are this node's to decide: another node may have
// published the same just before, and then they are in force since an earlier instant.
static void take_marks(struct publication *p)
{
    AUTO(map_release) struct map jobs;
    map_init(&jobs);
    for (size_t i = 0; i < p->since.job_count; i++) {
        map_put(&jobs, p->since.jobs[i].name, &p->since.jobs[i]);
    }
    p->marks = arena_alloc(&p->arena, p->publish.item_count + 1, sizeof *p->marks);
    for (size_t i = 0; i < p->publish.item_count; i++) {
        const struct store_job *job = map_get(&jobs, p->publish.items[i].name);
        p->marks[i] = job == NULL ? p->at : job->high_water;
    }
    finish(p);
}

static void marks_on_done(struct store_op *op)
{
    struct publication *p = CONTAINER_OF(op, struct publication, since.op);
    if (goes_on(p, op, "loading the store")) {
        take_marks(p);
    }
}

// Other definitions came into force meanwhile. A node that starts goes on with what it has, decides
// nothing by it, and wants the active ones (engine_wants_version).
static bool may_be_outdated(struct publication *p)
{
    p->engine->fleet.outdated = true;
    fleet_tell(p->engine);
    return p->at_start ||
           error_set(&p->err, ERROR_UNAVAILABLE,
                     "other definitions came into force meanwhile: this node goes on with those");
}

static void publish_on_done(struct store_op *op)
{
    struct publication *p = CONTAINER_OF(op, struct publication, publish.op);
    struct engine *engine = p->engine;
    if (!goes_on(p, op, "publishing the job definitions")) {
        return;
    }
    engine->unsealed = true;
    if (p->publish.outdated && !may_be_outdated(p)) {
        end_try(p, true);
    } else if (!engine->options.alone && p->added + p->changed > 0) {
        p->since = (struct store_op_load){.op = {.kind = STORE_LOAD}};
        ask(p, &p->since.op, marks_on_done);
    } else {
        take_marks(p);
    }
}

static void publish(struct publication *p)
{
    const struct job_set *set = &p->fresh->set;
    snprintf(p->detail, sizeof p->detail,
             "{\"added\":%zu,\"changed\":%zu,\"hash\":\"%s\",\"removed\":%zu}", p->added,
             p->changed, set->hash == NULL ? "" : set->hash, p->removed);
    p->publish.op.kind = STORE_PUBLISH;
    p->publish.node = p->engine->options.node;
    p->publish.version = set->version;
    p->publish.actor = p->engine->options.actor;
    p->publish.detail = p->detail;
    p->publish.at = p->at;
    ask(p, &p->publish.op, publish_on_done);
}

static const char closing_slots[] = "closing the last slots of the schedules before";
static void close_on_done(struct store_op *op);

static void close_old(struct publication *p)
{
    if (publication_close_some(p)) {
        ask(p, &p->closing.decide.op, close_on_done);
    } else {
        publish(p);
    }
}

static void begin(struct publication *p);

// What another node has decided since it was read what is in force, or has published: it is read
// again.
static bool is_closed(struct publication *p)
{
    const struct store_op_decide *decide = &p->closing.decide;
    for (size_t i = 0; i < decide->slot_count && !decide->outdated; i++) {
        if (decide->slots[i].verdict == VERDICT_TAKEN) {
            publication_clear(p);
            begin(p);
            return false;
        }
        if (decide->slots[i].verdict == VERDICT_LOCKED) {
            locked_out(p);
            error_reset(&p->err);
            verdict_explain_locked(&decide->slots[i], &p->err);
            (void)error_wrap(&p->err, "%s", closing_slots);
            end_try(p, p->at_start);
            return false;
        }
    }
    return true;
}

static void close_on_done(struct store_op *op)
{
    struct publication *p = CONTAINER_OF(op, struct publication, closing.decide.op);
    if (goes_on(p, op, closing_slots) && is_closed(p)) {
        store_op_release(op);
        close_old(p);
    }
}

static void go(struct publication *p, const struct store_op_load *load, struct instant at)
{
    p->load = load;
    p->at = at;
    feed_runner(p->engine);
    publication_fill(p);
    feed_runner(p->engine);
    close_old(p);
}

static void load_on_done(struct store_op *op)
{
    struct publication *p = CONTAINER_OF(op, struct publication, before.op);
    if (goes_on(p, op, "loading the store")) {
        go(p, &p->before, engine_now(p->engine));
    }
}

static void begin(struct publication *p)
{
    p->before = (struct store_op_load){.op = {.kind = STORE_LOAD}};
    ask(p, &p->before.op, load_on_done);
}

// ---- at the start -------------------------------------------------------------------------------

static bool end_of_start(struct publication *p, struct error *err)
{
    store_settle(p->engine->options.store);
    CHECK(p->step == STEP_ENDED);
    bool done = p->done;
    *err = done ? *err : p->err;
    feed_runner(p->engine);
    publication_free(p);
    return done;
}

bool publish_at_start(struct engine *engine, const struct store_op_load *load, struct instant at,
                      struct error *err)
{
    struct publication *p = publication_new(engine, engine->set);
    engine->set->references++;
    p->at_start = true;
    fleet_beat(engine);
    go(p, load, at);
    return end_of_start(p, err);
}

bool publish_again_at_start(struct engine *engine, struct job_set *set, struct error *err)
{
    struct publication *p = publication_new(engine, engine_set_new(set));
    p->at_start = true;
    fleet_beat(engine);
    begin(p);
    return end_of_start(p, err);
}

// ---- at a reload --------------------------------------------------------------------------------

void publish_reload(struct engine *engine, struct job_set *set)
{
    CHECK(engine->publication == NULL);
    engine->publication = publication_new(engine, engine_set_new(set));
    engine->busy = true;
}

// What the old definitions have asked of the store is answered first, so that no slot is decided
// twice.
static bool is_settled(const struct engine *engine)
{
    return engine->in_flight == 0 && !engine->reading_intents && !engine->after_asking;
}

void publish_turn(struct engine *engine)
{
    struct publication *p = engine->publication;
    if (p == NULL || p->step == STEP_ASKS || p->step == STEP_ENDED) {
        return;
    }
    if (engine->draining) {
        give_up(p);
    } else if (!link_is_open(engine) ||
               mono_before(clock_mono(engine->options.clock), p->again_at)) {
        p->step = STEP_WAITS;
    } else if (is_settled(engine)) {
        begin(p);
    } else {
        p->step = STEP_SETTLES;
    }
}

bool publish_is_under_way(const struct engine *engine)
{
    const struct publication *p = engine->publication;
    return p != NULL && (p->step == STEP_SETTLES || p->step == STEP_ASKS);
}

enum engine_reloading publish_state(struct engine *engine, struct error *err)
{
    struct publication *p = engine->publication;
    if (p == NULL) {
        return RELOADING_NOTHING;
    }
    if (p->step != STEP_ENDED) {
        *err = p->err;
        return p->err.code == ERROR_NONE ? RELOADING_GOES_ON : RELOADING_WAITS;
    }
    bool done = p->done;
    *err = done ? *err : p->err;
    engine->publication = NULL;
    publication_free(p);
    return done ? RELOADING_DONE : RELOADING_FAILED;
}

// ---- who asked for it ---------------------------------------------------------------------------

bool engine_wants_reload(const struct engine *engine)
{
    return engine->reload_count > engine->reload_begun;
}

void engine_reload_begins(struct engine *engine)
{
    engine->reload_begun = engine->reload_count;
}

void engine_reload_done(struct engine *engine, const struct error *err)
{
    size_t answered = engine->reload_begun;
    for (size_t i = 0; i < answered; i++) {
        if (err == NULL) {
            answer_done(engine, engine->reload_intents[i], "reloaded");
        } else {
            answer_refuse(engine, engine->reload_intents[i], err->text);
        }
    }
    engine->reload_count -= answered;
    engine->reload_begun = 0;
    for (size_t i = 0; i < engine->reload_count; i++) {
        engine->reload_intents[i] = engine->reload_intents[i + answered];
    }
}
