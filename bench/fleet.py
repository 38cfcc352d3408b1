#!/usr/bin/env python3
"""fleet.py IRONCRON FOLDER [JOBS]: what a fleet asks of its store, and what an idle node costs there.

Statements on the store for each slot with one node and with eight, once with slots that come one after the other and
once with as many in one second. The jobs are `select 1` on another database of the same server. Then one node with many
schedules of which none is due: statements, processor time, memory.
"""

import os
import pathlib
import sys
import time

from idle import memory, scrape
from node import Node
from server import Server

PERIOD = 10
SECONDS = 30
NODES = 8
IDLE_JOBS = 10000


class Statements:
    """Calls since it was made, by statement, on the database of the store; what a benchmark asks is not among them."""

    def __init__(self, server):
        self.server = server
        self.before = self.read()

    def read(self):
        rows = self.server.psql("select calls || ' ' || regexp_replace(query, '\\s+', ' ', 'g') "
                                "from pg_stat_statements s join pg_database d on d.oid = s.dbid "
                                "where d.datname = 'store'").splitlines()
        calls = {}
        for row in rows:
            count, text = row.split(" ", 1)
            calls[text] = calls.get(text, 0) + int(count)
        return calls

    def since(self):
        after = self.read()
        return {text: calls - self.before.get(text, 0) for text, calls in after.items()}


def most(calls, unit, name):
    for text, number in sorted(calls.items(), key=lambda item: -item[1])[:12]:
        if number > 0:
            print(f"fleet:   {number / unit:7.3f} {name} {text[:90]}", flush=True)


def fresh(server):
    server.psql("drop database if exists store with (force)")
    server.psql("create database store")


def start(server, binary, folder, count, jobs):
    return [Node(binary, os.path.join(folder, str(i)), jobs, store=server.url("store")) for i in range(count)]


def slots(server):
    return int(server.psql("select count(*) from ironcron.job_runs", "store"))


def a_slot(server, binary, folder, count, jobs, spread):
    fresh(server)
    jitter = f", jitter: {PERIOD}s" if spread else ""
    config = f"node: {{ max_running: {jobs} }}\n"
    config += f"databases: [{{ name: app, url: \"{server.url('app')}\", connections: 4 }}]\n"
    config += "jobs:\n" + "".join(f'  - {{ name: job-{i}, schedule: "*/{PERIOD} * * * * *"{jitter}, '
                                  "sql: { database: app, statement: select 1 } }\n" for i in range(jobs))
    nodes = start(server, binary, folder, count, config)
    time.sleep(2 * PERIOD)  # each has been asked about since the last one came
    first, counted = slots(server), Statements(server)
    time.sleep(SECONDS)
    calls, done = counted.since(), slots(server) - first
    for node in nodes:
        node.stop()
    each = sum(calls.values()) / done
    pulse = sum(number for text, number in calls.items() if "ironcron.beat" in text) / done
    how = "one after the other" if spread else f"{jobs} in one second"
    print(f"fleet: nodes: {count}; {done} slots in {SECONDS} s, {how}: {each:.3f} statements a slot", flush=True)
    most(calls, done, "a slot")
    return each, each - pulse


def processor(pids):
    """Seconds of all threads."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def idle(server, binary, folder):
    fresh(server)
    month = (time.gmtime().tm_mon + 5) % 12 + 1  # in half a year from now
    [node] = start(server, binary, folder, 1, "jobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "{i % 60} {i // 60 % 24} {i % 28 + 1} {month} *", command: [/bin/true] }}\n'
        for i in range(IDLE_JOBS)))
    time.sleep(5)
    pids = node.pids()
    counted, before = Statements(server), processor(pids)
    time.sleep(SECONDS)
    share, calls = (processor(pids) - before) / SECONDS, counted.since()
    quiet = memory(pids)
    scrape(node)
    print(f"fleet: idle, {IDLE_JOBS} schedules: {sum(calls.values()) / SECONDS:.2f} statements/s, {share:.2%} of a "
          f"core; {quiet}; after scrapes: {memory(pids)}", flush=True)
    most(calls, SECONDS, "a second")
    node.stop()


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    server = Server(shared_preload_libraries="pg_stat_statements")
    try:
        for what in ("extension pg_stat_statements", "database app"):
            server.psql(f"create {what}")
        for spread in (True, False):
            one, many = (a_slot(server, binary, os.path.join(folder, f"{spread}{count}"), count, jobs, spread)
                         for count in (1, NODES))
            print(f"fleet: statements a slot grow {many[0] / one[0]:.2f} times from 1 node to {NODES}, but for the "
                  f"pulse, which is one a second and node, {many[1] / one[1]:.2f} times", flush=True)
        idle(server, binary, os.path.join(folder, "idle"))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
