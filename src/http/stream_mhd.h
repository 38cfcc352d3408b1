// SPDX-License-Identifier: MIT
// Bodies that are made while they are sent, for server_mhd.c: libmicrohttpd asks for pieces, and a
// body that has nothing yet suspends its connection.
#pragma once

#include <microhttpd.h>

#include "http/deadlines.h"
#include "http/request.h"

struct streams {
    struct deadlines *deadlines; // the server's
    struct sending *waiting;
};

// Takes the stream over. NULL when the library makes none.
struct MHD_Response *streams_response(struct streams *streams, struct MHD_Connection *mhd,
                                      struct deadline *deadline, struct http_stream *stream);
// All that wait are asked again.
void streams_wake(struct streams *streams);
