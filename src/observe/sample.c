// SPDX-License-Identifier: MIT
#include "observe/sample.h"

void sample_begin(struct sample_part *part, struct exposition *out)
{
    *out = (struct exposition){part->text, part->text + sizeof part->text, EXPOSITION_TEXT};
}

void sample_end(struct sample_part *part, const struct exposition *out)
{
    part->length = (size_t)(out->at - part->text);
}

void sample_head(struct sample_part *head, const char *name, const char *job)
{
    struct exposition out;
    sample_begin(head, &out);
    exposition_text(&out, name);
    if (job != NULL) {
        exposition_text(&out, "{job_name=\"");
        exposition_label(&out, job);
        exposition_text(&out, "\"");
    }
    sample_end(head, &out);
}

// `name_bucket{job_name="x",le="`
static void bucket_head(struct sample_part *head, const char *name, const char *job)
{
    struct exposition out;
    sample_begin(head, &out);
    exposition_text(&out, name);
    exposition_text(&out, "_bucket{");
    if (job != NULL) {
        exposition_text(&out, "job_name=\"");
        exposition_label(&out, job);
        exposition_text(&out, "\",");
    }
    exposition_text(&out, "le=\"");
    sample_end(head, &out);
}

static uint64_t put_buckets(struct exposition *out, const struct sample_part *head,
                            const struct sample_curve *curve)
{
    uint64_t count = 0;
    for (size_t i = 0; i < curve->shape->count; i++) {
        const struct histogram_bound *bound = &curve->shape->bounds[i];
        count += curve->histogram->counts[i];
        exposition_bytes(out, head->text, head->length);
        exposition_bound(out, curve->unit == SAMPLE_MS ? bound->ms : bound->seconds);
        exposition_bytes(out, "\"} ", 3);
        exposition_unsigned(out, count);
        exposition_bytes(out, "\n", 1);
    }
    count += curve->histogram->counts[HISTOGRAM_BOUNDS_MAX];
    exposition_bytes(out, head->text, head->length);
    exposition_text(out, "+Inf\"} ");
    exposition_unsigned(out, count);
    exposition_bytes(out, "\n", 1);
    return count;
}

// `name_sum{job_name="x"} `
static void put_suffixed(struct exposition *out, const char *name, const char *suffix,
                         const struct sample_part *labels)
{
    exposition_text(out, name);
    exposition_text(out, suffix);
    exposition_bytes(out, labels->text, labels->length);
    exposition_text(out, labels->length > 0 ? "} " : " ");
}

void sample_put_histogram(struct exposition *out, const char *name, const char *job,
                          const struct sample_curve *curve)
{
    struct sample_part part;
    bucket_head(&part, name, job);
    uint64_t count = put_buckets(out, &part, curve);
    sample_head(&part, "", job);
    put_suffixed(out, name, "_sum", &part);
    exposition_fixed(out, curve->histogram->sum_us, curve->unit == SAMPLE_MS ? 3 : 6);
    exposition_bytes(out, "\n", 1);
    put_suffixed(out, name, "_count", &part);
    exposition_unsigned(out, count);
    exposition_bytes(out, "\n", 1);
}
