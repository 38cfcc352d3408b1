"""`why`: each way in which a slot does not run, made for real, and what is said of it."""

import contextlib
import signal
import sqlite3

import pytest
from conftest import PATIENCE, until

NEVER = "0 0 1 1 *"
SECONDLY = "* * * * * *"


def job(name, schedule=SECONDLY, work='command: ["/bin/true"]', more=""):
    return f'  - {{ name: {name}, schedule: "{schedule}", {work}{", " if more else ""}{more} }}\n'


def slots(program, name, where="1"):
    return program.query(f"select * from slots where job = ? and {where} order by due_at", name)


def slot(program, name, where):
    """The first slot of that kind, as soon as there is one."""
    return until(lambda: slots(program, name, where), f"a slot of {name} with {where}")[0]


def why(program, name, due_at=None, code=0):
    words = ["why", name] + (["--at", due_at] if due_at else [])
    document = program.json(*words, code=code)
    text = program.run(*words, code=code).stdout
    if due_at:
        assert f": {document['cause']}\n" in text and "\nNext: ironcron " in text
    return document


def test_what_ran(ironcron):
    ironcron.config("jobs:\n" + job("ticks") + job("fails", work='shell: "echo no; exit 3"')
                    + job("absent", work='command: ["/bin/true"], workdir: gone')
                    + job("hangs", work='shell: "sleep 100"', more="timeout: 1s, kill_after: 1s"))
    (ironcron.folder / "gone").mkdir()
    with ironcron.serve():
        (ironcron.folder / "gone").rmdir()
        ran = slot(ironcron, "ticks", "outcome = 'SUCCESS'")
        failed = slot(ironcron, "fails", "outcome = 'FAILED'")
        absent = slot(ironcron, "absent", "outcome = 'FAILED'")
        hung = slot(ironcron, "hangs", "outcome = 'TIMED_OUT'")
        overlapped = slot(ironcron, "hangs", "reason = 'overlap'")
    document = why(ironcron, "ticks", ran["due_at"])
    assert document["cause"] == "success" and document["next"] == f"ironcron runs show {ran['run_id']}"
    assert [event["event"] for event in document["events"]] == ["STARTED", "SUCCESS"]
    assert document["node_then"] and document["schedule"]["to"] is None
    document = why(ironcron, "fails", failed["due_at"])
    assert document["cause"] == "failed" and "exit code 3" in document["answer"]
    assert "No retries are configured" in document["answer"]
    assert document["next"] == f"ironcron runs output {failed['run_id']}"
    document = why(ironcron, "absent", absent["due_at"])
    assert document["cause"] == "failed" and "could not be started" in document["answer"]
    assert document["next"] == "ironcron validate"
    document = why(ironcron, "hangs", hung["due_at"])
    assert document["cause"] == "timed_out" and "timeout of 1s" in document["answer"]
    document = why(ironcron, "hangs", overlapped["due_at"])
    assert document["cause"] == "overlap" and document["other_run"]["run_id"] in document["answer"]
    with contextlib.closing(sqlite3.connect(ironcron.store_path, timeout=PATIENCE)) as db, db:  # its end was on its way then
        hangs = "job_id = (select job_id from job where name = 'hangs')"
        decided, = db.execute(f"select min(at) from audit where {hangs} and event = 'SKIPPED'").fetchone()
        moved = db.execute(f"update run set ended_at = ? - 20 where fence = (select max(fence) from run where {hangs} and "
                           "started_at < ?)", [decided, decided])
        assert moved.rowcount == 1
    assert why(ironcron, "hangs", overlapped["due_at"])["other_run"]["run_id"] == document["other_run"]["run_id"]


def test_what_runs_is_cancelled_and_lost(ironcron):
    ironcron.config("jobs:\n" + job("slow", work='shell: "echo begun; sleep 100"', more="kill_after: 1s")
                    + job("replaced", work='shell: "sleep 100"', more="overlap: replace, kill_after: 1s")
                    + job("queued", work='shell: "sleep 100"', more="overlap: queue, kill_after: 1s"))
    node = ironcron.start()
    running = slot(ironcron, "slow", "outcome is null")
    document = until(lambda: why(ironcron, "slow", running["due_at"])["cause"] == "running"
                     and why(ironcron, "slow", running["due_at"]), "it runs")
    assert document["next"] == f"ironcron runs output {running['run_id']} -f"
    replaced = slot(ironcron, "replaced", "outcome = 'CANCELLED'")
    assert why(ironcron, "replaced", replaced["due_at"])["cause"] == "replaced"
    superseded = slot(ironcron, "queued", "reason = 'superseded'")
    assert why(ironcron, "queued", superseded["due_at"])["cause"] == "superseded"
    assert why(ironcron, "queued")["cause"] in ("waits_overlap", "starting")
    ironcron.run("runs", "cancel", running["run_id"], "--reason", "wrong input")
    until(lambda: slots(ironcron, "slow", "outcome = 'CANCELLED'"), "cancelled")
    document = why(ironcron, "slow", running["due_at"])
    assert document["cause"] == "cancelled" and "wrong input" in document["answer"]
    cut_off = slot(ironcron, "slow", "outcome is null")
    node.kill()
    ironcron.expect_no_process()
    document = why(ironcron, "slow", cut_off["due_at"])
    assert document["cause"] == "cut_off" and document["next"] == "ironcron serve"
    ironcron.config("jobs:\n" + job("slow", NEVER))
    with ironcron.serve():
        document = why(ironcron, "slow", cut_off["due_at"])
        assert document["cause"] == "lost" and "on_lost: fail" in document["answer"]
        assert document["schedule"]["to"] and document["schedule_after"]["to"] is None


def test_what_was_held_back(ironcron):
    ironcron.config("jobs:\n" + job("paused") + job("throttled") + job("dry"))
    with ironcron.serve():
        ironcron.run("pause", "paused", "--reason", "mail server down")
        ironcron.run("throttle", "throttled", "x3")
        ironcron.run("dry-run", "on", "dry", "--reason", "migration")
        paused = slot(ironcron, "paused", "reason = 'paused'")
        throttled = slot(ironcron, "throttled", "reason = 'throttled'")
        dry = slot(ironcron, "dry", "outcome = 'DRY_RUN'")
        document = why(ironcron, "paused", paused["due_at"])
        assert document["cause"] == "paused" and "(mail server down)" in document["answer"]
        assert document["next"] == "ironcron resume paused"
        assert document["controls"][0]["reason"] == "mail server down"
        document = why(ironcron, "throttled", throttled["due_at"])
        assert document["cause"] == "throttled" and "One slot in 3" in document["answer"]
        assert document["next"] == "ironcron throttle throttled off"
        document = why(ironcron, "dry", dry["due_at"])
        assert document["cause"] == "dry_run" and "(migration)" in document["answer"]
        assert document["next"] == "ironcron dry-run off dry"
        ironcron.run("resume", "paused")
        document = why(ironcron, "paused", paused["due_at"])
        assert ", until " in document["answer"] and document["next"] == "ironcron run paused"


def test_a_node_in_dry_run(ironcron):
    ironcron.config("jobs:\n" + job("ticks"))
    with ironcron.serve("--dry-run"):
        dry = slot(ironcron, "ticks", "outcome = 'DRY_RUN'")
        document = why(ironcron, "ticks", dry["due_at"])
        assert document["cause"] == "dry_run" and "--dry-run" in document["answer"]


def test_a_slot_that_waits_for_its_next_attempt(ironcron):
    ironcron.config("jobs:\n" + job("fails", work='shell: "exit 3"', more="retries: { max: 2, backoff: 1h }"))
    with ironcron.serve():
        first = slot(ironcron, "fails", "outcome is null")
        until(lambda: ironcron.json("runs", "--job", "fails", "--state", "failed"), "an attempt failed")
        document = why(ironcron, "fails", first["due_at"])
        assert document["cause"] == "waits_retry" and "attempt 2 of 3, due at the latest" in document["answer"]
        later = slot(ironcron, "fails", "reason = 'overlap'")
        assert "waited for its next attempt." in why(ironcron, "fails", later["due_at"])["answer"]
        ironcron.run("pause", "fails", "--reason", "broken")
        document = why(ironcron, "fails", first["due_at"])
        assert "(broken)" in document["answer"] and document["next"] == "ironcron resume fails"


def move_into_the_past(program, ms):
    """As if all that happened had happened that much earlier, and nothing since."""
    with contextlib.closing(sqlite3.connect(program.store_path, timeout=PATIENCE)) as db, db:
        for table, column in [("job", "high_water"), ("in_force", "from_ms"), ("slot", "due_at"), ("run", "due_at"),
                              ("run", "started_at"), ("run", "ended_at"), ("node", "started_at"), ("node", "last_seen")]:
            db.execute(f"update {table} set {column} = {column} - ?", [ms])


def test_downtime_and_a_stopped_node(ironcron):
    ironcron.config("jobs:\n" + job("skips", more="missed: skip") + job("old", more="missed: last, missed_within: 1m"))
    with ironcron.serve():
        slot(ironcron, "skips", "outcome = 'SUCCESS'")
    document = until(lambda: why(ironcron, "skips")["cause"] == "no_node" and why(ironcron, "skips"), "a slot is due")
    assert document["next"] == "ironcron serve" and document["node_before"]["state"] == "stopped"
    move_into_the_past(ironcron, 10 * 60 * 1000)
    with ironcron.serve() as node:
        missed = slot(ironcron, "skips", "reason = 'downtime'")
        document = why(ironcron, "skips", missed["due_at"])
        assert document["cause"] == "downtime" and "missed: skip" in document["answer"]
        assert "was stopped and last seen" in document["answer"] and document["node_after"]
        old = slot(ironcron, "old", "reason = 'too_old'")
        document = why(ironcron, "old", old["due_at"])
        assert document["cause"] == "too_old" and "missed_within 1m" in document["answer"]
        node.signal(signal.SIGSTOP)
        document = until(lambda: why(ironcron, "skips")["cause"] == "node_stopped" and why(ironcron, "skips"), "a due slot")
        assert document["next"] == f"kill -CONT {node.pid}"
        node.signal(signal.SIGCONT)


def test_capacity(ironcron):
    ironcron.config("node: { max_running: 1, drain: 1s }\njobs:\n" + job("slow", work='shell: "sleep 100"', more="kill_after: 1s")
                    + job("ticks"))
    with ironcron.serve():
        slot(ironcron, "slow", "outcome is null")
        document = until(lambda: why(ironcron, "ticks")["cause"] == "waits_capacity" and why(ironcron, "ticks"), "it waits")
        assert document["next"] == "ironcron runs --state started"


def test_not_due_and_not_there(ironcron):
    ironcron.config("jobs:\n" + job("night", "30 2 * * *", more="timezone: Europe/Berlin") + job("skips", "30 2 * * *",
                    more="timezone: Europe/Berlin, dst: skip"))
    document = why(ironcron, "night", code=0)
    assert document["cause"] == "not_published" and document["next"] == "ironcron serve"
    assert 'did you mean "night"' in ironcron.run("why", "nigt", code=1).stderr
    with ironcron.serve():
        document = why(ironcron, "night")
        assert document["cause"] == "future"
        document = why(ironcron, "night", "2020-01-01T02:30:00+01:00")
        assert document["cause"] == "not_configured" and "came into force" in document["answer"]
        document = why(ironcron, "night", "2030-05-01T12:00:00+02:00")
        assert document["cause"] == "not_due" and "no clock change" in document["answer"]
        assert (document["before"], document["after"]) == ("2030-05-01T00:30:00.000Z", "2030-05-02T00:30:00.000Z")
        ironcron.config("jobs:\n" + job("other", NEVER))
        ironcron.run("reload")
        document = why(ironcron, "night", "-1s")
        assert document["cause"] in ("not_due", "not_configured")
        # A job that left before its first slot has no definition to look at any more.
        assert why(ironcron, "night", code=None)["cause"] in ("future", "not_due", "not_configured")


@pytest.mark.parametrize("name,at,cause,instead", [
    ("night", "2030-03-31T02:30:00+01:00", "clock_gap", "2030-03-31T03:00:00+02:00"),
    ("night", "2030-03-31T02:30:00+02:00", "clock_gap", "2030-03-31T03:00:00+02:00"),
    ("night", "2030-10-27T02:30:00+01:00", "clock_repeat", "2030-10-27T02:30:00+02:00"),
    ("skips", "2030-03-31T02:30:00+01:00", "clock_gap", None),
    ("night", "2030-03-31T03:00:00+02:00", "future", None),
])
def test_clock_changes(ironcron, name, at, cause, instead):
    ironcron.config("jobs:\n" + job("night", "30 2 * * *", more="timezone: Europe/Berlin") + job("skips", "30 2 * * *",
                    more="timezone: Europe/Berlin, dst: skip"))
    document = why(ironcron, name, at)
    assert document["cause"] == cause
    if instead:
        assert instead in document["answer"] and document["next"] == f"ironcron why {name} --at {instead}"
    assert (document["clock_change"] is not None) == (cause != "future" or at.endswith("03:00:00+02:00"))


def test_a_slot_that_waits_for_another_job(ironcron):
    ironcron.config("""
jobs:
  - { name: source, schedule: "* * * * * *", shell: "exit 1" }
  - { name: patient, schedule: "* * * * * *", shell: "true", after: [source], after_within: 1h }
  - { name: hasty, schedule: "* * * * * *", shell: "true", after: [source], after_within: 1s }
""")

    def slot(job, condition):
        rows = ironcron.query(f"select due_at from slots where job = ? and {condition} order by due_at limit 1", job)
        return rows and rows[0]["due_at"]

    with ironcron.serve():
        until(lambda: slot("source", "outcome = 'FAILED'"), "a failure")
        until(lambda: slot("patient", "outcome is null and reason = 'after'"), "a slot that waits")
        document = why(ironcron, "patient", slot("patient", "outcome is null and reason = 'after'"))
        assert document["cause"] == "waits_after" and "It waits for source to succeed" in document["answer"]
        assert "is SKIPPED then" in document["answer"] and document["next"].startswith("ironcron why source --at ")
        assert ironcron.run(*document["next"].split()[1:]).stdout
        until(lambda: slot("hasty", "outcome = 'SKIPPED' and reason = 'after'"), "one that has waited in vain")
        document = why(ironcron, "hasty", slot("hasty", "outcome = 'SKIPPED' and reason = 'after'"))
        assert document["cause"] == "after" and "one of them, source, had not succeeded in time" in document["answer"]
        assert document["next"].startswith("ironcron why source --at ")
        assert "waits for the jobs that it runs after" in ironcron.run("jobs", "show", "patient").stdout
