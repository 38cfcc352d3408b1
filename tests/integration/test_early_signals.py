"""Signals that come while a node starts: none is lost, and none ends it half-way."""

import os
import pathlib
import re
import signal

import pytest
from conftest import FAR, Ironcron, until
from fleet import Session
from postgres import cluster, database  # noqa: F401: fixtures
from postgres_store import on_postgres

JOBS = f"jobs:\n  - {{ name: never, schedule: \"{FAR}\", shell: \"true\" }}\n"


def holds(pid, number):
    """Is it blocked there?"""
    blocked = re.search(r"^SigBlk:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)
    return int(blocked, 16) >> (number - 1) & 1


def runner_of(node):
    return int(pathlib.Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()[0])


def test_a_reload_that_is_asked_for_amid_the_start_is_done_after_it(ironcron):
    ironcron.config(JOBS)
    node = ironcron.start(ready=False)
    until(lambda: holds(node.pid, signal.SIGHUP), "it holds HUP back", every=0.001)

    def ask():
        node.process.send_signal(signal.SIGHUP)
        return node.find_address()

    until(ask, node.log, every=0.001)
    node.wait_logged("event=reloaded")
    node.wait_ready()
    assert not holds(node.pid, signal.SIGHUP)


def test_signals_are_none_of_the_runners_matter(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve() as node:
        runner = runner_of(node)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            assert holds(runner, number)
            os.kill(runner, number)
        ironcron.run("run", "never")
        assert runner_of(node) == runner and not node.logged("runner_died")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_amid_the_start_leaves_no_node_behind(tmp_path, database, number):  # noqa: F811
    program = Ironcron(tmp_path)
    on_postgres(program, database, JOBS)
    stranger = Session(database)
    stranger.execute("select pg_advisory_lock(1768124270, 5)")  # nodes join one after the other
    node = program.start(ready=False)
    waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    until(lambda: database.value(waits) == "1", node.log)
    node.process.send_signal(number)
    stranger.close()
    assert node.wait() == 0, node.log()
    assert database.execute("select state from ironcron.nodes") == [["stopped"]]
    program.clean_up()
