// SPDX-License-Identifier: MIT
#include "serve/aside_command.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "http/problem.h"

#define WORDS_MAX 32
#define SAID_MAX  ((size_t)65536) // of what it says when it fails
#define PREFIX    "ironcron: "

// What a command prints, in memory.
struct printed {
    int out, err;
};

static void be_command(const struct printed *printed, const char *config_path,
                       const char *const *words)
{
    const char *const first[] = {"ironcron", "-c", config_path, "--json", "--no-color"};
    char *arguments[ARRAY_LENGTH(first) + WORDS_MAX + 1] = {NULL};
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++) {
        arguments[i] = alloc_string(first[i]);
    }
    for (size_t i = 0; words[i] != NULL && i < WORDS_MAX; i++) {
        arguments[ARRAY_LENGTH(first) + i] = alloc_string(words[i]);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(printed->out, STDOUT_FILENO) < 0 || dup2(printed->err, STDERR_FILENO) < 0) {
        _exit(127);
    }
    execv("/proc/self/exe", arguments);
    _exit(127);
}

// Its exit code; -1 when it has none.
static int run(const struct printed *printed, const char *config_path, const char *const *words)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        be_command(printed, config_path, words);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void read_back(int fd, struct buf *out)
{
    char piece[65536];
    ssize_t length;
    off_t at = 0;
    while ((length = pread(fd, piece, sizeof piece, at)) > 0) {
        buf_add(out, piece, (size_t)length);
        at += length;
    }
}

// The line with the mistake; there may be notes before it, and hints behind.
static const char *failure_line(const char *said)
{
    const char *at = strstr(said, PREFIX);
    while (at != NULL && at != said && at[-1] != '\n') {
        at = strstr(at + 1, PREFIX);
    }
    return at != NULL ? at + strlen(PREFIX) : said;
}

static void say_failure(int exit_code, int missing, int err_fd, struct http_response *response)
{
    AUTO(buf_release) struct buf said;
    buf_init(&said, SAID_MAX);
    read_back(err_fd, &said);
    const char *text = failure_line(buf_string(&said));
    int status = exit_code == 1    ? missing
                 : exit_code == 2  ? 400
                 : exit_code == 75 ? 503
                 : exit_code == 78 ? 409
                                   : 500;
    http_problem(response, status, "%.*s", (int)strcspn(text, "\n"),
                 *text != '\0' ? text : "The command that answers this has failed.");
    response->retry_after = status == 503 ? 1 : 0;
}

void aside_command(const char *config_path, const char *const *words, int missing,
                   struct http_response *response)
{
    struct printed printed = {memfd_create("out", MFD_CLOEXEC), memfd_create("err", MFD_CLOEXEC)};
    if (printed.out < 0 || printed.err < 0) {
        http_problem(response, 503, "There is no memory for what the command would print (%s).",
                     strerror(errno));
        return;
    }
    int exit_code = run(&printed, config_path, words);
    read_back(printed.out, &response->body);
    if (response->body.overflow) {
        http_problem(response, 413,
                     "The answer is larger than %zu bytes: ask for less, or use the command.",
                     response->body.maximum);
    } else if (response->body.length > 0) {
        response->content_type = "application/json";
    } else {
        say_failure(exit_code, missing, printed.err, response);
    }
}
