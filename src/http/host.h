// SPDX-License-Identifier: MIT
// Protection against DNS rebinding: a web page whose name is made to point at 127.0.0.1 sends its
// own name in Host, so a server on loopback answers only to the names of loopback.
#pragma once

#include <stdbool.h>

// localhost, 127.0.0.1 and [::1], each with any port or none.
bool http_host_is_loopback(const char *host);
