// SPDX-License-Identifier: MIT
#include "runner/orphans.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "time/clock.h"

#define GIVE_UP_AFTER DURATION_S(5)
#define PAUSE_MS      2

// Returns how many are there, ended but not reaped ones included; *living_out is how many live.
static int signal_all(const struct tree_family *family, const struct tree *tree, int signal,
                      int *living_out)
{
    int found = 0;
    *living_out = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct tree_process *process = &tree->processes[i];
        // All that descends from the scheduler came to it from the runner, also what took off its
        // tag. What has ended elsewhere is not ours to reap.
        bool ours = process->tag != 0 || process->descendant;
        if (!ours || (process->zombie && family->root == TREE_NO_ROOT)) {
            continue;
        }
        found++;
        if (!process->zombie) {
            ++*living_out;
            tree_signal(process, signal);
        } else if (process->parent == family->root) {
            waitpid(process->pid, NULL, WNOHANG);
        }
    }
    return found;
}

int orphans_kill(const struct tree_family *family)
{
    struct mono give_up = mono_add(clock_mono(clock_system()), GIVE_UP_AFTER);
    struct tree tree = {0};
    int living = 0;
    int found = 1;
    while (found > 0 && mono_before(clock_mono(clock_system()), give_up)) {
        tree_scan(&tree, family);
        signal_all(family, &tree, SIGSTOP, &living); // what is stopped can't fork away from us
        found = signal_all(family, &tree, SIGKILL, &living);
        poll(NULL, 0, found > 0 ? PAUSE_MS : 0);
    }
    tree_release(&tree);
    return living;
}
