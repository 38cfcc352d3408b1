#!/usr/bin/env python3
"""schedules.py IRONCRON SCHEDULES FOLDER [JOBS]: a million schedules in files of at most 4 MB.

Loading, planning and the step to the next due one by themselves; then the whole program in dry-run on SQLite: its
first start, a restart, its memory, what a second of waiting costs, and the commands of somebody who looks at it.
"""

import os
import resource
import subprocess
import sys
import time

from node import Node

A_FILE = 50000


def schedule(i):
    """Most run once a day, some on weekdays, once a month, at an hour of their own choice, or twice a day."""
    at = f"{i % 60} {i // 60 % 24}"
    return ([f"{at} * * *"] * 5 + [f"{at} * * mon-fri", f"{at} {i % 28 + 1} * *", "H H * * *", f"{at} L * *",
                                   "@every 12h"])[i % 10]


def write_jobs(folder, jobs):
    os.makedirs(os.path.join(folder, "jobs.d"))
    for first in range(0, jobs, A_FILE):
        with open(os.path.join(folder, "jobs.d", f"{first // A_FILE:03}.yml"), "w", encoding="utf-8") as file:
            file.write("jobs:\n")
            for i in range(first, min(jobs, first + A_FILE)):
                zone = ", timezone: Europe/Berlin" if i % 3 == 0 else ""
                file.write(f'  - {{ name: job-{i:07}, schedule: "{schedule(i)}"{zone}, command: [/bin/true] }}\n')


def cpu(pid):
    """Seconds of processor time that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def start(binary, folder, what, jobs):
    began = time.monotonic()
    node = Node(binary, folder, 'include: [ "jobs.d/*.yml" ]\n', "--dry-run")
    took, used, memory = time.monotonic() - began, cpu(node.pid), resident(node.pid)
    print(f"schedules: {what}: ready after {took:.1f} s, {used:.1f} s of processor time; {memory / 2**20:.0f} MB,"
          f" {memory / jobs:.0f} bytes a job")
    return node


def command(binary, node, *words):
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([os.path.abspath(binary), "-c", os.path.join(node.folder, "ironcron.yml"), *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode not in (0, 1):
        raise SystemExit(f"schedules: {' '.join(words)}: {done.stderr}")
    print(f"schedules: {' '.join(words)}: {time.monotonic() - began:.1f} s, {used:.1f} s of processor time")


def main():
    binary, loader, folder = sys.argv[1:4]
    jobs = int(sys.argv[4]) if len(sys.argv) > 4 else 1000000
    write_jobs(folder, jobs)
    node = start(binary, folder, "first start", jobs)
    node.stop()
    count, load, plan, step, memory = subprocess.run([loader, os.path.join(folder, "ironcron.yml")], check=True,
                                                     capture_output=True, text=True).stdout.split()
    print(f"schedules: {count} jobs: loaded in {load} s of processor time, {memory} bytes a job; planned in {plan} s;"
          f" to the next due one {step} us")
    node = start(binary, folder, "restart", jobs)
    before = cpu(node.pid)
    time.sleep(20)
    print(f"schedules: waiting: {(cpu(node.pid) - before) / 20 * 1000:.1f} ms of processor time a second")
    for words in (["validate"], ["jobs"], ["status"], ["next", "job-0000005"], ["why", "job-0000005"]):
        command(binary, node, *words)
    return node.stop()


if __name__ == "__main__":
    sys.exit(main())
