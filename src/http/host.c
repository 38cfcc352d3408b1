// SPDX-License-Identifier: MIT
#include "http/host.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/attributes.h"

static bool is_port_or_nothing(const char *text)
{
    if (*text == '\0') {
        return true;
    }
    if (*text != ':') {
        return false;
    }
    size_t digits = strspn(text + 1, "0123456789");
    return digits <= 5 && text[1 + digits] == '\0';
}

bool http_host_is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        size_t length = strlen(names[i]);
        if (strncasecmp(host, names[i], length) == 0 && is_port_or_nothing(host + length)) {
            return true;
        }
    }
    return false;
}
