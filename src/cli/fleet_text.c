// SPDX-License-Identifier: MIT
#include "cli/fleet_text.h"

#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"
#include "document/json.h"

#define FLEET_SHOWN 6

void fleet_print(const struct fleet *fleet)
{
    size_t shown = 0;
    printf("%zu live", fleet->live);
    for (size_t i = 0; i < fleet->count && shown < FLEET_SHOWN; i++) {
        const struct fleet_node *node = &fleet->nodes[i];
        if (!fleet_node_lives(node)) {
            continue;
        }
        fputs(shown++ == 0 ? ": " : ", ", stdout);
        terminal_put(stdout, node->row.draining ? COLOUR_WARN : COLOUR_GOOD, node->row.host);
        printf(" (%d running%s%s)", node->row.running, node->row.draining ? ", draining" : "",
               node->row.dry_run ? ", dry-run" : "");
    }
    if (shown < fleet->live) {
        printf(", and %zu more", fleet->live - shown);
    }
    if (fleet->overdue > 0) {
        terminal_print(stdout, COLOUR_BAD, "; %zu past the lease", fleet->overdue);
    }
    if (fleet->other_version != NULL) {
        terminal_print(stdout, COLOUR_WARN, "; of different versions, such as %s",
                       fleet->other_version);
    }
    puts(": ironcron nodes");
}

json_t *fleet_json(const struct fleet *fleet)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *node = &fleet->nodes[i];
        if (fleet_node_lives(node) || strcmp(node->state, "overdue") == 0) {
            json_array_append_new(list, json_node_row(&node->row, node->state));
        }
    }
    return list;
}
