// SPDX-License-Identifier: MIT
#include "cli/node_list_text.h"

#include <stdio.h>
#include <string.h>

#include "cli/terminal.h"
#include "document/json.h"

#define NODE_LIST_SHOWN 6

void node_list_print(const struct node_list *fleet)
{
    size_t shown = 0;
    printf("%zu live", fleet->live);
    for (size_t i = 0; i < fleet->count && shown < NODE_LIST_SHOWN; i++) {
        const struct listed_node *node = &fleet->nodes[i];
        if (!node_list_lives(node)) {
            continue;
        }
        fputs(shown++ == 0 ? ": " : ", ", stdout);
        terminal_put(stdout, node->row.draining ? COLOUR_WARN : COLOUR_GOOD, node->row.host);
        printf(" (%d running%s%s%s)", node->row.running,
               node->row.refused != NULL ? ", refuses the jobs in force" : "",
               node->row.draining ? ", draining" : "", node->row.dry_run ? ", dry-run" : "");
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

json_t *node_list_json(const struct node_list *fleet)
{
    json_t *list = json_array();
    for (size_t i = 0; i < fleet->count; i++) {
        const struct listed_node *node = &fleet->nodes[i];
        if (node_list_lives(node) || strcmp(node->state, "overdue") == 0) {
            json_array_append_new(list, json_node_row(&node->row, node->state));
        }
    }
    return list;
}
