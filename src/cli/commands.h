// SPDX-License-Identifier: MIT
// What the rows of the table of commands are written with. Each file commands_GROUP.c holds those
// of one heading.
#pragma once

#include "cli/command.h"

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, VALUE_NONE, false, false, NULL, NULL                                              \
    }
#define FLAG(name, letter, summary)                                                                \
    {                                                                                              \
        name, letter, VALUE_NONE, false, false, NULL, summary                                      \
    }
#define TAKES(name, letter, kind, placeholder, summary)                                            \
    {                                                                                              \
        name, letter, kind, false, false, placeholder, summary                                     \
    }
#define EXAMPLES(...)                                                                              \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

#define SINCE                                                                                      \
    TAKES("since", 0, VALUE_TIME, "TIME", "not before: RFC 3339, a date, or -2h for two hours ago")
#define UNTIL  TAKES("until", 0, VALUE_TIME, "TIME", "before this time")
#define LIMIT  TAKES("limit", 0, VALUE_COUNT, "N", "at most so many, newest first (20)")
#define JOB    TAKES("job", 0, VALUE_JOB, "JOB", "only of this job")
#define ALL    FLAG("all", 0, "all jobs, also those that are added later")
#define ACTOR  TAKES("as", 0, VALUE_TEXT, "NAME", "a name recorded beside user@host, never instead")
#define REASON TAKES("reason", 0, VALUE_TEXT, "TEXT", "why; shown to the next person who looks")

#define JOB_OR_ALL                                                                                 \
    {                                                                                              \
        "JOB", VALUE_JOB, false, false, "all"                                                      \
    }
#define ONE(name, kind)                                                                            \
    {                                                                                              \
        {                                                                                          \
            name, kind, false, false, NULL                                                         \
        }                                                                                          \
    }

// Each ends with a row without a name.
extern const struct command commands_setting_up[];
extern const struct command commands_looking[];
extern const struct command commands_acting[];
extern const struct command commands_audit[];
extern const struct command commands_about[];
