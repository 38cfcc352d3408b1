"""Jobs of kind sql on SQLite databases, with the real program: what is bound, recorded and shown, what each mistake and
each fault of the database gets, and that whatever ends a run leaves the database whole."""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile

import pytest

import conftest
from conftest import PATIENCE, processes, until
from serve_jobs import alive, runner_of, small_disk, states, verified, wait_state  # noqa: F401

TABLE = "create table t(id integer primary key, name text unique); insert into t values (1, 'Anna'), (2, 'Bernd');"
# Goes on for ever, in steps.
ENDLESS = "insert into t(name) with recursive n(i) as (select 3 union all select i + 1 from n) select i from n"


@pytest.fixture
def app(ironcron):
    path = ironcron.folder / "app.db"
    make(path, TABLE)
    return path


def make(path, script):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        db.commit()


def rows(path, statement="select id, name from t order by id"):
    with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return db.execute(statement).fetchall()


def sql(statement, name="sum", more="", database="app", url="sqlite:app.db", schedule="0 0 1 1 *", inside=""):
    text = json.dumps(statement)  # also a double-quoted scalar of YAML
    return (f"databases: [ {{ name: {database}, url: \"{url}\" }} ]\n"
            f"jobs:\n  - name: {name}\n    schedule: \"{schedule}\"\n    sql: {{ database: {database}, statement: {text}{inside} }}\n"
            + "".join(f"    {line}\n" for line in more.splitlines()))


def run(ironcron, *arguments, code=0, job="sum"):
    return ironcron.run("run", job, *arguments, code=code)


@pytest.fixture
def open_folder():
    """A folder that every user may reach and write in, unlike those of pytest."""
    if os.geteuid() != 0:
        pytest.skip("other users need root")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


def last(ironcron, job="sum"):
    return ironcron.query("select * from job_runs where job = ? order by fence desc limit 1", job)[0]


def detail(ironcron, event, job="sum"):
    found = ironcron.query("select detail from audit_log where job = ? and event = ? order by at desc limit 1", job, event)
    return json.loads(found[0]["detail"])


def refused(ironcron, *texts, state="FAILED"):
    """The error of the last run says all of these."""
    run_ = last(ironcron)
    assert run_["state"] == state, run_
    for text in texts:
        assert text in run_["error"], run_["error"]


# ---- what a run does -----------------------------------------------------------------------------


def test_rows_are_shown_and_counted(ironcron, app):
    ironcron.config(sql("select id, name, null as none, 1.5 as half, x'00ff' as bytes from t where id < 3"))
    done = run(ironcron)
    assert " id | name  | none | half | bytes\n" in done.stdout
    assert "  1 | Anna  |      |  1.5 | x'00ff'\n" in done.stdout
    assert "(2 rows)" in done.stdout
    assert detail(ironcron, "SUCCESS")["rows"] == 2
    ironcron.config(sql("update t set name = name || '!'"))
    assert "2 rows changed" in run(ironcron).stdout
    assert detail(ironcron, "SUCCESS")["rows"] == 2
    assert rows(app) == [(1, "Anna!"), (2, "Bernd!")]
    shown = ironcron.run("runs", "show", last(ironcron)["run_id"]).stdout
    assert re.search(r"rows\W+2", shown), shown
    verified(ironcron)


def test_what_is_returned_is_bounded_and_cannot_move_a_terminal(ironcron, app):
    ironcron.config(sql("with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) "
                        "select i, char(27) || '[2J' || replace(hex(zeroblob(500)), '00', 'ab') as long from n"))
    done = run(ironcron)
    assert "(the first 100 of 5000 rows)" in done.stdout
    assert "\\x1b[2J" in done.stdout and "\x1b" not in done.stdout and "…" in done.stdout
    assert detail(ironcron, "SUCCESS")["rows"] == 5000


def test_facts_and_params_are_bound(ironcron, app):
    make(app, "create table seen(due, run, fence, tenant, again, types)")
    ironcron.config(sql("insert into seen select $due_at, $run_id, $fence, $tenant, $tenant, "
                        "typeof($due_at) || typeof($run_id) || typeof($fence) || typeof($tenant) || '$due_at'",
                        more="params: { tenant: \"it's; drop table t\" }"))
    run(ironcron)
    run(ironcron, "--param", "tenant=a\nb")
    first, second = rows(app, "select * from seen")
    record = ironcron.query("select * from job_runs order by fence")[0]
    assert first == (record["due_at"], record["run_id"], record["fence"], "it's; drop table t", "it's; drop table t",
                     "texttextintegertext$due_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first[0])
    assert second[3] == "a\nb" and second[2] > first[2]
    assert "tenant" in run(ironcron, "--param", "tennant=x", code=2).stderr


def test_slots_of_a_schedule_run_and_verify(ironcron, app):
    ironcron.config(sql("insert into t(name) values ($due_at)", schedule="@every 1s"))
    with ironcron.serve() as node:
        wait_state(ironcron, "sum", "SUCCESS", 3)
        metrics = node.metrics()
        assert metrics['job_runs_total{job_name="sum",status="success"}'] >= 2
    names = [name for _, name in rows(app)[2:]]
    due = [row["due_at"] for row in ironcron.query("select due_at from job_runs where state = 'SUCCESS' order by due_at")]
    assert names == due
    verified(ironcron)


def test_several_statements_are_one_transaction(ironcron, app):
    ironcron.config(sql("delete from t where id = 1; -- one\ninsert into t(name) values ('Carla'), ('Dora');;\nselect * from t;"))
    done = run(ironcron)
    assert "1 row changed\n2 rows changed\n" in done.stdout and "(3 rows)" in done.stdout
    assert detail(ironcron, "SUCCESS")["rows"] == 6
    ironcron.config(sql("delete from t;\n\n  insert into u values (1)"))
    run(ironcron, code=1)
    refused(ironcron, "line 3", "no such table: u")
    assert len(rows(app)) == 3


def test_without_a_transaction(ironcron, app):
    ironcron.config(sql("vacuum"))
    run(ironcron, code=1)
    refused(ironcron, "cannot VACUUM from within a transaction", "set `transaction: false`")
    ironcron.config(sql("vacuum", inside=", transaction: false"))
    run(ironcron)
    ironcron.config(sql("begin; insert into t values (3, 'x'); commit; delete from u", inside=", transaction: false"))
    run(ironcron, code=1)
    assert len(rows(app)) == 3  # what it did by itself is kept
    ironcron.config(sql("begin; insert into t values (4, 'y')", inside=", transaction: false"))
    run(ironcron, code=1)
    refused(ironcron, "begins a transaction and does not end it", "write COMMIT at its end")
    assert len(rows(app)) == 3


def test_a_worker_is_its_jobs_user_with_its_limits(ironcron, open_folder):
    path = open_folder / "app.db"
    make(path, TABLE)
    os.chmod(path, 0o644)
    ironcron.config(sql("insert into t values (3, 'x')", more="user: nobody", url=f"sqlite:{path}"))
    run(ironcron, code=1)
    refused(ironcron, "readonly database", "write permission for the file and for its folder")
    ironcron.config(sql("select name from t where id = 2", more="user: nobody", url=f"sqlite:{path}"))
    assert "Bernd" in run(ironcron).stdout
    ironcron.config(sql("select length(hex(zeroblob(900000000)))", more="limits: { memory: 200M }", url=f"sqlite:{path}"))
    done = run(ironcron, code=1)
    refused(ironcron, "out of memory", "limits.memory")
    assert "(1 row)" not in done.stdout


# ---- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement, texts", [
    ("select *\n  fro t", ['line 2, column 3: near "fro": syntax error']),
    ("select 'é', wrong from t", ["line 1, column 13: no such column: wrong"]),
    ("insert into t values (1, 'again')", ["UNIQUE constraint failed: t.id"]),
    ("select 1;\ninsert into t values (1, 'again')", ["statement 2, at line 2: UNIQUE constraint failed: t.id"]),
    ("insert into t values (9, 'x');\n commit", ["line 2, column 2: COMMIT within a job that runs in a transaction of its own",
                                                 "`transaction: false`"]),
    ("insert into t values (9, 'x'); rollback; insert into t values (10, 'y')", ["line 1, column 32: ROLLBACK within"]),
    ("begin; insert into t values (9, 'x'); end", ["line 1, column 1: BEGIN within"]),
    ("insert or rollback into t values (9, 'x'), (1, 'y')", ["UNIQUE constraint failed"]),
    ("select load_extension('x')", ["not authorized"]),
    ("attach 'nowhere.db' as n; insert into t values (9, 'x')", ["unable to open database: nowhere.db"]),
    ("pragma writable_schema = on; delete from sqlite_master", ["may not be modified"]),
])
def test_mistakes_are_told_with_their_place_and_change_nothing(ironcron, app, statement, texts):
    ironcron.config(sql(statement))
    done = run(ironcron, code=1)
    refused(ironcron, *texts)
    assert all(text in done.stdout for text in texts)
    assert rows(app) == [(1, "Anna"), (2, "Bernd")]
    assert ironcron.json("runs", "show", last(ironcron)["run_id"])["state"] == "FAILED"
    ironcron.run("audit", "verify")


def test_a_failure_is_counted_as_one_of_sql(ironcron, app):
    ironcron.config(sql("delete from u", schedule="@every 1s"))
    with ironcron.serve() as node:
        wait_state(ironcron, "sum", "FAILED", 2)
        until(lambda: node.metrics().get('job_failures_total{job_name="sum",reason="sql"}', 0) >= 1, "counted as sql")


def test_names_are_checked_before_anything_runs(ironcron, app):
    ironcron.config(sql("select $due_on"))
    done = ironcron.run("validate", code=78)
    assert re.search(r"ironcron\.yml:\d+:\d+: statement: line 1, column 8: \$due_on is unknown, did you mean \$due_at\?",
                     done.stdout + done.stderr), done
    ironcron.config(sql("delete from t; select $fence"))
    done = ironcron.run("validate", code=78)
    assert "$fence can be bound in a single statement only" in done.stdout + done.stderr


# ---- the store is no job's -----------------------------------------------------------------------


@pytest.mark.parametrize("url", ["sqlite:ironcron.db", "sqlite:link.db", "sqlite:hard.db"])
def test_the_store_is_not_written_by_a_job(ironcron, app, url):
    ironcron.config(sql("select 1"))
    run(ironcron)
    os.symlink("ironcron.db", ironcron.folder / "link.db")
    os.link(ironcron.store_path, ironcron.folder / "hard.db")
    ironcron.config(sql("delete from audit_rows", url=url))
    run(ironcron, code=1)
    refused(ironcron, "is ironcron's own store, which jobs do not write")
    ironcron.run("audit", "verify")


@pytest.mark.parametrize("attach", ["'ironcron.db'", "'file:{folder}/ironcron.db?mode=rw'", "'iron' || 'cron.db'"])
def test_the_store_is_not_attached_by_a_job(ironcron, app, attach):
    attach = attach.replace("{folder}", str(ironcron.folder)).replace("'iron", f"'{ironcron.folder}/iron")
    ironcron.config(sql(f"attach {attach} as s; create table s.mine(a); insert into t values (9, 'x')", inside=", transaction: false"))
    run(ironcron, code=1)
    refused(ironcron, "is ironcron's own store")
    assert ironcron.query("select count(*) as n from sqlite_master where name = 'mine'")[0]["n"] == 0
    assert len(rows(app)) == 2


# ---- a database that is not as it should be ------------------------------------------------------


def test_a_file_that_is_no_database(ironcron, app):
    ironcron.config(sql("select * from t"))
    app.write_text("this is no database, whatever its name says; " * 100)
    run(ironcron, code=1)
    refused(ironcron, "file is not a database", "correct the url under `databases`")


def test_a_file_that_is_gone_and_comes_back(ironcron, app):
    ironcron.config(sql("insert into t(name) values ($due_at)", schedule="@every 1s"))
    with ironcron.serve():
        wait_state(ironcron, "sum", "SUCCESS")
        moved = app.rename(ironcron.folder / "away.db")
        wait_state(ironcron, "sum", "FAILED")
        assert not app.exists(), "it was created"
        refused(ironcron, "cannot be found: No such file or directory", "it is never created")
        before = states(ironcron, "sum").count("SUCCESS")
        moved.rename(app)
        wait_state(ironcron, "sum", "SUCCESS", before + 1)
    verified(ironcron)


def test_a_damaged_file(ironcron, app):
    make(app, "insert into t(name) with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) select 'name ' || i from n")
    with open(app, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20000)
    ironcron.config(sql("select count(*), max(name) from t"))
    run(ironcron, code=1)
    refused(ironcron, "malformed", "PRAGMA integrity_check", "put back a backup")


def test_a_database_that_is_full(ironcron, app):
    ironcron.config(sql("pragma max_page_count = 10; insert into t(name) with recursive n(i) as "
                        "(select 3 union all select i + 1 from n where i < 100000) select i from n"))
    run(ironcron, code=1)
    refused(ironcron, "database or disk is full", "no space is left", "everything was rolled back")
    assert len(rows(app)) == 2


def test_a_disk_that_is_full(ironcron, small_disk):  # noqa: F811
    path = small_disk / "app.db"
    make(path, TABLE)
    ironcron.config(sql("insert into t(name) with recursive n(i) as (select 3 union all select i + 1 from n where i < 1000000) "
                        "select 'name ' || i from n", url=f"sqlite:{path}"))
    run(ironcron, code=1)
    refused(ironcron, "database or disk is full", f"no space is left for {path}")
    assert rows(path) == [(1, "Anna"), (2, "Bernd")]


# ---- locks, stops, crashes -----------------------------------------------------------------------


@contextlib.contextmanager
def locked(path):
    """Another process holds the database for itself alone."""
    program = ("import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('begin exclusive'); "
               "print('locked', flush=True); sys.stdin.read(); db.execute('rollback')")
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, cwd="/") as holder:
        assert holder.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_lock_is_waited_for_until_the_timeout(ironcron, app, mode):
    make(app, f"pragma journal_mode = {mode}")
    ironcron.config(sql("insert into t values (3, 'x')", more="timeout: 2s"))
    with locked(app):
        done = run(ironcron, code=1)
        refused(ironcron, "not done after its timeout of 2s", "waiting for a lock that another connection holds",
                f"fuser -v '{app}'", state="TIMED_OUT")
        assert "waiting: another connection holds a lock" in done.stdout
    ironcron.expect_no_process()
    assert len(rows(app)) == 2
    run(ironcron)
    assert len(rows(app)) == 3


def test_a_lock_that_goes_free_is_taken(ironcron, app):
    ironcron.config(sql("insert into t values (3, 'x')"))
    with ironcron.serve():
        with locked(app):
            ironcron.run("run", "sum", "--detach")
            output = lambda: ironcron.run("runs", "output", last(ironcron)["run_id"], code=None).stdout  # noqa: E731
            until(lambda: states(ironcron, "sum") == ["STARTED"] and "waiting:" in output(), "it waits")
        wait_state(ironcron, "sum", "SUCCESS")
    assert len(rows(app)) == 3


def parent(pid):
    try:
        return int(re.search(r"^PPid:\s*(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))
    except OSError:
        return 0


def worker(ironcron, node):
    """The pid of the node's worker once it has written to the database."""
    def found():
        pids = [pid for pid in processes("worker\0sum") if parent(pid) == runner_of(node)]
        journals = list(ironcron.folder.glob("app.db-*"))
        return pids and journals and max(path.stat().st_size for path in journals) > 0 and pids[0]

    return until(found, "a worker has written")


def test_a_cancelled_run_is_rolled_back(ironcron, app):
    ironcron.config(sql(ENDLESS))
    with ironcron.serve() as node:
        ironcron.run("run", "sum", "--detach")
        pid = worker(ironcron, node)
        ironcron.run("runs", "cancel", last(ironcron)["run_id"])
        wait_state(ironcron, "sum", "CANCELLED")
        assert not alive(pid)
    assert len(rows(app)) == 2
    verified(ironcron)


def test_a_statement_past_its_timeout_is_interrupted(ironcron, app):
    ironcron.config(sql(ENDLESS, more="timeout: 1s\nkill_after: 1h"))  # KILL would come too late for this test
    run(ironcron, code=1)
    refused(ironcron, "not done after its timeout of 1s: interrupted, rolled back", state="TIMED_OUT")
    assert len(rows(app)) == 2


@pytest.mark.parametrize("number, texts", [
    (signal.SIGKILL, ["ended by signal 9 (Killed) before its commit: nothing of it is kept"]),
    (signal.SIGTERM, ["told to stop from outside (signal TERM)"]),
])
def test_a_worker_that_is_ended_leaves_the_database_whole(ironcron, app, number, texts):
    ironcron.config(sql(ENDLESS))
    with ironcron.serve() as node:
        ironcron.run("run", "sum", "--detach")
        os.kill(worker(ironcron, node), number)
        wait_state(ironcron, "sum", "FAILED")
        refused(ironcron, *texts)
    assert len(rows(app)) == 2
    verified(ironcron)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_crash_of_the_node_rolls_back_what_ran(ironcron, app, mode):
    make(app, f"pragma journal_mode = {mode}")
    ironcron.config(sql(ENDLESS))
    node = ironcron.start()
    ironcron.run("run", "sum", "--detach")
    pid = worker(ironcron, node)
    node.kill()
    until(lambda: not alive(pid), "the worker died with its node")
    assert len(rows(app)) == 2
    with ironcron.serve():
        wait_state(ironcron, "sum", "LOST")
    verified(ironcron)


def test_the_program_may_be_replaced_while_a_node_lives(ironcron, app):
    binary = ironcron.folder / "ironcron-copy"
    old = conftest.BINARY
    subprocess.run(["cp", old, str(binary)], check=True)
    ironcron.config(sql("insert into t(name) values ($due_at)", schedule="@every 1s"))
    conftest.BINARY = str(binary)
    try:
        with ironcron.serve():
            wait_state(ironcron, "sum", "SUCCESS")
            binary.unlink()
            binary.write_text("#!/bin/sh\nexit 99\n")
            binary.chmod(0o755)
            before = states(ironcron, "sum").count("SUCCESS")
            wait_state(ironcron, "sum", "SUCCESS", before + 2)
            assert "FAILED" not in states(ironcron, "sum")
    finally:
        conftest.BINARY = old


# ---- secrets -------------------------------------------------------------------------------------


def test_params_show_nowhere(ironcron, app):
    secret = "correct-horse-battery"
    ironcron.config(sql(ENDLESS + " where $token is not null", more='params: { token: "${TOKEN}" }'))
    with ironcron.serve(env={"TOKEN": secret}) as node:
        ironcron.run("run", "sum", "--detach", env={"TOKEN": secret})
        pid = worker(ironcron, node)
        family = [pid, node.pid, runner_of(node)]
        for entry in family:
            assert secret.encode() not in pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
        assert secret.encode() not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        assert pathlib.Path(f"/proc/{pid}/comm").read_text() == "ironcron-worker\n"
        ironcron.run("runs", "cancel", last(ironcron)["run_id"])
        wait_state(ironcron, "sum", "CANCELLED")
        assert secret not in node.log()
    assert secret not in json.dumps(ironcron.query("select detail from audit_log"))
    dump = subprocess.run(["sqlite3", str(ironcron.store_path), ".dump"], capture_output=True, text=True, check=True)
    assert secret not in dump.stdout


def test_a_worker_is_nobodys_to_call(ironcron):
    done = ironcron.run("worker", "sum", code=2, config=False)
    assert "is started by ironcron itself" in done.stderr
    assert "worker" not in ironcron.run("help", config=False).stdout
