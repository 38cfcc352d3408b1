// SPDX-License-Identifier: MIT
// Content negotiation (RFC 9110 section 12.5.1): how much a client wants a media type.
#pragma once

#include <stdbool.h>

// How an Accept header rates `type/subtype` in the given version: 0 (not wanted) to 1000. The most
// specific range counts. A range with a version parameter is for that version alone. NULL or an
// empty header accepts everything. *named_out (may be NULL) tells that a range names type and
// subtype in full.
int http_accept_quality(const char *accept, const char *type, const char *subtype,
                        const char *version, bool *named_out);
