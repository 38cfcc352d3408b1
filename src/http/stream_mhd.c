// SPDX-License-Identifier: MIT
#include "http/stream_mhd.h"

#include <stdlib.h>

#include "base/alloc.h"

#define STREAM_BLOCK ((size_t)32 * 1024)

// While it waits its connection is suspended, and listed.
struct sending {
    struct streams *streams;
    struct http_stream stream;
    struct MHD_Connection *mhd;
    struct deadline *deadline;
    struct sending *previous, *next; // of those that wait
    bool waits;
};

static void wait_more(struct sending *sending)
{
    struct streams *streams = sending->streams;
    MHD_suspend_connection(sending->mhd);
    sending->waits = true;
    sending->next = streams->waiting;
    sending->previous = NULL;
    if (sending->next != NULL) {
        sending->next->previous = sending;
    }
    streams->waiting = sending;
}

static void wait_no_more(struct sending *sending)
{
    if (!sending->waits) {
        return;
    }
    sending->waits = false;
    if (sending->previous != NULL) {
        sending->previous->next = sending->next;
    } else {
        sending->streams->waiting = sending->next;
    }
    if (sending->next != NULL) {
        sending->next->previous = sending->previous;
    }
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
    (void)position;
    struct sending *sending = context;
    size_t length = sending->stream.read(sending->stream.context, bytes, size);
    if (length == HTTP_STREAM_WAIT) {
        // What waits has been sent so far: the deadline is for those that do not take it.
        deadlines_push(sending->streams->deadlines, sending->deadline);
        wait_more(sending);
        return 0;
    }
    return length == 0 ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)length;
}

static void free_stream(void *context)
{
    struct sending *sending = context;
    wait_no_more(sending);
    sending->stream.free(sending->stream.context);
    free(sending);
}

void streams_wake(struct streams *streams)
{
    while (streams->waiting != NULL) {
        struct sending *sending = streams->waiting;
        wait_no_more(sending);
        MHD_resume_connection(sending->mhd);
    }
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
