"""Faults that leave nobody to clean up, and files that somebody else took in hand. After each the ledger verifies,
and nothing runs that nobody answers for."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from conftest import until
from serve_jobs import STUBBORN, TICK, alive, grandchild, jobs, runner_of, states, verified, wait_state


# ---- what nobody was left to end -----------------------------------------------------------------


def test_what_outlived_scheduler_and_runner_is_ended_before_the_next_node_runs_anything(ironcron):
    ironcron.config(jobs(STUBBORN, folder=ironcron.folder))
    node = ironcron.start()
    old = grandchild(ironcron)
    pids = [node.pid, runner_of(node)]
    os.kill(pids[0], signal.SIGSTOP)  # so that it can't take the runner's death for what it is
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    node.process.wait()
    assert alive(old), "the case is not the one meant: somebody ended the grandchild"
    with ironcron.serve():
        assert not alive(old), "a run of the dead node goes on beside the new node"
        wait_state(ironcron, "stubborn", "STARTED")
    verified(ironcron)


# Takes off all that a run is known by: session, environment, limit.
UNMARKED = """
  - name: unmarked
    schedule: "@every 1s"
    command: [/usr/bin/python3, -c, "{program}"]
"""


def test_what_took_off_its_mark_dies_with_the_runner(ironcron):
    program = ("import os, resource, time; hard = resource.getrlimit(15)[1]; os.fork() and time.sleep(1000); os.setsid(); "
               "resource.setrlimit(15, (hard, hard)); os.fork() and os._exit(0); "
               f"open('{ironcron.folder}/new', 'w').write(str(os.getpid())); "
               f"os.rename('{ironcron.folder}/new', '{ironcron.folder}/grandchild'); "
               "os.execve('/bin/sleep', ['sleep', '1000'], {{}})").replace("{{}}", "{}")
    ironcron.config(jobs(UNMARKED.replace("{program}", program), folder=ironcron.folder))
    with ironcron.serve() as node:
        escaped = grandchild(ironcron)
        os.kill(runner_of(node), signal.SIGKILL)
        node.wait_logged("runner_died")
        assert not alive(escaped)
    verified(ironcron)


def test_looking_whether_a_node_lives_keeps_none_from_starting(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    looking = subprocess.Popen([sys.executable, "-c", (
        "import fcntl, os, sys, time\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)\n"
        "while True:\n"
        "    fcntl.flock(fd, fcntl.LOCK_SH); time.sleep(0.005); fcntl.flock(fd, fcntl.LOCK_UN); time.sleep(0.001)\n"),
        f"{ironcron.store_path}.lock"])
    try:
        until(lambda: os.path.exists(f"{ironcron.store_path}.lock"), "somebody looks")
        for _ in range(5):
            ironcron.run("run", "tick")
    finally:
        looking.kill()
        looking.wait()
    assert len(states(ironcron, "tick")) == 5


def test_a_runner_that_is_stopped_is_replaced(ironcron):
    ironcron.config(jobs("""
  - name: slow
    schedule: "@every 1s"
    timeout: 1s
    shell: "sleep 1000"
""", TICK, folder=ironcron.folder, head="node: { lease: 6s }\n"))
    with ironcron.serve() as node:
        wait_state(ironcron, "slow", "STARTED")
        stopped = runner_of(node)
        os.kill(stopped, signal.SIGSTOP)
        node.wait_logged("event=runner_hung")
        node.wait_logged("event=runner_died")
        until(lambda: not alive(stopped), "it is gone")
        wait_state(ironcron, "slow", "LOST")
        done = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", done + 2)
    verified(ironcron)


def test_a_short_lease_is_renewed_while_nothing_is_due(ironcron):
    ironcron.config(jobs("""
  - name: long
    schedule: "0 0 1 1 *"
    shell: "sleep 7"
""", folder=ironcron.folder, head="node: { lease: 5s }\n"))
    with ironcron.serve() as node:
        ironcron.run("run", "long")
        assert not node.logged("event=runner_died"), node.log()


def test_a_manual_run_is_not_repeated_when_its_answer_was_lost(ironcron):
    ironcron.config(jobs("""
  - name: once
    schedule: "0 0 1 1 *"
    overlap: allow
    shell: "echo ran >> ran"
    workdir: .
""", TICK, folder=ironcron.folder))
    with ironcron.serve():
        ironcron.run("run", "once")
    # As it is when the node dies between the claim and the answer to the one who asked.
    with contextlib.closing(sqlite3.connect(ironcron.store_path)) as db, db:
        assert db.execute("update intent set state = 0, run_id = null, answer = null").rowcount == 1
    with ironcron.serve():
        until(lambda: ironcron.query("select 1 from intent where state = 1 and run_id is not null"), "the wish is answered")
        wait_state(ironcron, "tick", "SUCCESS", 1)
    assert (ironcron.folder / "ran").read_text() == "ran\n"
    verified(ironcron)


# ---- files that somebody takes away --------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_nothing_is_started_while_a_file_of_the_store_is_away(ironcron, suffix):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve() as node:
        wait_state(ironcron, "tick", "SUCCESS")
        path, aside = f"{ironcron.store_path}{suffix}", f"{ironcron.store_path}{suffix}.aside"
        os.rename(path, aside)
        node.wait_logged("event=store_down.*was removed while ironcron has it open")
        assert node.get("/readyz")[0] == 503
        if suffix == "":
            for command in ("status", "doctor"):
                told = ironcron.run(command, code=1).stdout
                assert "a node works on it" in told and "put the same file back" in told and "ironcron serve" not in told
        os.rename(aside, path)
        done = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", done + 2)
        assert node.get("/readyz")[0] == 200
    verified(ironcron)
    assert len((ironcron.folder / "ticks").read_text().splitlines()) == states(ironcron, "tick").count("SUCCESS")


def test_a_node_without_its_lock_file_ends_what_runs_and_stops(ironcron):
    ironcron.config(jobs(STUBBORN, folder=ironcron.folder))
    node = ironcron.start()
    pid = grandchild(ironcron)
    os.unlink(f"{ironcron.store_path}.lock")
    assert node.wait() == 75
    assert not alive(pid)
    assert node.logged("event=lock_lost")
    assert states(ironcron, "stubborn").count("STARTED") == 0
    verified(ironcron)


def test_a_link_to_the_store_makes_no_second_store(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    link = ironcron.folder / "link.db"
    other = ironcron.config(ironcron.config_path.read_text().replace("sqlite:ironcron.db", f"sqlite:{link}"), name="other.yml")
    link.symlink_to(ironcron.store_path)
    refused = ironcron.run("-c", other, "validate", config=False, code=78)
    assert "the link leads to no file" in refused.stderr
    with ironcron.serve() as node:
        second = ironcron.run("-c", other, "serve", config=False, code=1)
        assert f"process {node.pid}" in second.stderr and "one store in a file has one node" in second.stderr
        wait_state(ironcron, "tick", "SUCCESS")
    ironcron.run("-c", other, "run", "tick", config=False)
    assert not os.path.lexists(f"{link}.lock") and not os.path.lexists(f"{link}-wal")
    verified(ironcron)
