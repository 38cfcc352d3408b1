// SPDX-License-Identifier: MIT
// What held around the slot: schedules in force, controls, nodes, other runs.
#include <jansson.h>
#include <string.h>

#include "cli/node_list.h"
#include "cli/process_state.h"
#include "cli/why_rows.h"

#define CONTROLS_MAX 16

static const char *copy(struct why_case *why, const char *text)
{
    return text != NULL ? arena_string(&why->arena, text) : NULL;
}

// ---- schedules in force -------------------------------------------------------------------------

static bool note_force(void *context, const struct store_force_row *row)
{
    struct why_case *why = context;
    struct instant at = why->facts.at;
    struct store_force_row *kept = arena_alloc(&why->arena, 1, sizeof *kept);
    *kept = *row;
    kept->job = why->facts.name;
    kept->spec = copy(why, row->spec);
    if (!instant_before(row->from, at)) {
        why->force_after = why->force_after != NULL ? why->force_after : kept;
    } else if (instant_is_none(row->to) || !instant_before(row->to, at)) {
        why->force = kept;
    } else {
        why->force_before = kept;
    }
    return true;
}

bool why_rows_force(struct why_case *why, struct store *store, struct error *err)
{
    why->force = why->force_before = why->force_after = NULL;
    return store == NULL || store->ops->read_force(store, why->facts.name, note_force, why, err);
}

// ---- controls -----------------------------------------------------------------------------------

// When the slot was decided; controls set between its time and then count too.
static struct instant decided_at(const struct why_case *why)
{
    if (why->event_count > 0) {
        return why->events[0].at;
    }
    bool is_open = !why->facts.has_row || why->facts.outcome == SLOT_OPEN;
    return is_open ? why->facts.now : why->facts.at;
}

static bool note_control(void *context, const struct store_control_row *row)
{
    struct why_case *why = context;
    const struct why_facts *facts = &why->facts;
    struct instant until = decided_at(why);
    if (instant_before(until, facts->at)) {
        until = facts->at;
    }
    // An attempt to come, or a slot to come, is held back by what holds now.
    struct instant since = facts->has_row && facts->outcome == SLOT_OPEN ? facts->now : facts->at;
    if (instant_before(facts->now, since)) {
        since = until = facts->now;
    } else if (instant_before(until, since)) {
        until = since;
    }
    bool is_ours = row->value != 0 && (row->job == NULL || strcmp(row->job, facts->name) == 0);
    bool is_over = !instant_is_none(row->to) && !instant_before(since, row->to);
    if (!is_ours || is_over || instant_before(until, row->from)) {
        return true;
    }
    if (why->control_count == CONTROLS_MAX) { // the newest ones count
        memmove(why->controls, why->controls + 1, (CONTROLS_MAX - 1) * sizeof *why->controls);
        why->control_count--;
    }
    struct store_control_row *kept = &why->controls[why->control_count++];
    *kept = *row;
    kept->job = copy(why, row->job);
    kept->actor = copy(why, row->actor);
    kept->reason = copy(why, row->reason);
    return true;
}

// The job's own before the one for all.
static const struct store_control_row *control_of(const struct why_case *why,
                                                  enum store_control_kind kind)
{
    const struct store_control_row *found = NULL;
    for (size_t i = 0; i < why->control_count; i++) {
        const struct store_control_row *row = &why->controls[i];
        if (row->kind == kind && (found == NULL || row->job != NULL || found->job == NULL)) {
            found = row;
        }
    }
    return found;
}

bool why_rows_controls(struct why_case *why, struct store *store, struct error *err)
{
    why->controls = arena_alloc(&why->arena, CONTROLS_MAX, sizeof *why->controls);
    if (!store->ops->read_controls(store, true, note_control, why, err)) {
        return false;
    }
    why->facts.pause = control_of(why, CONTROL_PAUSE);
    why->facts.dry_run = control_of(why, CONTROL_DRY_RUN);
    why->facts.throttle = control_of(why, CONTROL_THROTTLE);
    return true;
}

// ---- nodes --------------------------------------------------------------------------------------

struct node_search {
    struct why_case *why;
    const struct session *session;
    char live[UUID_TEXT_SIZE];
    bool dry_run;
};

static const struct store_node_row *keep_node(struct why_case *why,
                                              const struct store_node_row *row, const char *state)
{
    struct store_node_row *kept = arena_alloc(&why->arena, 1, sizeof *kept);
    *kept = *row;
    kept->host = copy(why, row->host);
    kept->version = copy(why, row->version);
    kept->state = copy(why, state);
    return kept;
}

static bool has_labels(const struct store_node_row *row, const struct job *job)
{
    json_t *labels = row->labels == NULL ? NULL : json_loads(row->labels, 0, NULL);
    const struct job_variable *wanted = job->nodes;
    for (; wanted != NULL && wanted->name != NULL; wanted++) {
        const char *value = json_string_value(json_object_get(labels, wanted->name));
        if (value == NULL || strcmp(value, wanted->value) != 0) {
            break;
        }
    }
    json_decref(labels);
    return wanted == NULL || wanted->name == NULL;
}

static void add_places(struct why_case *why, const struct store_node_row *row)
{
    struct why_facts *facts = &why->facts;
    bool may = facts->job == NULL || has_labels(row, facts->job);
    if (may && !instant_is_none(row->draining_since)) {
        facts->nodes_drain++;
        facts->drain_node = row->node;
    } else if (may) {
        facts->max_running = row->max_running + (facts->nodes_fit > 0 ? facts->max_running : 0);
        facts->running_fit += row->running;
        facts->nodes_fit++;
    }
}

// Newest first. A node that lives does so until now, whatever it last wrote; any other one lived
// until it was last seen. Of many the one that has the slot's run tells the most.
static bool note_node(void *context, const struct store_node_row *row)
{
    struct node_search *search = context;
    struct why_case *why = search->why;
    struct why_facts *facts = &why->facts;
    const char *state = node_list_state_of(search->session, row);
    bool is_live = strcmp(state, "live") == 0;
    bool of_run = facts->run != NULL && uuid_equal(facts->run->node, row->node);
    facts->run_is_with_node |= is_live && of_run;
    if (is_live) {
        search->dry_run |= row->dry_run;
        add_places(why, row);
    } else {
        cut_off_add(&why->nodes, row->node);
    }
    if (instant_before(facts->at, row->started_at)) {
        bool is_first = facts->node_then == NULL && facts->node_before == NULL;
        facts->node_after = is_first ? keep_node(why, row, state) : facts->node_after;
    } else if (of_run || (facts->node_then == NULL &&
                          (is_live || !instant_before(row->last_seen, facts->at)))) {
        facts->node_then = keep_node(why, row, state);
        facts->node_before = NULL;
    } else if (facts->node_then == NULL &&
               (facts->node_before == NULL ||
                instant_before(facts->node_before->last_seen, row->last_seen))) {
        facts->node_before = keep_node(why, row, state);
    }
    return true;
}

static bool note_start(void *context, const struct store_audit_row *row)
{
    struct node_search *search = context;
    char id[UUID_TEXT_SIZE];
    uuid_format(row->node, id);
    if (strcmp(id, search->live) != 0) {
        return true;
    }
    search->dry_run |= row->detail != NULL && strstr(row->detail, "\"dry_run\":true") != NULL;
    return false;
}

static bool count_run(void *context, const struct store_run_row *row)
{
    (void)row;
    (*(int *)context)++;
    return true;
}

bool why_rows_nodes(struct why_case *why, const struct session *session, struct error *err)
{
    struct why_facts *facts = &why->facts;
    struct store *store = session->store;
    struct node_search search = {.why = why, .session = session};
    facts->node_is_live = session->has_node;
    if (session->has_node) {
        memcpy(search.live, session->node.node, sizeof search.live);
        facts->node_pid = session->node.pid;
        facts->node_is_stopped = process_is_stopped(session->node.pid);
    }
    struct store_audit_filter starts = {.event = "NODE_STARTED",
                                        .since = INSTANT_NONE,
                                        .until = INSTANT_NONE,
                                        .limit = 8,
                                        .newest_first = true};
    struct store_run_filter running = {
        .by_state = true, .state = RUN_STARTED, .since = INSTANT_NONE, .until = INSTANT_NONE};
    bool read = store->ops->read_nodes(store, note_node, &search, err) &&
                store->ops->read_audit(store, &starts, note_start, &search, err) &&
                store->ops->read_runs(store, &running, count_run, &facts->running_all, err);
    facts->node_is_dry_run = search.dry_run;
    return read;
}

// ---- the run in its way -------------------------------------------------------------------------

// An end is the moment at which it happened; what was decided until it was written found the run in
// its way.
#define END_HEARD DURATION_MS(500)

struct other_search {
    struct why_case *why;
    struct instant at;
};

static bool note_other(void *context, const struct store_run_row *row)
{
    struct other_search *search = context;
    struct why_case *why = search->why;
    bool is_own = why->facts.run != NULL && uuid_equal(why->facts.run->run_id, row->run_id);
    bool was_over = !instant_is_none(row->ended_at) &&
                    instant_before(instant_add(row->ended_at, END_HEARD), search->at);
    if (is_own || was_over) {
        return true;
    }
    struct store_run_row *kept = arena_alloc(&why->arena, 1, sizeof *kept);
    *kept = *row;
    kept->job = why->facts.name;
    kept->error = copy(why, row->error);
    why->facts.other = kept;
    return false;
}

bool why_rows_other(struct why_case *why, struct store *store, struct error *err)
{
    struct why_facts *facts = &why->facts;
    struct other_search search = {.why = why, .at = decided_at(why)};
    struct store_run_filter filter = {
        .job = facts->name, .since = INSTANT_NONE, .until = INSTANT_NONE};
    if (facts->has_row && facts->reason == REASON_OVERLAP) {
        filter.until = instant_add(search.at, DURATION_MS(1));
        filter.limit = 100;
    } else if (!facts->has_row && facts->is_slot && !instant_before(facts->now, facts->at)) {
        filter.by_state = true;
        filter.state = RUN_STARTED;
        filter.limit = 1;
    } else {
        return true;
    }
    return store->ops->read_runs(store, &filter, note_other, &search, err);
}
