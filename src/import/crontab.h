// SPDX-License-Identifier: MIT
// A crontab, read line by line as Vixie's cron and its heirs read it. Pure: bytes in; entries and
// remarks out, in the order of the file. Nothing is dropped in silence: a line either becomes an
// entry, changes the environment, is blank or a comment, or is remarked upon.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "import/crontab_environment.h"

#define CRONTAB_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define CRONTAB_LINE_MAX  ((size_t)64 * 1024)
#define CRONTAB_WORD_SIZE 1100 // of a schedule; the longest that parses, and its NUL

enum crontab_remark {
    CRONTAB_LOST, // not carried over: a job, or something that the jobs behave by
    CRONTAB_NOTE, // carried over, with a difference that one should know
};

// Everything is borrowed, and valid during the call that hands it out.
struct crontab_entry {
    size_t line;             // from 1; 0 = no line of a crontab
    const char *schedule;    // in our syntax, but not yet parsed
    const char *user;        // NULL = the crontab has no user column
    const char *command;     // as the shell gets it
    const char *input;       // what it reads on its standard input; NULL = nothing
    const char *description; // from the comment above; NULL
    const char *workdir;     // NULL = the user's home
    const char *program;     // a program to run without a shell, in place of `command`; NULL
    const struct crontab_environment *environment;
};

struct crontab_sink {
    void *context;
    void (*entry)(void *context, const struct crontab_entry *entry);
    // `text` may quote the file's bytes, control bytes included.
    void (*remark)(void *context, size_t line, enum crontab_remark remark, const char *text);
};

// `has_users`: the sixth word of an entry is the user, as in /etc/crontab and cron.d. Bytes beyond
// CRONTAB_BYTES_MAX are the caller's to refuse.
void crontab_read(const char *bytes, size_t length, bool has_users,
                  const struct crontab_sink *sink);
