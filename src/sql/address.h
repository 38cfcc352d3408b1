// SPDX-License-Identifier: MIT
// Where the server of a URL is: host names become numeric addresses without blocking the loop, so
// that libpq never looks a name up itself. Each address is then tried by itself, in order.
#pragma once

#include <libpq-fe.h>
#include <uv.h>

#include "base/error.h"

#define ADDRESS_HOST_SIZE    256
#define ADDRESS_NUMERIC_SIZE 64
#define ADDRESS_PORT_SIZE    8
#define ADDRESS_COUNT_MAX    32

struct address {
    char host[ADDRESS_HOST_SIZE];       // as named: TLS checks the certificate against it
    char numeric[ADDRESS_NUMERIC_SIZE]; // "" for a socket in the file system
    char port[ADDRESS_PORT_SIZE];       // "" for the default
};

struct address_list {
    struct address items[ADDRESS_COUNT_MAX];
    size_t count;
};

struct address_search;
// `err` is NULL when at least one address was found. Called once, from the loop.
typedef void address_done_fn(void *context, const struct address_list *list,
                             const struct error *err);

// Starts looking up the hosts of a URL that libpq has parsed; what it leaves open (the host) comes
// from the environment, as libpq does it.
struct address_search *address_search_new(uv_loop_t *loop, const PQconninfoOption *options,
                                          address_done_fn *done, void *context);
// The answer is not wanted any more; nothing is called then. NULL is fine.
void address_search_abandon(struct address_search *search);
