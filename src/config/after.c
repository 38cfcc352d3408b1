// SPDX-License-Identifier: MIT
#include "config/after.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/nearest.h"

static bool is_named_before(const struct load *load, size_t first, const char *name)
{
    for (size_t i = first; i < load->after_count; i++) {
        if (strcmp(load->afters[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

void after_note(struct load *load, const struct yaml_tree_node *list)
{
    size_t first = load->after_count;
    if (list == NULL || list->broken || list->schema == NULL) {
        return;
    }
    for (const struct yaml_tree_node *item = list->first; item != NULL; item = item->next) {
        const char *file = load->files[load->file_count - 1];
        if (is_named_before(load, first, item->text)) {
            config_problems_add(load->problems, file, item->line, item->column,
                                "after: \"%.140s\" is named twice", item->text);
            continue;
        }
        ARRAY_RESERVE(load->afters, load->after_count, load->after_capacity);
        load->afters[load->after_count++] =
            (struct load_after){.job = load->job_count - 1,
                                .name = pool_text(&load->pool, item->text),
                                .file = file,
                                .line = item->line,
                                .column = item->column};
    }
}

static void complain_unknown(struct load *load, const struct load_after *after)
{
    struct nearest nearest;
    nearest_init(&nearest, after->name);
    for (size_t i = 0; i < load->job_count; i++) {
        nearest_offer(&nearest, load->jobs[i].name);
    }
    config_problems_add(load->problems, after->file, after->line, after->column,
                        "after: there is no job \"%.140s\"%s%s%s", after->name,
                        nearest.best != NULL ? "; did you mean \"" : "",
                        nearest.best != NULL ? nearest.best : "",
                        nearest.best != NULL ? "\"?" : "");
}

// ---- cycles -------------------------------------------------------------------------------------

struct order {
    struct load *load;
    size_t *first;   // of a job's names in load->afters
    size_t *next;    // the one to go down next
    uint8_t *colour; // 0 = not seen, 1 = on the way, 2 = done
    size_t *way;     // jobs from the root down
    size_t depth;
};

static size_t target_of(const struct order *order, const struct load_after *after)
{
    return (size_t)(uintptr_t)map_get(&order->load->names, after->name) - 1;
}

// "a waits for b, b for c, c for a", as far as it fits.
static void complain_cycle(struct order *order, const struct load_after *closing, size_t target)
{
    char text[512];
    size_t used = 0;
    size_t at = order->depth;
    while (order->way[at - 1] != target) {
        at--;
    }
    for (size_t i = at - 1; i < order->depth && used < sizeof text; i++) {
        size_t to = i + 1 < order->depth ? order->way[i + 1] : target;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s%s",
                                 i == at - 1 ? "" : ", ", order->load->jobs[order->way[i]].name,
                                 i == at - 1 ? " waits for " : " for ", order->load->jobs[to].name);
    }
    config_problems_add(order->load->problems, closing->file, closing->line, closing->column,
                        "after: these would wait for one another for ever: %s", text);
}

static void enter(struct order *order, size_t job)
{
    order->colour[job] = 1;
    order->next[job] = order->first[job];
    order->way[order->depth++] = job;
}

// Goes down from one job without recursion: a chain may be as long as there are jobs.
static void walk(struct order *order, size_t root)
{
    const struct load *load = order->load;
    enter(order, root);
    while (order->depth > 0) {
        size_t job = order->way[order->depth - 1];
        size_t at = order->next[job]++;
        if (at >= load->after_count || load->afters[at].job != job) {
            order->colour[job] = 2;
            order->depth--;
            continue;
        }
        size_t target = target_of(order, &load->afters[at]);
        if (target >= load->job_count) {
            continue; // unknown, and told
        }
        if (order->colour[target] == 1) {
            complain_cycle(order, &load->afters[at], target);
        } else if (order->colour[target] == 0) {
            enter(order, target);
        }
    }
}

void after_check(struct load *load)
{
    if (load->after_count == 0) {
        return;
    }
    struct order order = {.load = load,
                          .first = alloc_zero(load->job_count, sizeof(size_t)),
                          .next = alloc_zero(load->job_count, sizeof(size_t)),
                          .colour = alloc_zero(load->job_count, 1),
                          .way = alloc_zero(load->job_count, sizeof(size_t))};
    for (size_t i = 0; i < load->job_count; i++) {
        order.first[i] = load->after_count;
    }
    for (size_t i = load->after_count; i-- > 0;) {
        order.first[load->afters[i].job] = i;
        if (map_get(&load->names, load->afters[i].name) == NULL) {
            complain_unknown(load, &load->afters[i]);
        }
    }
    for (size_t i = 0; i < load->job_count; i++) {
        if (order.colour[i] == 0 && order.first[i] < load->after_count) {
            walk(&order, i);
        }
    }
    free(order.first);
    free(order.next);
    free(order.colour);
    free(order.way);
}
