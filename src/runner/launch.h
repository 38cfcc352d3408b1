// SPDX-License-Identifier: MIT
// One run as it travels to the runner: everything resolved, nothing left to look up there.
#pragma once

#include <sys/types.h>

#include "job/job.h"
#include "runner/environment.h"
#include "runner/identity.h"
#include "runner/message.h"

// As decoded. Strings are borrowed from the message; the lists are freed by launch_release.
struct launch {
    uint64_t tag;
    const char *run_id;
    const char *user;    // name, for messages
    const char *workdir; // NULL = home, or "/" where that is missing
    const char *home;
    const char *input; // NULL = none
    char **argv;
    char **envp;
    gid_t *groups;
    size_t group_count;
    uid_t uid;
    gid_t gid;
    bool is_other_user;
    struct job_limits limits;
    struct duration timeout; // 0 = none
    struct duration kill_after;
    int64_t output_max;
};

// False when it is too large.
bool launch_encode(struct channel *channel, uint64_t tag, const struct runner_start *start,
                   const struct identity *identity, const struct environment *environment,
                   int64_t output_max) MUST_USE;
bool launch_decode(struct message *message, struct launch *launch_out) MUST_USE;
void launch_release(struct launch *launch);
