// SPDX-License-Identifier: MIT
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "worker/sqlite_work.h"

#define ORDER_MAX ((size_t)1024 * 1024) // more than the runner process takes

static void on_term(int signal)
{
    (void)signal;
    sqlite_work_stop();
}

static void read_input(struct buf *input)
{
    char piece[4096];
    ssize_t length = 0;
    while (!input->overflow && (length = read(STDIN_FILENO, piece, sizeof piece)) > 0) {
        buf_add(input, piece, (size_t)length);
    }
}

bool worker_main(int *exit_out, struct error *err)
{
    AUTO(buf_release) struct buf input;
    struct order order;
    buf_init(&input, ORDER_MAX);
    if (isatty(STDIN_FILENO) == 0) {
        read_input(&input);
    }
    if (!order_decode(buf_string(&input), input.length, &order, err)) {
        return false;
    }
    prctl(PR_SET_NAME, "ironcron-worker"); // else it would be called "exe"
    struct sigaction action = {.sa_handler = on_term};
    sigaction(SIGTERM, &action, NULL);
    struct report report;
    sqlite_work_run(&order, STDIN_FILENO, &report);
    if (report.stage != REPORT_DONE) {
        fprintf(stdout, "%s\n", report.error);
    }
    fflush(stdout);
    report_write(&report, STDIN_FILENO);
    order_release(&order);
    *exit_out = report.stage == REPORT_DONE ? 0 : 1;
    return true;
}
