// SPDX-License-Identifier: MIT
// Each job's schedules against its slots, in one pass over the slots, job by job.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/due.h"
#include "audit/verification.h"
#include "base/alloc.h"
#include "time/format.h"

// Open slots are those that run or wait: more than this many are a fault whatever they wait for.
#define OPEN_MAX 100000

// More that are missing of one job are a fault of what says that they were due: it may never end.
#define GAPS_MAX 100000

#define YEAR_10000 INT64_C(253402300800)

struct slots_job {
    char *name;
    struct instant high_water;
    struct due_span *spans;
    size_t span_count;
    size_t span_capacity;
    struct verify_job *report;
    size_t gaps;
    bool seen;     // by the pass over the slots
    bool given_up; // it has too many gaps
};

struct open_slot {
    const struct slots_job *job;
    struct instant due_at;
    struct uuid run_id;
};

struct slots_walk {
    struct verification *v;
    struct slots_job *jobs;
    size_t job_count;
    size_t job_capacity;
    struct map by_name;
    struct instant after; // slots up to it may have been pruned; none = none were
    struct slots_job *current;
    struct due due;
    struct instant previous; // the current job's last slot in the ledger; none = none yet
    struct open_slot *open;
    size_t open_count;
    size_t open_capacity;
};

static void find(struct slots_walk *walk, enum verify_kind kind, const struct slots_job *job,
                 struct instant due_at, const char *what)
{
    char text[FORMAT_TIME_SIZE];
    format_utc_ms(due_at, text);
    verification_find(walk->v, kind, job->name, due_at, "slot %s of job %s %s", text, job->name,
                      what);
}

// ---- what is in force ---------------------------------------------------------------------------

// Deciding a slot leaves an audit row. A mark far beyond the last of them, or beyond now, was never
// reached by deciding, and recomputing up to it might never end.
static struct instant credible_mark(struct slots_walk *walk, const struct store_job *row)
{
    struct instant last_at = walk->v->last_at;
    struct instant now = walk->v->options->now;
    struct instant limit = instant_is_none(last_at) ? instant_from_unix(YEAR_10000)
                                                    : instant_add(last_at, DURATION_S(86400));
    if (now.us > 0 && instant_before(instant_add(now, DURATION_S(86400)), limit)) {
        limit = instant_add(now, DURATION_S(86400));
    }
    if (!instant_before(limit, row->high_water)) {
        return row->high_water;
    }
    char text[FORMAT_TIME_SIZE];
    format_utc_ms(row->high_water, text);
    verification_find(walk->v, VERIFY_SLOT_GAP, row->name, row->high_water,
                      "the high-water mark of job %s is %s, long after the last row of the audit "
                      "log: slots up to there cannot have been decided",
                      row->name, text);
    return limit;
}

static bool take_job(void *context, const struct store_job *row)
{
    struct slots_walk *walk = context;
    ARRAY_RESERVE(walk->jobs, walk->job_count, walk->job_capacity);
    walk->jobs[walk->job_count++] =
        (struct slots_job){.name = alloc_string(row->name), .high_water = credible_mark(walk, row)};
    return true;
}

static bool is_reboot(const char *spec)
{
    json_t *object = json_loads(spec, 0, NULL);
    const char *schedule = json_string_value(json_object_get(object, "schedule"));
    bool reboot = schedule != NULL && strcasecmp(schedule, "@reboot") == 0;
    json_decref(object);
    return reboot;
}

static bool take_force(void *context, const struct store_force_row *row)
{
    struct slots_walk *walk = context;
    struct slots_job *job = map_get(&walk->by_name, row->job);
    if (job == NULL) {
        return true; // published since the jobs were read
    }
    ARRAY_RESERVE(job->spans, job->span_count, job->span_capacity);
    job->spans[job->span_count++] = (struct due_span){.spec = alloc_string(row->spec),
                                                      .from = row->from,
                                                      .to = row->to,
                                                      .has_no_calendar = is_reboot(row->spec)};
    return true;
}

static struct instant job_from(const struct slots_walk *walk, const struct slots_job *job)
{
    struct instant from = job->span_count > 0 ? job->spans[0].from : job->high_water;
    bool pruned = !instant_is_none(walk->after) && instant_before(from, walk->after);
    return pruned ? walk->after : from;
}

static bool read_in_force(struct slots_walk *walk, struct error *err)
{
    struct verify_report *report = walk->v->report;
    struct store *store = walk->v->store;
    if (!store->ops->read_jobs(store, NULL, take_job, walk, err)) {
        return false;
    }
    for (size_t i = 0; i < walk->job_count; i++) {
        map_put(&walk->by_name, walk->jobs[i].name, &walk->jobs[i]);
    }
    if (!store->ops->read_force(store, NULL, take_force, walk, err)) {
        return false;
    }
    report->jobs = arena_alloc(&report->arena, walk->job_count + 1, sizeof *report->jobs);
    report->job_count = walk->job_count;
    for (size_t i = 0; i < walk->job_count; i++) {
        struct slots_job *job = &walk->jobs[i];
        job->report = &report->jobs[i];
        *job->report = (struct verify_job){.name = arena_string(&report->arena, job->name),
                                           .from = job_from(walk, job),
                                           .high_water = job->high_water};
    }
    return true;
}

// ---- merging ------------------------------------------------------------------------------------

static void begin_job(struct slots_walk *walk, struct slots_job *job)
{
    walk->current = job;
    job->seen = true;
    walk->previous = INSTANT_NONE;
    due_begin(&walk->due, job->name, job->spans, job->span_count, walk->after, job->high_water);
}

static struct instant peek(struct slots_walk *walk)
{
    struct error err = ERROR_INIT;
    struct instant due_at = due_peek(&walk->due, &err);
    if (err.code != ERROR_NONE) {
        verification_find(walk->v, VERIFY_SLOT_GAP, walk->current->name, INSTANT_NONE,
                          "the slots of job %s cannot be recomputed: %s", walk->current->name,
                          err.text);
    }
    return due_at;
}

static void report_gap(struct slots_walk *walk, struct instant due_at)
{
    struct slots_job *job = walk->current;
    job->given_up = job->gaps++ == GAPS_MAX;
    find(walk, VERIFY_SLOT_GAP, job, due_at,
         job->given_up ? "is missing as well as 100,000 before it, and the job is left at that"
                       : "was due by its schedule, but is not in the ledger");
}

// Everything due before `limit` (none: everything left) is not in the ledger.
static void report_gaps(struct slots_walk *walk, struct instant limit)
{
    for (struct instant t = peek(walk);
         !instant_is_none(t) && (instant_is_none(limit) || instant_before(t, limit)) &&
         !walk->current->given_up;
         t = peek(walk)) {
        report_gap(walk, t);
        walk->current->report->due++;
        due_advance(&walk->due);
    }
}

static void end_job(struct slots_walk *walk)
{
    if (walk->current != NULL) {
        report_gaps(walk, INSTANT_NONE);
        walk->current = NULL;
    }
}

static int compare_backfills(const void *a, const void *b)
{
    const struct verification_backfill *x = a;
    const struct verification_backfill *y = b;
    if (x->job != y->job) {
        return x->job < y->job ? -1 : 1;
    }
    return (x->due_at.us > y->due_at.us) - (x->due_at.us < y->due_at.us);
}

static bool was_asked_for(struct slots_walk *walk, struct instant due_at)
{
    struct verification *v = walk->v;
    struct verification_backfill wanted = {.job = verification_name(v, walk->current->name),
                                           .due_at = due_at};
    return v->backfill_count > 0 && bsearch(&wanted, v->backfills, v->backfill_count, sizeof wanted,
                                            compare_backfills) != NULL;
}

// Whoever boots is due when it boots, which is before its schedules are in force.
static bool may_be_boot(const struct slots_job *job, struct instant due_at)
{
    for (size_t i = 0; i < job->span_count; i++) {
        const struct due_span *span = &job->spans[i];
        if (instant_is_none(span->to) || !instant_before(span->to, due_at)) {
            return span->has_no_calendar;
        }
    }
    return false;
}

static void check_extra(struct slots_walk *walk, struct instant due_at)
{
    const struct due_span *span = due_span_of(&walk->due, due_at);
    if ((span != NULL && span->is_unreadable) || may_be_boot(walk->current, due_at) ||
        was_asked_for(walk, due_at)) {
        return;
    }
    find(walk, VERIFY_SLOT_EXTRA, walk->current, due_at,
         span != NULL ? "is in the ledger, but was not due by its schedule"
                      : "is in the ledger, but no schedule of the job was in force");
}

static void match(struct slots_walk *walk, struct instant due_at)
{
    report_gaps(walk, due_at);
    if (walk->current->given_up) {
        return;
    }
    struct instant due = peek(walk);
    if (!instant_is_none(due) && instant_equal(due, due_at)) {
        walk->current->report->due++;
        due_advance(&walk->due);
        return;
    }
    check_extra(walk, due_at);
}

static void note_open(struct slots_walk *walk, const struct store_slot_row *row)
{
    if (walk->open_count == OPEN_MAX) {
        find(walk, VERIFY_SLOT_OPEN, walk->current, row->due_at,
             "is open, as are more than 100,000 before it");
        return;
    }
    ARRAY_RESERVE(walk->open, walk->open_count, walk->open_capacity);
    walk->open[walk->open_count++] =
        (struct open_slot){.job = walk->current, .due_at = row->due_at, .run_id = row->run_id};
}

static void take_current(struct slots_walk *walk, const struct store_slot_row *row)
{
    struct slots_job *job = walk->current;
    if (instant_before(job->high_water, row->due_at)) {
        // On a live node's store it was written since the mark was read.
        if (!walk->v->options->node_is_live) {
            find(walk, VERIFY_SLOT_EXTRA, job, row->due_at, "lies above the job's high-water mark");
        }
        return;
    }
    job->report->in_ledger++;
    if (!instant_is_none(walk->previous) && !instant_before(walk->previous, row->due_at)) {
        find(walk, VERIFY_SLOT_EXTRA, job, row->due_at, "is in the ledger twice");
        return;
    }
    walk->previous = row->due_at;
    match(walk, row->due_at);
    if (row->outcome == SLOT_OPEN) {
        note_open(walk, row);
    }
}

static bool take_slot(void *context, const struct store_slot_row *row)
{
    struct slots_walk *walk = context;
    if (!instant_is_none(walk->after) && !instant_before(walk->after, row->due_at)) {
        return true;
    }
    if (walk->current == NULL || strcmp(walk->current->name, row->job) != 0) {
        end_job(walk);
        struct slots_job *job = map_get(&walk->by_name, row->job);
        if (job == NULL) {
            return true; // published since the jobs were read
        }
        begin_job(walk, job);
    }
    take_current(walk, row);
    return true;
}

// Jobs whose slots are all absent never came up in the pass.
static void judge_absent(struct slots_walk *walk)
{
    for (size_t i = 0; i < walk->job_count; i++) {
        if (!walk->jobs[i].seen) {
            begin_job(walk, &walk->jobs[i]);
            end_job(walk);
        }
    }
}

// ---- open slots ---------------------------------------------------------------------------------
// The ledger goes on meanwhile, and each look sees another moment of it. So nothing is held against
// a slot but what stands between two looks that find the same run as its newest one.
struct open_look {
    bool is_open;
    struct uuid run_id;
    bool found; // the run
    enum run_state state;
};

static bool take_open_run(void *context, const struct store_run_row *row)
{
    struct open_look *look = context;
    look->found = true;
    look->state = row->state;
    return false;
}

static bool take_open_slot(void *context, const struct store_slot_row *row)
{
    struct open_look *look = context;
    look->is_open = row->outcome == SLOT_OPEN;
    look->run_id = row->run_id;
    return false;
}

static bool look_at(struct store *store, const struct open_slot *slot, struct open_look *look_out,
                    struct error *err)
{
    *look_out = (struct open_look){0};
    struct store_slot_filter filter = {.job = slot->job->name,
                                       .since = slot->due_at,
                                       .until = instant_add(slot->due_at, DURATION_MS(1))};
    if (!store->ops->read_slots(store, &filter, take_open_slot, look_out, err)) {
        return false;
    }
    struct store_run_filter run = {
        .run_id = look_out->run_id, .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = 1};
    return !look_out->is_open || uuid_is_nil(run.run_id) ||
           store->ops->read_runs(store, &run, take_open_run, look_out, err);
}

// Closed by now, or its run goes on, which is judged elsewhere.
static bool is_in_order(const struct open_look *look)
{
    return !look->is_open || (look->found && look->state == RUN_STARTED);
}

static bool waits_for_retry(const struct store_op_load *load, const struct open_slot *slot)
{
    for (size_t i = 0; i < load->retry_count; i++) {
        const struct store_retry *retry = &load->retries[i];
        for (size_t j = 0; instant_equal(retry->due_at, slot->due_at) && j < load->job_count; j++) {
            if (load->jobs[j].job_id == retry->job_id &&
                strcmp(load->jobs[j].name, slot->job->name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void tell_open(struct slots_walk *walk, const struct open_slot *slot, bool had_run)
{
    find(walk, VERIFY_SLOT_OPEN, slot->job, slot->due_at,
         had_run ? "is open, though its last attempt has ended and no retry is planned"
                 : "is open, but nothing runs for it");
}

// Leaves those in walk->open whose newest run has changed meanwhile: they are to be judged again.
static bool judge_with(struct slots_walk *walk, const struct store_op_load *load, struct error *err)
{
    size_t count = walk->open_count;
    walk->open_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct open_slot slot = walk->open[i];
        struct open_look look;
        if (waits_for_retry(load, &slot)) {
            continue;
        }
        if (!look_at(walk->v->store, &slot, &look, err)) {
            return false;
        }
        if (is_in_order(&look)) {
            continue;
        }
        if (uuid_equal(look.run_id, slot.run_id)) {
            tell_open(walk, &slot, look.found);
        } else {
            walk->open[walk->open_count++] = slot;
        }
    }
    return true;
}

// In order while its run goes on or a retry is due. Keeps those whose run has ended.
static bool keep_ended(struct slots_walk *walk, struct error *err)
{
    size_t count = walk->open_count;
    walk->open_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct open_slot slot = walk->open[i];
        struct open_look look;
        if (!look_at(walk->v->store, &slot, &look, err)) {
            return false;
        }
        slot.run_id = look.run_id;
        if (!is_in_order(&look)) {
            walk->open[walk->open_count++] = slot;
        }
    }
    return true;
}

static bool judge_all_open(struct slots_walk *walk, struct error *err)
{
    bool good = keep_ended(walk, err);
    while (good && walk->open_count > 0) {
        struct store_op_load load = {.op = {.kind = STORE_LOAD}};
        if (!store_call(walk->v->store, &load.op, err)) {
            return false;
        }
        good = judge_with(walk, &load, err);
        store_op_release(&load.op);
        good = good && keep_ended(walk, err);
    }
    return good;
}

// ---- the whole ----------------------------------------------------------------------------------

static void release(struct slots_walk *walk)
{
    for (size_t i = 0; i < walk->job_count; i++) {
        for (size_t j = 0; j < walk->jobs[i].span_count; j++) {
            free(walk->jobs[i].spans[j].spec);
        }
        free(walk->jobs[i].spans);
        free(walk->jobs[i].name);
    }
    free(walk->jobs);
    free(walk->open);
    map_release(&walk->by_name);
    free(walk);
}

static bool walk_slots(struct slots_walk *walk, struct error *err)
{
    struct verification *v = walk->v;
    struct store_slot_filter everything = {.since = INSTANT_NONE, .until = INSTANT_NONE};
    if (!read_in_force(walk, err) ||
        !v->store->ops->read_slots(v->store, &everything, take_slot, walk, err)) {
        return false;
    }
    v->store->ops->reading_ends(v->store); // what is open is looked at as it is now
    end_job(walk);
    judge_absent(walk);
    return judge_all_open(walk, err);
}

bool verify_slots(struct verification *v, struct error *err)
{
    struct slots_walk *walk = alloc_zero(1, sizeof *walk); // 32 KB of chunk: not on the stack
    walk->v = v;
    walk->after =
        instant_is_none(v->kept_from) ? INSTANT_NONE : instant_add(v->kept_from, DURATION_US(-1));
    map_init(&walk->by_name);
    if (v->backfill_count > 0) {
        qsort(v->backfills, v->backfill_count, sizeof *v->backfills, compare_backfills);
    }
    bool read = walk_slots(walk, err);
    release(walk);
    return read;
}
