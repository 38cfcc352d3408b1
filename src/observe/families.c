// SPDX-License-Identifier: MIT
#include "observe/families.h"

#include <string.h>

#include "base/check.h"

// A sample's beginning is the same for all series of a family and job, and is made once:
// `name{job_name="x"`.
struct head {
    char text[768];
    size_t length;
};

static void head_init(struct head *head, const char *name, const struct registry_job *job)
{
    struct exposition out = {head->text, head->text + sizeof head->text, EXPOSITION_TEXT};
    exposition_text(&out, name);
    if (job != NULL) {
        exposition_text(&out, "{job_name=\"");
        exposition_label(&out, job->job->name);
        exposition_text(&out, "\"");
    }
    head->length = (size_t)(out.at - head->text);
}

static const struct job_numbers *numbers_of(const struct family_input *input)
{
    static const struct job_numbers none;
    return input->job->numbers == NULL ? &none : input->job->numbers;
}

// head,label="value"} count
static void put_labelled(struct exposition *out, const struct head *head, const char *label,
                         const char *value, uint64_t count)
{
    exposition_bytes(out, head->text, head->length);
    exposition_text(out, label);
    exposition_text(out, value);
    exposition_bytes(out, "\"} ", 3);
    exposition_unsigned(out, count);
    exposition_bytes(out, "\n", 1);
}

// ---- counters of jobs
// ----------------------------------------------------------------------------

static void render_runs(struct exposition *out, const char *name, const struct family_input *input)
{
    struct head head;
    head_init(&head, name, input->job);
    for (int i = RUN_SUCCESS; i < RUN_STATE_COUNT; i++) {
        put_labelled(out, &head, ",status=\"", run_state_label((enum run_state)i),
                     numbers_of(input)->runs[i]);
    }
}

static void render_failures(struct exposition *out, const char *name,
                            const struct family_input *input)
{
    struct head head;
    head_init(&head, name, input->job);
    for (int i = FAILURE_NONE + 1; i < FAILURE_COUNT; i++) {
        put_labelled(out, &head, ",reason=\"", run_failure_label((enum run_failure)i),
                     numbers_of(input)->failures[i]);
    }
}

// Each reason of this outcome from the start; others only if one ever comes.
static void put_reasons(struct exposition *out, const struct head *head,
                        const uint32_t counts[SLOT_REASON_COUNT],
                        const bool usual[SLOT_REASON_COUNT])
{
    for (int i = 0; i < SLOT_REASON_COUNT; i++) {
        if (usual[i] || counts[i] > 0) {
            const char *reason = slot_reason_name((enum slot_reason)i);
            put_labelled(out, head, ",reason=\"", reason[0] == '\0' ? "none" : reason, counts[i]);
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
    struct head head;
    head_init(&head, name, input->job);
    put_reasons(out, &head, numbers_of(input)->missed, usual);
}

static void render_skipped(struct exposition *out, const char *name,
                           const struct family_input *input)
{
    static const bool usual[SLOT_REASON_COUNT] = {
        [REASON_OVERLAP] = true,   [REASON_SUPERSEDED] = true, [REASON_PAUSED] = true,
        [REASON_THROTTLED] = true, [REASON_CHANGED] = true,
    };
    struct head head;
    head_init(&head, name, input->job);
    put_reasons(out, &head, numbers_of(input)->skipped, usual);
}

static void render_locks(struct exposition *out, const char *name, const struct family_input *input)
{
    static const char *const results[LOCK_RESULT_COUNT] = {
        [LOCK_WON] = "won",
        [LOCK_TAKEN] = "taken",
        [LOCK_OVERLAP] = "overlap",
        [LOCK_ERROR] = "error",
    };
    struct head head;
    head_init(&head, name, input->job);
    for (int i = 0; i < LOCK_RESULT_COUNT; i++) {
        put_labelled(out, &head, ",result=\"", results[i], numbers_of(input)->locks[i]);
    }
}

// ---- histograms
// ----------------------------------------------------------------------------------

enum unit { UNIT_SECONDS, UNIT_MS };

struct curve {
    const struct histogram *histogram;
    const struct histogram_shape *shape;
    enum unit unit;
};

static void put_bucket(struct exposition *out, const char *name, const char *labels,
                       const char *bound, uint64_t count)
{
    exposition_text(out, name);
    exposition_text(out, "_bucket{");
    exposition_text(out, labels);
    exposition_text(out, "le=\"");
    if (bound == NULL) {
        exposition_text(out, "+Inf");
    } else {
        exposition_bound(out, bound);
    }
    exposition_text(out, "\"} ");
    exposition_unsigned(out, count);
    exposition_text(out, "\n");
}

static void put_suffixed(struct exposition *out, const char *name, const char *suffix,
                         const char *braced)
{
    exposition_text(out, name);
    exposition_text(out, suffix);
    exposition_text(out, braced);
    exposition_text(out, " ");
}

// `labels` is empty or `job_name="x",`; `braced` empty or `{job_name="x"}`.
static void put_histogram(struct exposition *out, const char *name, const char *labels,
                          const char *braced, struct curve curve)
{
    uint64_t count = 0;
    for (size_t i = 0; i < curve.shape->count; i++) {
        const struct histogram_bound *bound = &curve.shape->bounds[i];
        count += curve.histogram->counts[i];
        put_bucket(out, name, labels, curve.unit == UNIT_MS ? bound->ms : bound->seconds, count);
    }
    count += curve.histogram->counts[HISTOGRAM_BOUNDS_MAX];
    put_bucket(out, name, labels, NULL, count);
    put_suffixed(out, name, "_sum", braced);
    exposition_fixed(out, curve.histogram->sum_us, curve.unit == UNIT_MS ? 3 : 6);
    exposition_text(out, "\n");
    put_suffixed(out, name, "_count", braced);
    exposition_unsigned(out, count);
    exposition_text(out, "\n");
}

static void put_job_histogram(struct exposition *out, const char *name,
                              const struct registry_job *job, struct curve curve)
{
    if (histogram_count(curve.histogram) == 0) {
        return;
    }
    struct head head; // {job_name="x"
    head_init(&head, "", job);
    char labels[sizeof head.text + 2];
    memcpy(labels, head.text + 1, head.length - 1);
    memcpy(labels + head.length - 1, ",", 2);
    head.text[head.length] = '}';
    head.text[head.length + 1] = '\0';
    put_histogram(out, name, labels, head.text, curve);
}

static void render_duration_ms(struct exposition *out, const char *name,
                               const struct family_input *input)
{
    put_job_histogram(
        out, name, input->job,
        (struct curve){&numbers_of(input)->duration, &histogram_of_durations, UNIT_MS});
}

static void render_duration_seconds(struct exposition *out, const char *name,
                                    const struct family_input *input)
{
    put_job_histogram(
        out, name, input->job,
        (struct curve){&numbers_of(input)->duration, &histogram_of_durations, UNIT_SECONDS});
}

static void render_start_delay(struct exposition *out, const char *name,
                               const struct family_input *input)
{
    put_job_histogram(
        out, name, input->job,
        (struct curve){&numbers_of(input)->delay, &histogram_of_delays, UNIT_SECONDS});
}

static void render_queue(struct exposition *out, const char *name, const struct family_input *input)
{
    put_job_histogram(
        out, name, input->job,
        (struct curve){&numbers_of(input)->queue, &histogram_of_delays, UNIT_SECONDS});
}

static void render_statements(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    const struct histogram *histogram = &input->metrics->statements;
    if (histogram_count(histogram) > 0) {
        put_histogram(out, name, "", "",
                      (struct curve){histogram, &histogram_of_statements, UNIT_SECONDS});
    }
}

// ---- gauges and info of jobs
// ---------------------------------------------------------------------

static void put_head(struct exposition *out, const char *name, const struct family_input *input)
{
    struct head head;
    head_init(&head, name, input->job);
    exposition_bytes(out, head.text, head.length);
    if (input->job != NULL) {
        exposition_bytes(out, "}", 1);
    }
    exposition_bytes(out, " ", 1);
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
    struct head head;
    head_init(&head, name, input->job);
    exposition_bytes(out, head.text, head.length);
    put_label(out, ",schedule", job->schedule_text == NULL ? "" : job->schedule_text);
    put_label(out, ",timezone", job->timezone == NULL ? "" : job->timezone);
    put_label(out, ",kind", job_kind_name(job->kind));
    exposition_text(out, "} 1\n");
}

// ---- the node
// ------------------------------------------------------------------------------------

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

static void render_nodes_live(struct exposition *out, const char *name,
                              const struct family_input *input)
{
    put_sample(out, name, input, (uint64_t)input->metrics->nodes_live);
}

static void render_fenced(struct exposition *out, const char *name,
                          const struct family_input *input)
{
    put_sample(out, name, input, input->metrics->fenced);
}

// ---- the process
// ---------------------------------------------------------------------------------

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
const struct family families[] = {
#include "observe/families.def"
};
#undef JOB
#undef NODE
const size_t family_count = ARRAY_LENGTH(families);
