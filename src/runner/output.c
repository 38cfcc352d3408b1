// SPDX-License-Identifier: MIT
#include "runner/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PIECE_MAX ((size_t)64 * 1024)

#define RING_FIRST ((size_t)4096)

void output_init(struct output *output, int64_t maximum)
{
    int64_t kept = maximum < 0 ? 0 : maximum;
    *output = (struct output){.head_left = kept / 2, .tail_max = kept - kept / 2};
}

void output_release(struct output *output)
{
    free(output->ring);
    *output = (struct output){0};
}

// Until the ring has its full size it starts at 0, so that growing needs no unfolding.
static void ring_grow(struct output *output, size_t more)
{
    size_t maximum = (size_t)output->tail_max;
    size_t need = more > maximum - output->ring_length ? maximum : output->ring_length + more;
    if (need <= output->ring_capacity) {
        return;
    }
    size_t capacity = output->ring_capacity == 0 ? RING_FIRST : output->ring_capacity;
    while (capacity < need) {
        capacity *= 2;
    }
    output->ring_capacity = capacity < maximum ? capacity : maximum;
    output->ring = alloc_resize(output->ring, output->ring_capacity, 1);
}

static void ring_add(struct output *output, const char *bytes, size_t length)
{
    size_t capacity = output->ring_capacity;
    if (length > capacity) {
        output->left_out += (int64_t)(length - capacity);
        bytes += length - capacity;
        length = capacity;
    }
    size_t room = capacity - output->ring_length;
    if (length > room) {
        size_t lost = length - room;
        output->left_out += (int64_t)lost;
        output->ring_start = (output->ring_start + lost) % capacity;
        output->ring_length -= lost;
    }
    if (length == 0) {
        return;
    }
    size_t at = (output->ring_start + output->ring_length) % capacity;
    size_t first = length < capacity - at ? length : capacity - at;
    memcpy(output->ring + at, bytes, first);
    memcpy(output->ring, bytes + first, length - first);
    output->ring_length += length;
}

void output_add(struct output *output, const char *bytes, size_t length, size_t *head_out)
{
    size_t head = (int64_t)length < output->head_left ? length : (size_t)output->head_left;
    output->head_left -= (int64_t)head;
    output->total += (int64_t)length;
    if (length > head) {
        ring_grow(output, length - head);
        ring_add(output, bytes + head, length - head);
    }
    *head_out = head;
}

void output_marker(const struct output *output, char text[OUTPUT_MARKER_SIZE])
{
    text[0] = '\0';
    if (output->left_out > 0) {
        snprintf(text, OUTPUT_MARKER_SIZE, "\n… %" PRId64 " bytes left out …\n", output->left_out);
    }
}

size_t output_take(struct output *output, size_t maximum, const char **piece_out)
{
    size_t contiguous = output->ring_capacity - output->ring_start;
    size_t length = output->ring_length < contiguous ? output->ring_length : contiguous;
    length = length < maximum ? length : maximum;
    if (length > 0) {
        *piece_out = output->ring + output->ring_start;
        output->ring_start = (output->ring_start + length) % output->ring_capacity;
        output->ring_length -= length;
    }
    return length;
}

bool output_tell(struct output *output, const struct runner_events *events, uint64_t run,
                 const char *bytes, size_t length)
{
    size_t head = 0;
    output_add(output, bytes, length, &head);
    if (head > 0) {
        events->on_output(events->context, run, bytes, head);
    }
    return head > 0;
}

void output_tell_rest(struct output *output, const struct runner_events *events, uint64_t run)
{
    char marker[OUTPUT_MARKER_SIZE];
    const char *piece;
    output_marker(output, marker);
    if (marker[0] != '\0') {
        events->on_output(events->context, run, marker, strlen(marker));
    }
    for (size_t length; (length = output_take(output, PIECE_MAX, &piece)) > 0;) {
        events->on_output(events->context, run, piece, length);
    }
}
