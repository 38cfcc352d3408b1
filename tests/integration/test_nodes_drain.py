"""`nodes drain`, `nodes resume`: on two nodes of a fleet, and where there is but one."""

import os
import re
import signal
import subprocess
import time

import pytest
from api_client import Api
from conftest import PATIENCE, Ironcron, until
from postgres import cluster, database  # noqa: F401: fixtures
from postgres_store import on_postgres

TICK = "jobs:\n  - { name: tick, schedule: \"@every 1s\", overlap: allow, shell: \"%s\" }\n"
OTHER = TICK + "  - { name: long, schedule: \"0 0 1 1 *\", shell: \"sleep 600\" }\n"


@pytest.fixture
def pair(tmp_path, database):  # noqa: F811
    """Two hosts, as it were, and what the second one is called."""
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(Ironcron(tmp_path / name))
        on_postgres(made[-1], database, OTHER % "true")
    yield made
    for program in made:
        program.clean_up()


def identity(node):
    return node.wait_logged(r"event=started node=([0-9a-f-]{36})").group(1)


def row_of(program, node):
    return next(row for row in program.json("nodes") if row["node"] == identity(node))


def started_on(database, node, job="tick"):  # noqa: F811
    return int(database.value(f"select count(*) from ironcron.job_runs where job = '{job}' and node = '{identity(node)}'"))


def last_runner(database):  # noqa: F811
    return database.value("select node from ironcron.job_runs where job = 'tick' order by fence desc limit 1")


def audited(program, event):
    return [row for row in program.json("audit", "--event", event)]


def test_a_fleets_node_is_drained_and_resumed(pair, database):  # noqa: F811
    a, b = pair
    with a.serve() as first, b.serve() as second:
        until(lambda: started_on(database, first) + started_on(database, second) > 2, "they run")
        # The one that goes first for it, with a run that takes long; asked from the other's host.
        nodes = {identity(first): first, identity(second): second}
        busy = nodes[last_runner(database)]
        other, asked = (second, b) if busy is first else (first, a)
        asked.run("pause", "tick")
        until(lambda: database.value("select count(*) from ironcron.job_runs where state = 'STARTED'") == "0", "all end")
        asked.run("run", "long", "--detach")
        until(lambda: started_on(database, busy, "long") + started_on(database, other, "long") == 1, "it runs")
        if started_on(database, other, "long"):
            busy, other, asked = other, busy, (a if asked is b else b)
        asked.run("resume", "tick")

        said = asked.run("nodes", "drain", identity(busy)[:20], "--reason", "new kernel", "--as", "bob").stdout
        assert re.search(r"begins nothing new: (1 run goes|2 runs go) on there", said)  # tick may run as well
        assert f"nodes resume {identity(busy)[:13]}" in said
        row = row_of(asked, busy)
        assert row["draining"] and row["draining_reason"] == "new kernel" and row["draining_as"] == "bob"
        assert row["state"] == "live" and row["draining_by"] and row["draining_since"]
        listed = asked.run("nodes").stdout
        assert "is draining since" in listed and "(new kernel); 1 run goes on there" in listed
        assert f"Undo: ironcron nodes resume {identity(busy)[:13]}" in listed
        assert "version 1" in listed
        begun = started_on(database, busy)
        count = started_on(database, other)
        until(lambda: started_on(database, other) >= count + 4, "the other does all of it")
        assert started_on(database, busy) <= begun + 1  # one may have been claimed at that very moment

        # It stays up, and says so.
        status, _, text = busy.get("/readyz")
        assert status == 200 and "draining ok: since" in text and "new kernel" in text
        assert busy.metrics()["ironcron_node_draining"] == 1 and other.metrics()["ironcron_node_draining"] == 0
        assert "draining" in asked.run("status", code=None).stdout and "new kernel" in asked.run("doctor", code=None).stdout
        assert f"{identity(busy)} on {row['host']}" in asked.run("audit", "--event", "NODE_DRAINED").stdout
        assert audited(asked, "NODE_DRAINED")[0]["detail"] == '{"as":"bob","reason":"new kernel"}'

        # Waiting for its run, in vain and then not.
        late = asked.run("nodes", "drain", identity(busy), "--wait", "--timeout", "300ms", code=75)
        assert "1 run goes on there still" in late.stderr
        waiting = subprocess.Popen(asked.command("nodes", "drain", identity(busy), "--wait"), stdout=subprocess.PIPE, text=True)
        asked.run("runs", "cancel", "--job", "long")
        assert "nothing runs there any more" in waiting.communicate(timeout=PATIENCE)[0] and waiting.returncode == 0

        # All of them: what is said then.
        last = asked.run("nodes", "drain", identity(other)).stdout
        assert "no other node takes jobs: nothing starts until one does" in last
        assert "All live nodes are draining" in asked.run("nodes").stdout
        assert "all live nodes are draining" in asked.run("status", code=1).stdout
        until(lambda: asked.json("why", "tick", code=None)["cause"] == "draining", "why says it")
        next_command = asked.json("why", "tick", code=None)["next"].split()
        assert next_command[-1] in nodes  # an id: the host has two
        refused = asked.run("run", "tick", code=1).stderr
        assert "all live nodes that may run it are draining" in refused and "nodes resume NODE" in refused

        assert "takes jobs again" in asked.run("nodes", "resume", identity(busy)).stdout
        assert not row_of(asked, busy)["draining"] and row_of(asked, busy)["draining_since"] is None
        count = started_on(database, busy)
        until(lambda: started_on(database, busy) > count, "it takes jobs again")
        assert "draining ok\n" in busy.get("/readyz")[2]
        assert len(audited(asked, "NODE_RESUMED")) == 1
        assert "was not draining" in asked.run("nodes", "resume", identity(busy)).stdout

        # Started anew it drains no more.
        other.process.send_signal(signal.SIGTERM)
        other.wait()
        gone = asked.run("nodes", "drain", identity(other), code=1).stderr
        assert "is stopped" in gone and "only one that is live" in gone
    a.run("audit", "verify")


def newest(node):
    return re.findall(r"event=started node=([0-9a-f-]{36})", node.log())[-1]


def draining(program, node):
    row = next(row for row in program.json("nodes") if row["node"] == newest(node))
    return row["state"], row["draining"], row["draining_as"], row["draining_reason"]


def test_what_was_ordered_holds_until_it_is_lifted_or_the_node_is_stopped(pair, database):  # noqa: F811
    a, b = pair
    ordered = ("live", True, "bob", "new kernel")
    with b.serve() as other:
        node = a.start()
        b.run("nodes", "drain", newest(node), "--reason", "new kernel", "--as", "bob")
        node.kill()
        node = a.start()
        assert draining(b, node) == ordered
        assert node.logged("event=drained .*new kernel") and "new kernel" in node.get("/readyz")[2]
        # Declared dead it begins anew by itself.
        before = newest(node)
        os.kill(node.pid, signal.SIGSTOP)
        until(lambda: database.value(f"select state from ironcron.nodes where node = '{before}'") == "lost", other.log)
        os.kill(node.pid, signal.SIGCONT)
        until(lambda: newest(node) != before, node.log)
        assert draining(b, node) == ordered
        count = started_on(database, other)
        until(lambda: started_on(database, other) >= count + 3, "the other does all of it")
        assert database.value(f"select count(*) from ironcron.job_runs where node = '{newest(node)}'") == "0"
        b.run("nodes", "resume", newest(node).upper())
        assert draining(b, node) == ("live", False, None, None)
        b.run("nodes", "drain", newest(node))
        assert node.stop() == 0
        node = a.start()
        assert draining(b, node) == ("live", False, None, None)
        node.stop()


def test_which_node_is_meant(pair):
    a, b = pair
    with a.serve() as first, b.serve():
        host = row_of(a, first)["host"]
        several = a.run("nodes", "drain", host, code=1).stderr
        assert "may be any of several live nodes" in several and identity(first) in several
        assert "there is no node \"nowhere\"" in a.run("nodes", "drain", "nowhere", code=1).stderr
        assert "--timeout goes with --wait only" in a.run("nodes", "drain", host, "--timeout", "1s", code=2).stderr
        assert identity(first) in a.run("__complete", "--", "nodes", "drain", "").stdout
        undo = a.run("nodes", "drain", identity(first)[:20].upper()).stdout.split("Undo: ironcron ")[1].split()
        assert "takes jobs again" in a.run(*undo).stdout


def test_over_http(pair):
    a, b = pair
    with a.serve() as first, b.serve() as second:
        a.store_path = a.folder / "ironcron.node"  # the socket's base there
        api = Api(a)
        path = f"/api/v1/nodes/{identity(second)}"
        put = api.post(f"{path}/drain", {"reason": "new disk"})
        assert put.status in (200, 202) and put.json["intent"] == "drain"
        intent = f"/api/v1/intents/{put.json['intent_id']}"
        until(lambda: api.get(intent).json["state"] == "done", "it is told")
        row = next(row for row in api.get("/api/v1/nodes").json if row["node"] == identity(second))
        assert row["draining"] and row["draining_reason"] == "new disk" and row["definitions"] == 1
        until(lambda: Api(b, second).get("/api/v1/status").json["draining_since"], "its status says it")
        status = api.get("/api/v1/status").json
        assert status["definitions"] == status["active_definitions"] == 1 and status["draining_since"] is None
        put = api.post(f"{path}/resume")
        until(lambda: api.get(f"/api/v1/intents/{put.json['intent_id']}").json["state"] == "done", "it is told")
        assert api.post("/api/v1/nodes/01990000-0000-7000-8000-000000000001/drain").status == 404
        assert api.post("/api/v1/nodes/alpha/drain").status == 400
        second.stop()
        refused = api.post(f"{path}/drain")
        assert refused.status == 409 and "is stopped" in refused.json["detail"]


def test_the_only_node(ironcron):
    """On SQLite what is due meanwhile waits, and the store stays as quiet as it was."""
    ironcron.config(TICK % "sleep 1")
    with ironcron.serve() as node:
        until(lambda: ironcron.query("select count(*) n from job_runs")[0]["n"] > 2, "it runs")
        host = ironcron.json("nodes")[0]["host"]
        said = ironcron.run("nodes", "drain", host, "--wait", "--reason", "backup").stdout
        assert "nothing starts until one does" in said and "nothing runs there any more" in said
        count = ironcron.query("select count(*) n from job_runs")[0]["n"]
        time.sleep(2.5)  # two slots
        assert ironcron.query("select count(*) n from job_runs")[0]["n"] == count
        assert node.get("/readyz")[0] == 200 and "backup" in ironcron.run("nodes").stdout
        assert ironcron.json("why", "tick", code=None)["cause"] == "draining"
        assert "draining" in ironcron.run("status", code=1).stdout
        assert "backup" in ironcron.run("doctor", code=1).stdout
        ironcron.run("nodes", "resume", host)
        until(lambda: ironcron.query("select count(*) n from job_runs")[0]["n"] > count + 1, "it runs again")
    ironcron.run("audit", "verify")
