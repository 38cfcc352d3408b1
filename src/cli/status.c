// SPDX-License-Identifier: MIT
#include "cli/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/map.h"
#include "cli/process_state.h"
#include "cli/words.h"

#define STATUS_MAX ((size_t)1024 * 1024 * 1024)
#define LATELY     DURATION_S(-24 * 3600)
// Counting more would keep the reader waiting and tell nothing new.
#define LATELY_MAX 200000
#define SOON       DURATION_S(3600)
#define SOON_SLOTS 3600

struct loading {
    struct status *status;
    struct map by_name; // tallies
};

static bool tally_run(void *context, const struct store_run_row *row)
{
    struct loading *loading = context;
    struct status_tally *tally = map_get(&loading->by_name, row->job);
    if (tally != NULL && run_state_is_final(row->state)) {
        tally->ended++;
        tally->failed +=
            row->state == RUN_FAILED || row->state == RUN_TIMED_OUT || row->state == RUN_LOST ? 1
                                                                                              : 0;
    }
    return true;
}

static bool tally_slot(void *context, const struct store_slot_row *row)
{
    struct loading *loading = context;
    struct status_tally *tally = map_get(&loading->by_name, row->job);
    if (tally != NULL && row->outcome == SLOT_MISSED) {
        tally->missed++;
        snprintf(tally->last_missed, sizeof tally->last_missed, "%s",
                 slot_reason_name(row->reason));
    }
    return true;
}

static bool note_running(void *context, const struct store_run_row *row)
{
    struct status *status = ((struct loading *)context)->status;
    bool is_cut_off = node_list_cut_off(&status->overview.fleet, row);
    struct run_kept *list = is_cut_off ? status->cut_off : status->running;
    size_t *count = is_cut_off ? &status->cut_off_count : &status->running_count;
    if (*count < STATUS_RUNNING_MAX) {
        run_kept_copy(&list[(*count)++], row);
    }
    return true;
}

static bool note_node(void *context, const struct store_node_row *row)
{
    struct status *status = ((struct loading *)context)->status;
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    // Newest first: with none live, the first one is the last that was.
    if (!status->session->has_node || strcmp(id, status->session->node.node) == 0) {
        status->last_seen = row->last_seen;
        return false;
    }
    return true;
}

static bool read_store(struct loading *loading, struct error *err)
{
    struct status *status = loading->status;
    struct store *store = status->session->store;
    struct instant since = instant_add(status->overview.now, LATELY);
    struct store_run_filter lately = {.since = since, .until = INSTANT_NONE, .limit = LATELY_MAX};
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    struct store_slot_filter slots = {.since = since, .until = INSTANT_NONE};
    return store == NULL ||
           (store->ops->read_runs(store, &lately, tally_run, loading, err) &&
            store->ops->read_runs(store, &running, note_running, loading, err) &&
            store->ops->read_slots(store, &slots, tally_slot, loading, err) &&
            store->ops->read_nodes(store, note_node, loading, err) &&
            outage_load(&status->outage, status->session, status->overview.now, err));
}

static int by_due(const void *a, const void *b)
{
    const struct status_soon *first = a;
    const struct status_soon *second = b;
    if (instant_equal(first->due, second->due)) {
        return first->view < second->view ? -1 : 1;
    }
    return instant_before(first->due, second->due) ? -1 : 1;
}

static void look_ahead(struct status *status)
{
    struct overview *overview = &status->overview;
    struct instant end = instant_add(overview->now, SOON);
    for (size_t i = 0; i < overview->count; i++) {
        const struct job_view *view = &overview->views[i];
        if (instant_is_none(view->next_due) || !instant_before(view->next_due, end)) {
            continue;
        }
        struct status_soon *soon = &status->soon[status->soon_count++];
        *soon = (struct status_soon){.view = view, .due = view->next_due};
        struct instant next = schedule_next(&view->job->schedule, view->next_due);
        while (!instant_is_none(next) && instant_before(next, end) && soon->more < SOON_SLOTS) {
            soon->more++;
            next = schedule_next(&view->job->schedule, next);
        }
    }
    qsort(status->soon, status->soon_count, sizeof *status->soon, by_due);
}

// ---- the verdict --------------------------------------------------------------------------------

PRINTF(2, 3) static void problem(struct status *status, const char *format, ...)
{
    if (status->problem_count == STATUS_PROBLEM_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(status->problems[status->problem_count++], sizeof status->problems[0], format, args);
    va_end(args);
}

static void judge_node(struct status *status)
{
    const struct session *session = status->session;
    if (!session->has_node) {
        problem(status, "no node is live, so nothing runs; start one: ironcron serve");
    }
    // On SQLite the lock is the sign of life: an idle node writes nothing for hours.
    if (session->node_is_here && process_is_stopped(session->node.pid)) {
        problem(status, "the node's process %d is stopped; let it go on: kill -CONT %d",
                session->node.pid, session->node.pid);
    }
}

static void judge_cut_off(struct status *status)
{
    size_t count = status->cut_off_count;
    if (count > 0) {
        bool has_node = status->session->has_node;
        problem(status, "%zu run%s cut off with a node that is gone; %s one records that as LOST%s",
                count, count == 1 ? " was" : "s were", has_node ? "a live" : "the next",
                has_node ? ": ironcron nodes" : "");
    }
}

// In a fleet each node that is not as it should be is told.
static void judge_fleet(struct status *status)
{
    const struct node_list *fleet = &status->overview.fleet;
    if (fleet->overdue > 0) {
        problem(status, "%zu node%s past the lease and not declared dead yet: ironcron nodes",
                fleet->overdue, fleet->overdue == 1 ? " is" : "s are");
    }
    if (node_list_all_drain(fleet)) {
        problem(status, "all live nodes are draining, so nothing starts: ironcron nodes");
    }
    if (fleet->refusing > 0) {
        problem(status, "%zu of %zu nodes cannot execute the definitions in force: ironcron nodes",
                fleet->refusing, fleet->live);
    }
    if (fleet->dry_run > 0 && fleet->dry_run < fleet->live) {
        problem(status,
                "%zu of %zu nodes, such as the one on %s, were started in dry-run, and so all are: "
                "ironcron nodes",
                fleet->dry_run, fleet->live, fleet->dry->row.host);
    }
}

static void judge(struct status *status)
{
    const struct session *session = status->session;
    for (size_t i = 0; i < status->overview.count; i++) {
        const struct job_view *view = &status->overview.views[i];
        status->failing += job_view_is_failing(view) ? 1 : 0;
        status->late += instant_is_none(view->late_since) ? 0 : 1;
        status->stale += view->is_stale ? 1 : 0;
    }
    if (session->config->is_faulty) {
        problem(status, "the configuration has errors; a node goes on with what it had, and none "
                        "can start: ironcron validate");
    }
    if (session->store == NULL && session->has_node) {
        problem(status, "the store's file is not there, though a node works on it: put the same "
                        "file back, or restart the node, which begins another one then");
        return;
    }
    if (session->store == NULL) {
        problem(status, "there is no store yet, nothing has ever run; start: ironcron serve");
        return;
    }
    judge_node(status);
    judge_cut_off(status);
    judge_fleet(status);
    if (status->failing > 0) {
        problem(status, "%zu job%s failing: ironcron runs --state failed --since -24h",
                status->failing, status->failing == 1 ? " is" : "s are");
    }
    if (status->late > 0) {
        problem(status, "%zu job%s late: ironcron doctor", status->late,
                status->late == 1 ? " is" : "s are");
    }
    if (status->stale > 0) {
        problem(status,
                "%zu job%s had no success for longer than must_succeed_within: ironcron jobs",
                status->stale, status->stale == 1 ? " has" : "s have");
    }
}

bool status_load(struct status *status, const struct session *session, struct error *err)
{
    *status = (struct status){.session = session, .store_bytes = -1, .last_seen = INSTANT_NONE};
    arena_init(&status->arena, STATUS_MAX);
    if (!overview_load(&status->overview, session, err)) {
        return false;
    }
    struct overview *overview = &status->overview;
    struct arena *arena = &status->arena;
    status->tallies = arena_alloc(arena, overview->count + 1, sizeof *status->tallies);
    status->soon = arena_alloc(arena, overview->count + 1, sizeof *status->soon);
    status->running = arena_alloc(arena, STATUS_RUNNING_MAX, sizeof *status->running);
    status->cut_off = arena_alloc(arena, STATUS_RUNNING_MAX, sizeof *status->cut_off);
    struct stat file;
    if (session->store != NULL && session->config->store_url == NULL &&
        stat(session->config->store_path, &file) == 0) {
        status->store_bytes = (int64_t)file.st_size;
    }
    struct loading loading = {.status = status};
    map_init(&loading.by_name);
    for (size_t i = 0; i < overview->count; i++) {
        map_put(&loading.by_name, overview->views[i].job->name, &status->tallies[i]);
    }
    bool ok = read_store(&loading, err);
    map_release(&loading.by_name);
    if (ok) {
        look_ahead(status);
        judge(status);
    }
    return ok;
}

void status_release(struct status *status)
{
    overview_release(&status->overview);
    arena_release(&status->arena);
}

bool status_is_trouble(const struct status *status, size_t i)
{
    return status->tallies[i].failed > 0 || job_view_is_failing(&status->overview.views[i]);
}

const struct store_control_row *status_dry_run(const struct status *status)
{
    return control_set_exact(&status->overview.controls, NULL, CONTROL_DRY_RUN);
}
