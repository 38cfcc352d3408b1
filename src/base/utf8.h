// SPDX-License-Identifier: MIT
// Validity and safe cutting of UTF-8 (RFC 3629). Text is checked once, at the border.
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool utf8_is_valid(const char *text, size_t length);
// The length of the longest prefix of at most `maximum` bytes that cuts no character.
size_t utf8_cut(const char *text, size_t length, size_t maximum);
// Removes a character that a fixed buffer cut in half at the end of a string.
void utf8_trim_partial(char *text);
// Copies with every byte that is not part of valid UTF-8, and each control byte but tab and
// newline, replaced by '?'. `out` needs length + 1 bytes.
void utf8_sanitise(const char *text, size_t length, char *out);
