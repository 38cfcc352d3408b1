// SPDX-License-Identifier: MIT
// Entries of crontabs as the `jobs` of a configuration. What is written loads: a schedule is parsed
// as the loader will parse it, and the limits of a configuration file are kept.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "import/crontab.h"
#include "time/zone.h"

struct crontab_yaml {
    struct buf out;
    struct map names; // of the jobs; to how many wanted it
    struct arena arena;
    struct zone_cache *zones;
    const char *timezone; // where no CRON_TZ says otherwise
    // What does not fit into one configuration file is cut into parts, of which one is written.
    size_t part;      // the one wanted, from 1
    size_t parts;     // so far; at the end all that there are
    size_t jobs;      // of the wanted part
    size_t elsewhere; // jobs of other parts
    size_t length;    // of the part that is being filled
    size_t nodes;
};

// Where entries come from.
struct crontab_source {
    const char *file;  // as people would write it
    const char *label; // begins the names of its jobs
    const char *user;  // whose entries these are, where no column says so; NULL = whose ironcron is
};

// `zones` and `timezone` are borrowed.
void crontab_yaml_init(struct crontab_yaml *yaml, struct zone_cache *zones, const char *timezone,
                       size_t part);
void crontab_yaml_release(struct crontab_yaml *yaml);
// Adds a job. False: it is left out, and err says why.
bool crontab_yaml_add(struct crontab_yaml *yaml, const struct crontab_source *source,
                      const struct crontab_entry *entry, struct error *err) MUST_USE;
// The wanted part; valid until the next call.
const char *crontab_yaml_text(struct crontab_yaml *yaml);
