"""A run whose node is gone is STARTED until a node records it as LOST. Nothing runs any more, and nobody is told that it does."""

import json
import pathlib
import re

import pytest

from conftest import Ironcron, until
from postgres import cluster, database  # noqa: F401: fixtures
from postgres_store import on_postgres

JOBS = "jobs: [ { name: hangs, schedule: '0 0 1 1 *', command: [ sleep, '300' ] } ]\n"
WORDS = "cut off with its node, which is gone"


@pytest.fixture
def other(tmp_path):
    """A second host, as it were."""
    (tmp_path / "other").mkdir()
    program = Ironcron(tmp_path / "other")
    yield program
    program.clean_up()


def begin(program):
    """Its node, and a run on it."""
    node = program.start()
    program.run("run", "hangs", "--detach")
    run = until(lambda: program.json("runs", "--state", "started"), "it runs")[0]["run_id"]
    text = program.run("status", code=None).stdout
    assert re.search(r"^running  1$", text, re.M) and "so far" in text and "cut off" not in text
    assert [row["run_id"] for row in program.json("status", code=None)["running"]] == [run]
    return node, run


def is_told(program, run, remedy, who="the next"):
    text = program.run("status", code=1).stdout
    assert re.search(r"^running +none$", text, re.M) and re.search(r"^cut off  1$", text, re.M), text
    assert "so far" not in text and f"ironcron runs show {run}" in text and "Wrong: 1 run was cut off with " in text
    document = program.json("status", code=1)
    assert document["running"] == [] and [row["run_id"] for row in document["cut_off"]] == [run]
    row, = [line for line in program.run("runs").stdout.splitlines() if run in line]
    assert "STARTED" in row and WORDS in row and "so far" not in row
    assert [row["cut_off"] for row in program.json("runs") if row["run_id"] == run] == [True]
    assert document["cut_off"][0]["cut_off"] and program.json("runs", "show", run)["cut_off"]
    assert program.json("why", "hangs", code=None)["runs"] == []  # by hand
    shown = program.run("runs", "show", run).stdout
    assert WORDS in shown and "so far" not in shown and remedy in shown
    assert re.search(r"^hangs +cut off ", program.run("jobs").stdout, re.M)
    job, = program.json("jobs", "--state", "cut_off")
    assert job["state"] == "cut_off" and job["running"] == 0
    assert re.search(r"^cut off +it was attempt 1, and its node is gone$", program.run("jobs", "show", "hangs").stdout, re.M)
    assert any(check["check"] == "runs" and "cut off" in check["detail"] for check in program.json("doctor", code=1)["checks"])
    nodes = program.run("nodes", code=None).stdout
    assert re.search(r"(gone|overdue) .* 1 cut off", nodes) and f"{who} one records that as LOST" in nodes, nodes


def test_a_killed_node_on_sqlite(ironcron):
    ironcron.config(JOBS)
    node, run = begin(ironcron)
    node.kill()
    ironcron.expect_no_process()
    is_told(ironcron, run, "ironcron serve")


def test_a_killed_node_seen_from_its_own_host_and_from_another(ironcron, other, database):  # noqa: F811
    for program in (ironcron, other):
        on_postgres(program, database, JOBS)
    node, run = begin(ironcron)
    node.kill()
    is_told(ironcron, run, "ironcron serve")
    until(lambda: other.json("nodes", code=None)[0]["state"] == "overdue", "its lease is over")
    is_told(other, run, "ironcron serve")
    with other.serve():
        until(lambda: other.json("runs", "show", run)["state"] == "LOST", "it is recorded")
        assert not other.json("runs", "show", run)["cut_off"] and not other.json("runs")[0]["cut_off"]
        status = other.json("status", code=None)
        assert status["running"] == status["cut_off"] == []


def test_where_another_node_lives_it_records_the_end(ironcron, other, database):  # noqa: F811
    for program in (ironcron, other):
        on_postgres(program, database, JOBS, node="drain: 5s, lease: 60s")
    node, run = begin(ironcron)
    with other.serve():
        node.kill()
        assert pathlib.Path(ironcron.folder / "ironcron.node.lock").exists()  # by which its host knows
        is_told(ironcron, run, "ironcron nodes", "a live")
        said = other.run("runs", "cancel", "--job", "hangs", code=1).stderr
        assert f"run {run} is STARTED, but its node does not answer" in said and "LOST" in said


def test_the_api_says_so(ironcron, other, database):  # noqa: F811
    """Between the end of the lease and the fencing, which is the grace later."""
    for program in (ironcron, other):
        on_postgres(program, database, JOBS, node="drain: 5s, lease: 60s")
    nodes = [program.start() for program in (ironcron, other)]
    ironcron.run("run", "hangs", "--detach")
    run, = until(lambda: ironcron.json("runs", "--state", "started"), "it runs")
    is_on = [run["node"] in node.log() for node in nodes]
    gone, asked = nodes if is_on[0] else nodes[::-1]
    gone.kill()

    def get(path):
        return json.loads(asked.get(path)[2])

    assert not get(f"/api/v1/runs/{run['run_id']}")["cut_off"] and get("/api/v1/jobs/hangs")["state"] == "running"
    database.execute(f"update ironcron.node set valid_until = extract(epoch from clock_timestamp()) * 1000 - 1 where node = '{run['node']}'")
    assert get(f"/api/v1/runs/{run['run_id']}")["cut_off"] and get("/api/v1/runs")[0]["cut_off"]
    assert get("/api/v1/jobs/hangs")["state"] == get("/api/v1/jobs")[0]["state"] == "cut_off"
