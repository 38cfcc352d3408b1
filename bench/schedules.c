// SPDX-License-Identifier: MIT
// A great many schedules: how long they take to load and to plan, and how long it takes to find out
// which is due next, what is due after it, and to plan that.
//
//   schedules CONFIG [STEPS]
//
// Prints "jobs load_seconds plan_seconds step_microseconds resident_bytes_a_job", seconds of
// processor time.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/check.h"
#include "base/heap.h"
#include "config/config.h"

struct planned {
    struct heap_node node;
    const struct job *job;
    struct instant due;
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    CHECK(file != NULL);
    long all;
    long resident;
    CHECK(fscanf(file, "%ld %ld", &all, &resident) == 2);
    fclose(file);
    return (double)resident * 4096;
}

static bool due_before(const struct heap_node *a, const struct heap_node *b)
{
    const struct planned *x = CONTAINER_OF(a, const struct planned, node);
    const struct planned *y = CONTAINER_OF(b, const struct planned, node);
    return x->due.us != y->due.us ? x->due.us < y->due.us : x < y;
}

static struct config *load(const char *path)
{
    struct config_problems problems;
    config_problems_init(&problems);
    struct config *config = NULL;
    if (!config_load(path, &config, &problems)) {
        struct buf text;
        buf_init(&text, 1 << 20);
        config_problems_print(&problems, &text);
        fputs(buf_string(&text), stderr);
        exit(1);
    }
    config_problems_release(&problems);
    return config;
}

static void plan(struct heap *heap, struct planned *planned, struct instant after)
{
    planned->due = schedule_next(&planned->job->schedule, after);
    if (!instant_is_none(planned->due)) {
        heap_push(heap, &planned->node);
    }
}

int main(int argc, char **argv)
{
    CHECK(argc >= 2);
    size_t steps = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000;
    double before = resident_bytes();
    double began = seconds();
    struct config *config = load(argv[1]);
    double loaded = seconds();
    double resident = resident_bytes() - before;

    struct heap heap;
    heap_init(&heap, due_before);
    struct planned *planned = alloc_zero(config->job_count + 1, sizeof *planned);
    struct instant now = instant_from_unix(time(NULL));
    for (size_t i = 0; i < config->job_count; i++) {
        planned[i].job = &config->jobs[i];
        plan(&heap, &planned[i], now);
    }
    double all_planned = seconds();
    for (size_t i = 0; i < steps; i++) {
        struct planned *top = CONTAINER_OF(heap_top(&heap), struct planned, node);
        heap_remove(&heap, &top->node);
        plan(&heap, top, top->due);
    }
    double stepped = seconds();
    printf("%zu %.2f %.2f %.2f %.0f\n", config->job_count, loaded - began, all_planned - loaded,
           (stepped - all_planned) / (double)steps * 1e6, resident / (double)config->job_count);
    heap_release(&heap);
    free(planned);
    config_free(config);
    return 0;
}
