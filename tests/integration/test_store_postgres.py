"""The store on a real PostgreSQL: one node, real jobs, every command that a user types; the server going away and
coming back."""

import json
import pathlib
import signal
import subprocess

import pytest

from conftest import PATIENCE, Ironcron, until
from fleet import Clock, Session
from postgres import BIN, PASSWORD, Database, cluster, own_cluster  # noqa: F401 (fixtures)

ROLE = "ironcron_role"
SECRET = "hunter2-of-the-role"
JOBS = """\
http: { listen: "127.0.0.1:0" }
node: { drain: 5s, lease: 6s, labels: { region: eu } }
databases: [{ name: app, url: "${APP_URL}" }]
jobs:
  - {name: tick, schedule: "@every 1s", command: [echo, ticked]}
  - {name: bad, schedule: "@every 1s", shell: "echo broken >&2; exit 3"}
  - {name: count, schedule: "@every 1s", sql: {database: app, statement: "select count(*) from generate_series(1, 3)"}}
  - {name: slow, schedule: "0 0 1 1 *", shell: "for i in 1 2 3; do echo line $i; sleep 0.4; done"}
  - {name: sleeper, schedule: "0 0 1 1 *", command: [sleep, "300"]}
"""


class Fleet(Ironcron):
    """Ironcron with its store on PostgreSQL, as a role that owns one database and nothing else."""

    def __init__(self, folder, server):
        super().__init__(folder)
        self.server = server
        self.database = Database(server)
        self.url = f"postgresql://{ROLE}:{SECRET}@127.0.0.1:{server.port}/{self.database.name}"
        server.psql(f"do $$ begin create role {ROLE} login password '{SECRET}'; exception when duplicate_object then null; "
                    "end $$")
        server.psql(f"alter database {self.database.name} owner to {ROLE}")
        self.write(JOBS)

    def write(self, text):
        self.config_path.write_text(f"store: ${{STORE_URL}}\n{text}")
        self.config_path.chmod(0o600)

    def run(self, *arguments, env=None, **options):
        return super().run(*arguments, env={"APP_URL": self.url, "STORE_URL": self.url, **(env or {})}, **options)

    def start(self, *arguments, env=None, **options):
        return super().start(*arguments, env={"APP_URL": self.url, "STORE_URL": self.url, **(env or {})}, **options)

    def deploy(self):
        return self.run("migrate", "deploy", "--store")

    def rows(self, statement):
        return self.database.execute(statement)

    def wait_run(self, job, state):
        where = f"job = '{job}' and state = '{state}'"
        return until(lambda: self.rows(f"select run_id from ironcron.job_runs where {where} limit 1"),
                     f"a run of {job} is {state}")[0][0]


@pytest.fixture
def fleet(tmp_path, cluster):  # noqa: F811
    made = Fleet(tmp_path, cluster)
    yield made
    made.clean_up()
    made.database.drop()


# ---- tables ---------------------------------------------------------------------------------------------------------


def test_tables_are_made_once_and_by_whoever_comes_first(fleet):
    assert "no tables yet" in fleet.run("migrate", "status", "--store", code=1).stdout
    assert "run `ironcron migrate deploy --store`" in fleet.run("status", code=78).stderr
    done = [subprocess.Popen(fleet.command("--json", "migrate", "deploy", "--store"), stdout=subprocess.PIPE, text=True,
                             env={"STORE_URL": fleet.url}) for _ in range(4)]
    answers = [json.loads(process.communicate(timeout=PATIENCE)[0]) for process in done]
    assert [process.returncode for process in done] == [0] * 4
    assert sorted(answer["found"] for answer in answers)[0] == 0
    assert sum(answer["found"] == 0 for answer in answers) == 1
    assert {answer["now"] for answer in answers} == {answers[0]["wanted"]}
    assert "nothing to do" in fleet.deploy().stdout
    assert "--store stands alone" in fleet.run("migrate", "deploy", "--store", "--dir", "x", code=2).stderr
    assert fleet.json("migrate", "status", "--store")["ok"] is True


def test_what_only_a_later_version_migrates_is_said(fleet):
    for more in (["--dir", "prisma"], ["--database", "app"], ["--url", "postgresql://h/d"], []):
        assert "Prisma" in fleet.run("migrate", "deploy", *more, code=2).stderr


@pytest.mark.parametrize("version, remedy", [("0", "migrate deploy --store"), ("99", "ironcron that made")])
def test_a_store_of_another_version_is_refused(fleet, version, remedy):
    fleet.deploy()
    fleet.rows(f"update ironcron.meta set value = '{version}' where key in ('schema_version', 'schema_oldest')")
    for words in (["status"], ["runs"], ["run", "slow"], ["pause", "tick"]):
        assert remedy in fleet.run(*words, code=78).stderr
    assert remedy in fleet.run("validate", code=78).stdout
    node = fleet.start(ready=False)
    assert node.process.wait(PATIENCE) == 78
    assert remedy in node.log()
    if version == "99":
        assert "ironcron that made" in fleet.run("migrate", "deploy", "--store", code=78).stderr


# ---- startup validation ---------------------------------------------------------------------------------------------


def store_checks(fleet, code=0):
    return [check for check in fleet.json("validate", code=code)["checks"] if check["check"] == "store"]


def test_validate_says_what_is_wrong_with_the_server_and_how_to_mend_it(fleet):
    assert [check["remedy"] for check in store_checks(fleet, 78)] == ["run `ironcron migrate deploy --store`"]
    fleet.deploy()
    checks = store_checks(fleet)
    assert {check["result"] for check in checks} == {"warning"}
    assert any(check["remedy"] == "set fsync = on" for check in checks)  # the cluster of the tests is fast, not safe
    fleet.server.psql(f"alter database {fleet.database.name} set default_transaction_read_only = on")
    assert any("default_transaction_read_only" in check["detail"] for check in store_checks(fleet, 75))
    fleet.server.psql(f"alter database {fleet.database.name} reset default_transaction_read_only")
    fleet.server.psql(f"alter database {fleet.database.name} connection limit 5")
    assert any("more connections can be made" in check["detail"] for check in store_checks(fleet))
    fleet.server.psql(f"alter database {fleet.database.name} connection limit -1")
    fleet.rows("revoke insert on ironcron.audit from " + ROLE)
    assert any("may not write" in check["detail"] for check in store_checks(fleet, 1))


def test_a_role_that_may_not_make_the_tables_is_told_so(fleet):
    fleet.server.psql(f"alter database {fleet.database.name} owner to tester")
    assert "may not make them" in store_checks(fleet, 78)[0]["detail"]
    assert "permission denied" in fleet.run("migrate", "deploy", "--store", code=1).stderr
    fleet.server.psql("create schema ironcron", fleet.database.name)
    assert "permission denied for schema ironcron" in fleet.run("migrate", "deploy", "--store", code=1).stderr


@pytest.mark.parametrize("old, new, remedy", [
    (SECRET, "wrong", "correct the user or the password in `store:`"),
    (ROLE + ":", "nobody:", "correct the user or the password in `store:`"),
    ("/ironcron", "/nowhere", "correct the database in `store:`, or make it")])
def test_a_server_that_lets_nobody_in_is_told_with_what_mends_it(fleet, old, new, remedy):
    url = fleet.url.rsplit("/", 1)[0] + "/nowhere" if new == "/nowhere" else fleet.url.replace(old, new)
    assert remedy in fleet.run("status", env={"STORE_URL": url}, code=75).stderr
    check, = [c for c in Ironcron.json(fleet, "validate", env={"STORE_URL": url}, code=75)["checks"] if c["check"] == "store"]
    assert remedy in check["remedy"]


def test_a_role_that_may_not_read_the_tables_is_told_who_may(fleet):
    fleet.deploy()
    fleet.rows(f"revoke usage on schema ironcron from {ROLE}")
    assert "use the role that ran `ironcron migrate deploy --store`" in fleet.run("status", code=1).stderr


def test_the_folder_of_the_nodes_own_files_must_be_writable(fleet):
    fleet.deploy()
    fleet.write("http: { listen: off }\nnode: { state: no/such/folder/node }\n" + "jobs: []\n")
    checks = fleet.json("validate", code=1)["checks"]
    assert [check["result"] for check in checks if check["check"] == "node.state"] == ["failed"]


# ---- one node, every command ----------------------------------------------------------------------------------------


def forms(value):
    """A document's keys, and the kinds of its values; lists by their first element."""
    if isinstance(value, dict):
        return {key: forms(item) for key, item in value.items()}
    if isinstance(value, list):
        return [forms(item) for item in value[:1]]
    return type(value).__name__ if value is not None else "null"


def same_form(one, other, path=""):
    """What both have must be of one kind; null fits all."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert set(one) == set(other), path
        for key in one:
            same_form(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list) and isinstance(other, list):
        for first, second in zip(one, other):
            same_form(first, second, f"{path}[]")
    else:
        assert one == other or "null" in (one, other), f"{path}: {one} against {other}"


READING = (["status"], ["jobs"], ["jobs", "show", "tick"], ["runs"], ["nodes"], ["audit"], ["audit", "verify"],
           ["why", "tick"], ["doctor"])


def read_all(ironcron):
    documents = {}
    for words in READING:
        documents[" ".join(words)] = json.loads(ironcron.run("--json", *words, code=None).stdout)
    return documents


def stripped(documents):
    """Without what depends on how far each node is: whose form is that of single rows, compared elsewhere."""
    for name in ("doctor", "why tick"):
        documents.pop(name)
    return documents


def test_every_reading_command_gives_documents_of_the_same_form_as_on_sqlite(fleet, tmp_path):
    lite = Ironcron(tmp_path / "lite")
    lite.folder.mkdir()
    lite.config(JOBS)
    fleet.deploy()
    try:
        with fleet.serve(), lite.serve(env={"APP_URL": fleet.url}):
            for one in (fleet, lite):
                until(lambda one=one: {run["job"] for run in one.json("runs", "--limit", "200") if run["ended_at"]}
                      >= {"tick", "bad", "count"}, "each kind of job has run")
                one.run("pause", "bad", "--reason", "it is broken")
            until(lambda: all(one.run("audit", "verify", code=None).returncode == 0 for one in (fleet, lite)),
                  "both ledgers verify")
            ours, theirs = stripped(read_all(fleet)), stripped(read_all(lite))
            for name in ours:
                same_form(forms(ours[name]), forms(theirs[name]), name)
            for one in (fleet, lite):
                for words in READING:
                    assert one.run(*words, code=None).returncode in (0, 1), words
    finally:
        lite.clean_up()


def test_a_node_runs_each_kind_of_job_and_the_ledger_verifies(fleet):
    fleet.deploy()
    with fleet.serve() as node:
        for job, state in (("tick", "SUCCESS"), ("bad", "FAILED"), ("count", "SUCCESS")):
            run = fleet.wait_run(job, state)
            assert fleet.json("runs", "show", run)["state"] == state
        assert "ticked" in fleet.run("runs", "output", fleet.wait_run("tick", "SUCCESS")).stdout
        assert "line 1" in fleet.run("run", "slow").stdout
        nodes = fleet.json("nodes")
        assert [row["state"] for row in nodes] == ["live"]
        assert f"pid {node.pid}" in fleet.run("doctor", code=None).stdout
        assert "1 live" in fleet.run("status", code=None).stdout
        assert "why" in fleet.run("why", "bad").stdout or fleet.run("why", "bad").stdout
        assert fleet.run("audit", "verify").stdout.endswith("PASS\n")
    assert [row["state"] for row in fleet.json("nodes")] == ["stopped"]
    assert fleet.run("audit", "verify").stdout.endswith("PASS\n")
    for path in fleet.folder.iterdir():
        if path != fleet.config_path:
            assert SECRET not in path.read_text(errors="replace"), path


CHANGES = {
    "an element": "jobs[2] = 'other'", "no name": "events[2] = null", "a longer list": "jobs = jobs || 'more'::text",
    "a shorter list": "run_ids = run_ids[:1]", "exchanged lists": "jobs = details, details = jobs",
    "an event less": "events = events[2:], jobs = jobs[2:], run_ids = run_ids[2:], details = details[2:]",
}


def test_what_somebody_changes_in_the_lists_of_the_audit_is_found(fleet):
    fleet.deploy()
    together = "select min(id) from ironcron.audit where rows > 1 and jobs is not null and run_ids is not null"
    with fleet.serve():
        until(lambda: fleet.rows(together) != [[""]], "a row tells of several")
    row = fleet.rows(together)[0][0]
    fleet.rows("drop trigger audit_is_final on ironcron.audit")
    fleet.rows("alter table ironcron.audit drop constraint lists_are_alike")  # which refuses most of it
    fleet.rows(f"create table kept as select * from ironcron.audit where id = {row}")
    for name, change in CHANGES.items():
        fleet.rows(f"update ironcron.audit set {change} where id = {row}")
        found = fleet.json("audit", "verify", code=1)["findings"]
        assert "chain-broken" in {finding["kind"] for finding in found}, (name, found)
        assert fleet.json("audit", "--limit", "1000"), name
        fleet.rows("update ironcron.audit a set events = k.events, jobs = k.jobs, run_ids = k.run_ids, details = k.details "
                   "from kept k where a.id = k.id")
    assert fleet.run("audit", "verify").stdout.endswith("PASS\n")


def test_a_slot_that_is_in_the_ledger_twice_is_found(fleet):
    """A slot is a run's end or a row of its own, and no key of a table keeps it from being both."""
    fleet.deploy()
    with fleet.serve():
        until(lambda: len(fleet.rows("select 1 from ironcron.job_runs where job = 'tick' and state = 'SUCCESS'")) > 2, "it ticks")
    assert fleet.run("audit", "verify").stdout.endswith("PASS\n")
    seeded = fleet.rows(
        "insert into ironcron.slot_closed (job_id, due_at, node_no, run_id, attempt, outcome, reason) select r.job_id, r.due_at, "
        "r.node_no, r.run_id, r.attempt, r.state, 0 from ironcron.run_ended r join ironcron.job j using (job_id) where r.closes "
        "and j.name = 'tick' order by r.due_at offset 1 limit 1 returning to_timestamp(due_at / 1000) at time zone 'UTC'")
    found = fleet.json("audit", "verify", code=1)["findings"]
    twice = [row for row in found if row["kind"] == "slot-extra" and "is in the ledger twice" in row["text"]]
    assert len(twice) == 1 and twice[0]["job"] == "tick", found
    assert twice[0]["at"].startswith(seeded[0][0].replace(" ", "T")), (seeded, twice)


def test_output_is_followed_and_a_run_is_cancelled(fleet):
    fleet.deploy()
    with fleet.serve():
        fleet.run("run", "slow", "--detach")
        run = fleet.wait_run("slow", "STARTED")
        followed = fleet.run("runs", "output", run, "-f").stdout
        assert followed.split("\n")[:3] == ["line 1", "line 2", "line 3"]
        fleet.run("run", "sleeper", "--detach")
        fleet.run("runs", "cancel", fleet.wait_run("sleeper", "STARTED"))
        fleet.wait_run("sleeper", "CANCELLED")


def test_where_no_node_lives_a_command_is_one_itself(fleet):
    fleet.deploy()
    assert "line 3" in fleet.run("run", "slow").stdout
    fleet.run("pause", "tick")
    assert "No node is live" in fleet.run("resume", "tick").stdout
    assert "no node is live" in fleet.run("run", "slow", "--detach", code=1).stderr
    assert [row["state"] for row in fleet.json("nodes")] == ["stopped"]
    assert fleet.run("audit", "verify").stdout.endswith("PASS\n")


@pytest.fixture
def elsewhere(fleet):
    """The same configuration on what is another host as far as files tell: no node's lock is there."""
    other = Fleet.__new__(Fleet)
    Ironcron.__init__(other, fleet.folder / "elsewhere")
    other.folder.mkdir()
    other.server, other.database, other.url = fleet.server, fleet.database, fleet.url
    other.write(JOBS)
    yield other
    other.clean_up()


def test_a_host_without_a_node_acts_through_the_store(fleet, elsewhere):
    fleet.deploy()
    with fleet.serve() as node:
        fleet.wait_run("tick", "SUCCESS")
        node_id = fleet.json("nodes")[0]["node"]
        assert "1 live" in elsewhere.run("status", code=None).stdout
        assert elsewhere.json("status", code=None)["node"]["pid"] is None
        done = elsewhere.run("--json", "run", "slow")
        assert json.loads(done.stdout[done.stdout.index("{"):])["node"] == node_id
        elsewhere.run("run", "sleeper", "--detach")
        run = fleet.wait_run("sleeper", "STARTED")
        assert elsewhere.json("runs", "show", run)["state"] == "STARTED"
        assert not any("cut off" in check["detail"] for check in findings(elsewhere, "runs"))
        elsewhere.run("runs", "cancel", run)
        fleet.wait_run("sleeper", "CANCELLED")
        elsewhere.run("pause", "tick")
        assert node.alive() and fleet.json("jobs", "show", "tick")["paused"] is True
        assert len(fleet.json("nodes")) == 1  # nobody else became one


# ---- trouble --------------------------------------------------------------------------------------------------------


def test_a_killed_node_is_gone_at_once_for_its_own_host_and_its_runs_are_lost(fleet):
    fleet.deploy()
    node = fleet.start()
    fleet.run("run", "sleeper", "--detach")
    run = fleet.wait_run("sleeper", "STARTED")
    node.kill()
    until(lambda: fleet.json("nodes", code=None)[0]["state"] == "gone", "the node is gone")
    assert "no node is live" in fleet.run("status", code=1).stdout
    with fleet.serve():
        assert fleet.json("runs", "show", run)["state"] == "LOST"
        assert [row["state"] for row in fleet.json("nodes")] == ["live", "lost"]
        assert fleet.run("audit", "verify").stdout.endswith("PASS\n")


def test_a_server_that_is_down_is_said_in_one_sentence(tmp_path, own_cluster):  # noqa: F811
    fleet = Fleet(tmp_path, own_cluster)
    fleet.deploy()
    own_cluster.stop()
    for words in (["status"], ["runs"], ["nodes"], ["doctor"], ["run", "slow"], ["pause", "tick"],
                  ["migrate", "deploy", "--store"], ["migrate", "status", "--store"]):
        done = fleet.run(*words, code=75)
        assert len(done.stderr.strip().splitlines()) == 1 and str(own_cluster.port) in done.stderr, words
        assert SECRET not in done.stderr + done.stdout
    assert "nothing new starts until it is back; `ironcron validate` tells more" in fleet.run("status", code=75).stderr
    assert any(check["result"] == "failed" for check in store_checks(fleet, 75))
    node = fleet.start(ready=False)
    assert node.process.wait(PATIENCE) == 75


def test_a_server_that_crashes_amid_the_work_is_told_and_waited_for(tmp_path, own_cluster):  # noqa: F811
    fleet = Fleet(tmp_path, own_cluster)
    fleet.deploy()
    with fleet.serve() as node:
        fleet.wait_run("tick", "SUCCESS")
        own_cluster.stop(signal.SIGQUIT)
        assert str(own_cluster.port) in fleet.run("runs", code=75).stderr
        own_cluster.start()
        before = int(fleet.rows("select count(*) from ironcron.job_runs")[0][0])
        until(lambda: int(fleet.rows("select count(*) from ironcron.job_runs")[0][0]) > before,
              lambda: f"jobs run again:\n{node.log()}")
        until(lambda: fleet.run("audit", "verify", code=None).returncode == 0, "the ledger verifies")


def test_a_configuration_with_mistakes_does_not_blind_who_looks(fleet):
    fleet.deploy()
    with fleet.serve():
        fleet.wait_run("tick", "SUCCESS")
        fleet.write("jobs: [{name: tick, schedul: x}]\n")
        done = fleet.run("runs", "--limit", "1")
        assert "comes from the store postgresql://" in done.stderr and SECRET not in done.stderr


def test_a_url_that_is_not_set_is_told_and_not_tried(fleet):
    fleet.deploy()
    assert "cannot be reached: set it" in Ironcron.run(fleet, "runs", code=78).stderr


# ---- the doctor -----------------------------------------------------------------------------------------------------


def findings(fleet, name, code=None):
    return [check for check in fleet.json("doctor", code=code)["checks"] if check["check"] == name]


def test_the_doctor_finds_tables_full_of_dead_rows(fleet):
    fleet.deploy()
    fleet.rows("insert into ironcron.meta select 'x' || n, '' from generate_series(1, 20000) n")
    fleet.rows("delete from ironcron.meta where key like 'x%'")
    until(lambda: any("ironcron.meta" in check["detail"] for check in findings(fleet, "vacuum")),
          "the doctor tells of dead rows")
    told, = [check for check in findings(fleet, "vacuum", 1) if "ironcron.meta" in check["detail"]]
    assert "last vacuumed never" in told["detail"] and told["remedy"].startswith("vacuum ironcron.meta;")
    fleet.rows("vacuum ironcron.meta")
    until(lambda: not findings(fleet, "vacuum"), "and not after a vacuum")


def test_the_doctor_finds_a_lock_that_nobody_needs(fleet):
    fleet.deploy()
    with fleet.serve():
        fleet.wait_run("tick", "SUCCESS")
    holder = subprocess.Popen([BIN / "psql", "-X", "-At", fleet.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        holder.stdin.write("select pg_advisory_lock(1768124272, job_id::int) is null, pg_backend_pid() from ironcron.job "
                           "where name = 'tick';\n")
        holder.stdin.flush()
        pid = holder.stdout.readline().strip().split("|")[1]
        locks = findings(fleet, "locks", 1)
        assert [check["remedy"] for check in locks] == [f"select pg_terminate_backend({pid})"]
        assert "(psql), whose last statement was" in locks[0]["detail"] and "holds the lock of tick" in locks[0]["detail"]
    finally:
        holder.kill()
        holder.wait()


def test_the_doctor_names_who_fills_the_lock_table(fleet):
    fleet.deploy()
    session = Session(fleet.database)
    session.execute("select count(pg_advisory_lock(n)) from generate_series(1, 3600) n")
    pid = session.execute("select pg_backend_pid()")
    told, = [check for check in findings(fleet, "server", 1) if "lock table" in check["detail"]]
    session.close()
    assert f"by session {pid}, psql" in told["detail"] and "nothing can start" in told["detail"]
    assert f"select pg_terminate_backend({pid})" in told["remedy"] and "max_locks_per_transaction" in told["remedy"]


def test_the_doctor_tells_since_when_a_transaction_is_in_the_way(tmp_path, own_cluster, monkeypatch):  # noqa: F811
    """Prepared, as it were, two hours ago."""
    fleet = Fleet(tmp_path, own_cluster)
    fleet.deploy()
    fleet.rows("begin; create table left_over (); prepare transaction 'left over'")
    own_cluster.stop()
    clock = Clock(own_cluster.folder)
    clock.step(7200)
    for name, value in clock.environment().items():
        monkeypatch.setenv(name, value)
    own_cluster.start()
    told, = findings(fleet, "vacuum", 1)
    assert "the prepared transaction left over in database" in told["detail"], told
    assert "began 2h" in told["detail"] and "ago" in told["detail"], told
    assert "rollback prepared 'left over'" in told["remedy"]
    assert "behind the store's" in findings(fleet, "skew", 1)[0]["detail"]


def test_a_node_of_this_host_is_past_its_lease_as_any_other(fleet):
    fleet.deploy()
    with fleet.serve() as node:
        fleet.wait_run("tick", "SUCCESS")
        assert 'no job "nobody" in version 1 of the jobs' in fleet.run("why", "nobody", code=1).stderr
        node.signal(signal.SIGSTOP)
        until(lambda: fleet.json("nodes", code=None)[0]["state"] == "overdue", "its lease is over")
        assert "past the lease" in fleet.run("nodes", code=1).stdout
        assert any(check["remedy"] == f"kill -CONT {node.pid}" for check in findings(fleet, "node", 1))
        node.signal(signal.SIGCONT)
        until(lambda: fleet.json("nodes", code=None)[0]["state"] == "live", "it goes on")


def test_nodes_exits_1_when_one_is_past_its_lease(fleet):
    fleet.deploy()
    with fleet.serve():
        pass
    fleet.rows("update ironcron.node set state = 'live', valid_until = 1")
    pathlib.Path(f"{fleet.folder}/ironcron.node.lock").unlink()  # as on another host: nothing is known of it here
    assert fleet.json("nodes", code=1)[0]["state"] == "overdue"
    assert "past the lease" in fleet.run("nodes", code=1).stdout
    assert any("past its lease" in check["detail"] for check in findings(fleet, "nodes", 1))
