// SPDX-License-Identifier: MIT
// What is kept of a run's output: the first half of the maximum, handed on at once, and the last
// half, kept in a ring until the end. Everything is counted, memory is bounded whatever is written.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runner/runner.h"

#define OUTPUT_MARKER_SIZE 96

struct output {
    int64_t head_left; // bytes that will still be handed on at once
    int64_t tail_max;
    int64_t total;
    int64_t left_out;
    char *ring; // grows up to tail_max
    size_t ring_capacity;
    size_t ring_start;
    size_t ring_length;
};

void output_init(struct output *output, int64_t maximum);
void output_release(struct output *output);
// Counts `bytes`; the first *head_out of them are to be handed on now, the rest went into the ring.
void output_add(struct output *output, const char *bytes, size_t length, size_t *head_out);
// At the end: how the gap is shown, "" when there is none.
void output_marker(const struct output *output, char text[OUTPUT_MARKER_SIZE]);
// Takes the next piece of the ring, at most `maximum` bytes; 0 when it is empty. Valid until the
// next call.
size_t output_take(struct output *output, size_t maximum, const char **piece_out);

// ---- for runners without a process between the run and its owner --------------------------------

// Adds, and tells the owner what is to be handed on now. False: nothing.
bool output_tell(struct output *output, const struct runner_events *events, uint64_t run,
                 const char *bytes, size_t length);
// At the end: tells the marker and the ring.
void output_tell_rest(struct output *output, const struct runner_events *events, uint64_t run);
