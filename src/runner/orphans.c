// SPDX-License-Identifier: MIT
#include "runner/orphans.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "time/clock.h"

#define GIVE_UP_AFTER DURATION_S(5)
#define PAUSE_MS      2

static int signal_all(const struct tree_family *family, const struct tree *tree, int signal)
{
    int living = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_process *process = &tree->processes[i];
        if (process->tag == 0) {
            continue;
        }
        if (!process->zombie) {
            living++;
            tree_signal(process, signal);
        } else if (process->parent == family->root) {
            waitpid(process->pid, NULL, WNOHANG);
        }
    }
    return living;
}

int orphans_kill(const struct tree_family *family)
{
    struct mono give_up = mono_add(clock_mono(clock_system()), GIVE_UP_AFTER);
    struct tree tree = {0};
    int living = 1;
    while (living > 0 && mono_before(clock_mono(clock_system()), give_up)) {
        tree_scan(&tree, family);
        signal_all(family, &tree, SIGSTOP); // what is stopped can't fork away from us
        living = signal_all(family, &tree, SIGKILL);
        poll(NULL, 0, living > 0 ? PAUSE_MS : 0);
    }
    tree_release(&tree);
    return living;
}
