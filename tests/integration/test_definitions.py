"""All nodes of a fleet execute the active version of the definitions, whatever their own files say."""

import json
import os
import signal

import pytest

from conftest import Ironcron, until
from postgres import PASSWORD, cluster, database  # noqa: F401: fixtures

JOB = '  - { name: %s, schedule: "%s", shell: "%s" }\n'
EVERY_SECOND = "* * * * * *"
NEVER = "0 0 1 1 *"


class Fleet:
    """Nodes on one database, each with a folder of its own."""

    def __init__(self, folder, database):
        self.folder = folder
        self.database = database
        self.members = {}

    def member(self, name):
        if name not in self.members:
            path = self.folder / name
            path.mkdir()
            self.members[name] = Ironcron(path)
        return self.members[name]

    def config(self, name, text):
        """Store and node are its own, and stand at the end: tests count lines."""
        member = self.member(name)
        member.config_path.write_text(f'{text}store: "{self.database.url}"\nhttp: {{ listen: "127.0.0.1:0" }}\n'
                                      "node: { drain: 5s }\n")
        return member

    def migrate(self, name):
        self.member(name).run("migrate", "deploy", "--store")

    def active(self):
        rows = self.database.execute("select version, hash, text from ironcron.definition d "
                                     "join ironcron.pulse using (version)")
        return rows[0] if rows else None

    def successes(self, job):
        return int(self.database.value("select count(*) from ironcron.job_runs where state = 'SUCCESS' and "
                                       f"job = '{job}'"))

    def audited(self, event):
        return int(self.database.value(f"select count(*) from ironcron.audit_log where event = '{event}'"))

    def clean_up(self):
        for member in self.members.values():
            member.clean_up()


@pytest.fixture
def fleet(tmp_path, database):
    made = Fleet(tmp_path, database)
    yield made
    made.clean_up()


def jobs(*names, schedule=EVERY_SECOND, shell="true"):
    return "jobs:\n" + "".join(JOB % (name, schedule, shell) for name in names)


def test_a_start_publishes_only_what_was_never_seen(fleet):
    a = fleet.config("a", "# a comment with a password: hunter3\n" + jobs("old", schedule=NEVER))
    fleet.migrate("a")
    with a.serve() as node:
        assert node.wait_logged(r"event=definitions .*version=1")
        assert fleet.active()[0] == "1"
    fleet.config("a", jobs("new", schedule=NEVER))
    with a.serve() as node:
        assert node.wait_logged(r"event=definitions .*version=2")
    # The older file is nothing new, and so it changes nothing; who looks is told.
    fleet.config("a", jobs("old", schedule=NEVER))
    with a.serve() as node:
        line = node.wait_logged(r"event=definitions .*version=2.*").group(0)
        assert "adds old; lacks new" in line and "ironcron reload" in line
        assert fleet.active()[0] == "2"
        a.run("reload")
        assert fleet.active()[0] == "3"  # a number is never given twice
    assert fleet.audited("VERSION_ACTIVATED") == 3
    kept = fleet.database.value("select string_agg(text, ' ') from ironcron.definition")
    assert "hunter3" not in kept and PASSWORD not in kept and "postgresql:" not in kept and "listen" not in kept


def test_a_node_with_another_file_executes_the_active_version(fleet):
    a = fleet.config("a", jobs("one"))
    fleet.migrate("a")
    with a.serve():
        until(lambda: fleet.successes("one") > 0, "a run of one")
    b = fleet.config("b", jobs("two"))
    with b.serve():  # never seen: it is newer
        until(lambda: fleet.successes("two") > 0, "a run of two")
        with a.serve() as node:
            line = node.wait_logged(r"event=definitions .*version=2.*").group(0)
            assert "adds one; lacks two" in line
        before = fleet.successes("one")
    with a.serve():
        count = fleet.successes("two")
        until(lambda: fleet.successes("two") > count, "a run of two by the node whose file does not know it")
    assert fleet.successes("one") == before


def test_a_reload_reaches_the_other_nodes(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER))
    b = fleet.config("b", jobs("one", schedule=NEVER))
    fleet.migrate("a")
    with a.serve() as first, b.serve() as second:
        assert second.wait_logged(r"event=definitions .*version=1")
        fleet.config("a", jobs("one", "two"))
        first.signal(signal.SIGHUP)
        first.wait_logged(r"event=reloaded")
        line = second.wait_logged(r"event=definitions_adopted .*version=2.*").group(0)
        assert "lacks two; changes one" in line
        assert first.alive() and second.alive()
        until(lambda: second.get("/readyz")[0] == 200, "the second is ready")
        until(lambda: fleet.successes("two") > 0, "a run of two")
        # Back, by the other one.
        second.signal(signal.SIGHUP)
        first.wait_logged(r"event=definitions_adopted .*version=3")
        assert fleet.active()[0] == "3"


def test_nothing_is_claimed_by_what_came_back_and_was_never_published_again(fleet):
    a = fleet.config("a", jobs("one", "two"))
    b = fleet.config("b", jobs("one", "two"))
    fleet.migrate("a")
    with a.serve() as first, b.serve() as second:
        until(lambda: fleet.successes("one") > 1, "runs of one")
        first.signal(signal.SIGSTOP)
        fleet.config("b", jobs("two", "three"))
        second.signal(signal.SIGHUP)
        second.wait_logged("event=reloaded")
        second.kill()
        # The first file becomes active again, by a node that dies before it says more.
        fleet.database.execute(
            "select ironcron.activate(n.node, null, 'x', d.hash, d.text, true) from ironcron.node n, ironcron.definition d "
            "where n.state = 'live' and d.version = 1 limit 1")
        assert fleet.active()[0] == "3"
        before = fleet.successes("one")
        first.signal(signal.SIGCONT)
        first.wait_logged(r"event=definitions_adopted .*version=3")
        until(lambda: fleet.successes("one") > before, "runs of one again")
    a.run("audit", "verify")


def test_a_reload_without_a_node_promises_nothing(fleet):
    member = fleet.config("a", jobs("one"))
    fleet.migrate("a")
    told = member.run("reload").stdout
    assert "No node is live" in told and "never in force before" in told and "ironcron status" in told


def test_commands_show_what_is_in_force(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER))
    b = fleet.config("b", jobs("one", "two", schedule=NEVER))
    fleet.migrate("a")
    with a.serve(), b.serve():
        assert {job["job"] for job in a.json("jobs")} == {"one", "two"}
        assert "defined in" in a.run("jobs", "show", "two").stdout
        assert "ironcron.yml (version 2):3" in a.run("jobs", "show", "two").stdout
        status = a.json("status", code=None)
        assert status["definitions_version"] == 2 and status["definitions_difference"] == "lacks two"
        assert "version 2" in a.run("status", code=None).stdout and "lacks two" in a.run("nodes").stdout
        assert b.json("status", code=None)["definitions_difference"] is None
        asked = a.run("next", "two")
        assert "-01-01T00:00:00" in asked.stdout and "version 2" in asked.stderr and "lacks two" in asked.stderr
        assert "two" in a.run("next", "--all").stdout and "two\t" in a.run("__complete", "--", "run", "").stdout
        asked = b.run("next", "two")
        assert "-01-01T00:00:00" in asked.stdout and asked.stderr == ""
        a.run("run", "two")  # its file does not know it
        a.run("pause", "two")
        # A reload is by the files of the node of this host, whichever node answers first.
        for member, version in ((a, 3), (b, 4), (a, 5)):
            member.run("reload")
            assert fleet.active()[0] == str(version)
        told = b.run("run", "two", code=1).stderr
        assert "stands in" in told and "not in version 5" in told and "ironcron reload" in told
    assert {job["job"] for job in b.json("jobs")} == {"one"}


def test_without_its_store_the_file_speaks(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER))
    a.config_path.write_text(a.config_path.read_text().replace(f":{fleet.database.cluster.port}/", ":1/"))
    asked = a.run("next", "one")
    assert "-01-01T00:00:00" in asked.stdout and "what follows is by" in asked.stderr


def test_what_cannot_be_executed_here_is_said_and_nothing_is_claimed(fleet):
    a = fleet.config("a", jobs("one"))
    b = fleet.config("b", jobs("one"))
    fleet.migrate("a")
    with a.serve(env={"WORD": "true"}) as first, b.serve() as second:
        fleet.config("a", jobs("one", "two", shell="${WORD}"))
        first.signal(signal.SIGHUP)
        first.wait_logged(r"event=reloaded")
        line = second.wait_logged(r"event=definitions_refused .*").group(0)
        assert "ironcron.yml (version 2):2:" in line and "WORD is not set" in line
        status, _, text = second.get("/readyz")
        assert status == 503 and "definitions" in text and "WORD is not set" in text
        until(lambda: "WORD is not set" in a.run("nodes").stdout, "nodes says which one cannot, and why")
        rows = {row["definitions"]: row["refused"] for row in a.json("nodes")}
        assert rows[2] is None and "WORD is not set" in rows[1]
        told = a.run("doctor", code=1).stdout
        assert "cannot execute version 2" in told and "WORD is not set" in told
        assert "1 of 2 nodes cannot execute the definitions in force" in a.run("status", code=1).stdout
        until(lambda: second.metrics()["ironcron_definitions_refused"] == 1, "its metrics say so with the next tick")
        told = json.loads(second.get("/api/v1/status")[2])
        assert (told["definitions"], told["active_definitions"]) == (1, 2) and "WORD is not set" in told["refused"]
        assert "definitions ok: version 2" in first.get("/readyz")[2]
        until(lambda: fleet.successes("two") > 2, "runs of two on the first")
        node = fleet.database.value("select string_agg(distinct n.host || n.node, ' ') from ironcron.job_runs r join "
                                    "ironcron.nodes n using (node) where r.job = 'two'")
        assert len(node.split()) == 1
        # A start with an environment in which it can be executed is all that it takes.
        second.stop()
        done = b.run("serve", code=78)
        assert "WORD is not set" in done.stderr
    with b.serve(env={"WORD": "true"}):
        count = fleet.successes("two")
        until(lambda: fleet.successes("two") > count, "runs of two on the other")


def test_a_reload_names_what_the_node_does_not_accept(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER))
    fleet.migrate("a")
    with a.serve() as node:
        fleet.config("a", jobs("one", schedule=NEVER, shell="${WORD}"))
        # The command has the variable, the node has not: its own `validate` would find nothing.
        told = a.run("reload", env={"WORD": "true"}, code=1).stderr
        assert "ironcron.yml:2:" in told and "WORD is not set" in told
        fleet.config("a", "jobs:\n  - { name: one, schedule: \"@daily\", command: [/nowhere/program] }\n")
        told = a.run("reload", code=1).stderr
        assert "the check `command one` failed" in told and "/nowhere/program" in told
        node.wait_logged(r"event=reload_refused .*/nowhere/program")


def test_a_node_that_does_not_start_by_the_active_version_is_none_of_the_nodes(fleet):
    a = fleet.config("a", "jobs:\n  - { name: one, schedule: \"@daily\", command: [/bin/true] }\n")
    b = fleet.config("b", jobs("one", schedule=NEVER))
    fleet.migrate("a")
    program = a.folder / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with b.serve():
        fleet.config("a", f"jobs:\n  - {{ name: one, schedule: \"@daily\", command: [{program}] }}\n")
        with a.serve() as node:
            node.wait_logged(r"event=definitions .*version=2")
        program.unlink()
        fleet.config("a", jobs("one", schedule=NEVER))
        assert f"`command one` failed: {program} does not exist" in a.run("serve", code=1).stderr
        assert [row["state"] for row in a.json("nodes")] == ["stopped", "stopped", "live"]


def test_a_missing_file_that_comes_is_enough(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER))
    b = fleet.config("b", jobs("one", schedule=NEVER))
    fleet.migrate("a")
    (a.folder / "word").write_text("true\n")
    with a.serve() as first, b.serve() as second:
        fleet.config("a", jobs("two", shell="${file:word}"))
        first.signal(signal.SIGHUP)
        second.wait_logged(r"event=definitions_refused .*word} cannot be opened")
        (b.folder / "word").write_text("true\n")
        second.wait_logged(r"event=definitions_adopted .*version=2")
        until(lambda: second.get("/readyz")[0] == 200, "the second is ready")


def test_a_short_lived_node_uses_the_active_version(fleet):
    a = fleet.config("a", jobs("one", schedule=NEVER, shell="echo first"))
    b = fleet.config("b", jobs("one", schedule=NEVER, shell="echo second"))
    fleet.migrate("a")
    with b.serve():
        assert fleet.active()[0] == "1"
    assert "second" in a.run("run", "one").stdout
    assert fleet.active()[0] == "1"


def test_a_secret_in_the_file_is_refused(fleet):
    a = fleet.config("a", "databases:\n  - { name: app, url: \"postgresql://u:hunter4@127.0.0.1/x\" }\n" +
                     jobs("one", schedule=NEVER))
    done = a.run("serve", code=78)
    assert "ironcron.yml:2:23: url: a secret may not stand here" in done.stderr and "hunter4" not in done.stderr
    assert "hunter4" not in a.run("validate", code=78).stderr


def test_many_megabytes_go_along(fleet):
    """What is too large for one file stands in several; another node has all of it from the store."""
    a = fleet.config("a", 'include: [ "jobs.d/*.yml" ]\n' + jobs("one"))
    b = fleet.config("b", jobs("one"))
    fleet.migrate("a")
    (a.folder / "jobs.d").mkdir()
    words = "a word that takes its room " * 130
    for part in range(13):
        lines = "".join(f'  - {{ name: p{part}-{n}, schedule: "{NEVER}", shell: "true # {words}" }}\n'
                        for n in range(900))
        (a.folder / "jobs.d" / f"part{part}.yml").write_text(f"jobs:\n{lines}")
    with b.serve():
        assert fleet.active()[0] == "1"
    with a.serve():
        assert int(fleet.database.value("select max(length(text)) from ironcron.definition")) > 40_000_000
        with b.serve() as second:  # its own file was seen before
            assert "lacks" in second.wait_logged(r"event=definitions .*version=2.*").group(0)
            assert json.loads(second.get("/api/v1/status")[2])["jobs"] == 13 * 900 + 1
            assert {node["definitions"] for node in b.json("nodes") if node["state"] == "live"} == {2}
            assert b.run("next", "p12-899").stdout


def test_included_files_go_along(fleet):
    a = fleet.config("a", 'include: [ "jobs.d/*.yml" ]\n')
    (a.folder / "jobs.d").mkdir()
    (a.folder / "jobs.d" / "one.yml").write_text(jobs("one"))
    fleet.migrate("a")
    with a.serve():
        assert fleet.active()[0] == "1"
    os.remove(a.folder / "jobs.d" / "one.yml")
    fleet.config("a", "jobs: []\n")
    b = fleet.config("b", 'include: [ "jobs.d/*.yml" ]\n')  # without a file: never seen, so it becomes the active one
    with b.serve() as node:
        node.wait_logged(r"event=definitions .*version=2")
    (b.folder / "jobs.d").mkdir()
    (b.folder / "jobs.d" / "one.yml").write_text(jobs("one"))
    with b.serve() as node:  # version 1 again, which was seen
        line = node.wait_logged(r"event=definitions .*version=2.*").group(0)
        assert "adds one" in line
        b.run("reload")
        until(lambda: fleet.successes("one") > 0, "a run of one")
