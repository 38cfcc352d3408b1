// SPDX-License-Identifier: MIT
// The fleet on one line, and as a document.
#pragma once

#include <jansson.h>

#include "cli/node_list.h"

// "3 live: alpha (2 running), beta (0 running, draining), gamma (1 running, dry-run)" …
void node_list_print(const struct node_list *fleet);
json_t *node_list_json(const struct node_list *fleet); // those that live, or should
