// SPDX-License-Identifier: MIT
#include "serve/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

// An idle node turns each 1.5 s; a watchdog that bites sooner than this would bite the healthy.
#define WATCHDOG_LEAST DURATION_S(5)

static bool set_address(struct notify *notify, const char *path)
{
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length < 2 ||
        length >= sizeof notify->address.sun_path) {
        return false;
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, path, length);
    if (path[0] == '@') { // an abstract one: its name is counted, not ended by a zero
        notify->address.sun_path[0] = '\0';
    }
    notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

static int64_t number_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    int64_t number = text == NULL ? 0 : strtoll(text, &end, 10);
    return text == NULL || errno != 0 || end == text || *end != '\0' ? 0 : number;
}

// WATCHDOG_PID names whom it is meant for: a process that inherits the variables is not.
static void open_watchdog(struct notify *notify)
{
    const char *pid = getenv("WATCHDOG_PID");
    struct duration limit = {number_of(getenv("WATCHDOG_USEC"))};
    if (limit.us <= 0 || (pid != NULL && number_of(pid) != getpid())) {
        return;
    }
    notify->feed_every = (struct duration){limit.us / 4};
    if (limit.us < WATCHDOG_LEAST.us) {
        LOG(LOG_WARN, "watchdog_short",
            "the watchdog of the service manager bites after %" PRId64
            " ms; an idle node turns each 1.5 s: set WatchdogSec to 5 s or more",
            duration_ms(limit));
    }
}

static char *variable(const char *name)
{
    const char *value = getenv(name);
    return alloc_optional(value);
}

void notify_open(struct notify *notify, struct clock *clock)
{
    *notify = (struct notify){.fd = -1,
                              .clock = clock,
                              .socket = variable("NOTIFY_SOCKET"),
                              .watchdog = variable("WATCHDOG_USEC"),
                              .watchdog_pid = variable("WATCHDOG_PID")};
    const char *path = notify->socket;
    if (path != NULL && *path != '\0') {
        if (set_address(notify, path)) {
            notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            open_watchdog(notify);
        } else {
            LOG(LOG_WARN, "notify_socket",
                "NOTIFY_SOCKET is \"%s\", which is neither the path of a socket nor an abstract "
                "one (@name): the service manager is told nothing",
                path);
        }
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

// False when it must be tried again. A manager that is not there, or not any more, is no error.
static bool send_text(const struct notify *notify, const char *text)
{
    return notify->fd < 0 ||
           sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
                  (const struct sockaddr *)&notify->address, notify->address_size) >= 0 ||
           (errno != EAGAIN && errno != EINTR && errno != ENOBUFS);
}

// The newest state is the one that counts: it takes the place of one that is owed.
static void tell(struct notify *notify, const char *text)
{
    notify->owed[0] = '\0';
    if (!send_text(notify, text)) {
        snprintf(notify->owed, sizeof notify->owed, "%s", text);
    }
}

void notify_ready(struct notify *notify)
{
    notify->is_ready = true;
    if (!notify->is_stopping) {
        tell(notify, "READY=1");
    }
}

void notify_reloading(struct notify *notify)
{
    if (notify->is_stopping) {
        return;
    }
    char text[NOTIFY_SIZE];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_monotonic_us());
    tell(notify, text);
}

void notify_stopping(struct notify *notify)
{
    notify->is_stopping = true;
    tell(notify, "STOPPING=1");
}

void notify_extend(struct notify *notify, struct duration time)
{
    char text[NOTIFY_SIZE];
    snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%" PRId64, time.us);
    (void)send_text(notify, text); // the next tick says it again
}

void notify_status(struct notify *notify, const char *status)
{
    char text[NOTIFY_SIZE + 8];
    if (strcmp(status, notify->status) == 0) {
        return;
    }
    snprintf(text, sizeof text, "STATUS=%s", status);
    if (send_text(notify, text)) {
        snprintf(notify->status, sizeof notify->status, "%s", status);
    }
}

void notify_turn(struct notify *notify)
{
    if (notify->owed[0] != '\0' && send_text(notify, notify->owed)) {
        notify->owed[0] = '\0';
    }
    struct mono now = clock_mono(notify->clock);
    if (notify->feed_every.us > 0 && mono_since(now, notify->fed_at).us >= notify->feed_every.us &&
        send_text(notify, "WATCHDOG=1")) {
        notify->fed_at = now;
    }
}

static void restore(const char *name, const char *value)
{
    if (value != NULL) {
        setenv(name, value, 1);
    }
}

void notify_hand_over(struct notify *notify)
{
    notify_reloading(notify);
    restore("NOTIFY_SOCKET", notify->socket);
    restore("WATCHDOG_USEC", notify->watchdog);
    restore("WATCHDOG_PID", notify->watchdog_pid);
}

void notify_close(struct notify *notify)
{
    free(notify->socket);
    free(notify->watchdog);
    free(notify->watchdog_pid);
    notify->socket = notify->watchdog = notify->watchdog_pid = NULL;
    if (notify->fd >= 0) {
        close(notify->fd);
        notify->fd = -1;
    }
}
