// SPDX-License-Identifier: MIT
// The listening socket: name, bind, and errors that name the address and the remedy.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define HTTP_ADDRESS_SIZE 80

struct http_listener {
    int fd; // non-blocking, close-on-exec; the caller's
    int port;
    bool is_loopback; // 127.0.0.0/8 or ::1
    bool is_ipv6;
    bool is_unix; // http/listen_unix.h
    dev_t device; // of a unix socket's name
    ino_t inode;
    char address[HTTP_ADDRESS_SIZE]; // "127.0.0.1:8321", "[::1]:8321"
};

// `host` is an address or a name, IPv6 with or without brackets; port 0 = any free one.
bool http_listen(const char *host, int port, struct http_listener *listener_out,
                 struct error *err) MUST_USE;
