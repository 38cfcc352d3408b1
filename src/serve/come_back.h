// SPDX-License-Identifier: MIT
// Between two tries to be a node again: alive, and not ready, which /livez and /readyz say.
#pragma once

#include "config/config.h"
#include "serve/notify.h"
#include "time/instant.h"

// For so long. `config` NULL: nobody can ask. `since`: it was declared dead; `why` it is no node
// again yet.
void come_back_wait(const struct config *config, struct notify *notify, int seconds,
                    struct instant since, const char *why);
