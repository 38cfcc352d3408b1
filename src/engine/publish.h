// SPDX-License-Identifier: MIT
// Part of engine/engine_private.h: definitions come into force.
#pragma once

#include "engine/engine.h"

struct publication;
// The definitions of engine->set at the start, and others before the first turn; these block.
bool publish_at_start(struct engine *engine, const struct store_op_load *load, struct instant at,
                      struct error *err);
bool publish_again_at_start(struct engine *engine, struct job_set *set, struct error *err);
void publish_reload(struct engine *engine, struct job_set *set);
void publish_turn(struct engine *engine);
bool publish_is_under_way(const struct engine *engine); // nothing is decided meanwhile
enum engine_reloading publish_state(struct engine *engine, struct error *err);
void publication_free(struct publication *publication);
