// SPDX-License-Identifier: MIT
// A command job that witnesses itself: witness FILE MILLISECONDS [LOCK]. One line at its begin and
// one at its end, each in one write: begin|end, job, run, fence, pid, nanoseconds of
// CLOCK_MONOTONIC. With LOCK it holds that file's lock meanwhile; whoever finds it held writes
// `overlap` instead of `begin`.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void say(int file, const char *word)
{
    char line[400];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%s %s %s %s %d %lld\n", word, getenv("IRONCRON_JOB"),
                          getenv("IRONCRON_RUN_ID"), getenv("IRONCRON_FENCE"), (int)getpid(),
                          (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    if (write(file, line, (size_t)length) != length) {
        abort();
    }
}

int main(int count, char **words)
{
    if (count < 3) {
        return 2;
    }
    int file = open(words[1], O_WRONLY | O_APPEND | O_CREAT, 0600);
    long long wait = atoll(words[2]);
    struct timespec pause = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};
    const char *word = "begin";
    if (count > 3) {
        int lock = open(words[3], O_RDWR | O_CREAT, 0600);
        word = flock(lock, LOCK_EX | LOCK_NB) == 0 ? "begin" : "overlap";
    }
    say(file, word);
    nanosleep(&pause, NULL);
    say(file, "end");
    return 0;
}
