"""A role that may only read the store: whoever looks needs no more; who acts is told what is missing, and that trying again
does not help."""

import pytest

from conftest import Ironcron, until
from postgres import PASSWORD, cluster, database  # noqa: F401: fixtures
from postgres_store import on_postgres

JOBS = "jobs:\n  - { name: tick, schedule: '@every 1s', command: [ 'true' ] }\n"
READING = (["status"], ["jobs"], ["jobs", "show", "tick"], ["runs"], ["why", "tick"], ["audit"], ["audit", "verify"],
           ["audit", "export"], ["nodes"], ["doctor"], ["next", "tick"], ["next", "--all"], ["migrate", "status", "--store"])
ACTING = (["pause", "tick"], ["dry-run", "on"], ["run", "tick", "--detach"], ["backfill", "tick", "--from", "-1m", "--to", "-1s"])


@pytest.fixture
def looker(ironcron, database, tmp_path):  # noqa: F811
    """A node that runs, and the program on a host without one, with a role of its own."""
    on_postgres(ironcron, database, JOBS)
    with ironcron.serve():
        until(lambda: ironcron.json("runs", "--state", "success"), "it runs")
        name = f"eyes_{database.name}"
        database.execute(f"create role {name} login password '{PASSWORD}'")
        (tmp_path / "elsewhere").mkdir()
        program = Ironcron(tmp_path / "elsewhere")
        program.config_path.write_text(ironcron.config_path.read_text().replace("//tester:", f"//{name}:"))
        yield program.run, name
        database.execute(f"drop owned by {name}; drop role {name}")


def grant(database, name):  # noqa: F811
    database.execute(f"grant usage on schema ironcron to {name}")
    database.execute(f"grant select on all tables in schema ironcron to {name}")


def test_a_role_without_rights_is_told_which_and_does_not_try_again(looker):
    run, name = looker
    for words in READING[:-3] + ACTING:
        said = run(*words, code=1).stderr
        assert "permission denied for schema ironcron" in said and f"grant usage on schema ironcron to {name}" in said


def test_a_role_that_may_only_read(looker, database):  # noqa: F811
    run, name = looker
    grant(database, name)
    for settings in ("reset default_transaction_read_only", "set default_transaction_read_only = on"):
        database.execute(f"alter role {name} {settings}")
        for words in READING:
            done = run(*words, code=None)
            # The doctor says what such a role would be for a node.
            wanted = 1 if words == ["doctor"] and settings.startswith("set") else 0
            assert done.returncode == wanted, f"{words}: {done.stdout}{done.stderr}"
            assert "permission denied" not in done.stdout + done.stderr
    for words in ACTING:
        said = run(*words, code=1).stderr
        assert "may only read it" in said and "use the role that ran `ironcron migrate deploy --store`" in said
    database.execute(f"alter role {name} reset default_transaction_read_only")
    for words in ACTING:
        said = run(*words, code=1).stderr
        assert "permission denied" in said and "use the role that ran `ironcron migrate deploy --store`" in said


def test_who_may_not_seal_still_finds_what_is_forged(looker, database):  # noqa: F811
    run, name = looker
    grant(database, name)
    assert "PASS" in run("audit", "verify").stdout
    database.execute("alter table ironcron.audit disable trigger all")
    database.execute("update ironcron.audit set actor = 'somebody' where id = (select min(id) from ironcron.audit)")
    assert "FAIL" in run("audit", "verify", code=1).stdout
