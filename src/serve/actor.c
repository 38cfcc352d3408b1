// SPDX-License-Identifier: MIT
#include "serve/actor.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void actor_of_process(char out[ACTOR_SIZE])
{
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    const struct passwd *user = getpwuid(getuid());
    if (user != NULL) {
        snprintf(out, ACTOR_SIZE, "%.60s@%s", user->pw_name, host);
    } else {
        snprintf(out, ACTOR_SIZE, "uid %u@%s", (unsigned)getuid(), host);
    }
}
