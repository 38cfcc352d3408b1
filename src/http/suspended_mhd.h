// SPDX-License-Identifier: MIT
// Connections that the library is to leave alone until there is something to send on them.
#pragma once

#include <microhttpd.h>
#include <stdbool.h>

struct suspended { // part of what waits; all zero at first
    struct suspended_list *list;
    struct suspended *previous, *next;
    struct MHD_Connection *mhd;
    bool waits;
};

struct suspended_list {
    struct suspended *first;
};

void suspended_wait(struct suspended_list *list, struct suspended *one, struct MHD_Connection *mhd);
void suspended_leave(struct suspended *one); // waits no more; nothing where it does not
// The library goes on with all of them.
void suspended_wake(struct suspended_list *list);
