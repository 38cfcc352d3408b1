// SPDX-License-Identifier: MIT
// Who acts, as the audit names it: the operating system's word, not the environment's, which
// anybody can set. One place, so that a person has the same name at the command line and in a node.
#pragma once

#include <sys/types.h>

#define ACTOR_SIZE 320

// "user@host"; "uid 1000@host" where the user has no name.
void actor_of_process(char out[ACTOR_SIZE]);
void actor_of_user(uid_t user, char out[ACTOR_SIZE]);
