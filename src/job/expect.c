// SPDX-License-Identifier: MIT
#include "job/expect.h"

#include <string.h>
#include <strings.h>

#define REMEDY "write 2xx, a status such as 200, or a range such as 200-204"
#define FIRST  200
#define LAST   599

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// Three digits; 0 when there are none.
static int read_status(const char *text)
{
    if (!is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[2])) {
        return 0;
    }
    return (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
}

static bool read_range(const char *text, struct job_status_range *range)
{
    if (is_digit(text[0]) && strcasecmp(text + 1, "xx") == 0) {
        range->first = (text[0] - '0') * 100;
        range->last = range->first + 99;
        return true;
    }
    range->first = range->last = read_status(text);
    if (range->first == 0 || text[3] == '\0') {
        return range->first != 0;
    }
    range->last = text[3] == '-' ? read_status(text + 4) : 0;
    return range->last != 0 && text[7] == '\0';
}

bool expect_parse(const char *text, struct job_status_range *range_out, struct error *err)
{
    struct job_status_range range;
    if (!read_range(text, &range)) {
        return error_set(err, ERROR_CONFIG, "is no HTTP status; " REMEDY);
    }
    if (range.first < FIRST || range.last > LAST) {
        return error_set(err, ERROR_CONFIG,
                         "is outside of %d to %d: no answer ends with such a status; " REMEDY,
                         FIRST, LAST);
    }
    if (range.first > range.last) {
        return error_set(err, ERROR_CONFIG, "is a range that begins after its end; " REMEDY);
    }
    *range_out = range;
    return true;
}

bool expect_matches(const struct job_http *http, int status)
{
    for (int i = 0; i < http->expect_count; i++) {
        if (status >= http->expect[i].first && status <= http->expect[i].last) {
            return true;
        }
    }
    return false;
}

void expect_describe(const struct job_http *http, struct buf *out)
{
    for (int i = 0; i < http->expect_count; i++) {
        const struct job_status_range *range = &http->expect[i];
        buf_add_string(out, i == 0 ? "" : ", ");
        if (range->first % 100 == 0 && range->last == range->first + 99) {
            buf_printf(out, "%dxx", range->first / 100);
        } else if (range->first == range->last) {
            buf_printf(out, "%d", range->first);
        } else {
            buf_printf(out, "%d-%d", range->first, range->last);
        }
    }
}
