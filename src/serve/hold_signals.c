// SPDX-License-Identifier: MIT
#include "serve/hold_signals.h"

#include <signal.h>

#include "base/check.h"

static void set(bool hold, const int *numbers, int count)
{
    sigset_t signals;
    sigemptyset(&signals);
    for (int i = 0; i < count; i++) {
        sigaddset(&signals, numbers[i]);
    }
    CHECK(sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &signals, NULL) == 0);
}

void hold_reload(bool hold)
{
    set(hold, (const int[]){SIGHUP}, 1);
}

void hold_stop(bool hold)
{
    set(hold, (const int[]){SIGTERM, SIGINT}, 2);
}
