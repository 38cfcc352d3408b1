"""Jobs of kind sql on a real PostgreSQL."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from conftest import PATIENCE, until
from postgres import PASSWORD, Cluster, Database, cluster, database, own_cluster  # noqa: F401: fixtures

FAR = "schedule: \"0 0 1 1 *\""  # never during a test; runs are started by hand


def config(ironcron, database, jobs, connections=4, name="app", more=""):
    """Jobs as {name: text of the sql map, or (that, further keys)}."""
    text = f"databases: [{{ name: {name}, url: \"{database.url}\", connections: {connections} }}]\n{more}jobs:\n"
    for job, sql in jobs.items():
        sql, keys = sql if isinstance(sql, tuple) else (sql, "")
        text += f"  - {{ name: {job}, {FAR}, sql: {{ database: {name}, {sql} }}{', ' + keys if keys else ''} }}\n"
    ironcron.config(text)


def statement(text):
    return f"statement: {json.dumps(text)}"


def last(ironcron, job):
    """The run, its audit detail and its output."""
    run = ironcron.query("select * from job_runs where job = ? order by fence desc", job)[0]
    rows = ironcron.query("select detail from audit_log where run_id = ? and event <> 'STARTED'", run["run_id"])
    run["detail"] = json.loads(rows[0]["detail"]) if rows and rows[0]["detail"] else {}
    run["output"] = ironcron.run("runs", "output", run["run_id"]).stdout
    return run


def run_once(ironcron, job, *arguments, code=0):
    ironcron.run("run", job, *arguments, code=code)
    return last(ironcron, job)


# ---- what it does ---------------------------------------------------------------------------------

def test_facts_and_params_are_bound(ironcron, database):
    database.execute("create table seen(due_at timestamptz, run_id uuid, fence bigint, who text, n int, quoted text)")
    config(ironcron, database, {"a": (statement(
        "insert into seen values ($due_at, $run_id, $fence, $who, $n::int, '$who') -- $nobody"),
        "params: { who: \"it's\", n: \"3\" }")})
    run = run_once(ironcron, "a", "--param", "n=7")
    row = database.execute("select run_id, fence, who, n, quoted, due_at is not null from seen")[0]
    assert row == [run["run_id"], str(run["fence"]), "it's", "7", "$who", "t"]
    assert run["state"] == "SUCCESS" and run["detail"]["command"] == "INSERT 0 1" and run["detail"]["rows"] == 1


def test_rows_and_notices_are_output(ironcron, database):
    database.execute("create function talk() returns int language plpgsql as $$begin raise notice 'hello %', 1; "
                     "raise warning 'careful'; return 42; end$$")
    config(ironcron, database, {"a": statement("select talk() as answer, 'ä' || chr(10) as name"),
                                "many": statement("select i, repeat('x', 1000) from generate_series(1, 5000) i")})
    run = run_once(ironcron, "a")
    assert run["output"] == ("NOTICE:  hello 1\nWARNING:  careful\n answer | name\n--------+------\n 42     | ä \n"
                             "(1 row)\n")
    assert run["detail"]["rows"] == 1 and run["detail"]["command"] == "SELECT 1"
    many = run_once(ironcron, "many")
    assert many["output"].endswith("(the first 100 of 5000 rows)\n") and many["detail"]["rows"] == 5000


def test_a_failure_rolls_back_and_says_where(ironcron, database):
    database.execute("create table t(n int primary key)")
    config(ironcron, database, {
        "syntax": statement("select 1\n  form t"),
        "half": statement("insert into t values (1); insert into t values (1)"),
        "late": statement("insert into t values (2); select 1/0")})
    run = run_once(ironcron, "syntax", code=1)
    assert run["state"] == "FAILED" and run["detail"]["sqlstate"] == "42601"
    assert "42601: syntax error at or near \"t\" (line 2, column 8)" in run["error"]
    run = run_once(ironcron, "half", code=1)
    assert run["detail"]["sqlstate"] == "23505" and "Key (n)=(1) already exists" in run["error"]
    run = run_once(ironcron, "late", code=1)
    assert "22012: division by zero" in run["error"]
    assert database.value("select count(*) from t") == "0"


def test_the_role_is_switched_and_does_not_leak(ironcron, database):
    database.execute("do $$begin if not exists (select from pg_roles where rolname = 'reporting') then "
                     "create role reporting; end if; end$$; create table who(job text, name text); "
                     "grant insert on who to reporting")
    config(ironcron, database, {
        "with": statement("insert into who select 'with', current_user") + ", role: reporting",
        "without": statement("insert into who select 'without', current_user"),
        "outside": statement("insert into who select 'outside', current_user") + ", role: reporting, transaction: false",
        "nobody": statement("select 1") + ", role: nobody"}, connections=1)
    with ironcron.serve():
        for job in ("with", "without", "outside", "without"):
            ironcron.run("run", job)
        run = run_once(ironcron, "nobody", code=1)
    assert database.execute("select job, name from who") == [
        ["with", "reporting"], ["without", "tester"], ["outside", "reporting"], ["without", "tester"]]
    assert "cannot be set up for the role \"nobody\"" in run["error"] and "does not exist" in run["error"]


def test_outside_of_a_transaction(ironcron, database):
    database.execute("create table t(n int); create procedure p() language plpgsql as "
                     "$$begin insert into t values (1); commit; insert into t values (2); rollback; end$$")
    config(ironcron, database, {
        "vacuum": statement("vacuum (analyze) t") + ", transaction: false",
        "call": statement("call p()") + ", transaction: false",
        "vacuum-in": statement("vacuum t"), "call-in": statement("call p()")})
    assert run_once(ironcron, "vacuum")["detail"]["command"] == "VACUUM"
    assert run_once(ironcron, "call")["state"] == "SUCCESS"
    assert database.execute("select n from t") == [["1"]]
    for job in ("vacuum-in", "call-in"):
        assert "transaction: false" in run_once(ironcron, job, code=1)["error"]


@pytest.mark.parametrize("text", ["commit", "rollback", "insert into t values (1); commit; begin; select 1",
                                  "insert into t values (1); commit", "begin; insert into t values (1); commit and chain",
                                  "rollback and chain"])
def test_a_statement_that_ends_the_transaction_fails(ironcron, database, text):
    database.execute("create table t(n int)")
    config(ironcron, database, {"a": statement(text), "b": statement("select 1")})
    with ironcron.serve():
        run = run_once(ironcron, "a", code=1)
        assert "transaction: false" in run["error"]
        run_once(ironcron, "b")


def test_savepoints_are_fine(ironcron, database):
    database.execute("create table t(n int)")
    config(ironcron, database, {"a": statement(
        "insert into t values (1); savepoint s; insert into t values (2); rollback to s; insert into t values (3)")})
    run_once(ironcron, "a")
    assert database.execute("select n from t") == [["1"], ["3"]]


def test_a_deferred_constraint_fails_at_commit(ironcron, database):
    database.execute("create table p(n int primary key); create table c(n int references p deferrable initially deferred)")
    config(ironcron, database, {"a": statement("insert into c values (1)")})
    run = run_once(ironcron, "a", code=1)
    assert run["error"].startswith("COMMIT failed and the transaction was rolled back: 23503")


@pytest.mark.parametrize("text", ["copy t from stdin", "copy t to stdout", "select 1; copy t from stdin",
                                  "/* x */ copy (select 1) to stdout"])
def test_copy_with_its_client_is_refused(ironcron, database, text):
    database.execute("create table t(n int)")
    config(ironcron, database, {"a": statement(text), "b": statement("select 1")}, connections=1)
    with ironcron.serve():
        assert "COPY FROM STDIN and TO STDOUT" in run_once(ironcron, "a", code=1)["error"]
        run_once(ironcron, "b")


def test_nothing_of_a_run_is_left_for_the_next(ironcron, database):
    config(ironcron, database, {
        "dirty": statement("listen news; set search_path = pg_catalog; create temp table left_over(n int); "
                           "prepare p as select 1; select pg_advisory_lock(7); declare c cursor with hold for select 1"),
        "look": statement("select (select count(*) from pg_listening_channels()) + (select count(*) from "
                          "pg_prepared_statements) + (select count(*) from pg_locks where locktype = 'advisory') + "
                          "(select count(*) from pg_cursors) + (to_regclass('left_over') is not null)::int as n, "
                          "current_setting('search_path') as path, pg_backend_pid() as pid"),
        "open": statement("begin; create table never(n int)") + ", transaction: false"}, connections=1)
    with ironcron.serve():
        before = run_once(ironcron, "look")["output"]  # the process id included: it is the same connection
        run_once(ironcron, "dirty")
        assert run_once(ironcron, "look")["output"] == before
        run_once(ironcron, "open")
        assert database.value("select to_regclass('never') is null") == "t"


# ---- how it ends ----------------------------------------------------------------------------------

def sleeping(database):
    return database.backends("state = 'active' and query like '%pg_sleep%' and pid <> pg_backend_pid()")


def test_a_timeout_ends_the_backend(ironcron, database):
    config(ironcron, database, {"a": (statement("select pg_sleep(600)"), "timeout: 1s"),
                                "b": (statement("select pg_sleep(600); select 1"), "timeout: 1s"),
                                "c": (statement("select pg_sleep(600)") + ", transaction: false", "timeout: 1s")})
    with ironcron.serve():
        for job in "abc":
            run = run_once(ironcron, job, code=1)
            assert run["state"] == "TIMED_OUT" and "timeout of 1s" in run["error"]
        until(lambda: not sleeping(database), "no backend sleeps")


def test_a_backend_that_ignores_cancel_is_terminated(ironcron, database):
    database.execute("create function stubborn() returns void language plpgsql as $$begin "
                     "perform set_config('statement_timeout', '0', false); loop begin perform pg_sleep(600); "
                     "exception when query_canceled then null; end; end loop; end$$")
    config(ironcron, database, {"a": (statement("select stubborn()"), "timeout: 1s, kill_after: 1s")})
    with ironcron.serve():
        run = run_once(ironcron, "a", code=1)
    assert run["state"] == "TIMED_OUT" and "backend on app was ended" in run["error"]
    until(lambda: not database.backends("query like '%stubborn%' and pid <> pg_backend_pid()"), "no backend is left")


def test_a_run_is_cancelled(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")})
    with ironcron.serve():
        ironcron.run("run", "a", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        label = sleeping(database)[0][1]
        ironcron.run("runs", "cancel", "--job", "a")
        until(lambda: not sleeping(database), "no backend sleeps")
        until(lambda: last(ironcron, "a")["state"] == "CANCELLED", "it is cancelled")
        assert label.startswith("ironcron/a/") and last(ironcron, "a")["run_id"].endswith(label.rpartition("/")[2])


def test_a_killed_node_leaves_no_backend(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")})
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: sleeping(database), "it sleeps")
    node.kill()
    until(lambda: not sleeping(database), "the server notices that its client is gone")


def test_a_stop_ends_what_runs(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")}, more="node: { drain: 1s }\n")
    with ironcron.serve() as node:
        ironcron.run("run", "a", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        assert node.stop() == 0
    until(lambda: not sleeping(database), "no backend sleeps")
    assert last(ironcron, "a")["state"] == "CANCELLED"


def test_more_runs_than_connections_wait(ironcron, database):
    jobs = {f"j{i}": statement("select pg_sleep(0.3)") for i in range(7)}
    jobs["late"] = (statement("select 1"), "timeout: 1s")
    config(ironcron, database, {**jobs, "long": statement("select pg_sleep(600)")}, connections=2)
    with ironcron.serve():
        for i in range(7):
            ironcron.run("run", f"j{i}", "--detach")
        most = 0

        def done():
            nonlocal most
            most = max(most, len(database.backends("application_name like 'ironcron%'")))
            return ironcron.query("select count(*) n from job_runs where state = 'SUCCESS'")[0]["n"] == 7

        until(done, "all are done")
        assert 1 <= most <= 2
        for _ in range(2):
            ironcron.run("run", "long", "--detach", code=None)
        until(lambda: sleeping(database), "one sleeps")


def test_waiting_counts_and_can_be_cancelled(ironcron, database):
    config(ironcron, database, {"long": statement("select pg_sleep(600)"), "late": (statement("select 1"), "timeout: 1s"),
                                "patient": statement("select 1")}, connections=1)
    with ironcron.serve():
        ironcron.run("run", "long", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        run = run_once(ironcron, "late", code=1)
        assert run["state"] == "TIMED_OUT" and "waited for a connection to app" in run["error"]
        ironcron.run("run", "patient", "--detach")
        until(lambda: ironcron.query("select 1 from job_runs where job = 'patient'"), "it waits")
        ironcron.run("runs", "cancel", "--job", "patient")
        until(lambda: last(ironcron, "patient")["state"] == "CANCELLED", "it is cancelled")
        ironcron.run("runs", "cancel", "--job", "long")
        until(lambda: last(ironcron, "long")["state"] == "CANCELLED", "so is the other")


# ---- databases in trouble -------------------------------------------------------------------------

def test_a_database_goes_down_and_comes_back(ironcron, own_cluster):
    database = Database(own_cluster)
    config(ironcron, database, {"a": statement("select 1")})
    with ironcron.serve():
        run_once(ironcron, "a")
        own_cluster.stop()
        run = run_once(ironcron, "a", code=1)
        assert run["state"] == "FAILED" and "cannot connect to database app" in run["error"]
        assert f"127.0.0.1:{own_cluster.port}" in run["error"] and "since 20" in run["error"]
        own_cluster.start()
        assert run_once(ironcron, "a")["state"] == "SUCCESS"


def test_a_database_that_is_down_at_start_comes_back(ironcron, own_cluster):
    database = Database(own_cluster)
    own_cluster.stop()
    config(ironcron, database, {"a": statement("select 1")})
    with ironcron.serve():
        assert run_once(ironcron, "a", code=1)["state"] == "FAILED"
        own_cluster.start()
        assert run_once(ironcron, "a")["state"] == "SUCCESS"


@pytest.mark.parametrize("how,word", [(signal.SIGINT, "was rolled back"), (signal.SIGQUIT, "may or may not")])
def test_a_restart_amid_a_run(ironcron, own_cluster, how, word):
    database = Database(own_cluster)
    database.execute("create table t(n int)")
    config(ironcron, database, {"a": statement("with x as (insert into t values (1)) select pg_sleep(600)")})
    with ironcron.serve():
        ironcron.run("run", "a", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        own_cluster.stop(how)
        until(lambda: last(ironcron, "a")["state"] == "FAILED", "it fails")
        error = last(ironcron, "a")["error"]
        assert word in error or "was rolled back" in error, error
        own_cluster.start()
        assert database.value("select count(*) from t") == "0"


def test_a_killed_backend_leaves_the_outcome_open(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)"), "b": statement("select 1")})
    with ironcron.serve():
        ironcron.run("run", "a", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        database.value(f"select pg_terminate_backend({sleeping(database)[0][0]})")
        until(lambda: last(ironcron, "a")["state"] == "FAILED", "it fails")
        run = last(ironcron, "a")
        assert run["detail"]["sqlstate"] == "57P01" and "the transaction was rolled back" in run["error"]
        run_once(ironcron, "b")


def test_somebody_else_cancels_it(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")})
    with ironcron.serve():
        ironcron.run("run", "a", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        database.value(f"select pg_cancel_backend({sleeping(database)[0][0]})")
        until(lambda: last(ironcron, "a")["state"] == "FAILED", "it fails")
        assert "somebody cancelled it on the server" in last(ironcron, "a")["error"]


def test_a_database_that_is_read_only_or_renamed(ironcron, database):
    database.execute(f"create table t(n int); alter database {database.name} set default_transaction_read_only = on")
    config(ironcron, database, {"a": statement("insert into t values (1)")})
    with ironcron.serve():
        run = run_once(ironcron, "a", code=1)
        assert run["detail"]["sqlstate"] == "25006" and "the database is read-only" in run["error"]
    database.cluster.psql(f"alter database {database.name} rename to {database.name}_2")
    try:
        with ironcron.serve():
            assert f'database "{database.name}" does not exist' in run_once(ironcron, "a", code=1)["error"]
            database.cluster.psql(f"alter database {database.name}_2 rename to {database.name}")
            database.cluster.psql(f"alter database {database.name} reset default_transaction_read_only")
            assert run_once(ironcron, "a")["state"] == "SUCCESS"
    finally:
        database.cluster.psql(f"alter database {database.name}_2 rename to {database.name}", check=False)


def test_a_server_that_does_not_answer(ironcron, own_cluster):
    database = Database(own_cluster)
    config(ironcron, database, {"a": (statement("select 1"), "timeout: 2s, kill_after: 0s"), "b": statement("select 1")})
    with ironcron.serve():
        run_once(ironcron, "b")
        os.kill(own_cluster.process.pid, signal.SIGSTOP)
        try:
            # Its backends go on, but nobody new is let in.
            run_once(ironcron, "b")
        finally:
            os.kill(own_cluster.process.pid, signal.SIGCONT)


def test_the_password_is_nowhere(ironcron, own_cluster):
    database = Database(own_cluster)
    config(ironcron, database, {"a": statement("select 1"), "b": statement("select nothing")})
    with ironcron.serve() as node:
        run_once(ironcron, "a")
        run_once(ironcron, "b", code=1)
        own_cluster.stop()
        run_once(ironcron, "a", code=1)
        own_cluster.start()
        own_cluster.psql("alter role tester password 'another'", check=True)
        run = run_once(ironcron, "a", code=1)
        assert "password authentication failed" in run["error"], run["error"]
        shown = ironcron.run("jobs", "show", "a").stdout + ironcron.run("--json", "jobs", "show", "a").stdout
        shown += ironcron.run("validate", code=None).stdout + node.log()
    stored = b"".join(path.read_bytes() for path in ironcron.folder.glob("ironcron.db*"))
    assert PASSWORD not in shown and PASSWORD.encode() not in stored


# ---- what is found before -------------------------------------------------------------------------

def checks(ironcron, code):
    """{name: (result, detail)} of validate."""
    done = json.loads(ironcron.run("--json", "validate", code=code).stdout)
    rows = done["checks"] if isinstance(done, dict) else done
    return {row["check"]: (row["result"], row["detail"]) for row in rows}


def test_validate_asks_the_database(ironcron, database):
    config(ironcron, database, {
        "good": statement("select $due_at, $run_id, $fence"), "missing": statement("select * from not_there"),
        "words": statement("selec 1"), "role": statement("select 1") + ", role: nobody_of_that_name",
        "vacuum": statement("vacuum") + ", transaction: false"})
    found = checks(ironcron, 1)
    assert found["sql words"][0].lower() == "failed" and "42601" in found["sql words"][1]
    assert found["sql role"][0].lower() == "failed" and "nobody_of_that_name" in found["sql role"][1]
    assert found["sql missing"][0].lower() == "warning" and "42P01" in found["sql missing"][1]
    assert "sql good" not in found and "sql vacuum" not in found
    assert database.backends("application_name = 'ironcron validate'") == []
    config(ironcron, database, {"good": statement("select 1")})
    assert "1 job are understood" in checks(ironcron, 0)["database app"][1]


def test_validate_says_what_is_down(ironcron, own_cluster):
    database = Database(own_cluster)
    own_cluster.psql(f"alter database {database.name} set default_transaction_read_only = on")
    config(ironcron, database, {"a": statement("select 1")}, connections=100)
    rows = json.loads(ironcron.run("--json", "validate", code=0).stdout)
    text = json.dumps(rows)
    assert "is read-only: default_transaction_read_only is on" in text and '"connections\\" is 100' in text
    own_cluster.stop()
    result, detail = checks(ironcron, 75)["database app"]
    assert result.lower() == "failed" and "Connection refused" in detail
    with ironcron.serve() as node:
        assert node.logged("check_warning.*cannot connect to")


# ---- more trouble ---------------------------------------------------------------------------------

@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_fails_the_run_and_nothing_else(ironcron, database):
    place = database.cluster.folder / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine mounts nothing")
    try:
        shutil.chown(place, "postgres", "postgres")
        database.cluster.psql(f"create tablespace small location '{place}'")
        database.execute("create table t(x text) tablespace small")
        config(ironcron, database, {
            "fill": statement("insert into t select repeat(md5(i::text), 20) from generate_series(1, 100000) i"),
            "small": statement("select count(*) from t")})
        with ironcron.serve():
            run = run_once(ironcron, "fill", code=1)
            assert run["detail"]["sqlstate"] == "53100" and "disk is full" in run["error"]
            assert run_once(ironcron, "small")["state"] == "SUCCESS"
        database.execute("drop table t")
        database.cluster.psql("drop tablespace small")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_server_that_lets_nobody_in(ironcron, own_cluster):
    database = Database(own_cluster)
    config(ironcron, database, {"a": statement("select 1")})
    with ironcron.serve():
        os.kill(own_cluster.process.pid, signal.SIGSTOP)  # it listens, and answers nobody
        try:
            run = run_once(ironcron, "a", code=1)
            assert "no answer within 5 seconds" in run["error"]
        finally:
            os.kill(own_cluster.process.pid, signal.SIGCONT)
        until(lambda: run_once(ironcron, "a", code=None)["state"] == "SUCCESS", "it goes on")


def test_a_reload_takes_new_databases_and_leaves_runs_alone(ironcron, database, cluster):
    other = Database(cluster)
    other.execute("create table here(n int)")
    try:
        config(ironcron, database, {"long": statement("select pg_sleep(3)"), "a": statement("select 1")})
        with ironcron.serve() as node:
            run_once(ironcron, "a")
            ironcron.run("run", "long", "--detach")
            until(lambda: sleeping(database), "it sleeps")
            config(ironcron, other, {"long": statement("select pg_sleep(3)"), "a": statement("insert into here values (1)")})
            node.signal(signal.SIGHUP)
            until(lambda: run_once(ironcron, "a", code=None)["detail"].get("command") == "INSERT 0 1", "it goes there")
            until(lambda: last(ironcron, "long")["state"] == "SUCCESS", "the old one ends as it would have")
            until(lambda: not database.backends("application_name like 'ironcron%'"), "nobody is left there")
    finally:
        other.drop()


def test_a_schedule_runs_it(ironcron, database):
    database.execute("create table t(due_at timestamptz primary key)")
    config(ironcron, database, {"a": statement("insert into t values ($due_at)")})
    text = ironcron.config_path.read_text().replace(FAR, 'schedule: "* * * * * *"')
    ironcron.config_path.write_text(text)
    with ironcron.serve():
        until(lambda: int(database.value("select count(*) from t")) >= 3, "three slots ran")
    ours = ironcron.query("select due_at from slots where outcome = 'SUCCESS'")
    assert len(ours) == int(database.value("select count(*) from t"))
