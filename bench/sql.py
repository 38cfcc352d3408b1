#!/usr/bin/env python3
"""sql.py IRONCRON FOLDER [JOBS]: how many `select 1` a second are run on one PostgreSQL when all are due at the same
minute, by serve (each with a durable STARTED and end in its store) and by pg_cron (in its own table). They take turns on
one server with its default durability, two minutes each: in the first one serve has no connection yet. The rate is runs
over the time from the minute to the last end.
"""

import os
import sqlite3
import subprocess
import sys
import time

from node import Node
from server import Server

ROUNDS = 3
CONNECTIONS = 16
MINUTES = ("first", "second")


def next_minute():
    minute = (int(time.time()) // 60 + 1) * 60
    return minute if minute - time.time() > 8 else minute + 60


def pg_cron(server, jobs):
    minute = next_minute()
    server.psql("truncate cron.job_run_details")
    server.psql(f"update cron.job set schedule = '{time.strftime('%M %H', time.gmtime(minute))} * * *', active = true")
    time.sleep(minute - time.time())
    while server.psql("select count(*) from cron.job_run_details where status in ('succeeded', 'failed')") != str(jobs):
        time.sleep(1)
    server.psql("update cron.job set active = false")
    failed, took = server.psql("select count(*) filter (where status = 'failed'), extract(epoch from max(end_time)) - "
                               f"{minute} from cron.job_run_details").split("|")
    return jobs - int(failed), float(took)


def ironcron(node, jobs):
    store = sqlite3.connect(f"file:{node.store}?mode=ro", uri=True)
    minute = (int(time.time()) // 60 + 1) * 60
    time.sleep(minute - time.time())
    question = "select count(*), max(ended_at) from run where due_at = ? and state <> 0"
    while store.execute(question, (minute * 1000,)).fetchone()[0] < jobs:
        time.sleep(0.2)
    last = store.execute(question, (minute * 1000,)).fetchone()[1]
    good = store.execute("select count(*) from job_runs where state = 'SUCCESS' and due_at = ?",
                         (time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(minute)),)).fetchone()[0]
    return good, last / 1000 - minute


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    server = Server(shared_preload_libraries="pg_cron", **{"cron.timezone": "GMT"})
    try:
        server.psql("create extension pg_cron")
        server.psql(f"select count(cron.schedule('j' || i, '0 0 31 12 *', 'select 1')) from generate_series(1, {jobs}) i")
        url = server.url()
        node = Node(binary, folder, f"node: {{ max_running: {jobs} }}\n"
                    f"databases: [{{ name: app, url: \"{url}\", connections: {CONNECTIONS} }}]\njobs:\n" + "".join(
                        f'  - {{ name: job-{i}, schedule: "* * * * *", sql: {{ database: app, statement: select 1 }} }}\n'
                        for i in range(jobs)))
        for _ in range(ROUNDS):
            ours = [ironcron(node, jobs) for _ in MINUTES]
            # Both sides alone: meanwhile ours are paused.
            subprocess.run([binary, "-c", os.path.join(folder, "ironcron.yml"), "pause", "--all"], check=True,
                           capture_output=True)
            theirs = [pg_cron(server, jobs) for _ in MINUTES]
            subprocess.run([binary, "-c", os.path.join(folder, "ironcron.yml"), "resume", "--all"], check=True,
                           capture_output=True)
            for minute, (good, took), (their_good, their_time) in zip(MINUTES, ours, theirs):
                print(f"sql: {jobs} select 1 due at one minute, the {minute} one; serve {good} in {took:.3f} s, {good / took:.0f}/s; "
                      f"pg_cron {their_good} in {their_time:.3f} s, {their_good / their_time:.0f}/s; ratio "
                      f"{good / took / (their_good / their_time):.1f}", flush=True)
        return node.stop()
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
