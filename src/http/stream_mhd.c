// SPDX-License-Identifier: MIT
#include "http/stream_mhd.h"

#include <stdlib.h>

#include "base/alloc.h"

#define STREAM_BLOCK ((size_t)32 * 1024)

struct sending {
    struct streams *streams;
    struct http_stream stream;
    struct MHD_Connection *mhd;
    struct deadline *deadline;
    struct suspended suspended; // while it waits
};

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
    (void)position;
    struct sending *sending = context;
    size_t length = sending->stream.read(sending->stream.context, bytes, size);
    if (length == HTTP_STREAM_WAIT) {
        // What waits has been sent so far: the deadline is for those that do not take it.
        deadlines_push(sending->streams->deadlines, sending->deadline);
        suspended_wait(sending->streams->suspended, &sending->suspended, sending->mhd);
        return 0;
    }
    return length == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)length;
}

static void free_stream(void *context)
{
    struct sending *sending = context;
    suspended_leave(&sending->suspended);
    sending->stream.free(sending->stream.context);
    free(sending);
}

struct MHD_Response *streams_response(struct streams *streams, struct MHD_Connection *mhd,
                                      struct deadline *deadline, struct http_stream *stream)
{
    struct sending *sending = alloc_zero(1, sizeof *sending);
    *sending =
        (struct sending){.streams = streams, .stream = *stream, .mhd = mhd, .deadline = deadline};
    *stream = (struct http_stream){0};
    struct MHD_Response *made = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, sending, free_stream);
    if (made == NULL) {
        free_stream(sending);
    }
    return made;
}
