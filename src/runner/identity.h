// SPDX-License-Identifier: MIT
// Who a run executes as. Looked up on the scheduler's side: the name service may block or load
// code, and the runner must do neither.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "time/instant.h"

struct identity {
    char *name;
    char *home; // as the user database has it; may not exist
    gid_t *groups;
    int group_count;
    uid_t uid;
    gid_t gid;
    bool is_other; // not who we are: privileges must be dropped
};

// Remembers answers for some seconds, so that a busy job does not read the user database at each
// start.
struct identity_cache {
    struct identity_entry *entries;
    size_t count, capacity;
};

void identity_cache_release(struct identity_cache *cache);
// `user` NULL = who we are. The identity is the cache's until the next call.
bool identity_cache_get(struct identity_cache *cache, const char *user, struct mono now,
                        const struct identity **identity_out, struct error *err) MUST_USE;
