// SPDX-License-Identifier: MIT
// How far a worker came: it writes this over its order, at each step, so that whatever ends it
// (a KILL, too little memory) it is known what became of its work.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum report_stage {
    REPORT_NOTHING,    // it did not even begin, or what it left is no report
    REPORT_WORKING,    // nothing of its transaction is kept if it ends now
    REPORT_LOOSE,      // the same without a transaction: what it did so far is kept
    REPORT_COMMITTING, // nobody knows
    REPORT_DONE,
    REPORT_FAILED,
    REPORT_STOPPED, // told to by TERM; rolled back
};

#define REPORT_ERROR_SIZE 2048

struct report {
    enum report_stage stage;
    int64_t rows;                  // of DONE: changed or returned
    char error[REPORT_ERROR_SIZE]; // of FAILED and STOPPED: one sentence
};

void report_write(const struct report *report, int fd); // over what was there
void report_parse(const char *text, struct report *report_out);
