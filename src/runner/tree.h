// SPDX-License-Identifier: MIT
// Which processes belong to which run, whatever they did to leave: double fork, a new session, an
// empty environment. Each carries its run's tag as a resource limit that nobody uses (see
// spawn_child.c); what has none is found through its ancestors, its session or its environment.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Above every limit that an administrator would set: 35 years, in microseconds.
#define TREE_TAG_BASE ((uint64_t)1 << 50)

struct tree_process {
    pid_t pid, parent, session;
    uint64_t start_time; // with pid, what makes a process unique
    uint64_t tag;        // of the run it belongs to; 0 = of none
    bool descendant;     // of the root
    bool zombie;
    bool stopped;
};

// What a scan is about. Tags of one runner are first_tag … first_tag + TREE_TAGS - 1.
#define TREE_TAGS    ((uint64_t)1 << 32)
#define TREE_NO_ROOT ((pid_t)-1)
struct tree_family {
    pid_t root; // only its descendants are looked at for anything but the tag
    uint64_t first_tag;
    // The tag of a process that carries none, by pid, session or run id (its IRONCRON_RUN_ID, or
    // NULL); 0 = unknown.
    uint64_t (*recognise)(void *context, const struct tree_process *process, const char *run_id);
    void *context;
};

struct tree {
    struct tree_process *processes; // by pid
    size_t count, capacity;
};

void tree_release(struct tree *tree);
// Reads all processes of the machine. What may not be read, or ends meanwhile, is left out.
void tree_scan(struct tree *tree, const struct tree_family *family);
// The tag that a process carries, 0 when none of the family's.
uint64_t tree_tag(const struct tree_family *family, pid_t pid);
// Sends a signal, unless the process is gone (also when its pid was given away). False: not
// permitted.
bool tree_signal(const struct tree_process *process, int signal);
// Adds the children of this process that exist, dead or alive, to a growing array. False: the
// kernel does not tell, only a scan can.
bool tree_children(pid_t **pids, size_t *count, size_t *capacity);
