// SPDX-License-Identifier: MIT
// The open connections, each with the moment by which it must have moved on. A library's idle
// timeout starts anew at each byte, so a client that drips would hold its place for ever; this one
// is for the whole half of an exchange.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "time/clock.h"
#include "time/instant.h"

struct deadline {
    struct deadline *previous, *next;
    struct mono at;
    int fd;          // not owned
    bool is_awaited; // nothing whole has come yet: it may have to make room
    unsigned char from[16];
};

struct deadlines {
    struct clock *clock;
    struct duration limit;
    int from_one_most; // so many of one address, as long as some of them are awaited
    struct deadline *first;
    int count;
};

// Starts it. Where its address has too many already, that which is awaited longest makes room: so
// whoever sends halves of requests is in nobody's way but their own.
struct deadline *deadlines_add(struct deadlines *deadlines, int fd, const struct sockaddr *from);
void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline); // frees it
void deadlines_push(struct deadlines *deadlines, struct deadline *deadline);   // starts anew
// The time until the first one; never negative. False when there is none.
bool deadlines_left(const struct deadlines *deadlines, struct duration *left_out);
// Shuts the overdue sockets down: their owner then sees the end of the connection by itself.
void deadlines_enforce(struct deadlines *deadlines);
