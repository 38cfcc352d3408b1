// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/nearest.h"

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    zone_cache_free(config->zones);
    // The struct is not in its own arena, so that this order works.
    arena_release(&config->arena);
    free(config->jobs);
    free(config->definitions);
    free(config->own);
    free(config->digests);
    free(config);
}

const struct zone *config_zone(const struct config *config)
{
    const struct zone *zone = NULL;
    struct error err = ERROR_INIT;
    bool got = zone_cache_get(config->zones, config->timezone, &zone, &err) ||
               zone_cache_get(config->zones, "UTC", &zone, &err);
    CHECK(got);
    return zone;
}

const struct job *config_job(const struct config *config, const char *name)
{
    size_t low = 0;
    size_t high = config->job_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct job *job = &config->jobs[config->by_name[middle]];
        int order = strcmp(name, job->name);
        if (order == 0) {
            return job;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const char *config_nearest_job(const struct config *config, const char *name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < config->job_count; i++) {
        nearest_offer(&nearest, config->jobs[i].name);
    }
    return nearest.best;
}
