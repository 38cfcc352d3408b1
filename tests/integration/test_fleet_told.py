"""What nodes on PostgreSQL say of their troubles, in the log and to the service manager, each once: heard from real nodes."""

import os
import re
import signal

from conftest import until
from fleet import Session, fleets  # noqa: F401: a fixture
from postgres import Cluster
from test_notify import by_path  # noqa: F401: a fixture

FEW = {"skip": 2, "queue": 1, "allow": 1, "replace": 0, "long": 0, "sql": 0}


def told(fleet, event):
    """How often, by each node."""
    return [len(re.findall(rf"event={event}\b", fleet.node(number).log())) for number in range(len(fleet.hosts))]


def test_a_lock_of_a_stranger_is_told_once_and_so_is_its_end(fleets):
    fleet = fleets(nodes=1, counts=FEW)
    fleet.start_all()
    fleet.resumes()
    stranger = Session(fleet.database)
    job = fleet.value("select job_id from ironcron.job where name = 'skip-0'")
    stranger.execute(f"select pg_advisory_lock(1768124272, {job})")
    fleet.node(0).wait_logged(r"event=job_lock_held job=skip-0 .*select pg_terminate_backend\(\d+\)")
    assert told(fleet, "job_lock_free") == [0]
    skipped = "select count(*) from ironcron.slots where job = 'skip-0' and outcome = 'SKIPPED'"
    until(lambda: int(fleet.value(skipped)) > 2, "slots pass")
    stranger.close()
    fleet.node(0).wait_logged(r"event=job_lock_free job=skip-0\b")
    fleet.resumes()
    assert told(fleet, "job_lock_held") == told(fleet, "job_lock_free") == [1]
    fleet.judge()


def test_a_full_lock_table_is_told_once(fleets):
    fleet = fleets(nodes=1, counts=FEW, cluster=Cluster(max_connections="20", max_locks_per_transaction="16"))
    fleet.start_all()
    fleet.resumes()
    hungry = Session(fleet.database)
    answer = hungry.execute("select count(pg_advisory_lock(77, n)) from generate_series(1, 1000000) n")
    assert "out of shared memory" in answer, answer
    fleet.node(0).wait_logged(r"event=store_down .*raise max_locks_per_transaction")
    hungry.execute("select pg_sleep(5)")  # while claims and signs of life come and go
    hungry.close()
    fleet.node(0).wait_logged(r"event=store_up")
    fleet.resumes()
    assert told(fleet, "store_down") == told(fleet, "store_up") == [1]
    fleet.judge()


def test_a_node_that_begins_anew_is_the_same_service(fleets, by_path):  # noqa: F811
    fleet = fleets(nodes=2, counts=FEW)
    fleet.start(0, env={"NOTIFY_SOCKET": by_path.name})
    fleet.start(1)
    fleet.resumes()
    assert by_path.states() == ["READY"]
    asleep = fleet.identity(0)
    os.kill(fleet.pid(0), signal.SIGSTOP)
    state = f"select state from ironcron.nodes where node = '{asleep}'"
    until(lambda: fleet.value(state) == "lost", lambda: f"node {asleep} is fenced; {fleet.logs()}")
    os.kill(fleet.pid(0), signal.SIGCONT)
    until(lambda: fleet.identity(0) != asleep, "it begins anew, under another id")
    by_path.wait("READY", 2)
    fleet.resumes()
    again = ["READY", "RELOADING", "READY"]
    assert by_path.states() == again, "it was never stopping"
    assert set(by_path.values("MAINPID")) <= {str(fleet.pid(0))}, "nor another process"
    fleet.judge()
    assert by_path.states() == [*again, "STOPPING"]


def test_a_node_that_cannot_follow_says_so_once(fleets):
    """Other definitions come into force, and a session keeps the node from publishing them."""
    fleet = fleets(nodes=2, counts=FEW, lease=60)
    fleet.start_all()
    fleet.resumes()
    os.kill(fleet.pid(1), signal.SIGSTOP)
    with open(fleet.hosts[0].config_path, "a") as file:
        file.write('  - { name: new, schedule: "0 0 1 1 *", shell: "true" }\n')
    fleet.hosts[0].run("reload")
    stranger = Session(fleet.database)
    stranger.execute("select pg_advisory_lock(1768124270, 1)")  # numbers of jobs are given out by one at a time
    os.kill(fleet.pid(1), signal.SIGCONT)
    fleet.node(1).wait_logged(r"event=definitions_wait .*version 2 of the definitions is not in force here yet")
    stranger.execute("select pg_sleep(8)")  # while it is tried again
    stranger.close()
    fleet.node(1).wait_logged(r"event=definitions_adopted version=2")
    assert told(fleet, "definitions_wait") == [0, 1]
    fleet.judge()
