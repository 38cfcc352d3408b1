"""Jobs of kind sql while their database is in trouble, and what is found before it is."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from conftest import until
from postgres import PASSWORD, Cluster, Database, Pooler, cluster, database, own_cluster  # noqa: F401: fixtures
from sql_jobs import FAR, checks, config, last, run_once, sleeping, statement


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


def test_an_open_connection_goes_on_while_nobody_is_let_in(ironcron, own_cluster):
    database = Database(own_cluster)
    config(ironcron, database, {"b": statement("select 1")})
    with ironcron.serve():
        run_once(ironcron, "b")
        os.kill(own_cluster.process.pid, signal.SIGSTOP)
        try:
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


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_proxy_is_found_out(ironcron, database, mode):
    proxy = Pooler(database.cluster, mode)
    try:
        database.url = database.url.replace(f":{database.cluster.port}/", f":{proxy.port}/")
        config(ironcron, database, {"a": statement("select 1"), "slow": (statement("select pg_sleep(600)"), "timeout: 1s")})
        result, detail = checks(ironcron, 1 if mode == "transaction" else 0)["database app"]
        assert result.lower() == ("failed" if mode == "transaction" else "warning") and "proxy" in detail
        if mode == "session":
            with ironcron.serve():
                run_once(ironcron, "a")
                assert run_once(ironcron, "slow", code=1)["state"] == "TIMED_OUT"
                run_once(ironcron, "a")
    finally:
        proxy.stop()


def test_what_runs_ends_at_the_trust_deadline(ironcron, database):
    config(ironcron, database, {"a": statement("select pg_sleep(600)")}, more="node: { lease: 6s }\n")
    with open(ironcron.config_path, "a", encoding="ascii") as file:  # an idle runner process outlives the deadline
        file.write(f"  - {{ name: b, {FAR}, command: [ sleep, '600' ] }}\n")
    with ironcron.serve() as node:
        for job in "ba":
            ironcron.run("run", job, "--detach")
        until(lambda: sleeping(database), "it sleeps")
        node.signal(signal.SIGSTOP)
        until(lambda: node.logged("nothing") or not processes_of_runner(node), "its runner process has gone")
        node.signal(signal.SIGCONT)
        until(lambda: not sleeping(database), "no backend sleeps")
        until(lambda: last(ironcron, "a")["state"] == "LOST", "it is lost")
        assert "trust deadline" in last(ironcron, "a")["error"]


def processes_of_runner(node):
    """Its children that live."""
    found = []
    with open(f"/proc/{node.pid}/task/{node.pid}/children", encoding="ascii") as file:
        for pid in file.read().split():
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                found += [pid] if stat.read().rpartition(")")[2].split()[0] not in "ZX" else []
    return found


def test_a_server_without_connections_left(ironcron):
    small = Cluster(max_connections="5", superuser_reserved_connections="1", max_wal_senders="0")
    try:
        database = Database(small)
        config(ironcron, database, {f"j{i}": statement("select pg_sleep(0.5)") for i in range(12)}, connections=12)
        with ironcron.serve() as node:
            assert node.logged('is 12, and the server has 4 for all')
            for i in range(12):
                ironcron.run("run", f"j{i}", "--detach")
            until(lambda: ironcron.query("select count(*) n from job_runs where state <> 'STARTED'")[0]["n"] == 12,
                  "all have ended")
        # Those that find others connected wait for them instead of failing.
        assert ironcron.query("select error from job_runs where state <> 'SUCCESS'") == []
    finally:
        small.remove()
