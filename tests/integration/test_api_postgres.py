"""The HTTP API of a node whose store is on PostgreSQL: nothing that is asked there keeps the scheduler waiting."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal

import pytest
from api_client import Api, UnixConnection
from conftest import until
from fleet import Session
from postgres import cluster, database  # noqa: F401: fixtures
from postgres_store import on_postgres

LEASE = 4
JOBS = """jobs:
  - { name: tick, schedule: "@every 1s", command: [ "true" ] }
  - { name: idle, schedule: "0 0 1 1 *", shell: "echo idle", params: { who: you } }
"""


@pytest.fixture
def api(ironcron, database):  # noqa: F811
    on_postgres(ironcron, database, JOBS, node=f"drain: 5s, lease: {LEASE}s, state: ironcron.db")
    with ironcron.serve() as node:
        yield Api(ironcron)
        assert node.logged(r"event=(store_down|fenced|starting_again)") is None


def waiting(database):  # noqa: F811
    """Pids of the server's processes in which somebody who asked over HTTP waits."""
    return [int(row[0]) for row in
            database.backends("wait_event_type = 'Lock' and application_name like 'ironcron/api%'")]


@contextlib.contextmanager
def stalled(database, pool, *requests):  # noqa: F811
    """What came of the requests, each of which waits for a server's process that stands still meanwhile. Only what they
    read is ever locked: no scheduler needs this table from day to day."""
    session = Session(database)
    session.execute("begin")
    session.execute("lock table ironcron.in_force in access exclusive mode")
    asked, stopped = [pool.submit(one) for one in requests], set()

    def all_stand():
        for pid in set(waiting(database)) - stopped:
            os.kill(pid, signal.SIGSTOP)
            stopped.add(pid)
        return len(stopped) == len(requests)

    try:
        until(all_stand, "they wait in the server")
        session.execute("rollback")
        yield asked
    finally:
        session.close()
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def assert_answered(asked):
    """A server that went on tells that it has waited for a lock too long, or what it was asked."""
    for one in asked:
        answer = one.result()
        assert answer.status == 200 or (answer.status == 503 and "lock timeout" in answer.text), answer.text


def leases_renewed(database, times):  # noqa: F811
    """Longer than a lease lasts, so that one who did not beat would be fenced."""
    begun = int(database.value("select max(valid_until) from ironcron.node"))
    until(lambda: int(database.value("select max(valid_until) from ironcron.node where state = 'live'"))
          > begun + times * LEASE * 1000, "the node beats on")


def test_a_reader_that_waits_keeps_nobody(api, ironcron, database):  # noqa: F811
    node = ironcron.nodes[-1]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with stalled(database, pool, lambda: api.get("/api/v1/jobs/idle")) as asked:
            ran = int(database.value("select count(*) from ironcron.job_runs where state = 'SUCCESS'"))
            others = node.get("/livez"), api.get("/api/v1/runs")
            assert others[0][0] == 200 and others[1].status == 200, others[1].text
            leases_renewed(database, 2)
            assert int(database.value("select count(*) from ironcron.job_runs where state = 'SUCCESS'")) > ran
            assert not asked[0].done()
        assert_answered(asked)
    until(lambda: not database.backends("application_name like 'ironcron/api%'"), "no connection is left")


def test_who_acts_beside_one_that_waits(api, database):  # noqa: F811
    """A wish is done once, however often it is asked for."""
    wish = {"intent_id": "0190a1b2-0000-7000-8000-000000000001"}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        with stalled(database, pool, lambda: api.get("/api/v1/jobs/idle")) as asked:
            run = until(lambda: (answer := api.post("/api/v1/jobs/idle/run", wish)).status == 200 and
                        answer.json["run_id"], "it is done")
        assert_answered(asked)
    assert until(lambda: (found := api.get(f"/api/v1/runs/{run}").json)["state"] == "SUCCESS" and found, "it ran")
    assert len(api.get("/api/v1/runs?job=idle").json) == 1
    assert api.get(f"/api/v1/runs/{run}/output").text == "idle\n"


def test_a_table_that_is_locked_is_told_of(api, database):  # noqa: F811
    session = Session(database)
    session.execute("begin")
    session.execute("lock table ironcron.in_force in access exclusive mode")
    answer = api.get("/api/v1/jobs/idle")
    session.close()
    assert answer.status == 503 and "end the transaction that somebody has left open" in answer.text
    assert "another version" not in answer.text


def test_too_many_that_wait_are_sent_away(api, database):  # noqa: F811
    def get():
        return api.get("/api/v1/jobs/idle")

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
        with stalled(database, pool, get, get, get, get) as asked:
            away = get()
            assert away.status == 503 and away.headers["Retry-After"] == "1" and "at once" in away.text
        assert_answered(asked)
        assert get().status == 200


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descriptors(pid):
    return {os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir() if int(entry.name) > 2}


def test_who_answers_aside_holds_nothing_of_the_node(api, ironcron, database):  # noqa: F811
    """Neither its lock nor its runner's channel: these prove who lives. When it is killed, its request fails alone."""
    node = ironcron.nodes[-1]
    runner = set(children(node.pid))
    with (concurrent.futures.ThreadPoolExecutor() as pool,
          stalled(database, pool, lambda: api.get("/api/v1/jobs/idle")) as asked):
        aside, = set(children(node.pid)) - runner
        held = descriptors(aside)
        assert len(held) == 2 and all(name.startswith(("pipe:", "socket:")) for name in held)
        os.kill(aside, signal.SIGKILL)
        answer = asked[0].result()
        assert answer.status == 503 and "ended before" in answer.text
    until(lambda: set(children(node.pid)) == runner, "nothing is left of it")
    assert api.get("/api/v1/jobs/idle").status == 200


def test_who_tells_an_end_waits_a_moment_only(api, database):  # noqa: F811
    """It is answered among the node's own work."""
    path = "/api/v1/runs/0190a1b2-0000-7000-8000-000000000000/end"
    assert api.post(path).status == 404
    node = "application_name like 'ironcron/serve%' and query like '%ironcron.run r%'"
    reader, = [int(row[0]) for row in database.backends(node)]
    os.kill(reader, signal.SIGSTOP)
    answer = api.post(path)
    os.kill(reader, signal.SIGCONT)
    assert answer.status == 503 and "did not answer within 1000 ms" in answer.text, answer.text
    assert api.post(path).status == 404


def test_a_page_of_jobs_knows_what_each_does(api, ironcron):
    until(lambda: api.get("/api/v1/runs?job=tick&state=success").json, "it has run")
    jobs = {job["job"]: job for job in api.get("/api/v1/jobs").json}
    assert jobs.keys() == {"idle", "tick"} and jobs["idle"]["last_run"] is None
    assert jobs["tick"]["last_run"]["state"] == "SUCCESS"
    assert api.get("/api/v1/jobs?limit=1").json[0]["job"] == "idle"
    assert [job["job"] for job in api.get("/api/v1/jobs?state=never_ran").json] == ["idle"]
    assert {job["job"]: job["state"] for job in jobs.values()} == {
        job["job"]: job["state"] for job in ironcron.json("jobs")}


def test_events_tell_of_controls_that_were_set_aside(api):
    listener = UnixConnection(api.socket)
    listener.request("GET", "/api/v1/events")
    stream = listener.getresponse()
    changed = api.post("/api/v1/jobs/idle/pause", {"reason": "moving"})
    until(lambda: b"event: control" in stream.readline(), "the event comes", every=0)
    told = json.loads(stream.readline().removeprefix(b"data: "))
    listener.close()
    assert (told["control"], told["job"], told["reason"]) == ("pause", "idle", "moving")
    assert changed.status == 200 and changed.json["changed"] and changed.json["undo"] == "ironcron resume idle"
    assert api.get("/api/v1/controls").json[0]["reason"] == "moving"
    assert api.post("/api/v1/jobs/idle/resume").json["changed"]
    assert api.get("/api/v1/controls").json == []


def test_documents_are_those_of_the_commands(api, ironcron):
    until(lambda: api.get("/api/v1/runs?state=success").json, "something has run")
    for path, command in [("/api/v1/jobs/idle/why", ("why", "idle")),
                          ("/api/v1/jobs/idle/next?count=2", ("next", "idle", "--count", "2"))]:
        told, printed = api.get(path).json, ironcron.json(*command, code=None)
        for document in (told, printed):
            document.pop("node_then", None)  # it is seen again meanwhile
        assert told == printed, path
    doctor = api.get("/api/v1/doctor").json
    assert [check["check"] for check in doctor["checks"]] == [
        check["check"] for check in ironcron.json("doctor", code=None)["checks"]]
    assert json.dumps(doctor).count("PostgreSQL") >= 1
    verdict = api.get("/api/v1/audit/verify").json
    assert verdict["verdict"] == "PASS", verdict
