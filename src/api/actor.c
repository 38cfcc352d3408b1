// SPDX-License-Identifier: MIT
#include "api/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void actor_of_user(uid_t user, char out[ACTOR_SIZE])
{
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    const struct passwd *known = getpwuid(user);
    if (known != NULL) {
        snprintf(out, ACTOR_SIZE, "%.60s@%s", known->pw_name, host);
    } else {
        snprintf(out, ACTOR_SIZE, "uid %u@%s", (unsigned)user, host);
    }
}

void actor_of_process(char out[ACTOR_SIZE])
{
    actor_of_user(getuid(), out);
}
