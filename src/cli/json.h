// SPDX-License-Identifier: MIT
// Documents on stdout, for --json.
#pragma once

#include "document/json.h"

// Prints a document on stdout and gives it back to jansson: indented for people who look at a
// terminal, in one line otherwise.
void json_print(json_t *document);
// One line of a stream.
void json_print_line(json_t *document);
