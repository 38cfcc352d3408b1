// SPDX-License-Identifier: MIT
#include "observe/scrape.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "observe/families.h"
#include "observe/registry.h"

#define BLOCK_SIZE ((size_t)64 * 1024)

struct scrape {
    struct metrics *metrics;
    struct scrape *previous, *next;
    enum exposition_format format;
    struct process_stats process;
    struct job_gauges *gauges; // by the registry's index
    size_t view_index;         // where the next view from the engine probably belongs
    size_t family;             // the cursor
    size_t job;
    bool is_family_open; // its HELP and TYPE are out
    bool is_complete;    // the cursor is at the end; what is left is in block or rest
    char *block;
    size_t block_length, block_sent;
    struct buf rest; // after scrape_finish_all: what comes behind the block
    size_t rest_sent;
};

// ---- a moment's gauges --------------------------------------------------------------------------

static void take_view(void *context, const struct engine_job_view *view)
{
    struct scrape *scrape = context;
    const struct registry *registry = &scrape->metrics->registry;
    size_t index = scrape->view_index++;
    if (index >= registry->count || registry->jobs[index].job != view->job) {
        const struct registry_job *found = registry_find(registry, view->job->name);
        if (found == NULL) {
            return;
        }
        index = (size_t)(found - registry->jobs);
        scrape->view_index = index + 1;
    }
    scrape->gauges[index] = (struct job_gauges){
        .next_due = view->next_due, .last_success = view->last_success, .running = view->running};
}

static void take_gauges(struct scrape *scrape)
{
    struct metrics *metrics = scrape->metrics;
    size_t count = metrics->registry.count;
    scrape->gauges = alloc_zero(count + 1, sizeof *scrape->gauges);
    for (size_t i = 0; i < count; i++) {
        scrape->gauges[i].next_due = INSTANT_NONE;
        scrape->gauges[i].last_success = INSTANT_NONE;
    }
    if (metrics->each_job != NULL) {
        metrics->each_job(metrics->source, take_view, scrape);
    }
}

struct scrape *scrape_new(struct metrics *metrics, enum exposition_format format)
{
    struct scrape *scrape = alloc_zero(1, sizeof *scrape);
    scrape->metrics = metrics;
    scrape->format = format;
    scrape->block = alloc_zero(BLOCK_SIZE, 1);
    buf_init(&scrape->rest, SIZE_MAX / 2); // bounded by the number of jobs
    process_stats_read(&scrape->process);
    take_gauges(scrape);
    scrape->next = metrics->scrapes;
    if (scrape->next != NULL) {
        scrape->next->previous = scrape;
    }
    metrics->scrapes = scrape;
    return scrape;
}

void scrape_free(void *context)
{
    struct scrape *scrape = context;
    if (scrape->previous != NULL) {
        scrape->previous->next = scrape->next;
    } else {
        scrape->metrics->scrapes = scrape->next;
    }
    if (scrape->next != NULL) {
        scrape->next->previous = scrape->previous;
    }
    buf_release(&scrape->rest);
    free(scrape->gauges);
    free(scrape->block);
    free(scrape);
}

// ---- the cursor ---------------------------------------------------------------------------------

// One step: a family's header, or one render of it.
static void step(struct scrape *scrape, struct exposition *out)
{
    const struct registry *registry = &scrape->metrics->registry;
    const struct family *family = &family_table[scrape->family];
    size_t renders = family->is_per_job ? registry->count : 1;
    if (!scrape->is_family_open) {
        exposition_family(out, family->name, family->type, family->unit, family->help);
        scrape->is_family_open = true;
        scrape->job = 0;
    } else if (scrape->job < renders) {
        struct family_input input = {.metrics = scrape->metrics, .process = &scrape->process};
        if (family->is_per_job) {
            input.job = &registry->jobs[scrape->job];
            input.gauges = &scrape->gauges[scrape->job];
        }
        family->render(out, family->name, &input);
        scrape->job++;
    }
    if (scrape->job >= renders) {
        scrape->is_family_open = false;
        scrape->family++;
    }
}

static void refill(struct scrape *scrape)
{
    struct exposition out = {scrape->block, scrape->block + BLOCK_SIZE, scrape->format};
    while (!scrape->is_complete && (size_t)(out.end - out.at) >= FAMILY_RENDER_MAX) {
        if (scrape->family < family_count) {
            step(scrape, &out);
        } else {
            exposition_end(&out);
            scrape->is_complete = true;
        }
    }
    scrape->block_length = (size_t)(out.at - scrape->block);
    scrape->block_sent = 0;
}

static size_t give(const char *from, size_t length, size_t *sent, char *bytes, size_t size)
{
    size_t left = length - *sent;
    size_t piece = left < size ? left : size;
    if (piece > 0) {
        memcpy(bytes, from + *sent, piece);
        *sent += piece;
    }
    return piece;
}

size_t scrape_read(void *context, char *bytes, size_t size)
{
    struct scrape *scrape = context;
    size_t given = 0;
    while (given < size) {
        if (scrape->block_sent == scrape->block_length && !scrape->is_complete) {
            refill(scrape);
        }
        size_t piece = give(scrape->block, scrape->block_length, &scrape->block_sent, bytes + given,
                            size - given);
        if (piece == 0) {
            piece = give(scrape->rest.data, scrape->rest.length, &scrape->rest_sent, bytes + given,
                         size - given);
        }
        if (piece == 0) {
            break;
        }
        given += piece;
    }
    return given;
}

static void finish(struct scrape *scrape)
{
    if (scrape->is_complete) {
        return;
    }
    buf_add(&scrape->rest, scrape->block + scrape->block_sent,
            scrape->block_length - scrape->block_sent);
    while (!scrape->is_complete) {
        refill(scrape);
        buf_add(&scrape->rest, scrape->block, scrape->block_length);
    }
    scrape->block_length = scrape->block_sent = 0;
}

void scrape_finish_all(struct metrics *metrics)
{
    for (struct scrape *scrape = metrics->scrapes; scrape != NULL; scrape = scrape->next) {
        finish(scrape);
    }
}
