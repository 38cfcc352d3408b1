#!/usr/bin/env python3
"""idle.py IRONCRON FOLDER [JOBS]: what many schedules cost while none is due."""

import re
import shutil
import subprocess
import sys
import time
import urllib.request

from node import Node

SECONDS = 20


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(re.search(rf"^{key}:\s+(\d+)", file.read(), re.M).group(1))


def proportional(pid):
    """Memory in MB with each shared page divided by its number of users, so that a sum counts it once."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M).group(1)) / 1024


def memory(pids):
    """Of serve and runner; pages of libraries that both have are in the first figure of each."""
    parts = [f"{name} {status(pid, 'VmRSS') / 1024:.1f} MB (proportional {proportional(pid):.1f}, own "
             f"{status(pid, 'RssAnon') / 1024:.1f})" for name, pid in zip(("serve", "runner"), pids)]
    return ", ".join(parts)


def scrape(node, count=5):
    for _ in range(count):
        urllib.request.urlopen(f"http://{node.address}/metrics", timeout=30).read()
        time.sleep(1)


def wakeups(pids):
    return [status(pid, "voluntary_ctxt_switches") for pid in pids]


def database_calls(pids):
    """Calls that read or write files, counted by strace; None where it cannot be used."""
    if not shutil.which("strace"):
        return None
    command = ["timeout", "-s", "INT", str(SECONDS), "strace", "-f", "-qq", "-e",
               "trace=pread64,pwrite64,fdatasync,fsync,fcntl"]
    for pid in pids:
        command += ["-p", str(pid)]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    return len(re.findall(r"\b(?:pread64|pwrite64|fdatasync|fsync|fcntl)\(", out)) if "attach" not in out else None


def main():
    binary, folder = sys.argv[1:3]
    jobs = int(sys.argv[3]) if len(sys.argv) > 3 else 10000
    # Due in half a year from now at the earliest.
    month = (time.gmtime().tm_mon + 5) % 12 + 1
    config = "jobs:\n" + "".join(
        f'  - {{ name: job-{i}, schedule: "{i % 60} {i // 60 % 24} {i % 28 + 1} {month} *", command: [/bin/true] }}\n'
        for i in range(jobs))
    node = Node(binary, folder, config)
    time.sleep(5)
    pids = node.pids()
    before = wakeups(pids)
    time.sleep(SECONDS)
    counts = [after - first for first, after in zip(before, wakeups(pids))]
    quiet = memory(pids)
    scrape(node)
    scraped = memory(pids)
    calls = database_calls(pids)
    print(f"idle: {jobs} schedules: {quiet}; after scrapes: {scraped}", flush=True)
    rates = ", ".join(f"{name} {count / SECONDS:.2f}" for name, count in zip(("serve", "runner"), counts))
    print(f"idle: {rates}, together {sum(counts) / SECONDS:.2f} wake-ups/s, file calls in {SECONDS} s: "
          f"{'not counted' if calls is None else calls}")
    return node.stop()


if __name__ == "__main__":
    sys.exit(main())
