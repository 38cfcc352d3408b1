"""`doctor`: all well, and each cheap thing that is not, with its remedy."""

import contextlib
import signal
import sqlite3

from conftest import PATIENCE, until

JOBS = """
jobs:
  - { name: ticks, schedule: "* * * * * *", command: ["/bin/true"] }
"""
HANGS = """
jobs:
  - { name: hangs, schedule: "* * * * * *", shell: "sleep 100", timeout: 50s, kill_after: 1s }
"""


def findings(program, code, *words):
    """{check: [(result, remedy)]}"""
    document = program.json("doctor", *words, code=code)
    assert document["well"] == (code == 0)
    found = {}
    for check in document["checks"]:
        assert (check["remedy"] is None) == (check["result"] == "ok"), check
        found.setdefault(check["check"], []).append((check["result"], check["remedy"]))
    assert document["todo"] == sum(check["result"] == "todo" for check in document["checks"])
    return found


def test_all_well(ironcron):
    ironcron.config(JOBS)
    with ironcron.serve():
        until(lambda: ironcron.json("runs", "--state", "success"), "a run")
        found = findings(ironcron, 0, "--deep")
        assert set(found) == {"node", "late", "runs", "slots", "audit", "store", "jobs", "clock", "zones", "disk"}
        assert found["jobs"] == [("ok", None)]
        assert ironcron.run("doctor").stdout.endswith("\nall well\n")


def test_nothing_there(ironcron):
    ironcron.config(JOBS)
    found = findings(ironcron, 1)
    assert found["node"] == [("todo", "ironcron serve")]
    assert found["jobs"] == [("todo", "ironcron serve")]


def test_a_stopped_node_and_what_a_killed_one_left(ironcron):
    ironcron.config(HANGS)
    node = ironcron.start()
    until(lambda: ironcron.json("runs", "--state", "started"), "a run")
    node.signal(signal.SIGSTOP)
    assert findings(ironcron, 1)["node"] == [("todo", f"kill -CONT {node.pid}")]
    node.signal(signal.SIGCONT)
    node.kill()
    ironcron.expect_no_process()
    found = findings(ironcron, 1)
    assert found["node"] == found["runs"] == [("todo", "ironcron serve")]
    assert "things to do" in ironcron.run("doctor", code=1).stdout


def test_a_run_past_its_timeout_and_a_clock_put_back(ironcron):
    ironcron.config(HANGS)
    with ironcron.serve():
        run = until(lambda: ironcron.json("runs", "--state", "started"), "a run")[0]
        with contextlib.closing(sqlite3.connect(ironcron.store_path, timeout=PATIENCE)) as db, db:
            db.execute("update run set started_at = started_at - 3600000")
            db.execute("insert into node (node, host, version, started_at, last_seen, state, running) values "
                       "(randomblob(16), 'x', '1', 1, (select max(last_seen) + 3600000 from node), 'stopped', 0)")
        found = findings(ironcron, 1)
        assert found["runs"] == [("todo", f"ironcron runs cancel {run['run_id']}")]
        assert found["clock"][0][0] == "todo"
        ironcron.run("runs", "cancel", run["run_id"])


def test_damage_is_found(ironcron):
    ironcron.config(JOBS)
    ironcron.run("run", "ticks")
    assert findings(ironcron, 1, "--deep")["store"] == [("ok", None)]
    with contextlib.closing(sqlite3.connect(ironcron.store_path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
        page = db.execute("select rootpage from sqlite_master where name = 'output'").fetchone()[0]
        size = db.execute("pragma page_size").fetchone()[0]
    with open(ironcron.store_path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    found = findings(ironcron, 1, "--deep")["store"][0]
    assert found[0] == "todo" and ".recover" in found[1]
