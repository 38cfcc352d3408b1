// SPDX-License-Identifier: MIT
// Answers for slots of which an attempt was made.
#include "cli/why_text.h"

static void add_attempts(const struct why_facts *facts, struct why *why)
{
    if (facts->job == NULL) {
        return;
    }
    int max = facts->job->retries->max;
    int attempt = facts->run->attempt;
    if (max == 0) {
        buf_add_string(&why->text, " No retries are configured.");
    } else if (attempt > max) {
        buf_printf(&why->text, " That was the last of %d attempts.", max + 1);
    } else {
        buf_printf(&why->text, " It was attempt %d of %d; no other was made.", attempt, max + 1);
    }
}

static void tell_success(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It ran, from ", facts->run->started_at);
    why_add_length(&why->text, ", and succeeded after ", facts->run->duration);
    if (facts->run->attempt > 1) {
        buf_printf(&why->text, " at attempt %d", facts->run->attempt);
    }
    if (facts->run->trigger == TRIGGER_CATCHUP) {
        buf_add_string(&why->text, "; nothing could start it when it was due, so it was made up");
    }
    buf_add_char(&why->text, '.');
    why_add_id(&why->next, "ironcron runs show ", facts->run, "");
}

static void tell_failed(const struct why_facts *facts, struct why *why)
{
    const struct store_run_row *run = facts->run;
    if (run->failure == FAILURE_SPAWN) {
        buf_printf(&why->text, "It could not be started: %s.",
                   why_error_of(run, "no reason is known"));
        buf_add_string(&why->next, "ironcron validate");
    } else {
        why_add_time(facts, &why->text, "It ran, from ", run->started_at);
        why_add_length(&why->text, ", and failed after ", run->duration);
        buf_printf(&why->text, ": %s.", why_error_of(run, "no reason is known"));
        // A process explains itself in its output, a statement or request in its error.
        bool is_process = run->failure == FAILURE_EXIT || run->failure == FAILURE_SIGNAL;
        why_add_id(&why->next, is_process ? "ironcron runs output " : "ironcron runs show ", run,
                   "");
    }
    add_attempts(facts, why);
}

static void tell_timed_out(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It ran, from ", facts->run->started_at);
    why_add_length(&why->text, ", and was ended after ", facts->run->duration);
    buf_printf(&why->text, ": %s.", why_error_of(facts->run, "its timeout had passed"));
    add_attempts(facts, why);
    why_add_id(&why->next, "ironcron runs output ", facts->run, "");
}

static void tell_lost(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It was started at ", facts->run->started_at);
    buf_printf(&why->text, " and then lost: %s.",
               why_error_of(facts->run, "its node died while it ran"));
    if (facts->job != NULL && facts->job->on_lost == JOB_LOST_FAIL) {
        buf_add_string(&why->text, " It was not tried again, since the job has on_lost: fail.");
    }
    why_add_id(&why->next, "ironcron runs output ", facts->run, "");
}

static void tell_cancelled(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It ran, from ", facts->run->started_at);
    why_add_length(&why->text, ", and after ", facts->run->duration);
    buf_printf(&why->text, " was %s.", why_error_of(facts->run, "cancelled"));
    why_next_run(facts, why);
}

static void tell_replaced(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It ran, from ", facts->run->started_at);
    why_add_length(&why->text, ", and was cancelled after ", facts->run->duration);
    buf_add_string(&why->text, " for a newer slot of the job, which has overlap: replace.");
    buf_printf(&why->next, "ironcron runs --job %s", facts->name);
}

static void tell_dry_run(const struct why_facts *facts, struct why *why)
{
    buf_add_string(&why->text, "It was claimed and recorded, and nothing was executed: ");
    if (facts->dry_run == NULL) {
        buf_add_string(&why->text, "the node was in dry-run (started with --dry-run or "
                                   "JOB_DRY_RUN)");
        if (facts->node_is_live && facts->node_is_dry_run) {
            buf_add_string(&why->text, ", and the one that lives now is too; restart it without");
            buf_add_string(&why->next, "ironcron nodes");
        } else {
            why_next_run(facts, why);
        }
    } else {
        why_add_control(facts, &why->text, facts->dry_run, "in dry-run");
        why_next_undo(facts, why, facts->dry_run);
    }
    buf_add_char(&why->text, '.');
}

static void tell_running(const struct why_facts *facts, struct why *why)
{
    const struct store_run_row *run = facts->run;
    struct duration length = instant_since(facts->now, run->started_at);
    why_add_time(facts, &why->text, "It runs since ", run->started_at);
    why_add_length(&why->text, ", for ", length);
    buf_printf(&why->text, ", attempt %d, with %lld bytes of output so far.", run->attempt,
               (long long)facts->output_bytes);
    if (facts->job != NULL && facts->job->timeout.us > 0) {
        why_add_length(&why->text,
                       length.us > facts->job->timeout.us ? " It is past its timeout of "
                                                          : " Its timeout is ",
                       facts->job->timeout);
        buf_add_char(&why->text, '.');
    }
    if (facts->job != NULL && facts->job->http != NULL && facts->job->http->callback) {
        buf_add_string(&why->text, " It ends by the callback of its endpoint, or by its timeout.");
    }
    why_add_id(&why->next, "ironcron runs output ", run, " -f");
}

static void tell_cut_off(const struct why_facts *facts, struct why *why)
{
    why_add_time(facts, &why->text, "It was started at ", facts->run->started_at);
    buf_add_string(&why->text, " and cut off with its node, which is gone. ");
    if (facts->node_is_live) {
        buf_add_string(&why->text, "The node that lives now has not recorded that yet.");
        buf_add_string(&why->next, "ironcron doctor");
    } else {
        buf_add_string(&why->text, "The next node records it as LOST.");
        buf_add_string(&why->next, "ironcron serve");
    }
}

static void tell_retry(const struct why_facts *facts, struct why *why)
{
    const struct store_run_row *run = facts->run;
    struct instant by = why_retry_by(facts->job, run);
    buf_printf(&why->text, "Attempt %d ended %s (%s); the slot waits for attempt %d", run->attempt,
               run_state_name(run->state), why_error_of(run, "no reason is known"),
               run->attempt + 1);
    if (facts->job != NULL && facts->job->retries->max > 0) {
        buf_printf(&why->text, " of %d", facts->job->retries->max + 1);
    }
    if (!instant_is_none(by)) {
        why_add_time(facts, &why->text, ", due at the latest at ", by);
    }
    buf_add_char(&why->text, '.');
    if (!facts->node_is_live) {
        buf_add_string(&why->text, " No node is live to make it.");
        buf_add_string(&why->next, "ironcron serve");
    } else if (why_is_in_force(facts->pause)) {
        buf_add_string(&why->text, " It is held back, since ");
        why_add_control(facts, &why->text, facts->pause, "paused");
        buf_add_char(&why->text, '.');
        why_next_undo(facts, why, facts->pause);
    } else {
        why_add_id(&why->next, "ironcron runs output ", run, "");
    }
}

bool why_tell_ran(const struct why_facts *facts, struct why *why)
{
    static why_teller *const tellers[WHY_CAUSE_COUNT] = {
        [WHY_SUCCESS] = tell_success,     [WHY_FAILED] = tell_failed,
        [WHY_TIMED_OUT] = tell_timed_out, [WHY_LOST] = tell_lost,
        [WHY_CANCELLED] = tell_cancelled, [WHY_REPLACED] = tell_replaced,
        [WHY_DRY_RUN] = tell_dry_run,     [WHY_RUNNING] = tell_running,
        [WHY_CUT_OFF] = tell_cut_off,     [WHY_RETRY] = tell_retry,
    };
    why_teller *tell = tellers[why->cause];
    if (tell != NULL) {
        tell(facts, why);
    }
    return tell != NULL;
}
