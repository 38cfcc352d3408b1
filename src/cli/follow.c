// SPDX-License-Identifier: MIT
#include "cli/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"
#include "cli/json.h"
#include "cli/terminal.h"

#define PIECE ((size_t)64 * 1024)

// How many bytes at the end are the beginning of a character that is not whole yet.
static size_t unfinished(const char *bytes, size_t length)
{
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        unsigned char c = (unsigned char)bytes[length - back];
        if (c >= 0xC0) {
            size_t wanted = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
            return back < wanted ? back : 0;
        }
        if (c < 0x80) {
            return 0;
        }
    }
    return 0;
}

static void print_text(struct follow *follow, const char *bytes, size_t length, int64_t offset)
{
    if (length == 0) {
        return;
    }
    char *clean = terminal_clean_lines(bytes, length);
    if (follow->json) {
        json_print_line(json_pack("{s:o, s:I, s:o}", "run_id", json_uuid(follow->run_id), "offset",
                                  (json_int_t)offset, "text", json_text(clean)));
    } else {
        fputs(clean, stdout);
    }
    free(clean);
}

static void print_piece(struct follow *follow, const char *piece, size_t length)
{
    bool as_bytes = !follow->json && isatty(STDOUT_FILENO) != 1;
    follow->ends_in_line = piece[length - 1] != '\n';
    if (as_bytes) {
        fwrite(piece, 1, length, stdout);
        return;
    }
    char joined[PIECE + sizeof follow->carry];
    memcpy(joined, follow->carry, follow->carried);
    memcpy(joined + follow->carried, piece, length);
    size_t total = follow->carried + length;
    size_t kept = unfinished(joined, total);
    print_text(follow, joined, total - kept, follow->offset - (int64_t)follow->carried);
    memcpy(follow->carry, joined + total - kept, kept);
    follow->carried = kept;
}

bool follow_print(struct follow *follow, struct store *store, struct error *err)
{
    char *piece = malloc(PIECE);
    size_t length = 0;
    bool ok = piece != NULL;
    while (ok) {
        ok = store->ops->read_output(store, follow->run_id, follow->offset, piece, PIECE, &length,
                                     err);
        if (!ok || length == 0) {
            break;
        }
        if (!follow->is_silent) {
            print_piece(follow, piece, length);
        }
        follow->offset += (int64_t)length;
    }
    free(piece);
    fflush(stdout);
    return ok;
}

void follow_end(struct follow *follow)
{
    print_text(follow, follow->carry, follow->carried, follow->offset - (int64_t)follow->carried);
    follow->carried = 0;
    if (follow->ends_in_line && !follow->json && isatty(STDOUT_FILENO) == 1) {
        fputc('\n', stdout);
    }
    fflush(stdout);
}
