"""A fleet of three real nodes on PostgreSQL while processes die, stand still and are replaced. After the faults one
judgement: the ledger verifies, no two runs of a job that forbids overlap went at once, what is recorded is what was
executed, nothing is left behind; and after each of them all jobs run again within the stated bound."""

import os
import signal
import time

from conftest import until
from fleet import GRACE, LEASE, fleets  # noqa: F401: a fixture


def test_killed_processes(fleets):
    fleet = fleets()
    fleet.start_all()
    fleet.resumes()
    os.kill(fleet.pid(0), signal.SIGKILL)
    fleet.resumes()
    fleet.start(0)
    os.kill(fleet.runner(1), signal.SIGKILL)
    fleet.resumes()
    for backend in fleet.backends(2):
        os.kill(backend, signal.SIGKILL)  # the server ends all others with it, and recovers
    fleet.resumes()
    fleet.judge()


def test_a_node_that_stands_still_for_longer_than_its_lease(fleets):
    fleet = fleets()
    fleet.start_all()
    fleet.resumes()
    asleep = fleet.identity(0)
    os.kill(fleet.pid(0), signal.SIGSTOP)
    state = f"select state from ironcron.nodes where node = '{asleep}'"
    until(lambda: fleet.value(state) == "lost", f"node {asleep} is fenced; {fleet.logs()}")
    fleet.resumes()
    os.kill(fleet.pid(0), signal.SIGCONT)
    until(lambda: fleet.identity(0) != asleep, "it begins anew, under another id")
    fleet.resumes()
    # Shorter than its lease: nothing is lost.
    awake = fleet.identity(0)
    os.kill(fleet.pid(0), signal.SIGSTOP)
    time.sleep(LEASE / 4)
    os.kill(fleet.pid(0), signal.SIGCONT)
    fleet.resumes()
    assert fleet.identity(0) == awake
    fleet.judge()


def test_rolling_restart_under_load(fleets):
    fleet = fleets()
    fleet.start_all()
    fleet.resumes()
    lost = fleet.states().get("LOST", "0")
    for number in range(3):
        assert fleet.node(number).stop() == 0
        fleet.start(number)
    fleet.resumes(bound=GRACE + 10)  # nobody waits for a lease
    assert fleet.states().get("LOST", "0") == lost, "a clean stop loses no run"
    missed = fleet.value("select count(*) from ironcron.slots where outcome = 'MISSED'")
    assert missed == "0", "between them the nodes leave no slot out"
    fleet.judge()
