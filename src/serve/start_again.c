// SPDX-License-Identifier: MIT
#include "serve/start_again.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"

#define TRIES         "IRONCRON_STARTED_AGAIN"
#define ARGUMENTS_MAX ((size_t)4 * 1024 * 1024)

// As the kernel has them, each ended by a zero.
static bool read_arguments(struct buf *out)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    char piece[4096];
    ssize_t length = fd < 0 ? -1 : 0;
    while (fd >= 0 && (length = read(fd, piece, sizeof piece)) > 0) {
        buf_add(out, piece, (size_t)length);
    }
    if (fd >= 0) {
        close(fd);
    }
    return length == 0 && !out->overflow && out->length > 0;
}

static char **split(struct buf *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->length; i++) {
        count += text->data[i] == '\0';
    }
    char **arguments = alloc_zero(count + 1, sizeof *arguments);
    char *at = text->data;
    for (size_t i = 0; i < count; i++) {
        arguments[i] = at;
        at += strlen(at) + 1;
    }
    return arguments;
}

int start_again_was(struct instant *since_out)
{
    const char *text = getenv(TRIES);
    char *rest = NULL;
    int tries = text == NULL ? -1 : (int)strtol(text, &rest, 10);
    *since_out = instant_from_ms(text == NULL ? 0 : strtoll(rest, NULL, 10));
    unsetenv(TRIES);
    return tries;
}

void start_again(int tries, struct instant since, struct error *err)
{
    AUTO(buf_release) struct buf text;
    char numbers[48];
    snprintf(numbers, sizeof numbers, "%d %" PRId64, tries, instant_ms(since));
    setenv(TRIES, numbers, 1);
    buf_init(&text, ARGUMENTS_MAX);
    if (read_arguments(&text)) {
        char **arguments = split(&text);
        (void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        execv("/proc/self/exe", arguments);
        free(arguments);
    }
    error_set(err, ERROR_ENVIRONMENT, "this node cannot start anew by itself (%s): start it again",
              strerror(errno));
}
