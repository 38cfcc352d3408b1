// SPDX-License-Identifier: MIT
// The node's file lock beside a SQLite store (STORE.lock, flock): one node at a time. Whoever holds
// it is the node; the file says who that is, for messages. Only the scheduler and its runner hold
// it, and the runner is the last to let go, so that a free lock proves that no job of the node runs
// any more.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"
#include "time/instant.h"

struct node_lock_holder {
    char node[UUID_TEXT_SIZE];
    char host[256];
    char command[64]; // "serve", "run"
    int pid;
    struct instant started_at;
    uint64_t mark; // of its runs' processes (process_runner_mark); 0 = none can have been started
    bool is_copy;  // read from a file that is a copy of the one that was signed: proves nothing
};

// Takes the lock; *holder_out tells who had it last, as far as known. False with ERROR_REFUSED and
// *holder_out filled when somebody has it (the error names it). The descriptor is the caller's,
// close-on-exec.
bool node_lock_take(const char *store_path, int *fd_out, struct node_lock_holder *holder_out,
                    struct error *err) MUST_USE;
// Writes who holds it.
bool node_lock_sign(int fd, const struct node_lock_holder *holder, struct error *err) MUST_USE;
// False when the file was removed or replaced: another node may then hold "the" lock as well.
bool node_lock_is_ours(const char *store_path, int fd);
// True when a node holds it now. *holder_out says who, or who had it last: all empty where nobody
// can be known.
bool node_lock_is_held(const char *store_path, struct node_lock_holder *holder_out);
