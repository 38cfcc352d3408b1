// SPDX-License-Identifier: MIT
#include "config/labels.h"

#include <stdlib.h>

#include "base/alloc.h"

const struct job_variable *labels_build(struct load *load, const struct yaml_tree_node *map)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t size = (map->count + 1) * sizeof(struct job_variable);
    struct job_variable *labels = alloc_zero(1, size);
    size_t count = 0;
    for (const struct yaml_tree_node *item = map->first; item != NULL; item = item->next) {
        labels[count++] = (struct job_variable){pool_text(&load->pool, item->key),
                                                pool_text(&load->pool, item->text)};
    }
    const struct job_variable *kept = pool_object(&load->pool, labels, size);
    free(labels);
    return kept;
}
