"""Jobs for a node's life, and what is seen of them: runs, processes, the verdict on the ledger."""

import os
import pathlib
import re
import subprocess

import pytest

from conftest import until

TICK = """
  - name: tick
    schedule: "@every 1s"
    shell: "echo tick >> ticks"
    workdir: .
"""

# A family that wants to survive: ignores TERM, double-forks, leaves the session and its environment.
STUBBORN = """
  - name: stubborn
    schedule: "@every 2s"
    timeout: 10m
    shell: |
      trap '' TERM
      (setsid env -i /bin/sh -c 'trap "" TERM; echo $$$$ > {folder}/grandchild; exec sleep 1000' &)
      sleep 1000
"""


def jobs(*texts, head="", folder=""):
    body = "".join(text.replace("{folder}", str(folder)).replace("workdir: .", f"workdir: {folder}") for text in texts)
    return f"{head}jobs:{body}"


def verified(ironcron):
    done = ironcron.run("audit", "verify", code=None)
    assert done.returncode == 0, done.stdout + done.stderr


def states(ironcron, job):
    return [row["state"] for row in ironcron.query("select state from job_runs where job = ? order by fence", job)]


def wait_state(ironcron, job, state, count=1):
    until(lambda: states(ironcron, job).count(state) >= count, lambda: f"{count} {state} of {job}: {states(ironcron, job)}")


def grandchild(ironcron):
    path = ironcron.folder / "grandchild"
    until(lambda: path.exists() and path.read_text().strip(), "the grandchild has said who it is")
    return int(path.read_text())


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def runner_of(node):
    children = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(node.pid)], capture_output=True, text=True,
                              check=False).stdout
    found = re.search(r"(\d+) ironcron-runner", children)
    assert found, children
    return int(found.group(1))


@pytest.fixture
def small_disk(ironcron):
    """The store's folder on a file system of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = ironcron.folder / "small"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mounted)], check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=False)
