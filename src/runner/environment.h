// SPDX-License-Identifier: MIT
// A run's environment, built from nothing so that a job behaves the same from a shell, a service
// and a container: the fixed variables of its user, pass_env (from ours), env, then the run's
// facts. A later one wins.
#pragma once

#include <stddef.h>

#include "runner/identity.h"
#include "runner/runner.h"

struct environment {
    char **entries; // "NAME=value", not NULL-terminated
    size_t count, capacity;
};

void environment_build(struct environment *environment, const struct runner_start *start,
                       const struct identity *identity);
void environment_release(struct environment *environment);
// The value of a variable in a NULL-terminated list, or NULL.
const char *environment_value(char *const *entries, const char *name);
