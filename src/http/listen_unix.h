// SPDX-License-Identifier: MIT
// A listening unix socket with a name in the file system, for its owner alone (mode 0600 from the
// first moment on). Whoever calls has another proof that no other server listens there, such as a
// lock: a socket that is left over is replaced in one step, anything else in its place is not
// touched. The path may be longer than a socket's address: it is reached through its folder.
#pragma once

#include <sys/un.h>

#include "http/listen.h"

// address = the path, as far as it fits.
bool http_listen_unix(const char *path, struct http_listener *listener_out,
                      struct error *err) MUST_USE;
// Removes the socket's name, unless somebody else's is there meanwhile.
void http_unlisten_unix(const char *path, const struct http_listener *listener);

// The address of a path of any length, for bind and connect. *folder_fd_out must stay open while
// the address is used; the caller closes it.
bool http_unix_address(const char *path, struct sockaddr_un *address_out, int *folder_fd_out,
                       struct error *err) MUST_USE;
