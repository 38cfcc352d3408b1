// SPDX-License-Identifier: MIT
#include "config/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *program_search_path(const struct job_command *command)
{
    const char *path = JOB_PATH;
    for (const char *const *name = command->pass_env; name != NULL && *name != NULL; name++) {
        if (strcmp(*name, "PATH") == 0 && getenv("PATH") != NULL) {
            path = getenv("PATH");
        }
    }
    for (const struct job_variable *variable = command->env;
         variable != NULL && variable->name != NULL; variable++) {
        if (strcmp(variable->name, "PATH") == 0) {
            path = variable->value;
        }
    }
    return path;
}

// The program of a "#!" line, which the kernel starts in the script's place; false when there is
// none. A carriage return belongs to the name: that is how scripts from Windows fail.
static bool read_interpreter(const char *head, char interpreter[256])
{
    if (strncmp(head, "#!", 2) != 0) {
        return false;
    }
    head += 2 + strspn(head + 2, " \t");
    snprintf(interpreter, 256, "%.*s", (int)strcspn(head, " \t\n"), head);
    return true;
}

static enum program_result judge_content(const struct access_user *user, struct program *program)
{
    char head[256] = {0};
    int fd = open(program->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return PROGRAM_FINE; // executable without being readable: it will start all the same
    }
    ssize_t got = read(fd, head, sizeof head - 1);
    close(fd);
    if (got >= 4 && memcmp(head, "\177ELF", 4) == 0) {
        return PROGRAM_FINE;
    }
    if (!read_interpreter(head, program->interpreter)) {
        return PROGRAM_NO_FORMAT;
    }
    return access_program(user, program->interpreter) == ACCESS_FINE ? PROGRAM_FINE
                                                                     : PROGRAM_NO_INTERPRETER;
}

static enum program_result judge(const struct access_user *user, struct program *program)
{
    switch (access_program(user, program->path)) {
    case ACCESS_FINE:
        return judge_content(user, program);
    case ACCESS_MISSING:
        return PROGRAM_MISSING;
    case ACCESS_WRONG_KIND:
        return PROGRAM_NOT_A_FILE;
    case ACCESS_DENIED:
        return PROGRAM_DENIED;
    case ACCESS_NOEXEC:
        return PROGRAM_NOEXEC;
    }
    return PROGRAM_FINE;
}

// One element of PATH; an empty or relative one counts from the working directory.
static void join(struct program *program, const struct job_command *command, const char *element,
                 int length)
{
    const char *workdir = command->workdir == NULL ? "" : command->workdir;
    bool relative = length == 0 || element[0] != '/';
    snprintf(program->path, sizeof program->path, "%s%s%.*s/%s", relative ? workdir : "",
             relative ? "/" : "", length, element, command->argv[0]);
}

void program_find(const struct access_user *user, const struct job_command *command,
                  struct program *program_out)
{
    *program_out = (struct program){.result = PROGRAM_MISSING};
    const char *name = command->argv[0];
    if (strchr(name, '/') != NULL) {
        snprintf(program_out->path, sizeof program_out->path, "%s", name);
        program_out->result = judge(user, program_out);
        return;
    }
    struct program best = *program_out;
    snprintf(best.path, sizeof best.path, "%s", name);
    for (const char *element = program_search_path(command); element != NULL;) {
        int length = (int)strcspn(element, ":");
        join(program_out, command, element, length);
        program_out->result = judge(user, program_out);
        // The runner goes on past what it may not execute; the first such is the best explanation.
        if (program_out->result != PROGRAM_MISSING && program_out->result != PROGRAM_DENIED &&
            program_out->result != PROGRAM_NOT_A_FILE) {
            return;
        }
        if (best.result == PROGRAM_MISSING && program_out->result != PROGRAM_MISSING) {
            best = *program_out;
        }
        element = element[length] == '\0' ? NULL : element + length + 1;
    }
    *program_out = best;
}
