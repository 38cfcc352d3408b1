#!/usr/bin/env python3
"""burst.py IRONCRON FOLDER [JOBS]: many slots due in the same second.

Two figures for each burst: due to STARTED by the ledger's own time of the claim, and due to visible: when another
client of the store saw the committed rows.
"""

import datetime
import sqlite3
import sys
import threading
import time

from node import Node

PERIOD = 10
BURSTS = 3


def milliseconds(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1000


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Watcher(threading.Thread):
    """Sees claims as another client does: every millisecond or so, how many runs there are."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.seen = []  # (milliseconds, new runs)
        self.over = threading.Event()

    def run(self):
        store = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        before = None
        while not self.over.wait(0.001):
            now = store.execute("select max(fence) from run").fetchone()[0] or 0
            if before is not None and now > before:
                self.seen.append((time.time() * 1000, now - before))
            before = now

    def delays(self, due):
        return sorted(moment - due for moment, count in self.seen for _ in range(count)
                      if due <= moment < due + PERIOD * 1000)


def show(due, burst, watcher):
    delays = sorted(row[1] - row[0] for row in burst)
    visible = watcher.delays(due) or [float("nan")]
    good = sum(row[2] == "SUCCESS" for row in burst)
    print(f"burst: {len(burst)} slots, {good} SUCCESS; due to STARTED ms: p50 {at(delays, 0.5):.0f}"
          f" p99 {at(delays, 0.99):.0f}; visible to others: p50 {at(visible, 0.5):.0f} p99 {at(visible, 0.99):.0f};"
          f" last end {max((row[3] - due for row in burst if row[3]), default=0):.0f}")


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    config = f"node: {{ max_running: {jobs} }}\njobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "*/{PERIOD} * * * * *", command: [/bin/true] }}\n' for i in range(jobs))
    node = Node(binary, folder, config)
    watcher = Watcher(node.store)
    watcher.start()
    first = (int(time.time()) // PERIOD + 1) * PERIOD
    end = first + BURSTS * PERIOD
    time.sleep(max(0, end - 1 - time.time()))  # the last burst is done, the next is not due yet
    watcher.over.set()
    watcher.join()
    code = node.stop()
    with sqlite3.connect(f"file:{node.store}?mode=ro", uri=True) as store:
        rows = [(milliseconds(due), milliseconds(started), state, milliseconds(ended) if ended else None)
                for due, started, state, ended in store.execute(
                    "select due_at, started_at, state, ended_at from job_runs where trigger = 'schedule'")]
    for due in sorted({row[0] for row in rows}):
        show(due, [row for row in rows if row[0] == due], watcher)
    return code


if __name__ == "__main__":
    sys.exit(main())
