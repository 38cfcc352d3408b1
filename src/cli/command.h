// SPDX-License-Identifier: MIT
// What a command is: one row of the table, which is in commands.c and, heading by heading, in
// commands_GROUP.c. Dispatch, usage errors, help, completion and docs/cli.md are all made from
// these rows, so that none of them can say something else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "time/clock.h"
#include "time/instant.h"

// What a word of the command line stands for: decides how it is checked, and what is completed
// there.
enum value_kind {
    VALUE_NONE, // an option without a value
    VALUE_TEXT,
    VALUE_TIME,      // see format_parse_time
    VALUE_DURATION,  // "90s", "10m"
    VALUE_COUNT,     // 1 to 1,000,000
    VALUE_STATE,     // a run's state, in any case
    VALUE_JOB_STATE, // of job_view_state_words
    VALUE_ZONE,      // a time zone's name
    VALUE_FILE,
    VALUE_JOB,      // a job's name; whether there is such a job is for the command to say
    VALUE_SCHEDULE, // a schedule, or a job's name
    VALUE_RUN,      // a run's id, or the beginning of one
    VALUE_NODE,     // a node's host, id, or the beginning of one
    VALUE_SWITCH,   // on or off
    VALUE_FACTOR,   // x2 to x1000, or off
    VALUE_PARAM,    // key=value
    VALUE_SHELL,    // bash, zsh or fish
    VALUE_COMMAND,  // a word of a command's name
    VALUE_KIND_COUNT
};

struct option {
    const char *name; // without the dashes; NULL ends a list
    char letter;      // 0 = none
    enum value_kind kind;
    bool repeats;
    bool hidden;
    const char *placeholder; // "JOB"; NULL without a value
    const char *summary;
};

struct argument {
    const char *name; // NULL ends a list
    enum value_kind kind;
    bool optional;
    bool repeats;       // takes all the words that are left; only for the last one
    const char *unless; // the option that stands in for it, or NULL
};

#define ARGUMENT_MAX 8
#define REPEAT_MAX   64

struct invocation;

struct command {
    const char *name; // "runs show"; NULL ends a group
    bool hidden;
    struct argument arguments[4];
    const struct option *options; // NULL = none
    const char *summary;          // one line, without a full stop
    const char *help;             // paragraphs
    const char *const *examples;  // pairs: command line, what it does; NULL ends
    // False: err is printed and its code decides the exit code. True: *exit_out, 0 when untouched.
    bool (*run)(struct invocation *invocation, int *exit_out, struct error *err);
};

// One use of an option.
struct option_use {
    const struct option *option;
    const char *text; // NULL for one without a value
    struct instant time;
    // DURATION (microseconds), COUNT, FACTOR (0 = off), SWITCH (1 = on), STATE (enum run_state)
    int64_t number;
};

// A command line, parsed and checked. Texts point into argv.
struct invocation {
    const struct command *command;
    const char *config_path; // NULL = the usual places
    bool json;
    bool no_colour;
    bool wants_help;
    const char *arguments[ARGUMENT_MAX]; // by position in the command's list; NULL = not given
    int64_t numbers[ARGUMENT_MAX];       // of SWITCH and FACTOR arguments
    const char *rest[REPEAT_MAX + 1];    // words of a repeating argument; NULL ends
    size_t rest_count;
    struct option_use uses[REPEAT_MAX];
    size_t use_count;
    struct clock *clock;
    struct instant now; // when the command line was read
};

bool invocation_has(const struct invocation *invocation, const char *name);
const char *invocation_text(const struct invocation *invocation, const char *name); // NULL
struct instant invocation_time(const struct invocation *invocation, const char *name);
int64_t invocation_number(const struct invocation *invocation, const char *name, int64_t otherwise);

// ---- the table ----------------------------------------------------------------------------------

struct command_group {
    const char *title; // in the help; NULL ends the table
    const struct command *commands;
};

extern const struct command_group command_groups[];
extern const struct option global_options[];

// All of them, in this order; NULL = there are no more.
const struct command *next_command(size_t *at);

// The command that the words name: the longest match; *used_out = how many words it took. NULL =
// none.
const struct command *command_find(char *const *words, size_t count, size_t *used_out);
const struct command *command_by_name(const char *name);
const struct option *option_by_name(const struct command *command, const char *name, size_t length);
const struct option *option_by_letter(const struct command *command, char letter);
// Counts the arguments of a command.
size_t command_argument_count(const struct command *command);
