"""Jobs of kind sql on a real PostgreSQL: what a run does, and how it ends."""

import pytest
from conftest import resident, until
from postgres import cluster, database  # noqa: F401: fixtures
from sql_jobs import config, last, run_once, sleeping, statement


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
                     "create role reporting; end if; end$$; create role brief; create table who(job text, name text); "
                     "grant insert on who to reporting")
    config(ironcron, database, {
        "with": statement("insert into who select 'with', current_user") + ", role: reporting",
        "without": statement("insert into who select 'without', current_user"),
        "outside": statement("insert into who select 'outside', current_user") + ", role: reporting, transaction: false",
        "nobody": statement("select 1") + ", role: brief"}, connections=1)
    with ironcron.serve():
        for job in ("with", "without", "outside", "without"):
            ironcron.run("run", job)
        database.execute("drop role brief")
        run = run_once(ironcron, "nobody", code=1)
    assert database.execute("select job, name from who") == [
        ["with", "reporting"], ["without", "tester"], ["outside", "reporting"], ["without", "tester"]]
    assert "cannot be set up for the role \"brief\"" in run["error"] and "does not exist" in run["error"]


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


def test_what_a_job_listens_to_is_not_kept(ironcron, database):
    config(ironcron, database, {"a": statement(
        "listen x; select count(pg_notify('x', i || repeat('y', 7000))) from generate_series(1, 3000) i")}, connections=1)
    with ironcron.serve() as node:
        run_once(ironcron, "a")
        before = resident(node.pid)
        for _ in range(4):
            run_once(ironcron, "a")
        assert resident(node.pid) < before + 32 * 1024  # kB; 20 MB come in each run


def test_nothing_of_a_run_is_left_for_the_next(ironcron, database):
    config(ironcron, database, {
        "dirty": statement("listen news; set search_path = pg_catalog; create temp table left_over(n int); "
                           "prepare p as select 1; select pg_advisory_lock(7); declare c cursor with hold for select 1"),
        "dirty-single": statement("do 'begin listen news; create temp table left_over(n int); execute ''prepare p as select 1''; "
                                  "perform pg_advisory_lock(7), set_config(''search_path'', ''pg_catalog'', false); end'"),
        "look": statement("select (select count(*) from pg_listening_channels()) + (select count(*) from "
                          "pg_prepared_statements) + (select count(*) from pg_locks where locktype = 'advisory') + "
                          "(select count(*) from pg_cursors) + (to_regclass('left_over') is not null)::int as n, "
                          "current_setting('search_path') as path, pg_backend_pid() as pid"),
        "open": statement("begin; create table never(n int)") + ", transaction: false"}, connections=1)
    with ironcron.serve():
        before = run_once(ironcron, "look")["output"]  # the process id included: it is the same connection
        for name in ("dirty", "dirty-single"):
            run_once(ironcron, name)
            assert run_once(ironcron, "look")["output"] == before
        run_once(ironcron, "open")
        assert database.value("select to_regclass('never') is null") == "t"


# ---- how it ends ----------------------------------------------------------------------------------

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
        assert label.startswith("ironcron/") and "/a/" in label and last(ironcron, "a")["run_id"].endswith(label.rpartition("/")[2])


def test_a_killed_node_leaves_no_backend(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")})
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: sleeping(database), "it sleeps")
    node.kill()
    until(lambda: not sleeping(database), "the server notices that its client is gone")


def test_the_next_node_ends_what_a_killed_one_left_before_it_runs_anything(ironcron, database):
    # The server is kept from noticing by itself that its client is gone.
    config(ironcron, database, {"a": (statement(
        "select set_config('client_connection_check_interval', '0', true), count(*) || ' others', "
        "pg_sleep(case when $fence = 1 then 600 else 0 end) from pg_stat_activity "
        "where application_name like 'ironcron/%/a/%' and pid <> pg_backend_pid()"))})
    node = ironcron.start()
    ironcron.run("run", "a", "--detach")
    until(lambda: sleeping(database), "it sleeps")
    node.kill()
    with ironcron.serve() as node:
        assert "0 others" in run_once(ironcron, "a")["output"] and not sleeping(database)
        assert not node.logged("event=backends_left"), node.log()
    ironcron.run("audit", "verify")


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


def test_runs_in_line_behind_failures_are_executed_once(ironcron, database):
    database.execute("create table t(job text)")
    jobs = {"block": statement("select pg_sleep(1.5)")}
    for i in range(12):
        text = f"insert into t values ('j{i}')"
        jobs[f"j{i}"] = statement([text, text + "; select 1/0", "select 1/0", text + "; select 1"][i % 4])
    config(ironcron, database, jobs, connections=1)
    with ironcron.serve():
        ironcron.run("run", "block", "--detach")
        until(lambda: sleeping(database), "it sleeps")
        for i in range(12):
            ironcron.run("run", f"j{i}", "--detach")
        until(lambda: ironcron.query("select count(*) n from job_runs where state in ('SUCCESS', 'FAILED')")[0]["n"] == 13,
              "all have ended")
    good = ["j0", "j11", "j3", "j4", "j7", "j8"]
    assert database.execute("select job from t order by 1") == [[job] for job in good]
    states = {row["job"]: row["state"] for row in ironcron.query("select job, state from job_runs")}
    assert sorted(job for job, state in states.items() if state == "SUCCESS") == ["block", *good]
