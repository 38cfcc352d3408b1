// SPDX-License-Identifier: MIT
// Lines of an exposition, made from parts that many lines share.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "observe/exposition.h"
#include "observe/histogram.h"

// A piece of a line: its beginning `name{job_name="x"`, or its end `,status="success"} `.
struct sample_part {
    char text[512];
    size_t length;
};

// An exposition that writes into the part, and its end.
void sample_begin(struct sample_part *part, struct exposition *out);
void sample_end(struct sample_part *part, const struct exposition *out);
// Without labels where the job is NULL; never with the closing brace.
void sample_head(struct sample_part *head, const char *name, const char *job);

static inline void sample_put(struct exposition *out, const struct sample_part *head,
                              const struct sample_part *tail, uint64_t value)
{
    exposition_bytes(out, head->text, head->length);
    exposition_bytes(out, tail->text, tail->length);
    exposition_unsigned(out, value);
    exposition_bytes(out, "\n", 1);
}

enum sample_unit { SAMPLE_SECONDS, SAMPLE_MS };

struct sample_curve {
    const struct histogram *histogram;
    const struct histogram_shape *shape;
    enum sample_unit unit;
};

// Buckets, sum and count. `job` NULL: without that label.
void sample_put_histogram(struct exposition *out, const char *name, const char *job,
                          const struct sample_curve *curve);
