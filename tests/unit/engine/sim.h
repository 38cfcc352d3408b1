// SPDX-License-Identifier: MIT
// A fleet in virtual time: several nodes, each the real engine with a clock, a runner and a way to
// the store of its own; one model store; and a record of what the runners really executed, from
// which judges that know neither engine nor store find what must never happen.
#pragma once

#include "engine/engine.h"
#include "store/model/model_store.h"

#define SIM_NODES      5
#define SIM_JOBS       28
#define SIM_OPEN       64                   // runs of a node at once
#define SIM_KEPT       DURATION_S(6 * 3600) // history, by the nodes
#define SIM_JUDGED     DURATION_S(2 * 3600) // how often the ledger is
#define SIM_SLOW_REACH DURATION_S(120)
#define SIM_DRAIN      DURATION_S(30)
#define SIM_CALM       DURATION_S(600) // after all faults, until everything is at rest
// Then what waits for a run has had its turn, and a wish its answer.
#define SIM_RUN_MOST        DURATION_S(400)
#define SIM_ANSWERED_WITHIN DURATION_S(60)
#define SIM_WISH_MOST       DURATION_S(240) // also amid faults, where a node is good
// What is due is decided within this by a node that nothing hinders: all look three seconds after a
// minute, and three others may go before it, each with its delay.
#define SIM_DECIDED_WITHIN DURATION_S(8)
// A node that was hindered is good again so long after.
#define SIM_RECOVERS_WITHIN DURATION_S(12)

enum sim_judge {    // what was broken
    JUDGE_OVERLAP,  // two runs of a job that forbids it executed at once
    JUDGE_TWICE,    // one attempt at a slot, or one wish of an operator, was executed twice
    JUDGE_CLAIM,    // executed without a claim of this node in the store
    JUDGE_TRUST,    // begun after the trust in the node had ended
    JUDGE_LATE,     // a node could have decided a slot, or begun what it claimed, and none did
    JUDGE_LABELS,   // executed on a node that must not
    JUDGE_EARLY,    // executed before what it comes after was good
    JUDGE_DRY,      // executed while a node in dry-run lived
    JUDGE_RECORD,   // recorded as something else than what was executed
    JUDGE_REST,     // something is left over though nothing is wrong any more
    JUDGE_LEDGER,   // audit verify: a gap, an extra slot, a start without its one end …
    JUDGE_BOOT,     // a boot of a host has no slot of the job that is due at each, or two
    JUDGE_DRAIN,    // begun on a node that was told to begin nothing
    JUDGE_SLOW,     // undecided for a minute, only because the store takes seconds
    JUDGE_STRANGER, // written while a stranger had it in hand
    JUDGE_BUSY,     // the store is asked again and again for what is not to be had
    JUDGE_COUNT
};
const char *sim_judge_name(enum sim_judge judge);

// Bugs that are seeded, to see that a judge notices: in the doubles around the engine, never in it.
enum sim_bug {
    BUG_NONE,
    BUG_ANSWER_TRUST,   // trust counts from the answer to a beat, not from its sending
    BUG_LONG_TRUST,     // margin and grace do not cover what they should
    BUG_SLOW_KILL,      // the runner takes a minute to kill at the deadline
    BUG_NO_DEADLINE,    // the runner knows no deadline
    BUG_UNKNOWN_START,  // an unknown claim is taken for a good one
    BUG_NO_FENCE,       // an end is written whoever has ended the run
    BUG_NO_MARK,        // a slot that another node has decided is begun all the same
    BUG_NO_OVERLAP,     // the store does not ask whether a run is STARTED
    BUG_RUNS_NOT_LOST,  // fencing forgets what the dead one ran
    BUG_INTENTS_TWICE,  // every node has every intent, and none ends
    BUG_OUTDATED,       // outdated definitions decide
    BUG_FALSE_DEATH,    // a node that starts declares dead one that lives
    BUG_LAZY_NEIGHBOUR, // nobody looks after the slots of others
    BUG_WRONG_LABELS,   // a node gives itself out for another
    BUG_EAGER_AFTER,    // what a job comes after always seems to be good
    BUG_DRY_UNSEEN,     // a node in dry-run seems to be like any other
    BUG_ALWAYS_GOOD,    // each failure is recorded as a success
    BUG_LEFT_BEHIND,    // nobody takes over what waited on the dead
    BUG_DEAF_RUNNER,    // the runner loses what it was to start
    BUG_BOOT_AGAIN,     // each start of a node seems to be a boot of its host
    BUG_NO_BOOT,        // nobody knows which boot it is
    BUG_DEAF_NODE,      // a node hears that it takes jobs where it is told to drain
    BUG_SLOW_IS_AWAY,   // what takes seconds is given up at once
    BUG_LOCKED_TAKEN,   // what a stranger has in hand seems to have been decided
    BUG_LATER_DONE,     // an end that could not be written seems to be
    BUG_ONE_FOR_ALL,    // what a stranger has in hand fails all that was asked with it
    BUG_THROUGH,        // who has a job's row in hand keeps nobody out
    BUG_LOCK_UNASKED,   // nor does who has its session lock
    BUG_COUNT
};
const char *sim_bug_name(enum sim_bug bug);

struct sim_execution { // one process, as the runner saw it
    int job;
    struct instant due_at;
    int attempt;
    enum run_trigger trigger;
    struct uuid run_id;
    int64_t fence;
    uint64_t handle;
    struct mono began, ends; // true time
    bool cancelled, over;
    struct mono ended;        // true time, once it is over
    enum runner_end_kind how; // once it is over
    int exit_code;
    size_t place; // in the history
};

struct sim_entry { // an operation on its way
    struct store_op *op;
    void (*done)(struct store_op *op);
    struct mono carry_at, answer_at;
    bool carried, cut, refused;
};

struct sim_end {
    uint64_t handle;
    struct runner_end end;
};

enum sim_region { SIM_ANY, SIM_EU, SIM_US };

struct sim_node {
    struct sim *sim;
    char host[16];
    struct clock clock;
    struct duration skew, boot; // of its clocks, against true time
    struct runner runner;
    struct mono deadline;  // of the runner, true time
    struct engine *engine; // NULL: it is not there
    struct uuid id;
    enum sim_region region;
    bool dying; // its engine is only to come to rest
    bool stopping;
    struct mono drain_until; // then it ends what still runs
    bool is_dry;
    struct mono dry_until;
    struct mono start_at;     // when it comes (again)
    struct instant booted_at; // its host
    char boot_id[24];
    size_t boot_place;        // among all boots
    struct mono frozen_until; // stopped: no turns, while its runner goes on
    struct mono turn_at;
    struct mono good_since; // nothing has hindered it
    struct mono hale_since; // … but a store that is slow for all
    bool drains;            // an operator wants nothing begun on it
    struct mono drains_since;
    struct sim_execution open[SIM_OPEN];
    size_t open_count;
    struct sim_end *ends; // to be told
    size_t end_count, end_capacity;
    // its way to the store
    struct store *store;
    struct store_ops ops;
    const struct store_ops *true_ops;
    struct sim_entry *entries;
    size_t entry_count, entry_capacity;
    struct mono away_until, slow_until;
    struct duration slowness;
    struct mono passes_until; // it waits for no row that a stranger has
    bool ambushed;            // it is cut as soon as something that matters is on its way
    bool blocking;            // the engine waits for the answer within a call
};

struct sim_birth { // of a node: an id of its own, on a boot of its host
    struct uuid node;
    size_t boot;
};

struct sim_boot {
    int slots; // of the job that is due at each boot
    struct instant due_at;
};

struct sim_late { // written by a node that has given up on it
    struct store_op *op;
    struct mono carry_at;
};

struct sim_span { // of true time
    struct mono from, until;
};

#define SIM_STRANGERS     4
#define SIM_STRANGER_MOST DURATION_S(260)

struct sim_seen { // of a job
    struct instant high_water, last_success;
    int started;
    size_t forces;
};

struct sim_stranger { // has a job in hand
    int job;
    bool locks; // its session lock, not its row
    struct instant since;
    struct mono until;
    struct sim_seen seen;
};

struct sim_refusals { // of one job's claims, for a while
    struct mono since;
    int count;
};

struct sim_doubt { // a claim of a job that was cut off before it arrived, and is sent again
    int job;
    struct mono since;
};

struct sim {
    struct instant epoch;
    struct mono now; // true time since the epoch
    struct clock store_clock;
    uint64_t random;
    enum sim_bug bug;
    struct store *store; // the operators' session
    struct sim_node nodes[SIM_NODES];
    size_t node_count;
    struct sim_late *late;
    size_t late_count, late_capacity;
    struct zone_cache *zones;
    struct engine_events events;
    int max_running;
    int newest;            // definitions: a number
    struct sim_span *slow; // when messages took seconds
    size_t slow_count, slow_capacity;
    struct sim_doubt *doubts;
    size_t doubt_count, doubt_capacity;
    struct sim_stranger strangers[SIM_STRANGERS];
    size_t stranger_count;
    struct mono stranger_at;          // when the next one comes
    struct mono free_since[SIM_JOBS]; // of strangers
    struct sim_refusals refusals[SIM_JOBS];
    int locked, put_off, kept_out; // claims, ends, claims that want the lock
    char names[SIM_JOBS][16];
    enum job_overlap overlaps[SIM_JOBS];
    int64_t takes_ms[SIM_JOBS];
    struct sim_execution *history; // all that was executed
    size_t history_count, history_capacity;
    struct mono judged; // the ledger, last
    int open_of_job[SIM_JOBS];
    enum sim_region regions[SIM_JOBS];       // where it may run
    int wishes[SIM_JOBS], granted[SIM_JOBS]; // RUN intents, manual executions
    struct sim_birth *births;
    size_t birth_count, birth_capacity;
    struct sim_boot *boots; // of all hosts
    size_t boot_count, boot_capacity;
    bool plain; // nobody drains, the store is never slow for all, and no stranger comes
    int executions, fenced, left, unknown, versions, late_writes;
    int broken[JUDGE_COUNT];
    char first[JUDGE_COUNT][200]; // what the judge saw first
    bool quiet;
};

void sim_random(void *bytes, size_t size);
void sim_init(struct sim *sim, uint64_t seed, size_t nodes, enum sim_bug bug);
void sim_release(struct sim *sim);
uint32_t sim_dice(struct sim *sim, uint32_t sides);
struct instant sim_time(const struct sim *sim); // true
void sim_advance(struct sim *sim, struct duration by);
void sim_crash(struct sim_node *node, struct duration away);
void sim_stop(struct sim_node *node, struct duration away); // cleanly
void sim_start_dry(struct sim_node *node, struct duration by);
void sim_freeze(struct sim_node *node, struct duration by);
void sim_cut(struct sim_node *node, struct duration by);
void sim_ambush(struct sim_node *node);
void sim_slow(struct sim_node *node, struct duration by, struct duration slowness);
void sim_slow_store(struct sim *sim, struct duration by, struct duration slowness);
void sim_step_clock(struct sim_node *node, struct duration by);
void sim_drain(struct sim_node *node); // what an operator has wished
void sim_resume(struct sim_node *node);
void sim_lift(struct sim_node *node); // what the one before it was told: it may begin something
void sim_new_version(struct sim_node *node); // HUP with new definitions
void sim_finish(struct sim *sim);            // all faults over; all stop cleanly; judged

void sim_live(struct sim *sim, uint64_t minutes); // sim_life.c: a random life

void sim_events_init(struct sim *sim); // sim_events.c

// sim_node.c
void sim_node_init(struct sim *sim, size_t number);
void sim_node_bury(struct sim_node *node);
void sim_node_work(struct sim_node *node);
struct mono sim_node_next(const struct sim_node *node); // when there is something to do for it

// sim_runner.c
#define SIM_LEASE  DURATION_S(60)
#define SIM_MARGIN DURATION_S(15)
#define SIM_GRACE  DURATION_S(10)
void sim_runner_init(struct sim_node *node);
void sim_runner_work(struct sim_node *node); // what is over ends
void sim_runner_kill(struct sim_node *node); // all that it runs, now
void sim_runner_tell(struct sim_node *node); // the engine learns what has ended
struct mono sim_runner_kill_at(const struct sim_node *node);
// For a while nobody may expect anything of the node.
void sim_hinder(struct sim_node *node, struct duration by);
void sim_hinder_slowly(struct sim_node *node, struct duration by); // it is hale all the same

// sim_link.c
void sim_link_init(struct sim_node *node, struct store *store);
void sim_link_work(struct sim_node *node); // the store carries out what has arrived
bool sim_link_is_deciding(const struct sim_node *node);
bool sim_link_has_answer(const struct sim_node *node);
struct mono sim_link_next(const struct sim_node *node);
void sim_link_cut(struct sim_node *node);
void sim_doubt(struct sim *sim, int64_t job_id);
void sim_late_work(struct sim *sim);
void sim_is_slow(struct sim *sim, struct duration by);

// sim_bugs.c
void sim_bug_before(struct sim_node *node, struct store_op *op);
void sim_bug_after(struct sim_node *node, struct store_op *op);
bool sim_bug_fails(struct sim_node *node, const struct store_op *op); // before it is carried out
bool sim_bug_believes(struct sim_node *node, struct store_op *op);    // in place of an unknown

// sim_judge.c
void sim_break(struct sim *sim, enum sim_judge judge, const char *format, ...) PRINTF(3, 4);
void sim_judge_start(struct sim_node *node, const struct sim_execution *execution);
void sim_judge_minute(struct sim *sim);
void sim_judge_end(struct sim_node *node, const struct store_op *op); // what was just written
void sim_judge_rest(struct sim *sim);                                 // sim_rest.c
void sim_judge_ledger(struct sim *sim, bool in_the_end);
void sim_judge_history(struct sim *sim);

// sim_boots.c
size_t sim_boots_new(struct sim *sim);
void sim_boots_start(struct sim_node *node);                        // a node on it
void sim_judge_decided(struct sim *sim, const struct store_op *op); // what was just written
void sim_judge_boots(struct sim *sim);

// sim_strangers.c
void sim_strangers_work(struct sim *sim);
void sim_strangers_go(struct sim *sim); // all of them, for good
struct mono sim_strangers_next(const struct sim *sim);
bool sim_is_free(const struct sim *sim, int job, struct mono since); // no stranger had it
struct duration sim_strangers_wait(struct sim_node *node, const struct store_op *op);
void sim_judge_stranger(struct sim *sim, const struct sim_execution *execution);

// sim_jobs.c
#define SIM_AT_BOOT 25         // the job that is due at each boot of a host
const int *sim_after(int job); // the jobs that it comes after, -1 ends; NULL = none
struct instant sim_last_due(int job, struct instant until); // of one that others come after
void sim_jobs_draw(struct sim *sim);
struct job_set sim_set(struct sim *sim, int definitions, int64_t version);
#define SIM_CANARIES 3 // the first jobs: each minute, and nothing in their way
