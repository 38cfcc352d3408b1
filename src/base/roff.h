// SPDX-License-Identifier: MIT
// Manual pages: text as man(7) wants it. What is between `backticks` comes out bold.
#pragma once

#include "base/buf.h"

// Within a line; line breaks of the text become spaces.
void roff_text(struct buf *out, const char *text);
// As it stands, a whole line.
void roff_verbatim(struct buf *out, const char *text);
// As it stands, in bold: a command line, a key.
void roff_bold(struct buf *out, const char *text);
// Paragraphs, each behind its own macro (".PP", ".IP"), except the first when `first` is false.
void roff_paragraphs(struct buf *out, const char *text, const char *macro, bool first);
