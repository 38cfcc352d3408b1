// SPDX-License-Identifier: MIT
// What the scheduler and its runner process say to each other: frames over a stream socket pair, in
// the machine's own byte order since both ends are the same program. Nothing here blocks; messages
// are collected and leave in few, large writes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/buf.h"

#define MESSAGE_BODY_MAX ((size_t)256 * 1024) // also the limit of one job's command and environment

enum message_type {
    MESSAGE_START = 1, // to the runner; see launch.h
    MESSAGE_STOP,      // to the runner: u64 at_once
    MESSAGE_FEED,      // to the runner: u64 deadline
    MESSAGE_STARTED,   // from the runner: u64 pid
    MESSAGE_OUTPUT,    // from the runner: the bytes
    MESSAGE_END,       // from the runner: struct runner_end, field by field
};

struct channel {
    int fd;
    struct buf out;
    struct buf in;
    size_t taken;     // bytes of `in` that were handed out
    size_t open_from; // where in `out` the message being written begins
    char *scratch;    // for reading
};

// A message as it came. `bytes` is borrowed from the channel until the next channel_fill.
struct message {
    enum message_type type;
    uint64_t tag;
    const char *bytes;
    size_t length;
    size_t position;
    bool bad; // something asked for was not there
};

void channel_init(struct channel *channel, int fd, size_t out_maximum);
void channel_release(struct channel *channel); // closes the descriptor as well

// Writing: begin, put…, end. End returns false, and nothing was added, when the message is too
// long.
void message_begin(struct channel *channel, enum message_type type, uint64_t tag);
void message_put_number(struct channel *channel, uint64_t number);
void message_put_text(struct channel *channel, const char *text_or_null);
void message_put_bytes(struct channel *channel, const void *bytes, size_t length);
bool message_end(struct channel *channel) MUST_USE;
// Sends what the socket takes. False: the other end is gone.
bool channel_flush(struct channel *channel) MUST_USE;
static inline bool channel_has_output(const struct channel *channel)
{
    return channel->out.length > 0;
}

// Reads what is there, at most about a quarter of a megabyte. False: the other end is gone; what
// came before is still in the buffer.
bool channel_fill(struct channel *channel, bool *more_out) MUST_USE;
// The next complete message; false when there is none. *corrupt_out: the frame makes no sense.
bool channel_next(struct channel *channel, struct message *message_out, bool *corrupt_out) MUST_USE;
uint64_t message_number(struct message *message);
const char *message_text(struct message *message); // NULL as it was put
