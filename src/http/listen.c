// SPDX-License-Identifier: MIT
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG      128
#define FIRST_NORMAL 1024 // ports below belong to root

static const char *remedy(int error_number, int port)
{
    switch (error_number) {
    case EADDRINUSE:
        return "another program has this port, perhaps another ironcron: `ss -ltnp` names it; stop "
               "it "
               "or set another port in http.listen";
    case EACCES:
        return port < FIRST_NORMAL
                   ? "ports below 1024 need root or CAP_NET_BIND_SERVICE; set a higher "
                     "port in http.listen"
                   : "the system forbids it; look for a security policy (SELinux, "
                     "AppArmor) or set another port in http.listen";
    case EADDRNOTAVAIL:
        return "this machine has no such address: `ip addr` lists them; mend http.listen";
    case EAFNOSUPPORT:
        return "this machine has no IPv6; set an IPv4 address in http.listen";
    case EMFILE:
    case ENFILE:
        return "too many files are open; raise the limit (`ulimit -n`)";
    default:
        return "set another address in http.listen, or `off`";
    }
}

static void strip_brackets(const char *host, char *out, size_t size)
{
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        snprintf(out, size, "%.*s", (int)(length - 2), host + 1);
    } else {
        snprintf(out, size, "%s", host);
    }
}

static bool resolve(const char *host, int port, struct addrinfo **list_out, struct error *err)
{
    char bare[256];
    strip_brackets(host, bare, sizeof bare);
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int rc = getaddrinfo(bare, service, &hints, list_out);
    if (rc != 0) {
        return error_set(
            err, ERROR_ENVIRONMENT,
            "cannot listen on %s:%d: %s; http.listen needs an address of this machine, "
            "such as 127.0.0.1:8321",
            host, port, gai_strerror(rc));
    }
    return true;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
}

static void describe(struct http_listener *listener)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    char text[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr *address = (const struct sockaddr *)&name;
    if (getsockname(listener->fd, (struct sockaddr *)&name, &length) != 0) {
        return;
    }
    listener->is_loopback = is_loopback(address);
    listener->is_ipv6 = name.ss_family == AF_INET6;
    if (listener->is_ipv6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&name;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        listener->port = ntohs(v6->sin6_port);
        snprintf(listener->address, sizeof listener->address, "[%s]:%d", text, listener->port);
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&name;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        listener->port = ntohs(v4->sin_port);
        snprintf(listener->address, sizeof listener->address, "%s:%d", text, listener->port);
    }
}

// -1 with errno.
static int open_listener(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    // A restart must not wait for old connections in TIME_WAIT; a second listener still fails.
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

bool http_listen(const char *host, int port, struct http_listener *listener_out, struct error *err)
{
    struct addrinfo *list = NULL;
    if (!resolve(host, port, &list, err)) {
        return false;
    }
    int fd = open_listener(list);
    int saved = errno;
    freeaddrinfo(list);
    if (fd < 0) {
        return error_set(err, ERROR_ENVIRONMENT, "cannot listen on %s:%d: %s; %s", host, port,
                         strerror(saved), remedy(saved, port));
    }
    *listener_out = (struct http_listener){.fd = fd, .port = port};
    describe(listener_out);
    return true;
}
