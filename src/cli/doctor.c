// SPDX-License-Identifier: MIT
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_fleet.h"
#include "cli/outage.h"
#include "cli/process_state.h"
#include "cli/words.h"
#include "time/format.h"

#define DOCTOR_MAX      ((size_t)256 * 1024 * 1024)
#define SHOWN           5 // of a kind: the first ones tell enough
#define OPEN_SINCE      DURATION_S(-3600)
#define SEALED_WITHIN   DURATION_S(60)
#define UNSEALED_LOOK   1000
#define RUN_OVER_MARGIN DURATION_S(5)

void doctor_add(struct doctor *doctor, const char *name, enum doctor_level level,
                const char *remedy, const char *detail, ...)
{
    if (doctor->count == DOCTOR_FINDINGS_MAX) {
        return;
    }
    char text[2048];
    va_list args;
    va_start(args, detail);
    vsnprintf(text, sizeof text, detail, args);
    va_end(args);
    doctor->findings[doctor->count++] = (struct doctor_finding){
        .name = name,
        .level = level,
        .detail = arena_string(&doctor->arena, text),
        .remedy = remedy != NULL ? arena_string(&doctor->arena, remedy) : NULL};
    doctor->todo += level == DOCTOR_TODO;
}

// ---- the node and its lock ----------------------------------------------------------------------

static bool is_of_this_host(const struct node_lock_holder *holder)
{
    char host[256] = "";
    return gethostname(host, sizeof host - 1) == 0 && strcmp(host, holder->host) == 0;
}

static void look_at_node(struct doctor *doctor)
{
    const struct node_lock_holder *node = &doctor->session->node;
    char remedy[128];
    if (!doctor->session->has_node) {
        doctor_add(doctor, "node", DOCTOR_TODO, "ironcron serve",
                   "no node is live, so nothing runs");
        return;
    }
    if (node->pid > 0 && is_of_this_host(node) && !process_is_there(node->pid)) {
        snprintf(remedy, sizeof remedy, "fuser -v %s.lock", doctor->session->config->store_path);
        doctor_add(doctor, "node", DOCTOR_TODO, remedy,
                   "the lock is held for process %d, which is gone: its runner ends what still "
                   "runs, or is stuck",
                   node->pid);
    } else if (node->pid > 0 && is_of_this_host(node) && process_is_stopped(node->pid)) {
        snprintf(remedy, sizeof remedy, "kill -CONT %d", node->pid);
        doctor_add(doctor, "node", DOCTOR_TODO, remedy,
                   "the node's process %d is stopped by a signal; it holds the lock and runs "
                   "nothing",
                   node->pid);
    } else {
        doctor_add(doctor, "node", DOCTOR_OK, NULL, "%s, pid %d (%s)", node->host, node->pid,
                   node->command);
    }
}

// ---- runs ---------------------------------------------------------------------------------------

struct run_look {
    struct doctor *doctor;
    size_t running, over, cut_off;
};

static bool is_over(const struct doctor *doctor, const struct store_run_row *row)
{
    const struct job *job = config_job(doctor->session->config, row->job);
    if (job == NULL || job->timeout.us == 0) {
        return false;
    }
    struct instant end = instant_add(instant_add(row->started_at, job->timeout), job->kill_after);
    return instant_before(instant_add(end, RUN_OVER_MARGIN), doctor->overview.now);
}

static bool look_at_run(void *context, const struct store_run_row *row)
{
    struct run_look *look = context;
    struct doctor *doctor = look->doctor;
    char id[UUID_TEXT_SIZE];
    char since[WORDS_TIME_SIZE];
    char remedy[128];
    uuid_format(row->run_id, id);
    words_relative(row->started_at, doctor->overview.now, since);
    look->running++;
    if (node_list_cut_off(&doctor->overview.fleet, row)) {
        look->cut_off++;
    } else if (is_over(doctor, row) && ++look->over <= SHOWN) {
        snprintf(remedy, sizeof remedy, "ironcron runs cancel %s", id);
        doctor_add(doctor, "runs", DOCTOR_TODO, remedy,
                   "run %s of %s, started %s, is past its timeout and kill_after", id, row->job,
                   since);
    }
    return true;
}

static bool look_at_runs(struct doctor *doctor, struct error *err)
{
    struct run_look look = {.doctor = doctor};
    struct store *store = doctor->session->store;
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    if (!store->ops->read_runs(store, &running, look_at_run, &look, err)) {
        return false;
    }
    if (look.cut_off > 0) {
        doctor_add(doctor, "runs", DOCTOR_TODO,
                   doctor->session->has_node ? "ironcron nodes" : "ironcron serve",
                   "%zu run%s cut off with a node that is gone; %s one records that as LOST",
                   look.cut_off, look.cut_off == 1 ? " was" : "s were",
                   doctor->session->has_node ? "a live" : "the next");
    }
    if (look.over + look.cut_off == 0) {
        doctor_add(doctor, "runs", DOCTOR_OK, NULL, "%zu running, none past its timeout",
                   look.running);
    }
    return true;
}

// ---- jobs ---------------------------------------------------------------------------------------

static void look_at_late(struct doctor *doctor)
{
    size_t late = 0;
    for (size_t i = 0; i < doctor->overview.count; i++) {
        const struct job_view *view = &doctor->overview.views[i];
        if (instant_is_none(view->late_since) || ++late > SHOWN) {
            continue;
        }
        char since[WORDS_TIME_SIZE];
        char remedy[256];
        words_relative(view->late_since, doctor->overview.now, since);
        snprintf(remedy, sizeof remedy, "ironcron why %s", view->job->name);
        doctor_add(doctor, "late", DOCTOR_TODO, remedy, "%s was due %s and is not decided",
                   view->job->name, since);
    }
    if (late > SHOWN) {
        doctor_add(doctor, "late", DOCTOR_TODO, "ironcron jobs", "and %zu more jobs", late - SHOWN);
    } else if (late == 0) {
        doctor_add(doctor, "late", DOCTOR_OK, NULL, "no job is late");
    }
}

static void look_at_new(struct doctor *doctor)
{
    size_t unknown = 0;
    size_t idle = 0;
    const char *first = NULL;
    const char *first_idle = NULL;
    for (size_t i = 0; i < doctor->overview.count; i++) {
        const struct job_view *view = &doctor->overview.views[i];
        if (!view->is_known) {
            first = first != NULL ? first : view->job->name;
            unknown++;
        } else if (view->last == NULL && view->running == 0) {
            first_idle = first_idle != NULL ? first_idle : view->job->name;
            idle++;
        }
    }
    if (unknown > 0) {
        doctor_add(doctor, "jobs", DOCTOR_TODO,
                   doctor->session->has_node ? "ironcron reload" : "ironcron serve",
                   "%zu job%s in the configuration but not taken over by a node yet, such as %s",
                   unknown, unknown == 1 ? " is" : "s are", first);
    }
    if (idle > 0) {
        char remedy[256];
        snprintf(remedy, sizeof remedy, "ironcron why %s", first_idle);
        doctor_add(doctor, "jobs", DOCTOR_NOTE, remedy, "%zu job%s never run, such as %s", idle,
                   idle == 1 ? " has" : "s have", first_idle);
    }
    if (unknown + idle == 0) {
        doctor_add(doctor, "jobs", DOCTOR_OK, NULL, "each has run");
    }
}

// ---- slots that are open ------------------------------------------------------------------------

struct slot_look {
    size_t open, without_run;
    char job[JOB_NAME_MAX + 1];
    struct instant due_at;
};

static bool look_at_slot(void *context, const struct store_slot_row *row)
{
    struct slot_look *look = context;
    if (row->outcome != SLOT_OPEN) {
        return true;
    }
    bool is_empty = uuid_is_nil(row->run_id) && row->reason != REASON_AFTER;
    if (look->open == 0 || (is_empty && look->without_run == 0)) {
        snprintf(look->job, sizeof look->job, "%s", row->job);
        look->due_at = row->due_at;
    }
    look->open++;
    look->without_run += is_empty;
    return true;
}

static bool look_at_slots(struct doctor *doctor, struct error *err)
{
    struct slot_look look = {0};
    struct store *store = doctor->session->store;
    struct store_slot_filter filter = {.since = instant_add(doctor->overview.now, OPEN_SINCE),
                                       .until = INSTANT_NONE};
    if (!store->ops->read_slots(store, &filter, look_at_slot, &look, err)) {
        return false;
    }
    if (look.open == 0) {
        doctor_add(doctor, "slots", DOCTOR_OK, NULL, "none of the last hour is open");
        return true;
    }
    char due[FORMAT_TIME_SIZE];
    char remedy[256];
    format_in_zone(look.due_at, doctor->session->zone, due);
    snprintf(remedy, sizeof remedy, "ironcron why %s --at %s", look.job, due);
    doctor_add(doctor, "slots", look.without_run > 0 ? DOCTOR_TODO : DOCTOR_NOTE, remedy,
               "%zu of the last hour %s open (they run, or wait for their next attempt or for "
               "other jobs), %zu of "
               "them without any run",
               look.open, look.open == 1 ? "is" : "are", look.without_run);
    return true;
}

// ---- audit --------------------------------------------------------------------------------------

static bool note_unsealed(void *context, const struct store_audit_row *row)
{
    if (row->seq > 0) {
        return false;
    }
    *(struct instant *)context = row->at;
    return true;
}

static bool look_at_audit(struct doctor *doctor, struct error *err)
{
    struct instant oldest = INSTANT_NONE;
    struct store *store = doctor->session->store;
    struct store_audit_filter newest = {
        .since = INSTANT_NONE, .until = INSTANT_NONE, .limit = UNSEALED_LOOK, .newest_first = true};
    if (!store->ops->read_audit(store, &newest, note_unsealed, &oldest, err)) {
        return false;
    }
    struct instant limit = instant_add(oldest, SEALED_WITHIN);
    if (!instant_is_none(oldest) && instant_before(limit, doctor->overview.now)) {
        char since[WORDS_TIME_SIZE];
        words_relative(oldest, doctor->overview.now, since);
        doctor_add(doctor, "audit", DOCTOR_TODO, "ironcron audit verify",
                   "rows written %s are not sealed into the chain yet", since);
    } else {
        doctor_add(doctor, "audit", DOCTOR_OK, NULL, "sealed");
    }
    return true;
}

static bool look_at_store(struct doctor *doctor, bool deep, struct error *err)
{
    struct outage outage;
    if (!outage_load(&outage, doctor->session, doctor->overview.now, err)) {
        return false;
    }
    if (outage.nodes > 0) {
        AUTO(buf_release) struct buf words;
        buf_init(&words, 1024);
        outage_words(&outage, doctor->session->zone, &words);
        doctor_add(doctor, "store", DOCTOR_NOTE, "ironcron audit --event STORE_BACK", "it %s",
                   buf_string(&words));
    }
    return doctor->session->config->store_url != NULL ? doctor_server(doctor, err)
                                                      : doctor_store(doctor, deep, err);
}

bool doctor_load(struct doctor *doctor, const struct session *session, bool deep, struct error *err)
{
    *doctor = (struct doctor){.session = session};
    arena_init(&doctor->arena, DOCTOR_MAX);
    if (!overview_load(&doctor->overview, session, err)) {
        return false;
    }
    if (session->config->is_faulty) {
        doctor_add(doctor, "config", DOCTOR_TODO, "ironcron validate",
                   "the configuration has errors: a node goes on with what it had, and none can "
                   "start; jobs are told by what the store has recorded");
    }
    if (session->config->store_url != NULL) {
        doctor_nodes(doctor);
    }
    doctor_each_node(doctor);
    if (session->config->store_url == NULL || session->node_is_here) {
        look_at_node(doctor);
    }
    if (session->store != NULL) {
        look_at_late(doctor);
        if (!look_at_runs(doctor, err) || !look_at_slots(doctor, err) ||
            !look_at_audit(doctor, err) || !look_at_store(doctor, deep, err)) {
            return false;
        }
    }
    if (session->store == NULL && session->has_node) {
        doctor_add(doctor, "store", DOCTOR_TODO, "put the same file back, or restart the node",
                   "the file %s is not there, though a node works on it",
                   session->config->store_path);
    } else {
        look_at_new(doctor);
    }
    doctor_clock(doctor);
    doctor_clock_changes(doctor);
    doctor_zones(doctor);
    doctor_disk(doctor);
    return true;
}

void doctor_release(struct doctor *doctor)
{
    overview_release(&doctor->overview);
    arena_release(&doctor->arena);
}
