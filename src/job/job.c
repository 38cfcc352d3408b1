// SPDX-License-Identifier: MIT
#include "job/job.h"

#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attributes.h"
#include "base/check.h"
#include "base/fnv.h"

const char *job_kind_name(enum job_kind kind)
{
    static const char *const names[JOB_KIND_COUNT] = {"command", "shell", "sql", "http"};
    CHECK(kind < JOB_KIND_COUNT);
    return names[kind];
}

const char *job_overlap_name(enum job_overlap overlap)
{
    static const char *const names[] = {"skip", "queue", "allow", "replace"};
    CHECK(overlap < ARRAY_LENGTH(names));
    return names[overlap];
}

const char *job_missed_name(enum job_missed missed)
{
    static const char *const names[] = {"skip", "last", "all"};
    CHECK(missed < ARRAY_LENGTH(names));
    return names[missed];
}

const char *job_on_lost_name(enum job_on_lost on_lost)
{
    return on_lost == JOB_LOST_RETRY ? "retry" : "fail";
}

// Nothing that JSON would escape.
static bool is_plain(const char *text)
{
    while (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\') {
        text++;
    }
    return *text == '\0';
}

static char *plain_spec(const char *dst, const char *schedule, const char *timezone)
{
    const char *const parts[] = {
        "{\"dst\":\"", dst, "\",\"schedule\":\"", schedule, "\",\"timezone\":\"", timezone, "\"}"};
    size_t lengths[ARRAY_LENGTH(parts)];
    size_t length = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        length += lengths[i] = strlen(parts[i]);
    }
    char *text = alloc_zero(length + 1, 1);
    char *at = text;
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        at = mempcpy(at, parts[i], lengths[i]);
    }
    return text;
}

char *job_schedule_spec(const struct job *job)
{
    const char *dst = job->schedule.dst == SCHEDULE_DST_SKIP ? "skip" : "run";
    if (is_plain(job->schedule_text) && is_plain(job->timezone)) {
        return plain_spec(dst, job->schedule_text, job->timezone); // a million at a start
    }
    json_t *spec = json_pack("{s:s, s:s, s:s}", "dst", dst, "schedule", job->schedule_text,
                             "timezone", job->timezone);
    CHECK(spec != NULL);
    char *text = json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(spec);
    CHECK(text != NULL);
    return text;
}

static bool has_label(const struct job_variable *labels, const struct job_variable *wanted)
{
    for (; labels != NULL && labels->name != NULL; labels++) {
        if (strcmp(labels->name, wanted->name) == 0) {
            return strcmp(labels->value, wanted->value) == 0;
        }
    }
    return false;
}

bool job_fits(const struct job *job, const struct job_variable *labels)
{
    const struct job_variable *wanted = job->nodes;
    while (wanted != NULL && wanted->name != NULL && has_label(labels, wanted)) {
        wanted++;
    }
    return wanted == NULL || wanted->name == NULL;
}

void job_labels_describe(const struct job_variable *labels, struct buf *out)
{
    const char *before = "";
    for (; labels != NULL && labels->name != NULL; labels++) {
        buf_printf(out, "%s%s=%s", before, labels->name, labels->value);
        before = ", ";
    }
}

// Over the name and the slot: every node computes the same delay with nothing stored.
struct duration job_jitter(const struct job *job, struct instant due_at)
{
    if (job->jitter.us <= 0) {
        return DURATION_S(0);
    }
    uint8_t slot[8]; // lowest byte first, whatever the machine
    for (int i = 0; i < 8; i++) {
        slot[i] = (uint8_t)((uint64_t)due_at.us >> (8 * i));
    }
    uint64_t h = fnv_add(FNV_START, job->name, strlen(job->name));
    h = fnv_fold(fnv_add(h, slot, sizeof slot));
    return DURATION_MS((int64_t)(h % (uint64_t)(duration_ms(job->jitter) + 1)));
}
