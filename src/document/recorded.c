// SPDX-License-Identifier: MIT
#include "document/recorded.h"

#include <jansson.h>
#include <string.h>

// Texts point into the document.
struct spec {
    json_t *document;
    const char *schedule;
    const char *timezone;
    const char *dst;
};

static void spec_release(struct spec *spec)
{
    json_decref(spec->document);
}

static bool spec_read(struct spec *spec, const char *text, const char *job, struct error *err)
{
    spec->document = json_loads(text, 0, NULL);
    if (spec->document != NULL &&
        json_unpack(spec->document, "{s:s, s:s, s:s}", "schedule", &spec->schedule, "timezone",
                    &spec->timezone, "dst", &spec->dst) == 0) {
        return true;
    }
    return error_set(err, ERROR_STORE,
                     "the schedule that the store has recorded for job %s cannot be read; look for "
                     "damage: ironcron doctor --deep",
                     job);
}

static bool parse(const struct spec *spec, const char *job, struct zone_cache *zones,
                  struct schedule *schedule_out, struct error *err)
{
    const struct zone *zone;
    bool skips = strcmp(spec->dst, "skip") == 0;
    bool read = zone_cache_get(zones, spec->timezone, &zone, err) &&
                schedule_parse(spec->schedule, zone, skips ? SCHEDULE_DST_SKIP : SCHEDULE_DST_RUN,
                               job, schedule_out, err);
    return read || error_wrap(err, "the schedule that the store has recorded for job %s", job);
}

bool recorded_schedule(const char *spec, const char *job, struct zone_cache *zones,
                       struct schedule *schedule_out, struct error *err)
{
    AUTO(spec_release) struct spec read = {0};
    return spec_read(&read, spec, job, err) && parse(&read, job, zones, schedule_out, err);
}

const struct job *recorded_job(const char *name, const char *spec, struct zone_cache *zones,
                               struct arena *arena, struct error *err)
{
    static const struct job_command no_command;
    static const struct job_retries no_retries;
    AUTO(spec_release) struct spec read = {0};
    struct job job = {.command = &no_command, .retries = &no_retries};
    if (!spec_read(&read, spec, name, err) || !parse(&read, name, zones, &job.schedule, err)) {
        return NULL;
    }
    job.name = arena_string(arena, name);
    job.schedule_text = arena_string(arena, read.schedule);
    job.timezone = arena_string(arena, read.timezone);
    struct job *kept = arena_alloc(arena, 1, sizeof *kept);
    *kept = job;
    return kept;
}
