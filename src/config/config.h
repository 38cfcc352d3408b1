// SPDX-License-Identifier: MIT
// The configuration, loaded and checked against one schema table (config/schema.c). All errors at
// once, each with file, line, column, reason and the nearest valid name. Owns everything it points
// to.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "job/database.h"
#include "job/job.h"
#include "time/instant.h"
#include "time/zone.h"

enum config_role { CONFIG_ROLE_VIEWER, CONFIG_ROLE_OPERATOR, CONFIG_ROLE_ADMIN };

struct config_token {
    const char *name;
    enum config_role role;
    uint8_t sha256[32]; // of the token; the token itself is not kept
};

struct config_http {
    bool enabled; // listen: "off" turns it off
    const char *host;
    int port;
    bool metrics_public;
    bool tls_terminated;
    const char *tls_cert; // path or NULL
    const char *tls_key;
    const struct config_token *tokens;
    size_t token_count;
};

struct config {
    struct arena arena;
    struct zone_cache *zones;
    const char *path;        // of the main file, as given
    const char *folder;      // what relative paths are relative to
    const char *environment; // NULL
    const char *revision;    // NULL
    const char *store;       // to be shown: "sqlite:/abs/path", "postgresql://user@host:5432/db"
    const char *store_url;   // for libpq, password and all; NULL = the store is on SQLite
    // Absolute path of the SQLite file. On PostgreSQL `node.state`: the node's own state, and what
    // the names of its lock and its socket begin with.
    const char *store_path;
    const char *timezone;
    int max_running;
    struct duration drain;
    struct duration lease;
    const struct job_variable *labels; // of this node; name NULL ends; NULL = none
    struct duration history_runs, history_output, history_audit;
    int64_t output_max;
    struct config_http http;
    const struct database *databases; // in the order of definition
    size_t database_count;
    struct job *jobs; // in the order of definition: the main file's first, then the included files'
    size_t job_count;
    const uint32_t *by_name;  // indices into jobs, in the order of their names
    const char *const *files; // all that were read, the main one first
    size_t file_count;
    // Where the store keeps the definitions for all nodes (PostgreSQL); NULL on SQLite.
    char *definitions; // the document for it: all that was read, but for what is this node's own
    char *own;         // that: http, node and store of the main file
    uint8_t (*digests)[32]; // of the jobs as they were written, in the order of their names
    int64_t version;        // of the store, where these definitions are from there; else 0
    bool is_lenient;        // config_load_to_read, config_load_to_look
    bool may_be_faulty;     // config_load_to_look
    bool is_faulty;         // config_load_to_look: there are mistakes, and therefore no jobs
    bool holds_secrets;     // a file itself holds a secret, not only a reference to one
    char hash[65];          // SHA-256 of the definitions before substitution: secrets are not in it
};

// One complaint about the configuration.
struct config_problem {
    const char *file;
    int line; // 1-based; 0 = the file as a whole
    int column;
    const char *text; // reason, and the remedy or nearest valid name
};

struct config_problems {
    struct arena arena;
    struct config_problem *list;
    size_t count;
    size_t capacity;
};

void config_problems_init(struct config_problems *problems);
void config_problems_release(struct config_problems *problems);
// "ironcron.yml:12:5: unknown key "schedul"; did you mean "schedule"?", one a line.
void config_problems_print(const struct config_problems *problems, struct buf *out);

// NULL path: $IRONCRON_CONFIG, ./ironcron.yml, /etc/ironcron/ironcron.yml. False: problems is
// filled with at least one entry and *config_out untouched. Registers secrets with the log.
bool config_load(const char *path, struct config **config_out,
                 struct config_problems *problems) MUST_USE;
// The same, but what is not set stays as it is written: for commands that look at the store and
// must work for who does not have the secrets. Nothing may be executed by it.
bool config_load_to_read(const char *path, struct config **config_out,
                         struct config_problems *problems) MUST_USE;
// The same, and mistakes are no obstacle as long as it is certain which store is meant: true with
// `problems` not empty, is_faulty set, and no jobs. For commands that look at the store: a typo in
// one job must not blind who is on call.
bool config_load_to_look(const char *path, struct config **config_out,
                         struct config_problems *problems) MUST_USE;
// The definitions of a version of the store, with what is this node's own: http, node and store of
// `file`, which was loaded from its files on a PostgreSQL store. What `file` was loaded for, this
// is, too. Touches no file but those of ${file:PATH}; problems are told of "PATH (version N)".
bool config_load_version(const struct config *file, int64_t version, const char *text,
                         struct config **config_out, struct config_problems *problems) MUST_USE;
// How the definitions of one differ from another's, in words: "adds a, b; lacks c; changes d".
// Nothing where they are the same.
void config_difference(const struct config *config, const struct config *other, struct buf *out);
void config_free(struct config *config);
const struct job *config_job(const struct config *config, const char *name); // NULL
// Of `timezone`; UTC where there is no such zone (is_faulty).
const struct zone *config_zone(const struct config *config);
// The job name nearest to a mistyped one, or NULL.
const char *config_nearest_job(const struct config *config, const char *name);

// `ironcron init`: the commented file to start from.
extern const char config_template[];
// Every key, with type, default and meaning, as Markdown: docs/configuration.md is made of it.
void config_reference(struct buf *out);
// The same as a manual page: ironcron.yml(5).
void config_manual(struct buf *out);
