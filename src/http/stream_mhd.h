// SPDX-License-Identifier: MIT
// Bodies that are made while they are sent, for server_mhd.c: libmicrohttpd asks for pieces, and a
// body that has nothing yet suspends its connection.
#pragma once

#include <microhttpd.h>

#include "http/deadlines.h"
#include "http/request.h"
#include "http/suspended_mhd.h"

struct streams {
    struct deadlines *deadlines;      // the server's
    struct suspended_list *suspended; // the server's, too
};

// Takes the stream over. NULL when the library makes none.
struct MHD_Response *streams_response(struct streams *streams, struct MHD_Connection *mhd,
                                      struct deadline *deadline, struct http_stream *stream);
