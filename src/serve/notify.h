// SPDX-License-Identifier: MIT
// The service manager's protocol (sd_notify(3)): datagrams of NAME=VALUE lines to $NOTIFY_SOCKET.
// Where nobody listens every call does nothing. Nothing here blocks: a message that finds the
// socket full is owed, and sent with a later turn. Only the loop's own turn feeds the watchdog.
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "time/clock.h"
#include "time/instant.h"

#define NOTIFY_SIZE 256

struct notify {
    int fd; // -1 = nobody wants to be told
    struct sockaddr_un address;
    socklen_t address_size;
    struct clock *clock;
    struct duration feed_every; // 0 = no watchdog
    struct mono fed_at;
    char *socket, *watchdog, *watchdog_pid; // as they were in the environment, or NULL
    bool is_ready;
    bool is_stopping;         // then a reload is nobody's business any more
    char status[NOTIFY_SIZE]; // as last told
    char owed[NOTIFY_SIZE];   // could not be sent yet
};

// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child
// speaks for us. A socket of an unknown kind is logged, and then nobody is told.
void notify_open(struct notify *notify, struct clock *clock);
// The first time: READY=1. Later: the end of a reload.
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
// The stop, or the start, may take so much longer from now on.
void notify_extend(struct notify *notify, struct duration time);
// One line for `systemctl status`; sent when it is another one than before.
void notify_status(struct notify *notify, const char *status);
// The loop has turned: feeds the watchdog, and sends what is owed.
void notify_turn(struct notify *notify);
// Another program takes this process over, as after a reload, and finds the environment as it was.
void notify_hand_over(struct notify *notify);
void notify_close(struct notify *notify);
