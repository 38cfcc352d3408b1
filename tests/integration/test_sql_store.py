"""Jobs of kind sql on the store's own database: what a run does and that it did it are committed together, whoever dies
amid it. Each run leaves a row with its id, and the rows are those of the runs that are SUCCESS, no more and no less."""

import contextlib
import json
import random
import time

import pytest
from conftest import until
from fleet import Session
from postgres import PASSWORD, Database, cluster, database  # noqa: F401: fixtures
from postgres_store import Way, on_postgres

FAR = 'schedule: "0 0 1 1 *"'
EFFECT = "insert into effect (run_id, due_at) values ($run_id, $due_at)"


@pytest.fixture
def way(cluster):  # noqa: F811: a fixture
    made = Way(cluster.port)
    yield made
    made.stop()


@pytest.fixture
def store(database):  # noqa: F811: a fixture
    database.execute("create table effect (run_id uuid primary key, due_at timestamptz, at timestamptz default now())")
    return database


def configure(ironcron, store, *lines, app=None, **urls):
    on_postgres(ironcron, store, "jobs:\n" + "".join(f"  - {{ {line} }}\n" for line in lines), app=app or store.url, **urls)


def job(name, statement, schedule=FAR, more="", sql=""):
    return f"name: {name}, {schedule}, sql: {{ database: app, statement: {json.dumps(statement)}{sql} }}{more}"


def through(way, database):  # noqa: F811
    return database.url.replace(f":{database.cluster.port}/", f":{way.port}/")


def last(database, name):  # noqa: F811
    """Its run that began last: state, error."""
    rows = database.execute(f"select state, error, run_id from ironcron.job_runs where job = '{name}' "
                            "order by fence desc limit 1")
    return rows[0] if rows else ["", "", ""]


def ended(database, name):  # noqa: F811
    return until(lambda: last(database, name)[0] not in ("", "STARTED") and last(database, name), f"{name} has ended")


def expect_exactly_once(ironcron, database):  # noqa: F811
    apart = database.execute(
        "select r.run_id, r.state, e.run_id is not null from ironcron.job_runs r full join effect e using (run_id) "
        "where (r.state = 'SUCCESS') is distinct from (e.run_id is not null)")
    assert apart == []
    ironcron.run("audit", "verify")


def together(database):  # noqa: F811
    """How many effects were committed by the transaction that wrote the end of their run, and how many not."""
    return database.execute("select count(*) filter (where e.xmin = r.xmin), count(*) filter (where e.xmin <> r.xmin) "
                            "from effect e join ironcron.run_ended r using (run_id)")[0]


# ---- in one transaction ---------------------------------------------------------------------------

def test_effect_and_end_are_one_transaction(ironcron, store):
    several = "insert into effect (run_id) select current_setting('ironcron.run_id')::uuid; select 1"
    configure(ironcron, store, job("one", EFFECT), job("several", several))
    with ironcron.serve() as node:
        for name in ("one", "several", "one"):
            ironcron.run("run", name)
        assert not node.logged("event=store_rights")
    assert together(store) == ["3", "0"]
    detail = json.loads(store.value("select detail from ironcron.audit_log where event = 'SUCCESS' and job = 'one' limit 1"))
    assert detail == {"command": "INSERT 0 1", "rows": 1}
    assert store.execute("select event, count(*) from ironcron.audit_log where event in ('SUCCESS', 'STALE') group by 1") \
        == [["SUCCESS", "3"]]
    expect_exactly_once(ironcron, store)


def test_what_fails_leaves_neither(ironcron, store):
    store.execute("create table parent (id int primary key); create table child (id int references parent "
                  "deferrable initially deferred)")
    configure(
        ironcron, store, job("statement", "insert into effect (run_id) select $run_id where 1 / 0 = 1"),
        job("deferred", "with e as (insert into effect (run_id) values ($run_id)) insert into child values (1)"))
    with ironcron.serve():
        for name, word in (("statement", "division by zero"), ("deferred", "violates foreign key")):
            ironcron.run("run", name, code=1)
            state, error, _ = last(store, name)
            assert state == "FAILED" and word in error
    assert store.value("select count(*) from effect") == "0"
    expect_exactly_once(ironcron, store)


def test_the_role_of_the_job_does_the_work_and_ends_nothing(ironcron, store):
    role, user = f"worker_{store.name}", f"user_{store.name}"
    store.execute(f"create role {role}; create role {user} login password '{PASSWORD}'; grant {role} to {user}; "
                  f"grant insert on effect to {role}")
    url = store.url.replace("//tester:", f"//{user}:")
    lines = [job("a", EFFECT, sql=f", role: {role}"),
             job("who", "insert into effect (run_id) select $run_id where current_user = session_user")]
    try:
        configure(ironcron, store, *lines, app=url)
        with ironcron.serve() as node:  # without the rights it is as on any other database
            ironcron.run("run", "a")
            assert node.logged("event=store_rights")
        assert together(store) == ["0", "1"]
        store.execute(f"grant usage on schema ironcron to {user}; "
                      f"grant execute on function ironcron.finish_own(uuid, bigint, bigint, text) to {user}")
        with ironcron.serve() as node:
            ironcron.run("run", "a")
            assert not node.logged("event=store_rights")
        assert together(store) == ["1", "1"]
        expect_exactly_once(ironcron, store)
    finally:
        store.execute(f"drop owned by {role}, {user} cascade; drop role {role}, {user}")


def test_elsewhere_and_without_a_transaction_it_is_not_used(ironcron, store, cluster):  # noqa: F811
    other = Database(cluster)
    other.execute("create table effect (run_id uuid)")
    try:
        configure(ironcron, store, job("alone", "insert into effect (run_id) values ($run_id)", sql=", transaction: false"),
                  job("elsewhere", "insert into effect (run_id) values ($run_id)").replace("app", "other"), other=other.url)
        with ironcron.serve() as node:
            for name in ("alone", "elsewhere"):
                ironcron.run("run", name)
                assert last(store, name)[0] == "SUCCESS"
            assert not node.logged("event=store_rights")
        assert together(store) == ["0", "1"] and other.value("select count(*) from effect") == "1"
    finally:
        other.drop()


def test_other_isolation_goes_the_usual_way(ironcron, store):
    text = "set transaction isolation level repeatable read; " \
           "insert into effect (run_id) select current_setting('ironcron.run_id')::uuid"
    configure(ironcron, store, job("a", text))
    with ironcron.serve():
        ironcron.run("run", "a")
    assert together(store) == ["0", "1"]
    expect_exactly_once(ironcron, store)


# ---- whoever dies ---------------------------------------------------------------------------------

def test_a_connection_that_is_cut_before_the_commit(ironcron, store, way):
    configure(ironcron, store, job("a", EFFECT), app=through(way, store))
    with ironcron.serve():
        way.acts.append("cut")
        ironcron.run("run", "a", code=1)
        state, error, _ = last(store, "a")
        assert state == "FAILED" and "rolled back" in error and "may or may not" not in error
        ironcron.run("run", "a")
    assert store.value("select count(*) from effect") == "1"
    expect_exactly_once(ironcron, store)


def test_a_commit_whose_answer_is_lost_counts(ironcron, store, way):
    several = "insert into effect (run_id) select current_setting('ironcron.run_id')::uuid; select 1"
    configure(ironcron, store, job("a", EFFECT, more=", retries: { max: 3, backoff: 1s }"), job("several", several),
              app=through(way, store))
    with ironcron.serve() as node:
        way.acts.append("deaf")
        ironcron.run("run", "a")
        assert last(store, "a")[:2] == ["SUCCESS", ""]
        way.word = b"\x00\x00\x00\x0bcommit"
        way.acts.append("deaf")
        ironcron.run("run", "several")
        assert last(store, "several")[:2] == ["SUCCESS", ""]
        metrics = node.metrics()
        assert metrics['job_runs_total{job_name="a",status="success"}'] == 1
        assert metrics['job_runs_total{job_name="a",status="failed"}'] == 0
    assert store.value("select count(*) from ironcron.job_runs") == "2"
    assert store.value("select count(*) from ironcron.audit_log where event = 'STALE'") == "0"
    expect_exactly_once(ironcron, store)


def test_a_node_that_dies_when_its_commit_is_on_the_way(ironcron, store, way):
    configure(ironcron, store, job("a", EFFECT), app=through(way, store))
    node = ironcron.start()
    way.acts.append(node.kill)
    ironcron.run("run", "a", "--detach", code=None)  # its node may be gone before it has answered
    until(lambda: last(store, "a")[0] == "SUCCESS", "what it did is there, and that it did")
    with ironcron.serve():
        ironcron.run("run", "a")
    assert store.value("select count(*) from effect") == "2"
    expect_exactly_once(ironcron, store)


def test_a_node_that_dies_amid_the_statement(ironcron, store):
    slow = "with e as (insert into effect (run_id) values ($run_id)) select pg_sleep(600)"
    configure(ironcron, store, job("a", slow))
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: store.backends("query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()"), "it sleeps")
    node.kill()
    with ironcron.serve():
        assert ended(store, "a")[0] == "LOST"
        until(lambda: not store.backends("query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()"),
              "its backend is gone")
    expect_exactly_once(ironcron, store)


def test_a_backend_that_is_killed(ironcron, store):
    slow = "with e as (insert into effect (run_id) values ($run_id)) select pg_sleep(600)"
    configure(ironcron, store, job("a", slow))
    with ironcron.serve():
        ironcron.run("run", "a", "--detach")
        found = until(lambda: store.backends("query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()"),
                      "it sleeps")
        store.value(f"select pg_terminate_backend({found[0][0]})")
        state, error, _ = ended(store, "a")
        assert state == "FAILED" and "rolled back" in error
    expect_exactly_once(ironcron, store)


def test_who_was_ended_by_others_has_done_nothing(ironcron, store):
    configure(ironcron, store, job("a", "insert into effect (run_id) select $run_id from pg_advisory_lock(7)"))
    with ironcron.serve() as node, contextlib.closing(Session(store)) as session:
        session.execute("select pg_advisory_lock(7)")
        ironcron.run("run", "a", "--detach")
        until(lambda: last(store, "a")[0] == "STARTED", "it runs")
        store.execute("select ironcron.end_runs(n.node, ironcron.now_ms(null), array[r.run_id], array[r.fence], "
                      "array[4::bigint], array[4::bigint], array[null::bigint], array['its node died'], "
                      "array[0::bigint], array[null::bigint], array[null::text]) "
                      "from ironcron.run_started r join ironcron.node n using (node_no)")
        session.execute("select pg_advisory_unlock(7)")
        until(lambda: node.logged("event=run_stale"), "it is told")
    assert last(store, "a")[0] == "LOST" and store.value("select count(*) from effect") == "0"
    assert store.value("select count(*) from ironcron.audit_log where event = 'STALE'") == "1"


def test_the_open_transaction_of_a_dead_node_stands_in_nobodys_way(ironcron, store):
    """Cut off before its COMMIT, it has the run's row, and the server waits for the rest of it."""
    configure(ironcron, store, job("a", "select pg_sleep(60)"), app=store.url)
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: last(store, "a")[0] == "STARTED", "it runs")
    identity = store.value("select node from ironcron.nodes where state = 'live'")
    with contextlib.closing(Session(store)) as session:
        session.execute(f"set application_name = 'ironcron/{identity[-12:]}/a/0'; begin")
        session.execute("select from ironcron.run_started for update")
        node.kill()
        assert ironcron.start().stop() == 0
        assert "terminating connection" in session.execute("select 1")
    assert last(store, "a")[0] == "LOST"


def test_who_stands_still_before_its_commit_keeps_nobody_waiting(ironcron, store, way):
    """Its end is written, and with it the job's row is its own."""
    several = "insert into effect (run_id) select current_setting('ironcron.run_id')::uuid; select 1"
    configure(ironcron, store, job("several", several), app=through(way, store))
    with ironcron.serve():
        way.word = b"\x00\x00\x00\x0bcommit"
        way.acts.append("hold")
        ironcron.run("run", "several", "--detach")
        assert ended(store, "several")[0] == "FAILED"
    assert store.value("select count(*) from effect") == "0"
    expect_exactly_once(ironcron, store)


def test_amid_everything(ironcron, store, way):
    """Backends and nodes die, ways are cut, for a while."""
    several = "insert into effect (run_id) select current_setting('ironcron.run_id')::uuid; select pg_sleep(0.05)"
    every = 'schedule: "@every 1s"'
    configure(ironcron, store, job("one", EFFECT, every, ", overlap: allow"), job("several", several, every),
              job("again", EFFECT, every, ", on_lost: retry, retries: { max: 5, backoff: 1s }"), app=through(way, store))
    chance = random.Random(7)
    node = ironcron.start()
    enough = time.monotonic() + 12
    while time.monotonic() < enough:
        what = chance.choice(["cut", "deaf", "backend", "node"])
        if what == "node":
            node.kill()
            node = ironcron.start()
        elif what == "backend":
            store.cluster.psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like "
                               f"'ironcron/%/%/%' and datname = '{store.name}' limit 1")
        else:
            way.acts.append(what)
        time.sleep(chance.uniform(0.1, 0.6))
    way.acts.clear()
    done = int(store.value("select count(*) from effect"))
    until(lambda: int(store.value("select count(*) from effect")) > done + 3, "it goes on as if nothing had been")
    assert node.stop() == 0
    expect_exactly_once(ironcron, store)
