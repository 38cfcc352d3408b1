// SPDX-License-Identifier: MIT
// One request under way, as libcurl sees it, and what is known of its answer. Memory is bounded
// whatever the server sends: headers and body have a limit at which the transfer is ended.
#pragma once

#include "base/curl_library.h"
#include <stdbool.h>
#include <stdint.h>

#include "call/request.h"
#include "job/job.h"

#define TRANSFER_CONNECT_S    10                          // name, connection and TLS together
#define TRANSFER_HEADERS_MAX  ((int64_t)64 * 1024)        // all headers of an answer
#define TRANSFER_BODY_MAX     ((int64_t)64 * 1024 * 1024) // then the server is left
#define TRANSFER_LINE_MAX     200
#define TRANSFER_LOCATION_MAX 300

struct transfer {
    CURL *easy;
    char curl_text[CURL_ERROR_SIZE];      // what libcurl says to a failure
    char reason[TRANSFER_LINE_MAX];       // of the status line: "Not Found"
    char location[TRANSFER_LOCATION_MAX]; // without its query
    char line[TRANSFER_LINE_MAX];         // the first line of the body
    size_t line_length;
    bool line_done;
    int64_t header_bytes, body_bytes;
    bool headers_over, body_over; // a limit was reached
    void (*on_body)(void *context, const char *bytes, size_t length);
    void *context;
};

// `request` and the job must live until transfer_close. The handle's private pointer is `context`.
void transfer_open(struct transfer *transfer, const struct job_http *http,
                   const struct request *request);
void transfer_close(struct transfer *transfer);       // also of a zeroed one
int transfer_status(const struct transfer *transfer); // 0 = none yet
// Was anything of the request sent, so that the server may have carried it out?
bool transfer_was_sent(const struct transfer *transfer);
