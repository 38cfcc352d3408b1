// SPDX-License-Identifier: MIT
// A server and raw clients in one thread and one virtual time: pump() lets the server run, so that
// nothing in a test waits for a clock.
#pragma once

#include "base/buf.h"
#include "http/server.h"

struct world {
    struct clock clock; // first: the server's
    struct mono now;
    struct http_server *server;
    int streams_open;
    int handled;
    const char *unix_path; // of the server, when it listens there
    int dripping;          // pieces that /drip may give, one for each; -1 ends it
    struct http_peer peer; // of the last /hello
    bool is_known;         // the answer to /later
    int asked, forgotten;  // of /later
};

// Offers /hello, /echo (POST) /stream (lines of digits, STREAM_BYTES in all)
// /drip (waits for pieces) and /later (has no answer until it is known).
#define STREAM_BYTES ((size_t)8 * 1024 * 1024)
void world_open(struct world *world, const struct http_server_options *limits);
void world_close(struct world *world);
void world_advance(struct world *world, struct duration d); // and lets the server see it
void pump(struct world *world);                             // until the server has nothing to do

int client_open(struct world *world); // non-blocking
// Sends what the socket takes, pumping in between; false when the server closed.
bool client_send(struct world *world, int fd, const char *bytes, size_t length);
// Reads until `until` bytes came or the server closed (true) or nothing more comes.
bool client_read(struct world *world, int fd, size_t until, struct buf *out);
// One connection: sends, reads to the end, closes. The caller releases.
struct buf client_exchange(struct world *world, const char *request, size_t length);
// The status of the first answer, 0 when there is none.
int answer_status(const struct buf *answer);
// A value of the first answer's headers, "" when absent; lives until the next call.
const char *answer_header(const struct buf *answer, const char *name);
const char *answer_body(const struct buf *answer);
// A plain request is answered as it should be.
void expect_alive(struct world *world, const char *after);
