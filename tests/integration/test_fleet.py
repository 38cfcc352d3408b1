"""A fleet of three real nodes on PostgreSQL while processes die, stand still and are replaced. After the faults one
judgement: the ledger verifies, no two runs of a job that forbids overlap went at once, what is recorded is what was
executed, nothing is left behind; and after each of them all jobs run again within the stated bound."""

import os
import signal
import time

from conftest import until
from fleet import GRACE, LEASE, fleets  # noqa: F401: a fixture
from postgres import Database


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


def test_the_sessions_of_the_dead_are_ended_though_who_declared_it_dies(fleets):
    """In a database of jobs, which cannot be reached before that node is dead as well."""
    fleet = fleets(counts={"skip": 2, "queue": 0, "allow": 1, "replace": 0, "long": 0, "sql": 0}, app_proxied=True)
    app = Database(fleet.cluster)
    for host in fleet.hosts:
        url = (host.folder / "app-url").read_text().replace(fleet.database.name, app.name)
        (host.folder / "app-url").write_text(url)
        with open(host.config_path, "a") as file:
            file.write('  - { name: sleeper, schedule: "0 0 1 1 *", sql: { database: app, statement: "select pg_sleep(600)" } }\n')
    fleet.start_all()
    fleet.resumes()
    fleet.hosts[0].run("run", "sleeper", "--detach")
    at_work = lambda: app.backends("query like '%pg_sleep(600)%' and state = 'active'")  # noqa: E731
    name = until(at_work, fleet.logs)[0][1]
    asleep = next(number for number in range(3) if fleet.identity(number)[-12:] in name)
    fleet.app.refuses = True
    os.kill(fleet.pid(asleep), signal.SIGSTOP)
    fenced = "from ironcron.audit_log where event = 'NODE_FENCED'"
    fencer = until(lambda: fleet.value(f"select max(node::text) {fenced}"), fleet.logs)
    os.kill(fleet.pid(next(number for number in range(3) if fleet.identity(number) == fencer)), signal.SIGKILL)
    until(lambda: fleet.value(f"select count(*) {fenced}") == "2", fleet.logs)
    assert at_work(), "nobody could end it yet"
    fleet.app.refuses = False
    until(lambda: not at_work(), fleet.logs)
    until(lambda: fleet.value("select count(*) from ironcron.node where left_to is not null") == "0", fleet.logs)


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
