// SPDX-License-Identifier: MIT
#include "serve/node_reload.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "serve/node_runners.h"

struct loaded *loaded_new(const struct config *config, bool borrowed)
{
    struct loaded *loaded = alloc_zero(1, sizeof *loaded);
    *loaded = (struct loaded){.config = config, .borrowed = borrowed, .references = 1};
    return loaded;
}

void loaded_release(struct loaded *loaded)
{
    if (loaded == NULL || --loaded->references > 0) {
        return;
    }
    if (!loaded->borrowed) {
        config_free((struct config *)(uintptr_t)loaded->config);
    }
    free(loaded);
}

static void release_set(void *owner)
{
    loaded_release(owner);
}

struct job_set loaded_set(struct loaded *loaded)
{
    const struct config *config = loaded->config;
    loaded->references++;
    return (struct job_set){.jobs = config->jobs,
                            .count = config->job_count,
                            .hash = config->hash,
                            .version = loaded->version,
                            .zones = config->zones,
                            .owner = loaded,
                            .release = release_set};
}

void node_reload(struct node *node, struct loaded *loaded)
{
    struct job_set set = loaded_set(loaded);
    loaded->references++;
    node->coming = loaded;
    engine_reload(node->engine, &set);
    node_turn_soon(node);
}

bool node_reload_at_start(struct node *node, struct loaded *loaded, struct error *err)
{
    struct job_set set = loaded_set(loaded);
    if (!engine_reload_at_start(node->engine, &set, err)) {
        return false;
    }
    loaded->references++;
    loaded_release(node->loaded);
    node->loaded = loaded;
    node_runners_reload(node);
    return true;
}

void node_look_at_reload(struct node *node)
{
    struct error err = ERROR_INIT;
    struct loaded *coming = node->coming;
    enum engine_reloading state =
        coming == NULL ? RELOADING_NOTHING : engine_reloading(node->engine, &err);
    if (state == RELOADING_NOTHING || state == RELOADING_GOES_ON) {
        return;
    }
    struct loaded *over = state == RELOADING_FAILED ? coming : NULL;
    if (state == RELOADING_DONE) {
        over = node->loaded;
        node->loaded = coming;
        node_runners_reload(node);
    }
    node->coming = state == RELOADING_WAITS ? coming : NULL;
    node->on_reload(node, coming, state, &err);
    loaded_release(over);
}
