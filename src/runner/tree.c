// SPDX-License-Identifier: MIT
#include "runner/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/attributes.h"

#define ENVIRON_READ  ((size_t)256 * 1024)
#define CHILDREN_READ ((size_t)4096)
#define RUN_ID_NAME   "IRONCRON_RUN_ID="
#define ANCESTORS_MAX 100000 // a snapshot that changes while it is read could show a circle

static void close_fd(const int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static void close_directory(DIR **directory)
{
    if (*directory != NULL) {
        closedir(*directory);
    }
}

// Reads a file of /proc in one go; returns its length, or 0. `text` gets a NUL.
static size_t read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

// The fields behind the name, which may hold blanks and brackets itself (proc(5), /proc/PID/stat).
static bool read_stat(pid_t pid, struct tree_process *process)
{
    char text[1024];
    read_proc(pid, "stat", text, sizeof text);
    const char *behind = strrchr(text, ')');
    char state;
    int parent, session, threads;
    uint64_t start_time;
    if (behind == NULL ||
        sscanf(behind + 1,
               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %" SCNu64,
               &state, &parent, &session, &threads, &start_time) != 5) {
        return false;
    }
    // A process whose first thread has ended looks like a dead one, but its other threads run on.
    bool dead = (state == 'Z' || state == 'X' || state == 'x') && threads <= 1;
    *process = (struct tree_process){.pid = pid,
                                     .parent = parent,
                                     .session = session,
                                     .start_time = start_time,
                                     .zombie = dead,
                                     .stopped = state == 'T' || state == 't'};
    return true;
}

// The limit of a process that we may not query (it runs as somebody else) is readable as text by
// all.
static uint64_t read_limits_file(pid_t pid)
{
    char text[4096];
    read_proc(pid, "limits", text, sizeof text);
    const char *line = strstr(text, "Max realtime timeout");
    uint64_t soft = 0;
    return line != NULL && sscanf(line, "Max realtime timeout %" SCNu64, &soft) == 1 ? soft : 0;
}

uint64_t tree_tag(const struct tree_family *family, pid_t pid)
{
    struct rlimit limit = {0};
    uint64_t soft = 0;
    if (prlimit(pid, RLIMIT_RTTIME, NULL, &limit) == 0) {
        soft = limit.rlim_cur;
    } else if (errno == EPERM) {
        soft = read_limits_file(pid);
    }
    uint64_t tag = soft - TREE_TAG_BASE;
    return soft != RLIM_INFINITY && soft >= TREE_TAG_BASE && tag >= family->first_tag &&
                   tag - family->first_tag < TREE_TAGS
               ? tag
               : 0;
}

static int compare(const void *a, const void *b)
{
    pid_t x = ((const struct tree_process *)a)->pid;
    pid_t y = ((const struct tree_process *)b)->pid;
    return (x > y) - (x < y);
}

static struct tree_process *find(const struct tree *tree, pid_t pid)
{
    struct tree_process key = {.pid = pid};
    return tree->count == 0 ? NULL
                            : bsearch(&key, tree->processes, tree->count, sizeof key, compare);
}

static uint64_t recognise(const struct tree_family *family, const struct tree_process *process)
{
    char *text = alloc_zero(ENVIRON_READ, 1);
    size_t length = read_proc(process->pid, "environ", text, ENVIRON_READ);
    const char *run_id = NULL;
    for (size_t at = 0; at < length && run_id == NULL; at += strlen(text + at) + 1) {
        if (strncmp(text + at, RUN_ID_NAME, sizeof RUN_ID_NAME - 1) == 0) {
            run_id = text + at + sizeof RUN_ID_NAME - 1;
        }
    }
    uint64_t tag = family->recognise(family->context, process, run_id);
    free(text);
    return tag;
}

// Goes up from a process: its owner is the nearest ancestor's that has one, or what its topmost
// ancestor below the root is recognised as.
static void resolve(struct tree *tree, const struct tree_family *family,
                    struct tree_process *process)
{
    struct tree_process *at = process;
    for (int i = 0; i < ANCESTORS_MAX && at != NULL && at->pid != family->root; i++) {
        if (process->tag == 0) {
            process->tag = at->tag;
        }
        if (at->parent == family->root) {
            process->descendant = true;
            if (process->tag == 0) {
                process->tag = at->tag = recognise(family, at);
            }
            return;
        }
        at = find(tree, at->parent);
    }
}

void tree_scan(struct tree *tree, const struct tree_family *family)
{
    AUTO(close_directory) DIR *directory = opendir("/proc");
    tree->count = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        struct tree_process process;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            read_stat((pid_t)strtol(entry->d_name, NULL, 10), &process)) {
            process.tag = tree_tag(family, process.pid);
            ARRAY_RESERVE(tree->processes, tree->count, tree->capacity);
            tree->processes[tree->count++] = process;
        }
    }
    if (tree->count > 0) {
        qsort(tree->processes, tree->count, sizeof *tree->processes, compare);
    }
    for (size_t i = 0; i < tree->count; i++) {
        resolve(tree, family, &tree->processes[i]);
    }
}

void tree_release(struct tree *tree)
{
    free(tree->processes);
    *tree = (struct tree){0};
}

bool tree_signal(const struct tree_process *process, int signal)
{
    AUTO(close_fd) int fd = pidfd_open(process->pid, 0);
    struct tree_process now;
    // Looked at again under the descriptor: the pid may have gone to somebody else since the scan.
    if (fd < 0 || !read_stat(process->pid, &now) || now.start_time != process->start_time) {
        return true;
    }
    return pidfd_send_signal(fd, signal, NULL, 0) == 0 || errno != EPERM;
}

bool tree_children(pid_t **pids, size_t *count, size_t *capacity)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", gettid());
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char text[CHILDREN_READ];
    pid_t pid = 0;
    for (ssize_t n; (n = read(fd, text, sizeof text)) > 0;) {
        // A number may continue in the next piece.
        for (ssize_t i = 0; i < n; i++) {
            if (isdigit((unsigned char)text[i])) {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid != 0) {
                ARRAY_RESERVE(*pids, *count, *capacity);
                (*pids)[(*count)++] = pid;
                pid = 0;
            }
        }
    }
    return true;
}
