// SPDX-License-Identifier: MIT
// A node among others: each second and a half the store is asked who is there and whether
// something has changed, and from time to time told that this node lives. From the answers come the
// store's clock, the right to act, and for each job which node goes first. A node that is alone
// does none of this.
#include "engine/engine_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fnv.h"

#define LOOK_EVERY DURATION_MS(1500)
// How long each node that goes before this one has for a slot before the next one looks at it.
#define RANK_DELAY DURATION_MS(1500)
#define RANK_MOST  3

// ---- time and trust -----------------------------------------------------------------------------

struct instant engine_now(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    struct clock *clock = engine->options.clock;
    if (engine->options.alone || fleet->epoch == 0) {
        return clock_now(clock);
    }
    return instant_add(fleet->store_now, mono_since(clock_mono(clock), fleet->store_now_at));
}

struct instant engine_wall(const struct engine *engine, struct instant t)
{
    if (engine->options.alone || instant_is_none(t)) {
        return t;
    }
    return instant_add(clock_now(engine->options.clock), instant_since(t, engine_now(engine)));
}

// The store's clock was read between sending and now, so that ours is never ahead. An answer that
// took longer than what has been known is worth less than that, until our clocks may have drifted.
static void set_clock(struct engine *engine, struct mono sent, struct instant store_now)
{
    struct fleet *fleet = &engine->fleet;
    struct mono now = clock_mono(engine->options.clock);
    struct duration took = mono_since(now, sent);
    struct duration drift = {mono_since(now, fleet->store_now_at).us / 5000};
    if (fleet->epoch == 0 || took.us <= fleet->store_now_error.us + drift.us) {
        fleet->store_now = store_now;
        fleet->store_now_at = now;
        fleet->store_now_error = took;
    }
}

void fleet_joined(struct engine *engine, struct mono sent, struct instant store_now)
{
    set_clock(engine, sent, store_now);
    engine->fleet.epoch = 1;
    engine->fleet.trusted_from = sent;
}

struct mono fleet_deadline(const struct engine *engine)
{
    const struct engine_options *options = &engine->options;
    return mono_add(engine->fleet.trusted_from,
                    (struct duration){options->lease.us - options->margin.us});
}

bool fleet_is_trusted(const struct engine *engine)
{
    return engine->options.alone ||
           mono_before(clock_mono(engine->options.clock), fleet_deadline(engine));
}

bool fleet_is_outdated(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    return fleet->outdated || (fleet->version != 0 && fleet->version != engine_version(engine));
}

// After a silence it is asked first who is there now, and whether one of them is in dry-run.
void fleet_was_silent(struct engine *engine)
{
    engine->fleet.silent_until = clock_mono(engine->options.clock);
}

static bool knows_the_others(const struct fleet *fleet)
{
    return !mono_before(fleet->heard_from, fleet->silent_until);
}

bool fleet_may_act(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    return engine->options.alone || (!fleet->fenced && knows_the_others(fleet) &&
                                     fleet_is_trusted(engine) && !fleet_is_outdated(engine));
}

int64_t engine_wants_version(const struct engine *engine)
{
    bool told = fleet_is_outdated(engine) && !engine->fleet.outdated;
    return told ? engine->fleet.version : 0;
}

int64_t engine_version(const struct engine *engine)
{
    return engine->set == NULL ? 0 : engine->set->set.version;
}

int64_t engine_active_version(const struct engine *engine)
{
    return engine->options.alone ? engine_version(engine) : engine->fleet.version;
}

bool engine_is_trusted(const struct engine *engine)
{
    return fleet_is_trusted(engine);
}

bool engine_is_fenced(const struct engine *engine)
{
    return engine->fleet.fenced;
}

struct duration engine_clock_skew(const struct engine *engine)
{
    return instant_since(clock_now(engine->options.clock), engine_now(engine));
}

size_t engine_member_count(const struct engine *engine)
{
    return engine->options.alone || engine->fleet.count == 0 ? 1 : engine->fleet.count;
}

// ---- who goes first -----------------------------------------------------------------------------

// The same on every node: the highest of hashes of job and node (rendezvous hashing), so that a
// node that comes or goes changes the place of its own share only.
static uint64_t mixed(uint64_t hash)
{
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    hash *= UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

static bool has_labels(const json_t *labels, const struct job *job)
{
    const struct job_variable *wanted = job == NULL ? NULL : job->nodes;
    for (; wanted != NULL && wanted->name != NULL; wanted++) {
        const char *value = json_string_value(json_object_get(labels, wanted->name));
        if (value == NULL || strcmp(value, wanted->value) != 0) {
            return false;
        }
    }
    return true;
}

static bool comes_into_question(const struct fleet_member *member, const struct job *job)
{
    return !member->draining && !member->is_overdue && has_labels(member->labels, job);
}

static bool goes_before(const struct fleet_member *a, const struct fleet_member *b, uint64_t key)
{
    if (a->full != b->full) {
        return b->full;
    }
    return mixed(a->hash ^ key) > mixed(b->hash ^ key);
}

static const struct fleet_member *own(const struct engine *engine)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (uuid_equal(engine->fleet.members[i].node, engine->options.node)) {
            return &engine->fleet.members[i];
        }
    }
    return NULL;
}

static int rank_by(const struct engine *engine, uint64_t key, const struct job *job)
{
    const struct fleet *fleet = &engine->fleet;
    const struct fleet_member *self = own(engine);
    if (self == NULL || engine->drain.on || !comes_into_question(self, job)) {
        return -1;
    }
    int rank = 0;
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_member *other = &fleet->members[i];
        rank += other != self && comes_into_question(other, job) && goes_before(other, self, key);
    }
    return rank;
}

// Where all drain, each of them may do what is to be done once for all.
int fleet_rank_of(const struct engine *engine, const void *key, size_t size)
{
    if (engine->options.alone || (engine->drain.on && !fleet_has_node(engine, NULL))) {
        return 0;
    }
    return rank_by(engine, fnv_add(FNV_START, key, size), NULL);
}

int fleet_rank(const struct engine *engine, const struct job *job)
{
    if (engine->options.alone) {
        return 0;
    }
    return rank_by(engine, fnv_add(FNV_START, job->name, strlen(job->name)), job);
}

struct duration fleet_delay(int rank)
{
    return (struct duration){RANK_DELAY.us * (rank > RANK_MOST ? RANK_MOST : rank)};
}

bool fleet_may_run(const struct engine *engine, const struct job *job)
{
    return job->nodes == NULL || has_labels(engine->labels, job);
}

bool fleet_has_node(const struct engine *engine, const struct job *job)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (comes_into_question(&engine->fleet.members[i], job)) {
            return true;
        }
    }
    return false;
}

bool fleet_has_other(const struct engine *engine)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        const struct fleet_member *member = &engine->fleet.members[i];
        if (!uuid_equal(member->node, engine->options.node) && comes_into_question(member, NULL)) {
            return true;
        }
    }
    return false;
}

bool fleet_all_drain(const struct engine *engine, const struct job *job)
{
    bool any = engine->options.alone && engine->drain.on;
    for (size_t i = 0; i < engine->fleet.count; i++) {
        const struct fleet_member *member = &engine->fleet.members[i];
        any = any || (member->draining && !member->is_overdue && has_labels(member->labels, job));
    }
    return any && !fleet_has_node(engine, job);
}

bool fleet_is_member(const struct engine *engine, struct uuid node)
{
    for (size_t i = 0; i < engine->fleet.count; i++) {
        if (uuid_equal(engine->fleet.members[i].node, node)) {
            return true;
        }
    }
    return false;
}

bool fleet_is_keeper(const struct engine *engine)
{
    static const char word[] = "keeper";
    return !engine->fleet.fenced && fleet_rank_of(engine, word, sizeof word - 1) == 0;
}

// ---- what an answer says ------------------------------------------------------------------------

static void members_clear(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        json_decref(fleet->members[i].labels);
    }
    free(fleet->members);
    fleet->members = NULL;
    fleet->count = 0;
}

void fleet_release(struct fleet *fleet)
{
    members_clear(fleet);
    free(fleet->watched);
    free(fleet->seen);
}

static void take_members(struct engine *engine, const struct store_op_beat *beat)
{
    struct fleet *fleet = &engine->fleet;
    uint64_t digest = FNV_START;
    members_clear(fleet);
    fleet->members = alloc_zero(beat->member_count + 1, sizeof *fleet->members);
    fleet->count = beat->member_count;
    fleet->dry_run = false;
    for (size_t i = 0; i < beat->member_count; i++) {
        const struct store_member *row = &beat->members[i];
        struct fleet_member *member = &fleet->members[i];
        bool states[] = {row->draining, row->full, row->is_overdue};
        *member = (struct fleet_member){
            .node = row->node,
            .hash = fnv_add(FNV_START, row->node.bytes, sizeof row->node.bytes),
            .labels = row->labels == NULL ? NULL : json_loads(row->labels, 0, NULL),
            .draining = row->draining,
            .full = row->full,
            .is_overdue = row->is_overdue};
        fleet->dry_run = fleet->dry_run || row->dry_run;
        digest = fnv_add(fnv_add(digest, row->node.bytes, sizeof row->node.bytes), states,
                         sizeof states);
    }
    if (digest != fleet->digest) {
        fleet->digest = digest;
        fleet->epoch++;
        planner_look_again(engine, engine_now(engine));
        engine->store_changed = true; // intents of a node that has gone are nobody's now
        engine->busy = true;
    }
}

static void understand(struct engine *engine, const struct store_op_beat *beat, struct mono sent)
{
    struct fleet *fleet = &engine->fleet;
    set_clock(engine, sent, beat->now);
    fleet->heard_from = sent;
    if (!beat->look) {
        engine->busy = engine->busy || !fleet_is_trusted(engine);
        fleet->trusted_from = sent;
        fleet->told_full = beat->full;
        feed_runner(engine);
    }
    take_members(engine, beat);
    if (beat->changes != fleet->changes || fleet->intents_pending) {
        engine->store_changed = true;
        engine->busy = true;
    }
    engine->busy = engine->busy || beat->version != fleet->version;
    fleet->changes = beat->changes;
    fleet->version = beat->version;
    fleet->outdated = false;
    engine->unsealed = engine->unsealed || beat->unsealed;
    fence_consider(engine, beat->orphans);
}

// Others took this node for dead, and may have begun anew what it runs.
static void be_fenced(struct engine *engine)
{
    engine->fleet.fenced = true;
    engine->draining = true;
    engine->busy = true;
    stop_runs(engine, "its node, which the others took for dead", true);
}

// ---- beats and looks ----------------------------------------------------------------------------

struct pulse {
    struct store_op_beat beat; // first
    struct mono sent;
};

static bool is_full(const struct engine *engine)
{
    // A node that has still to learn of new definitions can do nothing either.
    return !decide_has_capacity(engine) || fleet_is_outdated(engine);
}

static void pulse_fill(struct engine *engine, struct store_op_beat *beat, bool look)
{
    struct mono now = clock_mono(engine->options.clock);
    // Who came for somebody's wish only takes no slot.
    bool leaves = engine_rests(engine) || !engine->options.schedules;
    *beat = (struct store_op_beat){.op = {.kind = STORE_BEAT},
                                   .node = engine->options.node,
                                   .look = look,
                                   .running = engine->running,
                                   .full = is_full(engine),
                                   .draining = leaves};
    engine->fleet.pulsed_at = now;
    if (!look) {
        engine->beaten_at = now;
        engine->fleet.beat_wanted = false;
    }
}

static void pulse_on_done(struct store_op *op)
{
    const struct pulse *pulse = CONTAINER_OF(op, struct pulse, beat.op);
    struct engine *engine = op->context;
    engine->fleet.pulsing = false;
    link_answered(op);
    if (op->result == STORE_OK) {
        understand(engine, &pulse->beat, pulse->sent);
    } else if (op->result == STORE_REFUSED) {
        be_fenced(engine);
    }
    link_free(op);
}

static void pulse_submit(struct engine *engine, bool look)
{
    struct pulse *pulse = alloc_zero(1, sizeof *pulse);
    pulse_fill(engine, &pulse->beat, look);
    pulse->sent = engine->fleet.pulsed_at;
    pulse->beat.op.done = pulse_on_done;
    engine->fleet.pulsing = true;
    link_submit(engine, &pulse->beat.op);
}

bool fleet_meet(struct engine *engine, struct error *err)
{
    struct store_op_beat beat;
    pulse_fill(engine, &beat, false);
    struct mono sent = engine->fleet.pulsed_at;
    if (!store_call(engine->options.store, &beat.op, err)) {
        return error_wrap(err, "asking the store who else is there");
    }
    understand(engine, &beat, sent);
    store_op_release(&beat.op);
    return true;
}

static bool beat_is_due(const struct engine *engine, struct mono now)
{
    return engine->fleet.beat_wanted ||
           mono_since(now, engine->beaten_at).us >= engine->options.lease.us / 20;
}

// What fails here is seen by the next beat that does not block.
void fleet_beat(struct engine *engine)
{
    struct error ignored = ERROR_INIT;
    bool joined = engine->fleet.epoch > 0 && !engine->options.alone;
    if (joined && !engine->fleet.fenced && link_is_open(engine) &&
        beat_is_due(engine, clock_mono(engine->options.clock))) {
        (void)fleet_meet(engine, &ignored);
    }
}

void fleet_tell(struct engine *engine)
{
    engine->fleet.beat_wanted = true;
}

void fleet_turn(struct engine *engine, struct mono now)
{
    struct fleet *fleet = &engine->fleet;
    if (fleet->fenced || !link_is_open(engine)) {
        return;
    }
    bool due = mono_since(now, fleet->pulsed_at).us >= LOOK_EVERY.us;
    bool looks = due || !knows_the_others(fleet);
    bool beats = beat_is_due(engine, now) || engine->store_down ||
                 (looks && is_full(engine) != fleet->told_full);
    bool wants = engine_is_quiet(engine) ? fleet->beat_wanted : beats || looks;
    if (wants && !fleet->pulsing) {
        pulse_submit(engine, !beats);
    }
    fence_turn(engine, now);
}

struct instant fleet_wake(const struct engine *engine)
{
    const struct fleet *fleet = &engine->fleet;
    struct duration since = mono_since(clock_mono(engine->options.clock), fleet->pulsed_at);
    struct duration left = {LOOK_EVERY.us - since.us};
    if (engine->options.alone || (fleet->pulsing && left.us <= 0)) {
        return INSTANT_NONE;
    }
    return instant_add(engine_now(engine), left.us > 0 ? left : DURATION_MS(1));
}
