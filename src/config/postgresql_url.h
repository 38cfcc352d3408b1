// SPDX-License-Identifier: MIT
// A URL of PostgreSQL in the configuration, read by libpq itself, so that what is accepted here is
// what the connection takes later.
#pragma once

#include <stdbool.h>

#include "config/conform.h"
#include "config/load.h"

struct postgresql_url {
    const char *text;  // as given to libpq, password and all
    const char *place; // for people: "app at db.internal:5432 as ironcron"
    const char *shown; // the same as a URL: "postgresql://ironcron@db.internal:5432/app"
};

#define POSTGRESQL_URL_REMEDY                                                                      \
    "write postgresql://USER@HOST:PORT/DATABASE, with the password as ${NAME}, or sqlite:FILE"

bool postgresql_url_is(const char *text); // by its beginning
// False: a complaint was made. Does not connect. Registers what is secret in it with the log.
bool postgresql_url_read(struct load *load, const struct conform *conform,
                         const struct yaml_tree_node *node, struct postgresql_url *url_out);
