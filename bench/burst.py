#!/usr/bin/env python3
"""burst.py IRONCRON FOLDER [JOBS]: many slots due in the same second; due to STARTED, out of the ledger."""

import datetime
import sqlite3
import sys
import time

from node import Node

PERIOD = 10
BURSTS = 3


def milliseconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1000


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    config = f"node: {{ max_running: {jobs} }}\njobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "*/{PERIOD} * * * * *", command: [/bin/true] }}\n' for i in range(jobs))
    node = Node(binary, folder, config)
    first = (int(time.time()) // PERIOD + 1) * PERIOD
    end = first + BURSTS * PERIOD
    time.sleep(max(0, end - 1 - time.time()))  # the last burst is done, the next is not due yet
    code = node.stop()
    with sqlite3.connect(f"file:{node.store}?mode=ro", uri=True) as store:
        rows = [(milliseconds(due), milliseconds(started), state, milliseconds(ended) if ended else None)
                for due, started, state, ended in store.execute(
                    "select due_at, started_at, state, ended_at from job_runs where trigger = 'schedule'")]
    for due in sorted({row[0] for row in rows}):
        burst = [row for row in rows if row[0] == due]
        delays = sorted(row[1] - row[0] for row in burst)
        ends = [row[3] - row[0] for row in burst if row[3]]
        good = sum(row[2] == "SUCCESS" for row in burst)
        print(f"burst: {len(burst)} slots, {good} SUCCESS; due to STARTED ms: p50 {delays[len(delays) // 2]:.0f}"
              f" p99 {delays[min(len(delays) - 1, int(len(delays) * 0.99))]:.0f} max {delays[-1]:.0f};"
              f" last end {max(ends) if ends else 0:.0f}")
    return code


if __name__ == "__main__":
    sys.exit(main())
