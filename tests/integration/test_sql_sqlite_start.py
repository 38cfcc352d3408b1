"""SQLite databases of jobs before the start: what `validate` says of them, and what `serve` refuses."""

import contextlib
import os
import signal
import sqlite3

from serve_jobs import verified
from test_sql_sqlite import TABLE, app, locked, make, open_folder, run, sql  # noqa: F401


def checks(ironcron, code=1):
    found = ironcron.json("validate", code=code)
    return [check for check in found["checks"] if check["check"].split()[0] in ("database", "sql")]


def one_check(ironcron, name, result, text, code=1):
    found = checks(ironcron, code)
    assert [(check["check"], check["result"]) for check in found] == [(name, result)], found
    assert text in found[0]["detail"], found
    return found[0]


def test_databases_are_looked_at_before_the_start(ironcron, app):  # noqa: F811
    ironcron.config(sql("insert into t values (3, $due_at)"))
    one_check(ironcron, "database app", "ok", f"{app}, SQLite, 1 job", code=0)
    before = sorted(os.listdir(ironcron.folder))
    with locked(app):  # it neither waits nor calls it wrong
        one_check(ironcron, "database app", "ok", "1 job", code=0)
    assert sorted(os.listdir(ironcron.folder)) == before
    make(app, "pragma journal_mode = wal")
    one_check(ironcron, "database app", "ok", "1 job", code=0)
    assert sorted(os.listdir(ironcron.folder)) == before, "it left a log behind"
    ironcron.config(sql("insrt into t values (3, $due_at)"))
    one_check(ironcron, "sql sum", "failed", 'near "insrt": syntax error')
    ironcron.config(sql("insert into later values (3, $due_at)"))
    one_check(ironcron, "sql sum", "warning", "no such table: later", code=None)
    with contextlib.closing(sqlite3.connect(app)) as db:  # in the log, and not yet in the file
        db.execute("create table later(a, b)")
        one_check(ironcron, "database app", "ok", "1 job", code=0)
    app.write_text("plain text " * 100)
    one_check(ironcron, "database app", "failed", "is not a SQLite database")
    app.unlink()
    assert "never created" in one_check(ironcron, "database app", "failed", f"{app} cannot be found")["remedy"]
    done = ironcron.run("serve", code=1)
    assert "cannot be found" in done.stderr
    app.mkdir()
    one_check(ironcron, "database app", "failed", "is not a file")


def test_the_store_is_refused_at_the_start_and_at_a_reload(ironcron, app):  # noqa: F811
    ironcron.config(sql("select 1"))
    with ironcron.serve() as node:
        ironcron.config(sql("select 1", url="sqlite:ironcron.db"))
        node.signal(signal.SIGHUP)
        node.wait_logged("own store, which jobs do not write")
        run(ironcron, code=None)
    one_check(ironcron, "database app", "failed", "own store, which jobs do not write")
    verified(ironcron)


def test_rights_are_looked_at_for_the_user_of_the_job(ironcron, open_folder):  # noqa: F811
    path = open_folder / "app.db"
    make(path, TABLE)
    os.chmod(path, 0o644)
    ironcron.config(sql("select * from t", more="user: nobody", url=f"sqlite:{path}"))
    one_check(ironcron, "sql sum", "warning", "nobody may only read", code=None)
    os.chmod(path, 0o600)
    one_check(ironcron, "sql sum", "failed", "nobody may not read")
    os.chmod(path, 0o666)
    one_check(ironcron, "database app", "ok", "1 job", code=0)
