// SPDX-License-Identifier: MIT
// `X-Ironcron-Signature: t=UNIX,v1=HEX`: HEX is the HMAC-SHA256, by the job's secret, of the
// seconds as written, a dot, and the body. The time is in what is signed, so that a request that
// somebody recorded is of no use later.
#pragma once

#include <stddef.h>

#include "time/instant.h"

#define SIGNATURE_HEADER    "X-Ironcron-Signature"
#define SIGNATURE_SIZE      112
#define SIGNATURE_TOLERANCE DURATION_S(300) // how old, or ahead, a callback's signature may be

void signature_make(const char *secret, struct instant now, const char *body, size_t length,
                    char out[SIGNATURE_SIZE]);

enum signature_result {
    SIGNATURE_GOOD,
    SIGNATURE_MALFORMED, // not of that form
    SIGNATURE_WRONG,     // made with another secret, or over another body
    SIGNATURE_STALE,     // genuine, but its time is too far from now
};
// Compares in constant time. Several v1= are fine (while a secret is being changed): one must be
// right.
enum signature_result signature_check(const char *header, const char *secret, struct instant now,
                                      const char *body, size_t length);
