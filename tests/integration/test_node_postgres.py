"""A node whose store is on PostgreSQL: what it costs when idle, an outage of the store, a store that is another one, and what
the others do when it dies."""

import contextlib
import json
import re
import shutil
import signal
import time

import pytest
from conftest import Ironcron, until
from fleet import Session
from pg_proxy import Proxy
from postgres import Database, Pooler, cluster, database, free_port, own_cluster  # noqa: F401: fixtures
from postgres_store import on_postgres

FAR = 'schedule: "0 0 1 1 *"'
TICK = 'jobs: [ { name: tick, schedule: "@every 1s", command: [ "true" ] } ]\n'


@pytest.fixture
def other(tmp_path):
    """A second host, as it were."""
    (tmp_path / "other").mkdir()
    program = Ironcron(tmp_path / "other")
    yield program
    program.clean_up()


def succeeded(database):  # noqa: F811
    return int(database.value("select count(*) from ironcron.job_runs where state = 'SUCCESS'"))


def live(database):  # noqa: F811
    return [row[0] for row in database.execute("select node from ironcron.nodes where state = 'live' order by node")]


# ---- alone ----------------------------------------------------------------------------------------

def test_an_idle_node_has_one_connection(ironcron, database):  # noqa: F811
    on_postgres(ironcron, database, f"jobs: [ {{ name: a, {FAR}, command: [ 'true' ] }} ]\n")
    with ironcron.serve() as node:
        assert node.get("/api/v1/runs")[0] == 200  # for which it has a second one for a while
        until(lambda: len(database.backends("pid <> pg_backend_pid()")) == 1, "one is left")
        assert node.metrics()["ironcron_nodes_live"] == 1 and node.metrics()["ironcron_store_up"] == 1


def outage(node):
    return json.loads(node.get("/api/v1/status")[2])["store_outage"]


def test_an_outage_of_the_store(ironcron, own_cluster):  # noqa: F811
    database = Database(own_cluster)  # noqa: F811
    on_postgres(ironcron, database, TICK, node="drain: 5s, lease: 4s")
    with ironcron.serve() as node:
        until(lambda: succeeded(database) >= 2, "it runs")
        before = live(database)
        own_cluster.stop(signal.SIGQUIT)
        until(lambda: node.get("/readyz")[0] == 503, "it is not ready")
        status, _, text = node.get("/readyz")
        assert status == 503 and "store" in text and "since 20" in text
        assert node.get("/livez")[0] == 200
        assert node.metrics()["ironcron_store_up"] == 0
        for words in (["status"], ["pause", "tick"], ["run", "tick"]):
            assert re.search(r"the node here has been without it for .*, since 20", ironcron.run(*words, code=75).stderr)
        until(lambda: outage(node)["lasted_ms"] > 6000, "it goes on")  # a short one is not worth an audit row
        assert outage(node)["until"] is None
        own_cluster.start()
        node.wait_ready()
        assert node.logged(r"event=store_up since=20\S* lasted=\S+ .*did not for") and outage(node)["until"]
        until(lambda: ironcron.json("audit", "--event", "store_back"), "it is recorded")
        told = ironcron.json("status", code=None)["store"]["outage"]
        assert told["since"] == outage(node)["since"] and told["lasted_ms"] > 6000 and told["nodes"] == 1
        words = r"did not answer for \S+, until \S+, as 1 node saw it"
        assert re.search(words, ironcron.run("status", code=None).stdout)
        assert any(re.search(words, check["detail"]) for check in ironcron.json("doctor", code=None)["checks"])
        done = succeeded(database)
        until(lambda: succeeded(database) >= done + 2, "it goes on")
        assert live(database) == before and node.metrics()["ironcron_store_reconnects_total"] >= 1
        assert not node.logged("event=runner_died"), node.log()


@pytest.fixture
def proxied(ironcron, own_cluster):  # noqa: F811
    """A node's way to its store leads through a proxy."""
    database = Database(own_cluster)  # noqa: F811
    proxy = Proxy(own_cluster.port)
    proxy.database = database
    on_postgres(ironcron, database, TICK, node="drain: 5s, lease: 60s")
    text = ironcron.config_path.read_text()
    through = database.url.replace(f":{own_cluster.port}/", f":{proxy.port}/") + "?sslmode=disable&gssencmode=disable"
    ironcron.config_path.write_text(text.replace(database.url, through))
    yield proxy
    proxy.stop()


def edit(ironcron, old, new):
    ironcron.config_path.write_text(ironcron.config_path.read_text().replace(old, new))


def in_force(database):  # noqa: F811
    return database.value("select spec::json->>'schedule' from ironcron.in_force join ironcron.job using (job_id) "
                          "where to_ms is null and name = 'tick'")


SLOW = """  - { name: slow, schedule: "0 0 1 1 *", shell: "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 1; done" }\n"""


@pytest.mark.parametrize("amid", ["ironcron.activate", "from ironcron.job j left join ironcron.in_force", "ironcron.publish("])
def test_a_store_that_falls_silent_amid_a_reload(ironcron, proxied, amid):
    edit(ironcron, 'jobs: [ { name: tick, schedule: "@every 1s", command: [ "true" ] } ]\n',
         'jobs:\n  - { name: tick, schedule: "@every 1s", command: [ "true" ] }\n' + SLOW)
    with ironcron.serve() as node:
        until(lambda: succeeded(proxied.database) >= 1, "it runs")
        ironcron.run("run", "slow", "--detach")
        slow = "select string_agg(state, ' ') from ironcron.job_runs where job = 'slow'"
        until(lambda: proxied.database.value(slow) == "STARTED", "it has begun")
        edit(ironcron, "@every 1s", "@every 2s")
        proxied.hold_at(amid)
        node.signal(signal.SIGHUP)
        waits = "event=reload_waits message=\"the store does not answer now; the new configuration is right"
        until(lambda: node.get("/livez")[0] == 200 and node.logged(waits), "it tells, and its loop turns")
        assert proxied.sprung == 1 and not node.logged("event=(reloaded|reload_refused)")
        edit(ironcron, "@every 2s", "@every 3s")
        node.signal(signal.SIGHUP)  # it is not lost
        for _ in range(6):
            assert node.get("/livez")[0] == 200
            time.sleep(0.5)
        proxied.let_go()
        until(lambda: node.log().count("event=reloaded") == 2, lambda: node.log())
        assert in_force(proxied.database) == "@every 3s" and not node.logged("reload_refused")
        assert node.log().count("event=reload_waits") == 1
        until(lambda: proxied.database.value(slow) == "SUCCESS", "what ran was fed, and has ended")
        done = succeeded(proxied.database)
        until(lambda: succeeded(proxied.database) > done, "it goes on")
        ironcron.run("audit", "verify")


def test_a_stop_amid_a_reload_that_waits(ironcron, proxied):
    with ironcron.serve() as node:
        until(lambda: succeeded(proxied.database) >= 1, "it runs")
        proxied.hold("up", "down")
        edit(ironcron, "@every 1s", "@every 2s")
        node.signal(signal.SIGHUP)
        node.wait_logged("event=reload_waits")
        node.signal(signal.SIGTERM)
        node.wait_logged("event=reload_refused message=\"the node is stopping")
        proxied.let_go()
        assert node.wait() == 0
        ironcron.run("audit", "verify")


def test_a_reload_whose_answer_is_lost_is_in_force(ironcron, proxied):
    with ironcron.serve() as node:
        edit(ironcron, "1s", "2s")
        proxied.cut_at("after", "ironcron.activate")
        node.signal(signal.SIGHUP)
        node.wait_logged("event=reloaded")
        assert proxied.sprung == 1 and in_force(proxied.database) == "@every 2s"
        assert proxied.database.value("select version from ironcron.pulse") == "2"
        # And where only its schedules could not be told.
        edit(ironcron, "2s", "1s")
        proxied.cut_at("after", "ironcron.publish(")
        node.signal(signal.SIGHUP)
        until(lambda: node.log().count("event=reloaded") == 2, lambda: node.log())
        assert proxied.sprung == 2 and in_force(proxied.database) == "@every 1s"
        assert not node.logged("reload_refused")


def test_a_reload_that_others_overtake_says_which_are_in_force(ironcron, proxied):
    with ironcron.serve() as node:
        edit(ironcron, "1s", "2s")
        proxied.hold_at("ironcron.activate")
        node.signal(signal.SIGHUP)
        until(lambda: proxied.database.value("select version from ironcron.pulse") == "2", "it is active")
        proxied.database.execute("select ironcron.activate(n.node, null, 'other', d.hash, d.text, true) from ironcron.node n, "
                                 "ironcron.definition d where n.state = 'live' and d.version = 1")
        proxied.let_go()
        line = node.wait_logged(r"event=reload_refused message=\"(.*)\"").group(1)
        assert line == "other definitions came into force meanwhile: this node goes on with those"
        assert in_force(proxied.database) == "@every 1s"
    ironcron.run("audit", "verify")


# ---- which store it is ----------------------------------------------------------------------------

def refused_by_serve(ironcron):
    node = ironcron.start(ready=False)
    assert node.wait() == 1
    return node.log()


def refused(ironcron):
    """What serve logs; validate and doctor say the same, with the remedy."""
    log = refused_by_serve(ironcron)
    for told in (ironcron.json("validate", code=1), ironcron.json("doctor", code=1)):
        remedies = [check["remedy"] for check in told["checks"] if check["check"] == "store" and check["remedy"]]
        assert any("ironcron doctor --accept-rewind" in remedy for remedy in remedies), told
    assert "all checks passed" not in ironcron.run("validate", code=1).stdout
    return log


def test_a_store_that_went_back_in_time_is_refused(ironcron, database):  # noqa: F811
    on_postgres(ironcron, database, TICK)
    with ironcron.serve():
        until(lambda: succeeded(database) >= 1, "it runs")
    state = ironcron.folder / "ironcron.node"
    seen = json.loads(state.read_text())
    assert seen["audit_seq"] == int(database.value("select max(seq) from ironcron.audit_log"))
    assert seen["database"] == int(database.value("select oid from pg_database where datname = current_database()"))
    rows = database.value("select count(*) from ironcron.audit_log")
    state.write_text(json.dumps({**seen, "audit_seq": seen["audit_seq"] + 1}))
    assert "went back in time" in refused(ironcron) and "doctor --accept-rewind" in ironcron.nodes[-1].log()
    state.write_text(json.dumps({**seen, "audit_hash": "0" * 64}))  # it went back, and on from there
    assert "another one than this host has seen" in refused(ironcron)
    state.write_text(json.dumps({**seen, "database": seen["database"] + 1}))
    assert "another database" in refused(ironcron)
    assert database.value("select count(*) from ironcron.audit_log") == rows  # nothing was written there
    ironcron.run("doctor", "--accept-rewind")
    ironcron.run("validate")
    assert "nothing to accept" in ironcron.run("doctor", "--accept-rewind").stdout
    accepted = database.execute("select actor, detail from ironcron.audit_log where event = 'REWIND_ACCEPTED'")
    assert len(accepted) == 1 and "@" in accepted[0][0] and "another database" in accepted[0][1]
    assert json.loads(state.read_text())["database"] == seen["database"]
    with ironcron.serve():
        assert "stop it first" in ironcron.run("doctor", "--accept-rewind", code=1).stderr
    ironcron.run("audit", "verify")


def store_lines(program, command, code):
    return [check for check in program.json(command, code=code)["checks"] if check["check"] == "store" and check["remedy"]]


@pytest.mark.parametrize("mode, code", [("session", 0), ("transaction", 78), ("statement", 78)])
def test_a_pooler_is_found_by_validate_as_by_serve(ironcron, database, mode, code):  # noqa: F811
    pooler = Pooler(database.cluster, mode)
    try:
        on_postgres(ironcron, database, TICK)
        ironcron.config_path.write_text(ironcron.config_path.read_text().replace(f":{database.cluster.port}/", f":{pooler.port}/"))
        told = store_lines(ironcron, "validate", code)
        assert [check["result"] for check in told if "fsync" not in check["detail"]] == ([] if code == 0 else ["failed"])
        if code == 0:
            with ironcron.serve():
                until(lambda: succeeded(database) >= 1, "it runs")
            return
        assert ["the server's own port" in check["remedy"] for check in told] == [True]
        for words in (["pause", "tick"], ["run", "tick"], ["resume", "--all"]):
            said = ironcron.run(*words, code=78).stderr
            assert "connection pooler" in said and "the server's own port" in said and "migrate" not in said
        assert ironcron.start(ready=False).wait() == code
        assert "locks do not hold through it" in told[0]["detail"] and "locks do not hold through it" in ironcron.nodes[-1].log()
    finally:
        pooler.stop()


def test_a_fleet_is_told_of_the_connections_that_it_may_take(ironcron, database):  # noqa: F811
    text = f"jobs: [ {{ name: a, {FAR}, sql: {{ database: app, statement: select 1 }} }} ]\n"
    on_postgres(ironcron, database, text, app=database.url)

    # Another name of the same server: the numbers below are those of one.
    here = (ironcron.folder / "app.url").read_text()
    (ironcron.folder / "app.url").write_text(here.replace("127.0.0.1", "localhost"))

    def told(command, code):
        return [check for check in store_lines(ironcron, command, code) if "connections" in check["detail"]]

    assert told("validate", 0) == []
    others = ("insert into ironcron.node (node, host, version, started_at, last_seen, state, running, lease, grace, valid_until, "
              "dry_run, max_running, labels) select gen_random_uuid(), 'h' || n, '1', 1, 1, 'live', 0, 60000, 10000, "
              "9999999999999, false, 4, '{}' from generate_series(1, 49) n")
    database.execute(others)
    check, = told("validate", 0)
    assert check["result"] == "warning"
    assert "50 nodes at work may have 264 connections" in check["detail"] and "57 can be made" in check["detail"]
    assert "raise max_connections to 267 (it is 60)" in check["remedy"] and '"connections"' in check["remedy"]
    check, = told("doctor", None)
    assert check["result"] == "note" and "raise max_connections to 267" in check["remedy"]
    database.execute("update ironcron.node set max_running = 1000")  # more than the lock table can hold
    failed, = [check for check in store_lines(ironcron, "validate", 1) if check["result"] == "failed"]
    assert "room for" in failed["detail"] and "raise max_locks_per_transaction" in failed["remedy"]
    assert "raise max_locks_per_transaction" in refused_by_serve(ironcron)


# ---- among others ---------------------------------------------------------------------------------

def test_who_was_declared_dead_begins_anew(ironcron, other, database):  # noqa: F811
    for program in (ironcron, other):
        on_postgres(program, database, TICK, node="drain: 5s, lease: 6s")
    with ironcron.serve() as node, other.serve() as survivor:
        before = until(lambda: len(live(database)) == 2 and live(database), "both are live")
        node.process.send_signal(signal.SIGSTOP)
        survivor.wait_logged("event=node_fenced")
        done = succeeded(database)
        until(lambda: succeeded(database) >= done + 2, "the other one goes on")
        assert len(live(database)) == 1
        node.process.send_signal(signal.SIGCONT)
        node.wait_logged("event=starting_again")
        after = until(lambda: len(live(database)) == 2 and live(database), "both are live again")
        assert len(set(before) & set(after)) == 1 and len(set(before) | set(after)) == 3
        node.address = None
        until(lambda: survivor.metrics()["ironcron_nodes_live"] == 2, "it is counted")
    ironcron.run("audit", "verify")


def test_who_cannot_begin_anew_yet_goes_on_trying(ironcron, other, database):  # noqa: F811
    for program in (ironcron, other):
        on_postgres(program, database, TICK, node="drain: 5s, lease: 6s")
    edit(ironcron, "127.0.0.1:0", f"127.0.0.1:{free_port()}")
    with ironcron.serve() as node, other.serve() as survivor:
        until(lambda: len(live(database)) == 2, "both are live")
        node.process.send_signal(signal.SIGSTOP)
        survivor.wait_logged("event=node_fenced")
        database.execute("create function no_room() returns trigger language plpgsql as $$ begin "
                         "raise exception using errcode = '53200', message = 'out of shared memory'; end $$")
        database.execute("create trigger no_room before insert on ironcron.node for each row execute function no_room()")
        node.process.send_signal(signal.SIGCONT)
        until(lambda: node.log().count("event=trying_again") >= 2, "it tries and tries")
        assert node.process.poll() is None and "out of shared memory" in node.log()
        # Meanwhile it says so to who asks, except while it tries.
        until(lambda: node.get("/livez")[0] == 200, "it lives")
        told = until(lambda: node.get("/readyz")[0] == 503 and node.get("/readyz")[2], "it is not ready")
        assert "since 20" in told and "declared dead" in told and "out of shared memory" in told, told
        database.execute("drop trigger no_room on ironcron.node")
        until(lambda: node.log().count("event=started ") == 2, "it is one of them again")
        assert len(live(database)) == 2
        node.address = None
    ironcron.run("audit", "verify")


def test_a_row_that_somebody_keeps_holds_up_its_job_alone(ironcron, database):  # noqa: F811
    jobs = ", ".join(f'{{ name: {name}, schedule: "@every 1s", command: [ "true" ] }}' for name in ("tick", "held"))
    on_postgres(ironcron, database, f"jobs: [ {jobs} ]\n", node="lease: 6s")

    def done(job):
        return int(database.value(f"select count(*) from ironcron.job_runs where state = 'SUCCESS' and job = '{job}'"))

    with ironcron.serve() as node, contextlib.closing(Session(database)) as session:
        until(lambda: done("held") > 0, node.log)
        session.execute("begin; select from ironcron.job where name = 'held' for update")
        node.wait_logged("event=job_lock_held")
        before, others = done("held"), done("tick")
        until(lambda: done("tick") >= others + 8, node.log)  # for longer than the lease
        assert done("held") == before
        assert node.log().count("event=job_lock_held") == 1 and "(psql, connected since 20" in node.log()
        assert "in a transaction since 20" in node.log() and not node.logged("event=store_down")
        session.execute("prepare transaction 'left'")
        database.execute("rollback prepared 'left'")
        until(lambda: done("held") > before, node.log)
        node.wait_logged("event=job_lock_free")
        # In one message, so that no look falls in between and finds the session.
        database.execute("begin; update ironcron.job set held = held where name = 'held'; prepare transaction 'left'")
        until(lambda: node.log().count("event=job_lock_held") == 2, node.log)
        assert "the prepared transaction left: rollback prepared 'left'" in node.log()
        database.execute("rollback prepared 'left'")
        before = done("held")
        until(lambda: done("held") > before, node.log)
        assert "LOST" not in node.log() and not node.logged("event=store_down")
    ironcron.run("audit", "verify")


def test_definitions_come_into_force_beside_a_row_that_somebody_keeps(ironcron, database):  # noqa: F811
    jobs = ", ".join(f'{{ name: {name}, schedule: "@every 1s", command: [ "true" ] }}' for name in ("tick", "held"))
    on_postgres(ironcron, database, f"jobs: [ {jobs} ]\n", node="lease: 6s")
    with ironcron.serve() as node, contextlib.closing(Session(database)) as session:
        until(lambda: succeeded(database) > 0, node.log)
        session.execute("begin; select from ironcron.job where name = 'held' for update")
        node.wait_logged("event=job_lock_held")
        edit(ironcron, 'tick, schedule: "@every 1s"', 'tick, schedule: "@every 2s"')
        ironcron.run("reload")
        assert in_force(database) == "@every 2s"
        edit(ironcron, 'held, schedule: "@every 1s"', 'held, schedule: "@every 3s"')
        node.signal(signal.SIGHUP)
        told = node.wait_logged("event=reload_waits.*").group(0)
        assert "closing the last slots" in told and "pg_terminate_backend" in told, told
        assert not node.logged("event=store_down"), node.log()
        session.execute("rollback")
        until(lambda: node.log().count("event=reloaded") == 2, node.log)
        done = succeeded(database)
        until(lambda: succeeded(database) >= done + 3, node.log)
    ironcron.run("audit", "verify")


def test_the_backends_of_a_dead_node_are_ended(ironcron, other, database):  # noqa: F811
    # The server is kept from noticing by itself that its client is gone.
    statement = "select set_config('client_connection_check_interval', '0', true), pg_sleep(600)"
    text = f"jobs: [ {{ name: a, {FAR}, sql: {{ database: app, statement: {json.dumps(statement)} }} }} ]\n"
    for program in (ironcron, other):
        on_postgres(program, database, text, node="drain: 5s, lease: 6s", app=database.url)

    def sleeping():
        return database.backends("query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()")

    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(sleeping, "it sleeps")
    with other.serve() as survivor:
        node.kill()
        survivor.wait_logged("event=node_fenced")
        until(lambda: not sleeping(), "no backend sleeps")
        assert not survivor.logged("event=backends_left")
    assert database.value("select state from ironcron.job_runs where job = 'a'") == "LOST"


def test_a_start_that_comes_to_nothing_forgets_no_dead_node(ironcron, database):  # noqa: F811
    on_postgres(ironcron, database, f"jobs: [ {{ name: a, {FAR}, shell: 'sleep 600' }} ]\n", node="drain: 5s")
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: database.execute("select 1 from ironcron.job_runs where state = 'STARTED'"), "it runs")
    dead = live(database)
    node.kill()
    state = ironcron.folder / "ironcron.node"
    seen = state.read_text()
    state.write_text(json.dumps({**json.loads(seen), "audit_seq": 1 << 40}))
    assert "went back in time" in refused(ironcron)  # with the lock in its hand, and before it joined
    state.write_text(seen)
    with ironcron.serve():
        assert database.value("select state from ironcron.job_runs") == "LOST"
        assert len(live(database)) == 1 and live(database) != dead


def test_why_knows_which_node_has_the_run_and_who_may_run_it(ironcron, other, database):  # noqa: F811
    text = ("jobs:\n  - { name: here, schedule: '@every 1s', shell: 'sleep 300', nodes: { region: eu } }\n"
            "  - { name: nowhere, schedule: '@every 1s', shell: 'true', nodes: { region: mars } }\n")
    on_postgres(ironcron, database, text, node="drain: 0s, lease: 6s, max_running: 3, labels: { region: eu }")
    on_postgres(other, database, text, node="drain: 0s, lease: 6s, max_running: 4, labels: { region: us }")
    running = ("select node, to_char(due_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
               "from ironcron.job_runs where state = 'STARTED'")
    with ironcron.serve():
        (node, due_at), = until(lambda: database.execute(running), "it runs")
        with other.serve():  # the newer one, which has not the run
            told = ironcron.json("why", "here", "--at", due_at)
            assert told["cause"] == "running" and told["node_then"]["node"] == node, told
            assert told["policy"]["max_running"] == 3
            until(lambda: ironcron.json("why", "nowhere")["cause"] == "no_labels", "it is due")
            assert "(nodes: region=mars)" in ironcron.json("why", "nowhere")["answer"]


def test_copied_files_of_a_node_are_no_proof_that_it_is_dead(ironcron, other, database):  # noqa: F811
    for program in (ironcron, other):
        on_postgres(program, database, "jobs: [ { name: a, schedule: '0 0 1 1 *', command: [ sleep, '60' ] } ]\n")
    with ironcron.serve() as node:
        ironcron.run("run", "a", "--detach")
        until(lambda: database.execute("select 1 from ironcron.job_runs where state = 'STARTED'"), "it runs")
        shutil.copy(ironcron.folder / "ironcron.node.lock", other.folder)
        with other.serve():
            assert len(live(database)) == 2
            assert not node.logged("event=fenced")
            assert database.value("select state from ironcron.job_runs") == "STARTED"
            ironcron.run("runs", "cancel", "--job", "a")
            until(lambda: database.value("select state from ironcron.job_runs") == "CANCELLED", "it was told to end")


def test_a_short_lived_node_is_one_of_the_fleet(ironcron, database):  # noqa: F811
    on_postgres(ironcron, database, TICK)
    ironcron.run("run", "tick")
    assert database.execute("select state, count(*) from ironcron.nodes group by 1") == [["stopped", "1"]]
    assert succeeded(database) == 1
    ironcron.run("audit", "verify")
