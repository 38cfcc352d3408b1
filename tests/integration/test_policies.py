"""What the policies make of slots, with the real binary: jobs that come after others, backfills, retries by hand,
crashes on the way."""

import json
import signal
import subprocess
import time

from conftest import FAR, PATIENCE, environment, until
from fleet import Clock


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def due_soon(ironcron, text):
    """Brings `text` into force on the node that runs, with an instant for its ONCE that is still to come by then. However
    slow the machine is: where it has passed, a later one is tried."""
    for ahead in (4, 8, 16, 32, 64, 128):
        due = int(time.time()) + ahead
        if time.gmtime(due).tm_yday != time.gmtime(due + 60).tm_yday:
            due += 60  # not across midnight
        ironcron.config(text.replace("ONCE", iso(due)).replace("FOLDER", str(ironcron.folder)))
        ironcron.run("reload")
        if time.time() < due:
            return iso(due)[:-1] + ".000Z"
    raise AssertionError("the machine is too slow for a reload within two minutes")


def not_yet(ironcron, text):
    """For a node to start with."""
    ironcron.config(text.replace("@once ONCE", FAR).replace("FOLDER", str(ironcron.folder)))


def slots(ironcron, job):
    return {row["due_at"]: row for row in ironcron.query("SELECT * FROM slots WHERE job = ? ORDER BY due_at", job)}


def runs(ironcron, job, **wanted):
    return [run for run in ironcron.json("runs", "--job", job, "--limit", "1000")
            if all(run[key] == value for key, value in wanted.items())]


# ---- after ---------------------------------------------------------------------------------------

# "upstream" lasts until the file "go" is there, and fails when there is a file "bad"; "then" comes after it.
AFTER = """
jobs:
  - { name: upstream, schedule: "@once ONCE", shell: "while ! test -e go; do sleep 0.05; done; test ! -e bad",
      workdir: FOLDER, timeout: 0s, kill_after: 1s, on_lost: retry }
  - { name: then, schedule: "@once ONCE", command: ["/bin/true"], after: [upstream], after_within: WITHIN }
  - { name: other, schedule: "0 0 29 2 *", command: ["/bin/true"] }
"""


def after(within="6h"):
    return AFTER.replace("WITHIN", within)


def test_a_slot_waits_for_the_other_job_over_a_crash(ironcron):
    not_yet(ironcron, after())
    node = ironcron.start()
    due = due_soon(ironcron, after())
    until(lambda: slots(ironcron, "then").get(due, {}).get("reason") == "after", "it waits", every=0.1)
    row = slots(ironcron, "then")[due]
    assert row["outcome"] is None and row["run_id"] is None
    assert runs(ironcron, "then") == []
    ironcron.run("audit", "verify")
    assert ironcron.json("jobs", "show", "then")["state"] == "waiting"
    shown = ironcron.run("jobs", "show", "then").stdout
    assert "waiting" in shown and "upstream (waits up to 6h)" in shown
    told = ironcron.run("why", "then", "--at", due).stdout
    assert "It waits for upstream to succeed" in told and "open" in told
    node.kill()
    ironcron.expect_no_process()
    with ironcron.serve():
        until(lambda: len(runs(ironcron, "upstream")) == 2, "the lost run is tried again", every=0.1)
        assert slots(ironcron, "then")[due]["outcome"] is None
        (ironcron.folder / "go").touch()
        until(lambda: slots(ironcron, "then")[due]["outcome"] == "SUCCESS", "it has gone on", every=0.1)
    run, = runs(ironcron, "then")
    assert run["trigger"] == "schedule" and run["attempt"] == 1
    ironcron.run("audit", "verify")


def test_a_slot_waits_for_the_other_job_while_the_clock_steps(ironcron):
    not_yet(ironcron, after())
    clock = Clock(ironcron.folder)
    with ironcron.serve(env=clock.environment()):
        due = due_soon(ironcron, after())
        until(lambda: slots(ironcron, "then").get(due, {}).get("reason") == "after", "it waits", every=0.1)
        for seconds in (-600, 600, -3):
            clock.step(seconds)
            ironcron.run("run", "other", "--wait")  # the node has seen it
            assert slots(ironcron, "then")[due]["outcome"] is None
            assert len(runs(ironcron, "upstream")) == 1
        (ironcron.folder / "go").touch()
        until(lambda: slots(ironcron, "then")[due]["outcome"] == "SUCCESS", "it has gone on", every=0.1)
    assert [len(runs(ironcron, job)) for job in ("upstream", "then")] == [1, 1]
    ironcron.run("audit", "verify")


def test_what_fails_before_it_leaves_it_skipped(ironcron):
    (ironcron.folder / "go").touch()
    (ironcron.folder / "bad").touch()
    not_yet(ironcron, after("5s"))
    with ironcron.serve() as node:
        due = due_soon(ironcron, after("5s"))
        until(lambda: slots(ironcron, "then").get(due, {}).get("outcome") == "SKIPPED", "it is skipped", every=0.1)
        assert slots(ironcron, "then")[due]["reason"] == "after"
        event, = [e for e in ironcron.json("audit", "--event", "SKIPPED") if e["job"] == "then"]
        detail = event["detail"] if isinstance(event["detail"], dict) else json.loads(event["detail"])
        assert detail["upstream"] == "upstream" and detail["upstream_outcome"] == "FAILED"
        assert detail["upstream_due_at"] == due
        until(lambda: node.metrics().get('job_slots_skipped_total{job_name="then",reason="after"}') == 1,
              "it is counted")
    ironcron.run("audit", "verify")


def test_a_retry_sets_free_what_waits(ironcron):
    (ironcron.folder / "go").touch()
    (ironcron.folder / "bad").touch()
    not_yet(ironcron, after("1h"))
    with ironcron.serve():
        due = due_soon(ironcron, after("1h"))
        until(lambda: slots(ironcron, "upstream").get(due, {}).get("outcome") == "FAILED", "it failed", every=0.1)
        until(lambda: due in slots(ironcron, "then"), "it waits", every=0.1)
        assert slots(ironcron, "then")[due]["outcome"] is None
        (ironcron.folder / "bad").unlink()
        failed, = runs(ironcron, "upstream", due_at=due)
        again = ironcron.run("runs", "retry", failed["run_id"], "--reason", "mended")
        assert "SUCCESS" in again.stderr
        until(lambda: slots(ironcron, "then")[due]["outcome"] == "SUCCESS", "it has gone on", every=0.1)
    assert [run["trigger"] for run in runs(ironcron, "upstream", due_at=due)] == ["retry", "schedule"]
    ironcron.run("audit", "verify")


# ---- retry ---------------------------------------------------------------------------------------

RETRY = """
jobs:
  - { name: moody, schedule: "@once ONCE", shell: "test -e good", workdir: FOLDER }
  - { name: idle, schedule: "0 0 1 1 *", shell: 'echo "for $IRONCRON_PARAM_WHO"; exit 1', params: { who: all } }
"""


def test_a_retry_by_hand_with_and_without_a_node(ironcron):
    not_yet(ironcron, RETRY)
    with ironcron.serve():
        due_soon(ironcron, RETRY)
        until(lambda: runs(ironcron, "moody", state="FAILED"), "it failed", every=0.1)
    first, = runs(ironcron, "moody")
    refused = ironcron.run("runs", "retry", "0000ffff", code=1)
    assert "no run's id begins" in refused.stderr
    assert "FAILED" in ironcron.run("runs", "retry", first["run_id"], code=1).stderr  # without a node, and in vain
    (ironcron.folder / "good").touch()
    done = ironcron.run("runs", "retry", first["run_id"])
    assert "SUCCESS" in done.stderr
    assert [(r["attempt"], r["trigger"], r["state"]) for r in runs(ironcron, "moody")] == [
        (3, "retry", "SUCCESS"), (2, "retry", "FAILED"), (1, "schedule", "FAILED")]
    over = ironcron.run("runs", "retry", first["run_id"], code=1).stderr
    assert "has succeeded" in over and "backfill moody" in over
    # A manual run has no slot: a new one, with the defaults.
    ironcron.run("run", "idle", "--param", "who=anna", code=1)
    manual, = runs(ironcron, "idle")
    again = ironcron.run("runs", "retry", manual["run_id"], code=1)
    assert again.stdout == "for all\n" and "Parameters are not kept" in again.stderr
    assert [r["trigger"] for r in runs(ironcron, "idle")] == ["manual", "manual"]
    ironcron.run("audit", "verify")


LONG = """
jobs:
  - { name: long, schedule: "@once ONCE", shell: "echo x >>begun; test -e good && exit 0; test -e begun-once && sleep 300;
      touch begun-once; exit 1", workdir: FOLDER, timeout: 0s, kill_after: 1s }
"""


def begun(ironcron):
    return (ironcron.folder / "begun").read_text().count("x")


def retry_aside(ironcron, run):
    return subprocess.Popen(ironcron.command("runs", "retry", run["run_id"]), cwd=ironcron.folder,
                            env=environment(ironcron.folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def test_a_retry_by_hand_that_is_killed_is_lost_and_can_be_had_again(ironcron):
    not_yet(ironcron, LONG)
    with ironcron.serve():
        due_soon(ironcron, LONG)
        until(lambda: runs(ironcron, "long", state="FAILED"), "it failed", every=0.1)
    first, = runs(ironcron, "long")
    # The command itself, where no node lives; then the node that carries it out.
    command = retry_aside(ironcron, first)
    until(lambda: begun(ironcron) == 2, "it has begun", every=0.1)
    command.kill()
    command.wait()
    ironcron.expect_no_process()
    node = ironcron.start()
    until(lambda: runs(ironcron, "long", attempt=2, state="LOST"), "it is lost", every=0.1)
    command = retry_aside(ironcron, first)
    until(lambda: begun(ironcron) == 3, "it has begun", every=0.1)
    node.kill()
    assert command.wait(PATIENCE) != 0
    ironcron.expect_no_process()
    (ironcron.folder / "good").touch()
    with ironcron.serve():
        until(lambda: runs(ironcron, "long", attempt=3, state="LOST"), "it is lost", every=0.1)
        ironcron.run("runs", "retry", first["run_id"])
    assert [(r["attempt"], r["state"]) for r in runs(ironcron, "long")] == [
        (4, "SUCCESS"), (3, "LOST"), (2, "LOST"), (1, "FAILED")]
    assert begun(ironcron) == 4, "each was executed once"
    ironcron.run("audit", "verify")


# ---- backfill ------------------------------------------------------------------------------------

FILL = """
jobs:
  - name: rollup
    schedule: "* * * * *"
    shell: 'echo "$IRONCRON_DUE_AT"; sleep 0.SLEEP; test ! -e bad'
    workdir: FOLDER
    kill_after: 1s
"""


def fill_config(ironcron, sleep="05"):
    ironcron.config(FILL.replace("FOLDER", str(ironcron.folder)).replace("SLEEP", sleep))


def minute(back=0):
    now = int(time.time())
    return now - now % 60 - 60 * back


def test_a_backfill_without_a_node(ironcron):
    fill_config(ironcron)
    now = minute()  # once: a minute may pass meanwhile
    first, third, last = iso(now - 360), iso(now - 180), iso(now - 120)
    done = ironcron.run("backfill", "rollup", "--from", first, "--to", last)
    assert "5 slots, 5 succeeded, 0 failed" in done.stdout
    rows = slots(ironcron, "rollup")
    assert [row["outcome"] for row in rows.values()] == ["SUCCESS"] * 5
    order = [run["due_at"] for run in runs(ironcron, "rollup", trigger="backfill")]
    assert order == sorted(rows, reverse=True)
    nothing = ironcron.run("backfill", "rollup", "--from", first, "--to", last)
    assert "no slot of that range is without success" in nothing.stdout
    (ironcron.folder / "bad").touch()
    document = ironcron.json("backfill", "rollup", "--from", third, "--to", last, "--force", code=1)
    assert document["failed"] == 2 and document["slots"] == 2
    (ironcron.folder / "bad").unlink()
    assert ironcron.json("backfill", "rollup", "--from", first, "--to", last)["slots"] == 2
    events = [event["event"] for event in ironcron.json("audit", "--job", "rollup", "--limit", "1000")]
    assert events.count("BACKFILL") == 3 and events.count("BACKFILL_ENDED") == 3
    ironcron.run("audit", "verify")
    ironcron.expect_no_process()


def test_ranges_that_cannot_be_had(ironcron):
    fill_config(ironcron)
    for arguments, code, text in [
            (["rollup"], 2, "needs its range"),
            (["rollup", "--from", "-1h", "--to", "-2h"], 2, "--from is after --to"),
            (["rolup", "--from", "-2h", "--to", "-1h"], 1, 'did you mean "rollup"'),
            (["rollup", "--from", "-30d", "--to", "-1d"], 1, "slots are too many, 10,000 is the most"),
            (["rollup", "--from", "2100-01-01", "--to", "2100-01-02"], 1, "not decided yet")]:
        assert text in ironcron.run("backfill", *arguments, code=code).stderr
    assert runs(ironcron, "rollup") == []


def test_a_backfill_goes_on_after_a_crash_and_repeats_nothing(ironcron):
    fill_config(ironcron, sleep="3")
    node = ironcron.start()
    now = minute()
    command = ironcron.command("backfill", "rollup", "--from", iso(now - 780), "--to", iso(now - 120), "--force")
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment(ironcron.folder))
    until(lambda: len(runs(ironcron, "rollup", trigger="backfill", state="SUCCESS")) >= 3, "some are done", every=0.1)
    node.kill()
    out, err = asking.communicate(timeout=PATIENCE)
    assert asking.returncode == 1 and "the next one goes on where it was" in err, out + err
    ironcron.expect_no_process()
    with ironcron.serve():
        until(lambda: [e for e in ironcron.json("audit", "--job", "rollup", "--event", "BACKFILL_ENDED")],
              "it has ended", every=0.2)
    filled = runs(ironcron, "rollup", trigger="backfill")
    dues = [run["due_at"] for run in filled]
    assert len(dues) == len(set(dues)) == 12  # each once
    assert sum(run["state"] != "SUCCESS" for run in filled) <= 1  # the one that was lost
    ironcron.run("audit", "verify")


def test_leaving_and_ending_a_backfill(ironcron):
    fill_config(ironcron, sleep="3")
    with ironcron.serve():
        command = ironcron.command("backfill", "rollup", "--from", iso(minute(600)), "--to", iso(minute(2)))
        asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env=environment(ironcron.folder))
        until(lambda: runs(ironcron, "rollup", trigger="backfill", state="SUCCESS"), "one is done", every=0.1)
        asking.send_signal(signal.SIGINT)
        out, err = asking.communicate(timeout=PATIENCE)
        assert asking.returncode == 1 and "ironcron runs cancel --job rollup" in err
        count = len(runs(ironcron, "rollup", trigger="backfill"))
        until(lambda: len(runs(ironcron, "rollup", trigger="backfill")) > count, "it goes on", every=0.1)
        assert "its backfill given up" in ironcron.run("runs", "cancel", "--job", "rollup").stdout
        until(lambda: ironcron.json("audit", "--event", "BACKFILL_ENDED"), "it has ended", every=0.1)
        ended, = ironcron.json("audit", "--event", "BACKFILL_ENDED")
        assert "stopped" in json.dumps(ended)
    assert len(runs(ironcron, "rollup", trigger="backfill")) < 599
    ironcron.run("audit", "verify")


def test_interrupting_a_short_lived_node_ends_the_backfill(ironcron):
    fill_config(ironcron, sleep="3")
    command = ironcron.command("backfill", "rollup", "--from", iso(minute(600)), "--to", iso(minute(2)))
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=environment(ironcron.folder))
    until(ironcron.store_path.exists, "somebody makes the store")
    until(lambda: ironcron.query("SELECT 1 FROM sqlite_master WHERE name = 'job_runs'"), "it has its tables")
    until(lambda: ironcron.query("SELECT 1 FROM job_runs WHERE state = 'SUCCESS'"), "one is done", every=0.1)
    asking.send_signal(signal.SIGINT)
    out, err = asking.communicate(timeout=PATIENCE)
    assert asking.returncode == 1 and "interrupted at the terminal" in out, out + err
    count = len(runs(ironcron, "rollup", trigger="backfill"))
    with ironcron.serve():  # nothing is left for the next node
        assert ironcron.query("SELECT count(*) AS n FROM intent WHERE state = 0") == [{"n": 0}]
    assert len(runs(ironcron, "rollup", trigger="backfill")) == count
    ironcron.run("audit", "verify")
