// SPDX-License-Identifier: MIT
// What the server complains about, as one sentence for people: the SQLSTATE, what it says, where in
// the statement, and what to do about it.
#pragma once

#include <libpq-fe.h>

#include "base/buf.h"
#include "statement/statement.h"

// `statement` may be NULL: positions are not told then.
void failure_describe(const PGresult *result, const struct statement *statement, struct buf *out);
// What to do about it, or NULL when the server's own words are all there is to say.
const char *failure_remedy(const char *sqlstate);
// A notice as one line of output: "NOTICE:  text".
void failure_notice(const PGresult *notice, struct buf *out);
