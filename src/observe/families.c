// SPDX-License-Identifier: MIT
#include "observe/families.h"

#include "base/check.h"
#include "observe/sample.h"

static const struct job_numbers *numbers_of(const struct family_input *input)
{
    static const struct job_numbers none;
    return input->job->numbers == NULL ? &none : input->job->numbers;
}

// ---- counters of jobs ---------------------------------------------------------------------------

#define TAILS_MAX 16

// The ends of a family's lines: `,status="success"} `. The same for each job, so made once.
struct tails {
    struct sample_part list[TAILS_MAX]; // length 0: no series of this value
};

static void add_tail(struct tails *tails, size_t at, const char *label, const char *value)
{
    CHECK(at < TAILS_MAX);
    struct exposition out;
    sample_begin(&tails->list[at], &out);
    exposition_text(&out, label);
    exposition_text(&out, value);
    exposition_text(&out, "\"} ");
    sample_end(&tails->list[at], &out);
}

static void put_counters(struct exposition *out, const char *name, const struct registry_job *job,
                         const struct tails *tails, const uint32_t *counts, size_t count)
{
    struct sample_part head;
    sample_head(&head, name, job->job->name);
    for (size_t i = 0; i < count; i++) {
        if (tails->list[i].length > 0) {
            sample_put(out, &head, &tails->list[i], counts[i]);
        }
    }
}

static void render_runs(struct exposition *out, const char *name, const struct family_input *input)
{
    static struct tails tails;
    if (tails.list[RUN_SUCCESS].length == 0) {
        for (size_t i = RUN_SUCCESS; i < RUN_STATE_COUNT; i++) {
            add_tail(&tails, i, ",status=\"", run_state_label((enum run_state)i));
        }
    }
    put_counters(out, name, input->job, &tails, numbers_of(input)->runs, RUN_STATE_COUNT);
}

static void render_failures(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    static struct tails tails;
    if (tails.list[FAILURE_EXIT].length == 0) {
        for (size_t i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
            add_tail(&tails, i, ",reason=\"", run_failure_label((enum run_failure)i));
        }
    }
    put_counters(out, name, input->job, &tails, numbers_of(input)->failures, FAILURE_COUNT);
}

// Each usual reason from the start; others only if one ever comes.
static void put_reasons(struct exposition *out, const char *name, const struct registry_job *job,
                        const uint32_t counts[SLOT_REASON_COUNT],
                        const bool usual[SLOT_REASON_COUNT])
{
    static struct tails all;
    struct sample_part head;
    if (all.list[0].length == 0) {
        add_tail(&all, REASON_NONE, ",reason=\"", "none");
        for (size_t i = REASON_NONE + 1; i < SLOT_REASON_COUNT; i++) {
            add_tail(&all, i, ",reason=\"", slot_reason_name((enum slot_reason)i));
        }
    }
    sample_head(&head, name, job->job->name);
    for (size_t i = 0; i < SLOT_REASON_COUNT; i++) {
        if (usual[i] || counts[i] > 0) {
            sample_put(out, &head, &all.list[i], counts[i]);
        }
    }
}

static void render_missed(struct exposition *out, const char *name,
                          const struct family_input *input)
{
    static const bool usual[SLOT_REASON_COUNT] = {
        [REASON_DOWNTIME] = true, [REASON_TOO_OLD] = true, [REASON_REMOVED] = true,
        [REASON_LIMIT] = true,    [REASON_BUSY] = true,
    };
    put_reasons(out, name, input->job, numbers_of(input)->missed, usual);
}

static void render_skipped(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    static const bool usual[2][SLOT_REASON_COUNT] = {
        {[REASON_OVERLAP] = true,
         [REASON_SUPERSEDED] = true,
         [REASON_PAUSED] = true,
         [REASON_THROTTLED] = true,
         [REASON_CHANGED] = true},
        // of jobs that come after others
        {[REASON_OVERLAP] = true,
         [REASON_SUPERSEDED] = true,
         [REASON_PAUSED] = true,
         [REASON_THROTTLED] = true,
         [REASON_CHANGED] = true,
         [REASON_AFTER] = true},
    };
    put_reasons(out, name, input->job, numbers_of(input)->skipped,
                usual[input->job->job->after != NULL]);
}

static void render_locks(struct exposition *out, const char *name, const struct family_input *input)
{
    static const char *const results[LOCK_RESULT_COUNT] = {
        [LOCK_WON] = "won",
        [LOCK_TAKEN] = "taken",
        [LOCK_OVERLAP] = "overlap",
        [LOCK_ERROR] = "error",
    };
    static struct tails tails;
    if (tails.list[0].length == 0) {
        for (size_t i = 0; i < LOCK_RESULT_COUNT; i++) {
            add_tail(&tails, i, ",result=\"", results[i]);
        }
    }
    put_counters(out, name, input->job, &tails, numbers_of(input)->locks, LOCK_RESULT_COUNT);
}

// ---- histograms ---------------------------------------------------------------------------------

static void put_job_histogram(struct exposition *out, const char *name,
                              const struct family_input *input, struct sample_curve curve)
{
    if (histogram_count(curve.histogram) > 0) {
        sample_put_histogram(out, name, input->job->job->name, &curve);
    }
}

static void render_duration_ms(struct exposition *out, const char *name,
                               const struct family_input *input)
{
    put_job_histogram(
        out, name, input,
        (struct sample_curve){&numbers_of(input)->duration, &histogram_of_durations, SAMPLE_MS});
}

static void render_duration_seconds(struct exposition *out, const char *name,
                                    const struct family_input *input)
{
    put_job_histogram(out, name, input,
                      (struct sample_curve){&numbers_of(input)->duration, &histogram_of_durations,
                                            SAMPLE_SECONDS});
}

static void render_start_delay(struct exposition *out, const char *name,
                               const struct family_input *input)
{
    put_job_histogram(
        out, name, input,
        (struct sample_curve){&numbers_of(input)->delay, &histogram_of_delays, SAMPLE_SECONDS});
}

static void render_queue(struct exposition *out, const char *name, const struct family_input *input)
{
    put_job_histogram(
        out, name, input,
        (struct sample_curve){&numbers_of(input)->queue, &histogram_of_delays, SAMPLE_SECONDS});
}

static void render_statements(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    const struct sample_curve curve = {&input->metrics->statements, &histogram_of_statements,
                                       SAMPLE_SECONDS};
    if (histogram_count(curve.histogram) > 0) {
        sample_put_histogram(out, name, NULL, &curve);
    }
}

// ---- gauges and info of jobs --------------------------------------------------------------------

static void put_head(struct exposition *out, const char *name, const struct family_input *input)
{
    exposition_text(out, name);
    if (input->job != NULL) {
        exposition_text(out, "{job_name=\"");
        exposition_label(out, input->job->job->name);
        exposition_text(out, "\"}");
    }
    exposition_text(out, " ");
}

static void put_sample(struct exposition *out, const char *name, const struct family_input *input,
                       uint64_t value)
{
    put_head(out, name, input);
    exposition_unsigned(out, value);
    exposition_bytes(out, "\n", 1);
}

static void put_seconds(struct exposition *out, const char *name, const struct family_input *input,
                        int64_t us)
{
    put_head(out, name, input);
    exposition_fixed(out, us, 6);
    exposition_bytes(out, "\n", 1);
}

static void render_running(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    put_sample(out, name, input, (uint64_t)input->gauges->running);
}

static void render_next_run(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    if (!instant_is_none(input->gauges->next_due)) {
        put_seconds(out, name, input, input->gauges->next_due.us);
    }
}

static void render_last_success(struct exposition *out, const char *name,
                                const struct family_input *input)
{
    struct instant last = input->gauges->last_success;
    put_seconds(out, name, input, instant_is_none(last) ? 0 : last.us);
}

static void put_label(struct exposition *out, const char *name, const char *value)
{
    exposition_text(out, name);
    exposition_text(out, "=\"");
    exposition_label(out, value);
    exposition_text(out, "\"");
}

static void render_job_info(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    const struct job *job = input->job->job;
    exposition_text(out, name);
    put_label(out, "{job_name", job->name);
    put_label(out, ",schedule", job->schedule_text == NULL ? "" : job->schedule_text);
    put_label(out, ",timezone", job->timezone == NULL ? "" : job->timezone);
    put_label(out, ",kind", job_kind_name(job->kind));
    exposition_text(out, "} 1\n");
}

// ---- the node -----------------------------------------------------------------------------------

static void render_audit(struct exposition *out, const char *name, const struct family_input *input)
{
    for (size_t i = 0; i < input->metrics->audit_count; i++) {
        const struct audit_count *count = &input->metrics->audit[i];
        exposition_text(out, name);
        put_label(out, "{event", count->event);
        exposition_text(out, "} ");
        exposition_unsigned(out, count->rows);
        exposition_text(out, "\n");
    }
}

static void render_build_info(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    exposition_text(out, name);
    put_label(out, "{version", input->metrics->version);
    put_label(out, ",revision", input->metrics->revision);
    put_label(out, ",compiler", __VERSION__);
    exposition_text(out, "} 1\n");
}

static void render_store_up(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->store_is_up ? 1 : 0);
}

static void render_reconnects(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->reconnects);
}

static void render_clock_skew(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_seconds(out, name, input, input->metrics->clock_skew.us);
}

static void render_lock_table(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_seconds(out, name, input, input->metrics->locks_share_us);
}

static void render_nodes_live(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_sample(out, name, input, (uint64_t)input->metrics->nodes_live);
}

static void render_draining(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->is_draining ? 1 : 0);
}

static void render_refused(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->refuses ? 1 : 0);
}

static void render_fenced(struct exposition *out, const char *name,
                          const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->fenced);
}

// ---- the process --------------------------------------------------------------------------------

static void render_cpu(struct exposition *out, const char *name, const struct family_input *input)
{
    put_seconds(out, name, input, input->process->cpu_us);
}

static void render_open_fds(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    put_sample(out, name, input, input->process->open_fds);
}

static void render_max_fds(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    put_sample(out, name, input, input->process->max_fds);
}

static void render_virtual(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    put_sample(out, name, input, input->process->virtual_bytes);
}

static void render_virtual_max(struct exposition *out, const char *name,
                               const struct family_input *input)
{
    put_sample(out, name, input, input->process->virtual_max_bytes);
}

static void render_resident(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    put_sample(out, name, input, input->process->resident_bytes);
}

static void render_start_time(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_seconds(out, name, input, input->process->start_us);
}

#define JOB(name, type, unit, render, help)  {name, EXPOSITION_##type, unit, help, true, render},
#define NODE(name, type, unit, render, help) {name, EXPOSITION_##type, unit, help, false, render},
const struct family family_table[] = {
#include "observe/families.def"
};
#undef JOB
#undef NODE
const size_t family_count = ARRAY_LENGTH(family_table);
