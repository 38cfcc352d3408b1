#!/usr/bin/env python3
"""metrics.py IRONCRON RENDER FOLDER [JOBS]: a scrape of many jobs that have all run, beside prom-client with the very same series.

Whole scrapes by curl from a running serve and from a Node server, in turn; then rendering alone; then what scrapes
without a pause do to the start of jobs that are due meanwhile. Needs node and npm for prom-client.
"""

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

from node import Node

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 7
TICKERS = 5
SECONDS = 15


def config(jobs):
    """Each job runs once, in the minute that begins in a while; some run each second all the time."""
    minute = time.gmtime(time.time() + 75)
    when = f"{minute.tm_min} {minute.tm_hour} {minute.tm_mday} {minute.tm_mon} *"
    return "node: { max_running: 64 }\ndefaults: { missed_within: 1h }\njobs:\n" + "".join(
        f'  - {{ name: nightly-report-{i}, schedule: "{when}", command: [/bin/true] }}\n' for i in range(jobs)) + "".join(
        f'  - {{ name: ticker-{i}, schedule: "* * * * * *", command: [/bin/true] }}\n' for i in range(TICKERS))


def scrape(url):
    """(seconds, bytes) of one scrape."""
    out = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{time_total} %{size_download}", url],
                         check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), int(out[1])


def wait_until_all_ran(store, jobs):
    deadline = time.monotonic() + 600
    count = 0
    while time.monotonic() < deadline:
        count = store.execute("select count(*) from run join job using (job_id) where state <> 0 and name like 'nightly-%'").fetchone()[0]
        if count >= jobs:
            return
        time.sleep(1)
    raise SystemExit(f"metrics: only {count} of {jobs} jobs ran")


def prom_client(folder, url):
    """(process, url, series, seconds of rendering alone); None where there is no Node."""
    if not shutil.which("npm"):
        return None
    shutil.copytree(os.path.join(HERE, "prom_client"), folder)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    process = subprocess.Popen(["node", "--max-old-space-size=8192", "metrics.js", url], cwd=folder,
                               stdout=subprocess.PIPE, text=True)
    port, series, *times = process.stdout.readline().split()
    return process, f"http://127.0.0.1:{port}/metrics", int(series), min(map(float, times)) / 1000


def delays(store, since):
    """Milliseconds from due to STARTED of the jobs of each second."""
    return [row[0] for row in store.execute(
        "select started_at - due_at from run join job using (job_id) where name like 'ticker-%' and due_at >= ?"
        " order by 1", (since * 1000,))]


def show_delays(what, found):
    print(f"metrics: {what}: {len(found)} starts, due to STARTED ms: p50 {found[len(found) // 2]}"
          f" p99 {found[min(len(found) - 1, len(found) * 99 // 100)]} max {found[-1]}")


def during_scrapes(store, url):
    time.sleep(SECONDS)
    show_delays("no scrape", delays(store, time.time() - SECONDS))
    begin = time.time()
    count = 0
    while time.time() < begin + SECONDS:
        scrape(url)
        count += 1
    show_delays(f"{count} scrapes in {SECONDS} s", delays(store, begin))


def compare(ours, theirs, render, jobs):
    process, their_url, series, their_render = theirs
    times = [(scrape(ours), scrape(their_url)) for _ in range(ROUNDS)]
    process.terminate()
    mine = statistics.median(pair[0][0] for pair in times)
    other = statistics.median(pair[1][0] for pair in times)
    print(f"metrics: {jobs} jobs, {series} series; whole scrape: serve {mine * 1000:.0f} ms ({times[0][0][1]} bytes),"
          f" prom-client {other * 1000:.0f} ms ({times[0][1][1]} bytes), ratio 1/{other / mine:.0f}")
    _, size, count, took, longest = subprocess.run([render, str(jobs)], check=True, capture_output=True,
                                                   text=True).stdout.split()
    each = float(took) / 1000 / int(count)
    print(f"metrics: rendering alone: {count} series, {size} bytes: {took} ms, longest piece {longest} us; prom-client"
          f" {their_render * 1000:.0f} ms for {series}: for each series 1/{their_render / series / each:.0f}")


def main():
    binary, render, folder = sys.argv[1:4]
    jobs = int(sys.argv[4]) if len(sys.argv) > 4 else 10000
    node = Node(binary, folder, config(jobs))
    url = f"http://{node.address}/metrics"
    store = sqlite3.connect(f"file:{node.store}?mode=ro", uri=True)
    wait_until_all_ran(store, jobs)
    theirs = prom_client(os.path.join(folder, "prom_client"), url)
    if theirs is None:
        print("metrics: npm is missing; prom-client is not measured")
        print(f"metrics: whole scrape {statistics.median(scrape(url)[0] for _ in range(ROUNDS)) * 1000:.0f} ms")
    else:
        compare(url, theirs, render, jobs)
    during_scrapes(store, url)
    return node.stop()


if __name__ == "__main__":
    sys.exit(main())
