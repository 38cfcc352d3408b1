// SPDX-License-Identifier: MIT
// A node of the fleet: it starts, turns, is stopped in many ways, and comes again.
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static bool is_past(const struct sim *sim, struct mono t)
{
    return !mono_before(sim->now, t);
}

// ---- clocks -------------------------------------------------------------------------------------

static struct instant node_now(struct clock *clock)
{
    const struct sim_node *node = CONTAINER_OF(clock, struct sim_node, clock);
    return instant_add(sim_time(node->sim), node->skew);
}

static struct mono node_mono(struct clock *clock)
{
    const struct sim_node *node = CONTAINER_OF(clock, struct sim_node, clock);
    return mono_add(node->sim->now, node->boot);
}

static void boot(struct sim_node *node)
{
    struct sim *sim = node->sim;
    node->boot_place = sim_boots_new(sim);
    snprintf(node->boot_id, sizeof node->boot_id, "boot-%zu", node->boot_place);
    node->booted_at = instant_add(
        sim_time(sim), (struct duration){mono_since(node->start_at, sim->now).us - 1000000});
}

void sim_node_init(struct sim *sim, size_t i)
{
    struct sim_node *node = &sim->nodes[i];
    node->sim = sim;
    snprintf(node->host, sizeof node->host, "host-%d", (int)(i % 10));
    node->clock = (struct clock){node_now, node_mono};
    node->skew = DURATION_MS((int64_t)sim_dice(sim, 4000) - 2000);
    node->region = i % 2 == 0 ? SIM_EU : SIM_US;
    node->boot = DURATION_S(1000 + sim_dice(sim, 100000));
    sim_runner_init(node);
    node->good_since = node->hale_since = MONO_NEVER;
    node->start_at = mono_add(sim->now, DURATION_S(sim_dice(sim, 20)));
    boot(node);
    sim_link_init(node, model_store_attach(sim->store));
}

// ---- a node comes and goes ----------------------------------------------------------------------

// As when its process ends: nothing of what it says reaches the store any more.
void sim_node_bury(struct sim_node *node)
{
    sim_runner_kill(node);
    sim_link_cut(node);
    node->dying = true;
    for (size_t i = 0; i < node->entry_count; i++) {
        node->entries[i].refused = true;
        node->entries[i].cut = false;
    }
    engine_drain(node->engine);
    for (int i = 0; i < 200 && !engine_is_drained(node->engine); i++) {
        node->boot = (struct duration){node->boot.us + 6000000}; // so that nothing is waited for
        sim_runner_tell(node);
        (void)engine_turn(node->engine);
        (void)store_pump(node->store);
    }
    engine_abandon(node->engine);
    node->engine = NULL;
    node->dying = node->stopping = node->drains = false;
    node->frozen_until = node->sim->now;
    node->start_at = MONO_NEVER;
    node->good_since = node->hale_since = MONO_NEVER;
}

static struct uuid new_id(struct sim *sim)
{
    uint8_t bytes[10];
    sim_random(bytes, sizeof bytes);
    return uuid_v7(instant_ms(sim_time(sim)), bytes);
}

static int definitions_of(const struct store_version *row)
{
    return row->version == 0 ? 0 : (int)strtol(row->text, NULL, 10);
}

// False: the store did not answer. `version` 0: the active ones.
static bool stored_set(struct sim_node *node, int64_t version, struct job_set *set_out)
{
    struct error err = ERROR_INIT;
    struct store_op_definitions read = {.op = {.kind = STORE_DEFINITIONS}, .wanted = version};
    bool was_blocking = node->blocking;
    node->blocking = true;
    bool done = store_call(node->store, &read.op, &err);
    node->blocking = was_blocking;
    if (done) {
        *set_out = sim_set(node->sim, definitions_of(&read.text), read.text.version);
        store_op_release(&read.op);
    }
    return done;
}

static bool activate(struct sim_node *node, int number, bool always, int64_t *version_out)
{
    char text[16];
    struct error err = ERROR_INIT;
    snprintf(text, sizeof text, "%d", number);
    struct store_op_version op = {.op = {.kind = STORE_VERSION},
                                  .node = node->id,
                                  .hash = text,
                                  .text = text,
                                  .always = always};
    bool done = store_call(node->store, &op.op, &err);
    *version_out = op.version;
    if (done) {
        store_op_release(&op.op);
    }
    return done;
}

// Step by step, as the owner does: the active ones are loaded, then they come into force.
static void follow_version(struct sim_node *node)
{
    struct error err = ERROR_INIT;
    enum engine_reloading state = engine_reloading(node->engine, &err);
    int64_t version = engine_wants_version(node->engine);
    struct job_set set;
    bool goes_on = state == RELOADING_GOES_ON || state == RELOADING_WAITS;
    if (version != 0 && !goes_on && stored_set(node, version, &set)) {
        engine_reload(node->engine, &set);
    }
}

static struct engine_options options_of(struct sim_node *node, struct uuid before)
{
    struct sim *sim = node->sim;
    struct duration margin = sim->bug == BUG_LONG_TRUST ? DURATION_S(-40) : SIM_MARGIN;
    bool eu = (node->region == SIM_EU) != (sim->bug == BUG_WRONG_LABELS);
    return (struct engine_options){.node = node->id,
                                   .host = node->host,
                                   .version = "0",
                                   .actor = "test@sim",
                                   .max_running = sim->max_running,
                                   .lease = SIM_LEASE,
                                   .margin = margin,
                                   .grace = SIM_GRACE,
                                   .history = {SIM_KEPT, SIM_KEPT, SIM_KEPT},
                                   .booted_at = node->booted_at,
                                   .boot_id = sim->bug == BUG_NO_BOOT ? NULL : node->boot_id,
                                   .schedules = true,
                                   .predecessor = before,
                                   .labels = eu ? "{\"region\":\"eu\"}" : "{\"region\":\"us\"}",
                                   .dry_run = mono_before(sim->now, node->dry_until),
                                   .clock = &node->clock,
                                   .store = node->store,
                                   .runner = &node->runner,
                                   .random = sim_random,
                                   .events = &sim->events};
}

static bool start_engine(struct sim_node *node)
{
    struct error err = ERROR_INIT;
    struct job_set set;
    struct job_set other;
    int64_t version;
    if (!stored_set(node, 0, &set)) {
        return false;
    }
    int64_t before = set.version;
    return engine_start(node->engine, &set, &err) && activate(node, 0, false, &version) &&
           (version == before || (stored_set(node, version, &other) &&
                                  engine_reload_at_start(node->engine, &other, &err)));
}

static struct uuid predecessor(struct sim_node *node)
{
    struct sim *sim = node->sim;
    const struct sim_node *other = &sim->nodes[sim_dice(sim, (uint32_t)sim->node_count)];
    return sim->bug == BUG_FALSE_DEATH && other->engine != NULL ? other->id : node->id;
}

static void start(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct uuid before = predecessor(node);
    node->id = new_id(sim);
    sim_boots_start(node);
    node->start_at = MONO_NEVER;
    node->turn_at = sim->now;
    node->deadline = sim->now;
    struct engine_options options = options_of(node, before);
    node->is_dry = options.dry_run;
    node->engine = engine_new(&options);
    node->blocking = true;
    bool started = start_engine(node);
    node->blocking = false;
    node->good_since = node->hale_since = sim->now;
    struct duration slow = mono_since(node->slow_until, sim->now);
    sim_hinder(node, slow.us > 0 ? (struct duration){slow.us + 2 * node->slowness.us} : slow);
    if (!started) {
        sim_node_bury(node);
        node->start_at = mono_add(sim->now, DURATION_S(5));
    } else {
        sim_lift(node);
    }
}

// ---- a turn -------------------------------------------------------------------------------------

static void be_reborn(struct sim_node *node)
{
    struct mono stopped = node->stopping ? node->start_at : node->sim->now;
    sim_node_bury(node);
    node->start_at = mono_before(node->sim->now, stopped)
                         ? stopped
                         : mono_add(node->sim->now, DURATION_MS(200 + sim_dice(node->sim, 2000)));
}

static void leave(struct sim_node *node)
{
    struct error err = ERROR_INIT;
    node->blocking = true;
    bool left = engine_leave(node->engine, &err); // else it is fenced later
    node->blocking = false;
    struct mono again = node->start_at;
    node->sim->left += left;
    sim_node_bury(node);
    node->start_at = again;
}

static void settle(struct sim_node *node)
{
    struct sim *sim = node->sim;
    struct instant wake;
    int rounds = 0;
    do {
        sim_runner_tell(node);
        wake = engine_turn(node->engine);
        if (++rounds > 1000) {
            fail_msg("the engine does not come to rest");
        }
    } while (store_pump(node->store) || engine_is_busy(node->engine));
    node->turn_at = mono_add(sim->now, DURATION_S(1)); // the owner's tick
    if (!instant_is_none(wake)) {
        struct duration left = instant_since(wake, clock_now(&node->clock));
        struct mono at = mono_add(sim->now, left.us < 1000 ? DURATION_MS(1) : left);
        node->turn_at = mono_before(at, node->turn_at) ? at : node->turn_at;
    }
}

static void turn(struct sim_node *node)
{
    settle(node);
    if (engine_is_fenced(node->engine)) {
        be_reborn(node);
    } else if (node->stopping && engine_is_drained(node->engine)) {
        leave(node);
    } else if (node->stopping && is_past(node->sim, node->drain_until)) {
        engine_stop_runs(node->engine, false);
    } else if (!node->stopping) {
        follow_version(node);
        settle(node);
    }
}

void sim_node_work(struct sim_node *node)
{
    struct sim *sim = node->sim;
    if (node->engine == NULL) {
        if (is_past(sim, node->start_at)) {
            start(node);
        }
        return;
    }
    sim_link_work(node);
    sim_runner_work(node);
    if (node->is_dry && is_past(sim, node->dry_until) && !node->stopping) {
        sim_stop(node, DURATION_S(1));
    }
    if (node->ambushed && sim_link_is_deciding(node) && sim_dice(sim, 3) == 0) {
        node->ambushed = false;
        sim_cut(node, DURATION_MS(sim_dice(sim, sim_dice(sim, 3) == 0 ? 100000 : 200)));
    }
    bool wakes = is_past(sim, node->turn_at) || node->end_count > 0 || sim_link_has_answer(node);
    if (wakes && is_past(sim, node->frozen_until)) {
        turn(node);
    }
}

static struct mono sooner(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

struct mono sim_node_next(const struct sim_node *node)
{
    if (node->engine == NULL) {
        return node->start_at;
    }
    struct mono next = sooner(node->turn_at, sim_link_next(node));
    next = node->is_dry && !node->stopping ? sooner(next, node->dry_until) : next;
    bool frozen = !is_past(node->sim, node->frozen_until);
    next = frozen ? node->frozen_until : next;
    for (size_t i = 0; i < node->entry_count && frozen; i++) {
        next = node->entries[i].carried ? next : sooner(next, node->entries[i].carry_at);
    }
    for (size_t i = 0; i < node->open_count; i++) {
        next = sooner(next, node->open[i].ends);
    }
    return node->open_count > 0 ? sooner(next, sim_runner_kill_at(node)) : next;
}

// ---- what befalls it ----------------------------------------------------------------------------

void sim_crash(struct sim_node *node, struct duration away)
{
    sim_node_bury(node);
    node->start_at = mono_add(node->sim->now, away);
    if (away.us >= DURATION_S(60).us) {
        boot(node); // its host went with it
    }
}

void sim_stop(struct sim_node *node, struct duration away)
{
    sim_hinder(node, DURATION_S(3600));
    engine_drain(node->engine);
    node->stopping = true;
    node->drain_until = mono_add(node->sim->now, SIM_DRAIN);
    node->start_at = mono_add(node->sim->now, away);
}

// It comes again at once, in dry-run for a while.
void sim_start_dry(struct sim_node *node, struct duration by)
{
    sim_crash(node, DURATION_S(1));
    node->dry_until = mono_add(node->sim->now, by);
}

void sim_freeze(struct sim_node *node, struct duration by)
{
    node->frozen_until = mono_add(node->sim->now, by);
    sim_hinder(node, by);
}

void sim_cut(struct sim_node *node, struct duration by)
{
    sim_link_cut(node);
    node->away_until = mono_add(node->sim->now, by);
    sim_hinder(node, by);
}

void sim_ambush(struct sim_node *node)
{
    node->ambushed = true;
    sim_hinder(node, DURATION_S(60));
}

void sim_slow(struct sim_node *node, struct duration by, struct duration slowness)
{
    node->slow_until = mono_add(node->sim->now, by);
    node->slowness = slowness;
    struct duration until = {by.us + 2 * slowness.us};
    sim_is_slow(node->sim, until);
    sim_hinder(node, until);
}

// All wait for it alike, whoever is not worse off already.
void sim_slow_store(struct sim *sim, struct duration by, struct duration slowness)
{
    struct duration until = {by.us + 2 * slowness.us};
    sim_is_slow(sim, until);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct sim_node *node = &sim->nodes[i];
        if (is_past(sim, node->slow_until)) {
            node->slow_until = mono_add(sim->now, by);
            node->slowness = slowness;
        }
        sim_hinder_slowly(node, until);
    }
}

void sim_drain(struct sim_node *node)
{
    node->drains = true;
    node->drains_since = node->sim->now;
    node->good_since = MONO_NEVER;
}

void sim_resume(struct sim_node *node)
{
    node->drains = false;
    node->good_since = node->hale_since;
    struct duration slow = mono_since(node->slow_until, node->sim->now);
    sim_hinder(node, slow.us > 0 ? slow : DURATION_S(0));
}

void sim_step_clock(struct sim_node *node, struct duration by)
{
    node->skew = by;
}

void sim_new_version(struct sim_node *node)
{
    int64_t version;
    int number = ++node->sim->newest;
    node->blocking = true;
    node->sim->versions += activate(node, number, true, &version);
    node->blocking = false;
    sim_hinder(node, DURATION_S(0));
}
