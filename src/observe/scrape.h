// SPDX-License-Identifier: MIT
// One scrape in progress: a cursor over (family, job) that makes text a block at a time, so that a
// scrape of many thousand jobs neither stops the loop nor needs memory for the whole page.
#pragma once

#include <stddef.h>

#include "observe/exposition.h"
#include "observe/metrics.h"
#include "observe/process.h"

struct scrape;

struct scrape *scrape_new(struct metrics *metrics, enum exposition_format format);
void scrape_free(void *scrape);                             // an http_stream's free
size_t scrape_read(void *scrape, char *bytes, size_t size); // an http_stream's read
// Renders the rest of all open scrapes into memory: what they point to is about to change.
void scrape_finish_all(struct metrics *metrics);
