#!/usr/bin/env python3
"""jobs.py IRONCRON FOLDER [JOBS]: how many /bin/true a second the whole program runs, each with a durable STARTED and a
durable end, beside a bare loop of posix_spawn and wait. The two take turns, so that both meet the same machine.
"""

import collections
import os
import sqlite3
import sys
import time

from node import Node

PERIOD = 20
ROUNDS = 3
IN_FLIGHT = 2


def bare(jobs):
    """Runs a second of nothing but starting and waiting, with as many at once as there are cores here."""
    begin = time.monotonic()
    running = collections.deque()
    for _ in range(jobs):
        if len(running) == IN_FLIGHT:
            os.waitpid(running.popleft(), 0)
        running.append(os.posix_spawn("/bin/true", ["/bin/true"], {}))
    for pid in running:
        os.waitpid(pid, 0)
    return jobs / (time.monotonic() - begin)


def finished(store, due):
    """(how many have ended, seconds from due to the last end)."""
    count, last = store.execute("select count(*), max(ended_at) from run where due_at = ? and state <> 0",
                                (due * 1000,)).fetchone()
    return count, (last or 0) / 1000 - due


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 3000
    seconds = ",".join(str(s) for s in range(0, 60, PERIOD))
    node = Node(binary, folder, f"node: {{ max_running: {jobs} }}\njobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "{seconds} * * * * *", command: [/bin/true] }}\n' for i in range(jobs)))
    store = sqlite3.connect(f"file:{node.store}?mode=ro", uri=True)
    for _ in range(ROUNDS):
        due = (int(time.time()) // PERIOD + 1) * PERIOD
        time.sleep(due - time.time())
        while finished(store, due)[0] < jobs:
            time.sleep(0.2)
        ours = jobs / finished(store, due)[1]
        plain = bare(jobs)
        print(f"jobs: {jobs} runs of /bin/true; serve {ours:.0f}/s, bare posix_spawn and wait {plain:.0f}/s,"
              f" ratio {ours / plain:.2f}")
    return node.stop()


if __name__ == "__main__":
    sys.exit(main())
