// SPDX-License-Identifier: MIT
// What the jobs need: users, programs, folders, variables. What is equal among jobs is looked at
// once.
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "config/program.h"
#include "config/validate_checks.h"

// One kind of check: its lines, and what went well.
struct tally {
    const char *kind;
    size_t lines;
    size_t left_out;
};

struct inspection {
    const struct config *config;
    struct validate_report *report;
    struct map users;     // name ("" = ourselves) to struct known_user
    struct map programs;  // user, PATH and program to struct program
    struct map folders;   // user and path to enum access_result + 1
    struct map variables; // name to the first job that wants it; only those that are not set
    struct tally user_tally, command_tally, workdir_tally, limit_tally, variable_tally;
};

struct known_user {
    struct access_user user;
    bool usable;
};

// ---- lines --------------------------------------------------------------------------------------

static void complain(struct inspection *inspection, struct tally *tally,
                     enum validate_result result, const char *subject, const char *detail,
                     const char *remedy)
{
    if (tally->lines == VALIDATE_LINES_MAX) {
        tally->left_out++;
        return;
    }
    tally->lines++;
    char name[256];
    snprintf(name, sizeof name, "%s %.200s", tally->kind, subject);
    validate_add(inspection->report, result, name, detail, remedy);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

// "3 programs found" where nothing was wrong with them; of none nothing is said.
static void conclude(struct inspection *inspection, const struct tally *tally, size_t count,
                     const char *what, const char *fine)
{
    if (tally->left_out > 0) {
        char detail[128];
        snprintf(detail, sizeof detail, "and %zu more like these", tally->left_out);
        validate_add(inspection->report,
                     tally == &inspection->variable_tally ? VALIDATE_WARNING : VALIDATE_FAILED,
                     tally->kind, detail, "mend those above first");
    } else if (tally->lines == 0 && count > 0) {
        char name[32];
        snprintf(name, sizeof name, "%ss", tally->kind);
        validate_ok(inspection->report, name, "%zu %s%s%s", count, what, plural(count), fine);
    }
}

// ---- users --------------------------------------------------------------------------------------

static bool judge_user(struct inspection *inspection, const struct job *job,
                       struct known_user *known)
{
    const char *name = job->command->user;
    struct error err = ERROR_INIT;
    char detail[512];
    if (!access_user_init(&known->user, name, &err)) {
        snprintf(detail, sizeof detail, "%.256s (job %s)", err.text, job->name);
        complain(inspection, &inspection->user_tally, VALIDATE_FAILED, name, detail,
                 "create it with useradd, or correct \"user\"");
        return false;
    }
    if (!access_can_become(&known->user)) {
        snprintf(detail, sizeof detail, "job %s runs as \"%.64s\", and only root may switch users",
                 job->name, name);
        complain(inspection, &inspection->user_tally, VALIDATE_FAILED, name, detail,
                 "run ironcron as root, or remove \"user\"");
        return false;
    }
    return true;
}

// NULL when the job's user cannot be used, which has been complained about.
static const struct access_user *user_of(struct inspection *inspection, const struct job *job)
{
    const char *name = job->command->user == NULL ? "" : job->command->user;
    struct known_user *known = map_get(&inspection->users, name);
    if (known == NULL) {
        known = arena_alloc(&inspection->report->arena, 1, sizeof *known);
        known->usable = judge_user(inspection, job, known);
        map_put(&inspection->users, name, known);
    }
    return known->usable ? &known->user : NULL;
}

// ---- programs -----------------------------------------------------------------------------------

static const struct program *program_of(struct inspection *inspection, const struct job *job,
                                        const struct access_user *user)
{
    struct arena *arena = &inspection->report->arena;
    const struct job_command *command = job->command;
    bool bare = strchr(command->argv[0], '/') == NULL;
    AUTO(buf_release) struct buf key;
    buf_init(&key, (size_t)1024 * 1024);
    buf_printf(&key, "%s\n%s\n%s", user->name == NULL ? "" : user->name, command->argv[0],
               bare ? program_search_path(command) : "");
    struct program *program = map_get(&inspection->programs, buf_string(&key));
    if (program == NULL) {
        struct program found;
        program_find(user, command, &found);
        program = arena_alloc(arena, 1, sizeof *program);
        *program = found;
        map_put(&inspection->programs, arena_string(arena, buf_string(&key)), program);
    }
    return program;
}

static const char *program_fault(const struct program *program, bool bare, const char **remedy_out)
{
    switch (program->result) {
    case PROGRAM_FINE:
        return NULL;
    case PROGRAM_MISSING:
        *remedy_out =
            bare ? "install it, or write its full path" : "install it, or correct the path";
        return bare ? "is not found in PATH" : "does not exist";
    case PROGRAM_NOT_A_FILE:
        *remedy_out = "name the program itself";
        return "is not a file";
    case PROGRAM_DENIED:
        *remedy_out = "chmod +x it, and let that user into its folders";
        return "may not be executed";
    case PROGRAM_NOEXEC:
        *remedy_out = "move it, or mount that file system without noexec";
        return "lies on a file system that forbids programs (noexec)";
    case PROGRAM_NO_INTERPRETER:
        *remedy_out =
            "install the interpreter, or correct the script's first line (no Windows line end)";
        return "is a script whose interpreter cannot be executed";
    case PROGRAM_NO_FORMAT:
        *remedy_out = "begin the script with a line such as #!/bin/sh";
        return "is neither a binary nor a script with a #! line";
    }
    return NULL;
}

static void inspect_program(struct inspection *inspection, const struct job *job,
                            const struct access_user *user)
{
    const struct program *program = program_of(inspection, job, user);
    const char *remedy = NULL;
    const char *fault = program_fault(program, strchr(job->command->argv[0], '/') == NULL, &remedy);
    if (fault == NULL) {
        return;
    }
    AUTO(buf_release) struct buf detail;
    buf_init(&detail, 8192);
    buf_printf(&detail, "%s %s", program->path, fault);
    if (program->result == PROGRAM_NO_INTERPRETER) {
        buf_printf(&detail, ": %s", program->interpreter);
    }
    if (user->name != NULL) {
        buf_printf(&detail, " (as user %s)", user->name);
    }
    // Handlers for other formats can be registered with the kernel, so this one may be right.
    complain(inspection, &inspection->command_tally,
             program->result == PROGRAM_NO_FORMAT ? VALIDATE_WARNING : VALIDATE_FAILED, job->name,
             buf_string(&detail), remedy);
}

// ---- folders, limits, variables -----------------------------------------------------------------

static enum access_result folder_of(struct inspection *inspection, const char *path,
                                    const struct access_user *user)
{
    char *key = arena_printf(&inspection->report->arena, "%s\n%s",
                             user->name == NULL ? "" : user->name, path);
    uintptr_t known = (uintptr_t)map_get(&inspection->folders, key);
    if (known == 0) {
        known = (uintptr_t)access_folder(user, path) + 1;
        map_put(&inspection->folders, key, (void *)known);
    }
    return (enum access_result)(known - 1);
}

static void inspect_workdir(struct inspection *inspection, const struct job *job,
                            const struct access_user *user)
{
    const char *workdir = job->command->workdir;
    if (workdir == NULL) {
        return;
    }
    enum access_result result = folder_of(inspection, workdir, user);
    if (result == ACCESS_FINE) {
        return;
    }
    char detail[4608];
    char remedy[4608];
    snprintf(detail, sizeof detail, "%s %s%s%s", workdir,
             result == ACCESS_MISSING      ? "does not exist"
             : result == ACCESS_WRONG_KIND ? "is not a folder"
                                           : "cannot be entered",
             user->name == NULL ? "" : " by user ", user->name == NULL ? "" : user->name);
    snprintf(remedy, sizeof remedy, "%s%s, or correct \"workdir\"",
             result == ACCESS_MISSING  ? "mkdir -p "
             : result == ACCESS_DENIED ? "let that user in: chmod or chown "
                                       : "replace ",
             workdir);
    complain(inspection, &inspection->workdir_tally, VALIDATE_FAILED, job->name, detail, remedy);
}

static void inspect_limits(struct inspection *inspection, const struct job *job)
{
    if (job->command->limits.nice < 0 && geteuid() != 0) {
        complain(inspection, &inspection->limit_tally, VALIDATE_FAILED, job->name,
                 "a nice below 0 needs root",
                 "run ironcron as root, or set limits.nice to 0 or more");
    }
}

static void inspect_variables(struct inspection *inspection, const struct job *job)
{
    for (const char *const *name = job->command->pass_env; name != NULL && *name != NULL; name++) {
        if (getenv(*name) != NULL || map_get(&inspection->variables, *name) != NULL) {
            continue;
        }
        map_put(&inspection->variables, *name, (void *)(uintptr_t)job);
        char detail[512];
        char remedy[256];
        snprintf(detail, sizeof detail, "%.128s is not set here, and job %s expects it", *name,
                 job->name);
        snprintf(remedy, sizeof remedy,
                 "set %.128s where ironcron is started, or remove it from "
                 "\"pass_env\"",
                 *name);
        complain(inspection, &inspection->variable_tally, VALIDATE_WARNING, *name, detail, remedy);
    }
}

// ---- all ----------------------------------------------------------------------------------------

static void inspect_job(struct inspection *inspection, const struct job *job)
{
    if (job->command->argv == NULL || !job_fits(job, inspection->config->labels)) {
        return; // no process of this machine
    }
    const struct access_user *user = user_of(inspection, job);
    if (user != NULL) {
        inspect_program(inspection, job, user);
        inspect_workdir(inspection, job, user);
    }
    inspect_limits(inspection, job);
    inspect_variables(inspection, job);
}

static void conclude_all(struct inspection *inspection)
{
    conclude(inspection, &inspection->user_tally, inspection->users.live, "user", ", all usable");
    conclude(inspection, &inspection->command_tally, inspection->programs.live, "program",
             " found");
    conclude(inspection, &inspection->workdir_tally, inspection->folders.live, "folder", " found");
    conclude(inspection, &inspection->limit_tally, 0, NULL, NULL);
    conclude(inspection, &inspection->variable_tally, 0, NULL, NULL);
}

static void inspection_release(struct inspection *inspection)
{
    for (size_t i = 0; i < inspection->users.count; i++) {
        struct known_user *known = inspection->users.entries[i].value;
        access_user_release(&known->user);
    }
    map_release(&inspection->users);
    map_release(&inspection->programs);
    map_release(&inspection->folders);
    map_release(&inspection->variables);
}

void validate_jobs(const struct config *config, struct validate_report *report)
{
    struct inspection inspection = {.config = config,
                                    .report = report,
                                    .user_tally.kind = "user",
                                    .command_tally.kind = "command",
                                    .workdir_tally.kind = "workdir",
                                    .limit_tally.kind = "limits",
                                    .variable_tally.kind = "pass_env"};
    for (size_t i = 0; i < config->job_count; i++) {
        inspect_job(&inspection, &config->jobs[i]);
    }
    if (config->job_count > 0) {
        conclude_all(&inspection);
    }
    inspection_release(&inspection);
}
