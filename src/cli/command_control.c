// SPDX-License-Identifier: MIT
// pause, resume, dry-run, throttle: runtime controls, written to the store, obeyed by its node.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "cli/intent.h"
#include "cli/json.h"
#include "cli/live.h"
#include "cli/run.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "document/control_outcome.h"
#include "document/control_set.h"
#include "document/running_ids.h"
#include "time/format.h"

#define TEXT_MAX 8192

// A control as it was asked for, and what came of it.
struct wish {
    struct session session;
    struct control_set before; // in force before the change
    enum store_control_kind kind;
    const char *job; // NULL = all
    int value;
    bool changed;
    size_t cancelled;
};

static void wish_release(struct wish *wish)
{
    control_set_release(&wish->before);
    session_release(&wish->session);
}

static json_t *optional_text(const char *text)
{
    return text == NULL ? NULL : json_text(text);
}

static bool set_in_store(struct store *store, struct store_op_control *control, bool *changed_out,
                         struct error *err)
{
    if (!store_call(store, &control->op, err)) {
        return false;
    }
    *changed_out = control->changed;
    store_op_release(&control->op);
    return true;
}

static void control_path(const struct store_op_control *control, char *out, size_t size)
{
    bool resumes = control->kind == CONTROL_PAUSE && control->value == 0;
    bool all = control->job == NULL;
    snprintf(out, size, "%s%s%s%s", all ? "" : "jobs/", all ? "" : control->job, all ? "" : "/",
             resumes ? "resume" : store_control_name(control->kind));
}

// By the live node, which knows then at once and by the kernel's word who asks; else in the store.
static bool set(const struct session *session, struct store_op_control *control, bool *changed_out,
                struct error *err)
{
    char path[256];
    control_path(control, path, sizeof path);
    json_t *body = json_pack("{s:o*, s:o*}", "as", optional_text(control->as), "reason",
                             optional_text(control->reason));
    if (control->kind == CONTROL_THROTTLE) {
        json_object_set_new(body, "factor", json_integer(control->value));
    } else if (control->kind == CONTROL_DRY_RUN) {
        json_object_set_new(body, "on", json_boolean(control->value != 0));
    }
    json_t *answer = NULL;
    enum live_answer live = live_post(session, path, body, &answer, err);
    *changed_out = json_is_true(json_object_get(answer, "changed"));
    json_decref(answer);
    return live == LIVE_DONE ||
           (live == LIVE_ABSENT && set_in_store(session->store, control, changed_out, err));
}

static bool carry_out(struct wish *wish, const struct invocation *invocation, struct error *err)
{
    struct session *session = &wish->session;
    // A typo in one job must not keep anybody from pausing another.
    if (!session_config_to_look(session, invocation, err) || !session_definitions(session, err)) {
        return false;
    }
    // A control of a job that has left the configuration can still be lifted.
    bool must_be_there = wish->job != NULL && wish->value != 0;
    if (must_be_there && !session->config->is_faulty &&
        session_job(session, wish->job, err) == NULL) {
        return false; // before the store is made
    }
    if (!session_write(session, err) ||
        (must_be_there && !session_knows_job(session, wish->job, err)) ||
        !control_set_load(&wish->before, session->store, err)) {
        return false;
    }
    if (wish->job != NULL && wish->value == 0 &&
        control_set_exact(&wish->before, wish->job, wish->kind) == NULL &&
        !session_knows_job(session, wish->job, err)) {
        return false;
    }
    struct store_op_control control = {
        .op.kind = STORE_CONTROL,
        .job = wish->job,
        .kind = wish->kind,
        .value = wish->value,
        .actor = session->actor,
        .as = invocation_text(invocation, "as"),
        .reason = invocation_text(invocation, "reason"),
    };
    return set(session, &control, &wish->changed, err);
}

// ---- saying what was done -----------------------------------------------------------------------

static const char *past(const struct wish *wish)
{
    static const char *const set[] = {"paused", "in dry-run", "throttled"};
    static const char *const lifted[] = {"not paused any more", "live again",
                                         "not throttled any more"};
    static const char *const was_not[] = {"not paused", "not in dry-run", "not throttled"};
    return wish->value != 0 ? set[wish->kind]
           : wish->changed  ? lifted[wish->kind]
                            : was_not[wish->kind];
}

static struct control_outcome outcome_of(const struct wish *wish,
                                         const struct invocation *invocation)
{
    return (struct control_outcome){.kind = wish->kind,
                                    .job = wish->job,
                                    .value = wish->value,
                                    .changed = wish->changed,
                                    .at = clock_now(wish->session.clock),
                                    .actor = wish->session.actor,
                                    .as = invocation_text(invocation, "as"),
                                    .reason = invocation_text(invocation, "reason"),
                                    .node_is_live = wish->session.has_node,
                                    .cancelled = wish->cancelled};
}

// Lifting one control leaves what another one still forbids.
static void say_what_stays(const struct wish *wish, struct buf *out)
{
    const struct store_control_row *all = control_set_exact(&wish->before, NULL, wish->kind);
    if (wish->value == 0 && wish->job != NULL && all != NULL) {
        buf_add_string(out, "\nBut all jobs are ");
        control_set_describe(all, wish->session.zone, out);
        char command[256];
        control_set_undo(wish->kind, NULL, command, sizeof command);
        buf_printf(out, "; lift that: %s", command);
    }
    for (size_t i = 0; wish->value == 0 && wish->job == NULL && i < wish->before.count; i++) {
        const struct store_control_row *row = &wish->before.rows[i];
        if (row->kind == wish->kind && row->job != NULL && row->value != 0) {
            buf_printf(out, "\n%s stays ", row->job);
            control_set_describe(row, wish->session.zone, out);
        }
    }
    if (!wish->session.has_node) {
        buf_add_string(out, "\nNo node is live; it counts from the next start: ironcron serve");
    }
}

static void say(const struct wish *wish, const struct invocation *invocation)
{
    AUTO(buf_release) struct buf out;
    buf_init(&out, TEXT_MAX);
    const struct store_control_row *was = control_set_exact(&wish->before, wish->job, wish->kind);
    char back[256];
    struct control_outcome outcome = outcome_of(wish, invocation);
    control_outcome_undo(&outcome, &wish->before, back, sizeof back);
    buf_add_string(&out, wish->job != NULL ? wish->job : "all jobs");
    buf_add_string(&out, wish->job != NULL ? " is " : " are ");
    if (!wish->changed && was != NULL) {
        buf_add_string(&out, "already ");
        control_set_describe(was, wish->session.zone, &out);
        buf_printf(&out, "; nothing changed. Undo: %s", back);
    } else if (!wish->changed) {
        buf_printf(&out, "%s; nothing changed", past(wish));
    } else {
        char since[FORMAT_TIME_SIZE];
        format_in_zone(clock_now(wish->session.clock), wish->session.zone, since);
        buf_add_string(&out, past(wish));
        if (wish->kind == CONTROL_THROTTLE && wish->value != 0) {
            buf_printf(&out, " x%d", wish->value);
        }
        buf_printf(&out, " since %s by %s", since, wish->session.actor);
        const char *reason = invocation_text(invocation, "reason");
        buf_printf(&out, reason != NULL ? " (%s)" : "%s", reason != NULL ? reason : "");
        buf_printf(&out, ". Undo: %s", back);
    }
    if (wish->cancelled > 0) {
        buf_printf(&out, "\n%zu running run%s cancelled", wish->cancelled,
                   wish->cancelled == 1 ? " is" : "s are");
    }
    say_what_stays(wish, &out);
    char *clean = terminal_clean_lines(buf_string(&out), out.length);
    puts(clean);
    free(clean);
}

static void say_json(const struct wish *wish, const struct invocation *invocation)
{
    struct control_outcome outcome = outcome_of(wish, invocation);
    json_print(json_control_outcome(&outcome, &wish->before));
}

static void report(const struct wish *wish, const struct invocation *invocation)
{
    if (invocation->json) {
        say_json(wish, invocation);
    } else {
        say(wish, invocation);
    }
}

static bool control(struct invocation *invocation, enum store_control_kind kind, const char *job,
                    int value, struct error *err)
{
    AUTO(wish_release) struct wish wish = {.kind = kind, .job = job, .value = value};
    if (!carry_out(&wish, invocation, err)) {
        return false;
    }
    report(&wish, invocation);
    return true;
}

// ---- pause --------------------------------------------------------------------------------------

static bool cancel_running(struct wish *wish, const struct invocation *invocation,
                           struct error *err)
{
    AUTO(running_ids_release) struct running_ids running = {0};
    if (!wish->session.has_node) {
        return true; // nothing runs where no node lives
    }
    if (!running_ids_read(&running, wish->session.store, wish->job, err)) {
        return false;
    }
    for (size_t i = 0; i < running.count; i++) {
        struct store_intent intent = {.kind = INTENT_CANCEL, .run_id = running.list[i]};
        if (!intent_put(&wish->session, invocation, &intent, err)) {
            return false;
        }
    }
    wish->cancelled = running.count;
    return true;
}

bool command_pause(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    AUTO(wish_release)
    struct wish wish = {.kind = CONTROL_PAUSE, .job = invocation->arguments[0], .value = 1};
    if (!carry_out(&wish, invocation, err)) {
        return false;
    }
    if (invocation_has(invocation, "cancel-running") && !cancel_running(&wish, invocation, err)) {
        return false;
    }
    report(&wish, invocation);
    return true;
}

bool command_resume(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    return control(invocation, CONTROL_PAUSE, invocation->arguments[0], 0, err);
}

bool command_dry_run(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    return control(invocation, CONTROL_DRY_RUN, invocation->arguments[1],
                   (int)invocation->numbers[0], err);
}

bool command_throttle(struct invocation *invocation, int *exit_out, struct error *err)
{
    (void)exit_out;
    return control(invocation, CONTROL_THROTTLE, invocation->arguments[0],
                   (int)invocation->numbers[1], err);
}
