#!/usr/bin/env python3
"""postgres_burst.py IRONCRON FOLDER [JOBS]: many slots due in the same second on a PostgreSQL store, beside a loop of
node-cron, advisory lock and audit table on the same server; they take turns.

Due to STARTED by the time of the claim, which is the database's, and due to visible: when another client saw the rows.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from node import Node
from server import Server

PERIOD = 10
BURSTS = 3


def at(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class Watcher(threading.Thread):
    """Asks about every two milliseconds how many runs there are, in one session of psql."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server = server
        self.seen = []  # (milliseconds, new runs)
        self.over = threading.Event()
        self.start()

    def run(self):
        psql = subprocess.Popen(["psql", "-XAtq", "store"], env=self.server.environment(), stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, bufsize=1)
        before = None
        while not self.over.wait(0.001):
            psql.stdin.write("select coalesce(max(fence), 0), extract(epoch from clock_timestamp()) * 1000 from ironcron.run;\n")
            fence, moment = psql.stdout.readline().strip().split("|")
            if before is not None and int(fence) > before:
                self.seen.append((float(moment), int(fence) - before))
            before = int(fence)
        psql.stdin.close()
        psql.wait()

    def delays(self, due):
        return sorted(moment - due for moment, count in self.seen for _ in range(count)
                      if due <= moment < due + PERIOD * 1000)


def ironcron(server, binary, folder, jobs):
    server.psql("create database store")
    url = server.url("store")
    config = f"node: {{ max_running: {jobs} }}\njobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "*/{PERIOD} * * * * *", command: [/bin/true] }}\n' for i in range(jobs))
    node = Node(binary, folder, config, store=url)
    watcher = Watcher(server)
    first = (int(time.time()) // PERIOD + 1) * PERIOD
    time.sleep(max(0, first + BURSTS * PERIOD - 1 - time.time()))
    watcher.over.set()
    watcher.join()
    node.stop()
    rows = [line.split("|") for line in server.psql(
        "select extract(epoch from due_at) * 1000, extract(epoch from started_at - due_at) * 1000, state from "
        "ironcron.job_runs where trigger = 'schedule'", "store").splitlines()]
    for due in sorted({float(row[0]) for row in rows}):
        delays = sorted(float(row[1]) for row in rows if float(row[0]) == due)
        good = sum(float(row[0]) == due and row[2] == "SUCCESS" for row in rows)
        visible = watcher.delays(due)
        print(f"burst on PostgreSQL: {len(delays)} slots, {good} SUCCESS; due to STARTED ms: p50 {at(delays, 0.5):.0f} p99 "
              f"{at(delays, 0.99):.0f}; visible to others: p50 {at(visible, 0.5):.0f} p99 {at(visible, 0.99):.0f}", flush=True)


def loop(server, folder, jobs):
    if not shutil.which("node") or not shutil.which("npm"):
        print("postgres_burst: node and npm are missing; the loop is not measured")
        return
    for name in ("loop.js", "package.json"):
        shutil.copy(pathlib.Path(__file__).parent / "peer" / name, folder)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], check=True, cwd=folder, capture_output=True)
    subprocess.run(["node", "loop.js", str(jobs)], check=True, cwd=folder, env=server.environment())


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    os.makedirs(folder, exist_ok=True)
    server = Server()
    try:
        ironcron(server, binary, os.path.join(folder, "node"), jobs)
        loop(server, folder, jobs)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
