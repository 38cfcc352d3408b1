// SPDX-License-Identifier: MIT
// Startup validation: what the machine must offer for a configuration that is right by itself.
// Without side effects. `ironcron validate` prints it, `serve` refuses to start on a failed check.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attributes.h"
#include "config/config.h"
#include "time/clock.h"

enum validate_result { VALIDATE_OK, VALIDATE_WARNING, VALIDATE_FAILED };

struct validate_check {
    const char *name; // "store", "command rollup-daily", "port", "clock", "disk", "zones", …
    enum validate_result result;
    const char *detail; // what was found
    const char *remedy; // NULL when OK: what to do, with the command where there is one
};

struct validate_report {
    struct arena arena;
    struct validate_check *checks;
    size_t count;
    size_t capacity;
    size_t failed;
    size_t down; // of those: databases that do not answer; they keep no `serve` from starting
    size_t away; // those, and a store that does not answer
    size_t warnings;
    // Decides the exit code: UNAVAILABLE where nothing but `away` failed.
    enum error_code code;
};

struct validate_options {
    // This process is the node: it has the port bound and the store open. Neither is opened again,
    // since closing any descriptor of its file drops all of SQLite's locks
    // (https://sqlite.org/howtocorrupt.html, section 2.2).
    bool is_node;
    // A node holds the store now: it is who has the port, and that is nothing wrong.
    bool node_lives;
    // A database that cannot be reached is a failed check, not only a warning: for who asks; not
    // for who starts, since it may come back.
    bool down_fails;
    // The checks of a store on PostgreSQL, which this room cannot reach. NULL = none.
    void (*check_store)(const struct config *config, const struct validate_options *options,
                        struct validate_report *report);
    struct clock *clock;
};

void validate_config(const struct config *config, const struct validate_options *options,
                     struct validate_report *report_out);
// For the checks. Detail and remedy are copied, with secrets masked; remedy is NULL exactly when
// the result is OK.
void validate_ok(struct validate_report *report, const char *name, const char *format, ...)
    PRINTF(3, 4);
void validate_add(struct validate_report *report, enum validate_result result, const char *name,
                  const char *detail, const char *remedy);
// A failed check of a server that does not answer now.
void validate_add_away(struct validate_report *report, const char *name, const char *detail,
                       const char *remedy);
void validate_report_release(struct validate_report *report);
