"""A node's life with real processes: start, policies, faults, reload, stop. Each test says what must hold after
the fault: the ledger verifies, nothing is left running, work goes on."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import PATIENCE, environment, until
from serve_jobs import STUBBORN, TICK, alive, grandchild, jobs, runner_of, small_disk, states, verified, wait_state  # noqa: F401


# ---- normal life ---------------------------------------------------------------------------------


def test_slots_run_once_and_the_ledger_verifies(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve():
        wait_state(ironcron, "tick", "SUCCESS", 3)
    slots = ironcron.query("select due_at, outcome, count(*) as n from slots where job = 'tick' group by 1, 2")
    assert all(row["n"] == 1 for row in slots)
    done = [row for row in slots if row["outcome"] == "SUCCESS"]
    assert len((ironcron.folder / "ticks").read_text().splitlines()) == len(done)
    verified(ironcron)
    assert os.stat(ironcron.store_path).st_mode & 0o777 == 0o600


def test_a_second_node_is_refused_by_name_of_the_first(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve():
        node = ironcron.query("select node from nodes where state = 'live'")[0]["node"]
        second = ironcron.run("serve", code=1)
        assert node in second.stderr
        assert "one store in a file has one node" in second.stderr


def test_the_port_of_the_live_node_is_no_mistake(ironcron):
    """A changed configuration is validated where the node lives; only who holds the port otherwise is told so."""
    text = jobs(TICK, folder=ironcron.folder)
    ironcron.config(text)
    with ironcron.serve() as node:
        listen = f'http: {{ listen: "{node.address}" }}\n'
        ironcron.config(listen + text)
        assert "ironcron reload" in ironcron.run("validate").stdout
        second = ironcron.run("serve", code=1)
        assert "one store in a file has one node" in second.stderr
        ironcron.config(listen + "store: sqlite:other.db\n" + text, name="elsewhere.yml")
        other = ironcron.run("validate", env={"IRONCRON_CONFIG": "elsewhere.yml"}, code=1, config=False)
        assert "something else listens there" in other.stdout


def test_dry_run_executes_nothing(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve(env={"JOB_DRY_RUN": "yes"}) as node:
        wait_state(ironcron, "tick", "DRY_RUN", 2)
        assert node.metrics()['job_runs_total{job_name="tick",status="dry_run"}'] >= 2
    assert not (ironcron.folder / "ticks").exists()
    events = {row["event"] for row in ironcron.query("select event from audit_log where job = 'tick'")}
    assert events == {"DRY_RUN"}
    verified(ironcron)


def test_an_unclear_dry_run_is_refused(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    done = ironcron.run("serve", env={"JOB_DRY_RUN": "maybe"}, code=78)
    assert "JOB_DRY_RUN" in done.stderr and "maybe" in done.stderr
    assert not ironcron.store_path.exists()


def test_controls_take_effect_within_two_seconds(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve():
        wait_state(ironcron, "tick", "SUCCESS", 1)
        ironcron.run("pause", "tick", "--reason", "trying")
        until(lambda: ironcron.query("select 1 from slots where job = 'tick' and reason = 'paused'"), "a paused slot")
        ironcron.run("resume", "tick")
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 1)
        ironcron.run("throttle", "tick", "x3")
        until(lambda: ironcron.query("select 1 from slots where job = 'tick' and reason = 'throttled'"), "a throttled slot")
        ironcron.run("dry-run", "on", "tick")
        wait_state(ironcron, "tick", "DRY_RUN", 1)
    events = [row["event"] for row in ironcron.query("select event from audit_log order by seq")]
    for event in ("PAUSED", "RESUMED", "THROTTLED", "DRY_RUN_ON"):
        assert event in events
    verified(ironcron)


def test_stop_lets_a_run_finish_and_ends_one_that_does_not(ironcron):
    ironcron.config(jobs("""
  - name: short
    schedule: "@every 1s"
    workdir: .
    shell: "while ! test -e go; do sleep 0.05; done"
  - name: long
    schedule: "@every 1s"
    kill_after: 1s
    shell: "trap '' TERM; sleep 1000"
""", head="node: { drain: 6s }\n", folder=ironcron.folder))
    with ironcron.serve() as node:
        wait_state(ironcron, "short", "STARTED")
        wait_state(ironcron, "long", "STARTED")
        node.process.terminate()
        node.wait_logged("event=draining")
        (ironcron.folder / "go").touch()
        assert node.wait() == 0
    assert states(ironcron, "long")[-1] == "CANCELLED"
    assert "STARTED" not in states(ironcron, "short")
    assert "SUCCESS" in states(ironcron, "short")
    verified(ironcron)


def test_a_second_signal_ends_at_once(ironcron):
    ironcron.config(jobs(STUBBORN, folder=ironcron.folder, head="node: { drain: 1h }\n"))
    with ironcron.serve() as node:
        pid = grandchild(ironcron)
        node.signal(signal.SIGTERM)
        node.wait_logged("event=draining")
        node.signal(signal.SIGTERM)
        assert node.wait() == 0
        assert not alive(pid)
    assert states(ironcron, "stubborn") == ["CANCELLED"]
    verified(ironcron)


# ---- processes die -------------------------------------------------------------------------------


def test_kill_of_the_scheduler_leaves_nothing_running(ironcron):
    ironcron.config(jobs(TICK, STUBBORN, folder=ironcron.folder))
    node = ironcron.start()
    pid = grandchild(ironcron)
    wait_state(ironcron, "tick", "SUCCESS", 1)
    node.kill()
    until(lambda: not alive(pid), "the stubborn grandchild is gone")
    ironcron.expect_no_process()
    with ironcron.serve():
        wait_state(ironcron, "stubborn", "LOST", 1)
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 1)
    verified(ironcron)


def test_kill_of_the_runner_loses_its_runs_and_work_goes_on(ironcron):
    ironcron.config(jobs(TICK, STUBBORN, folder=ironcron.folder))
    with ironcron.serve() as node:
        pid = grandchild(ironcron)
        os.kill(runner_of(node), signal.SIGKILL)
        until(lambda: not alive(pid), "the stubborn grandchild is gone")
        wait_state(ironcron, "stubborn", "LOST", 1)
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 2)
        assert node.get("/readyz")[0] == 200
        node.signal(signal.SIGTERM)  # the stubborn job of the new runner is ended too
        node.signal(signal.SIGTERM)
        node.wait()
    verified(ironcron)


def test_a_frozen_scheduler_leaves_nothing_running_past_the_deadline(ironcron):
    ironcron.config(jobs(TICK, STUBBORN, folder=ironcron.folder, head="node: { lease: 4s }\n"))
    node = ironcron.start()
    pid = grandchild(ironcron)
    runner = runner_of(node)
    node.signal(signal.SIGSTOP)
    try:
        until(lambda: not alive(pid), "the runner ended everything at the deadline")
        until(lambda: not alive(runner), "the runner is gone")
    finally:
        node.signal(signal.SIGCONT)
    # It finds its runs lost, and goes on with another runner.
    wait_state(ironcron, "stubborn", "LOST", 1)
    before = states(ironcron, "tick").count("SUCCESS")
    wait_state(ironcron, "tick", "SUCCESS", before + 1)
    node.signal(signal.SIGTERM)
    node.signal(signal.SIGTERM)
    assert node.wait() == 0
    ironcron.expect_no_process()
    verified(ironcron)


def test_kill_at_any_moment_keeps_the_ledger_whole(ironcron):
    ironcron.config(jobs(TICK, """
  - name: retried
    schedule: "@every 1s"
    on_lost: retry
    overlap: allow
    shell: "sleep 0.3"
""", folder=ironcron.folder))
    for moment in (0.05, 0.31, 0.62, 0.93, 1.24):
        node = ironcron.start(ready=False)
        node.wait_logged("event=started")
        time.sleep(moment)  # the point of the test is to strike at different moments
        node.kill()
    with ironcron.serve():
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 1)
    verified(ironcron)


def test_what_was_wanted_during_a_freeze_holds_when_it_ends(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder, head="node: { lease: 4s }\n"))
    with ironcron.serve() as node:
        wait_state(ironcron, "tick", "SUCCESS", 2)
        node.signal(signal.SIGSTOP)
        frozen = time.monotonic()
        ironcron.run("pause", "tick")
        until(lambda: time.monotonic() > frozen + 4, "the lease is over")
        asked = subprocess.Popen(ironcron.command("run", "tick"), stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.STDOUT, env=environment(ironcron.folder))
        until(lambda: ironcron.query("select 1 from intent where state = 0"), "the wish is written")
        before = ironcron.query("select count(*) as n from job_runs")[0]["n"]
        node.signal(signal.SIGCONT)
        said = asked.communicate(timeout=PATIENCE)[0]
        assert asked.returncode == 0, said  # by a runner that is there, not by the one that went
        runs = ironcron.query("select trigger, state from job_runs order by fence")[before:]
        assert [(run["trigger"], run["state"]) for run in runs if run["trigger"] == "manual"] == [("manual", "SUCCESS")]
        until(lambda: ironcron.query("select 1 from slots where reason = 'paused'"), "paused slots")
    verified(ironcron)


# ---- reload --------------------------------------------------------------------------------------


def test_reload_takes_new_jobs_and_keeps_the_old_ones_on_errors(ironcron):
    ironcron.config(jobs(TICK, folder=ironcron.folder))
    with ironcron.serve() as node:
        wait_state(ironcron, "tick", "SUCCESS")
        ironcron.config("jobs: [ { name: x, schedule: nonsense } ]")
        node.signal(signal.SIGHUP)
        node.wait_logged("event=reload_refused")
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 2)
        ironcron.config(jobs("""
  - name: tock
    schedule: "@every 1s"
    shell: "true"
"""))
        node.signal(signal.SIGHUP)
        wait_state(ironcron, "tock", "SUCCESS", 2)
        assert 'job_runs_total{job_name="tick",status="success"}' not in node.metrics()
        assert 'job_runs_total{job_name="tock",status="success"}' in node.metrics()
        ironcron.config(jobs(TICK, folder=ironcron.folder))
        ironcron.run("reload")
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 1)
    verified(ironcron)


# ---- the disk ------------------------------------------------------------------------------------


def test_a_full_disk_loses_nothing_and_heals(ironcron, small_disk):
    # A disk this small does not pass the start's own check, so it is filled while the node runs.
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    ironcron.store_path = small_disk / "ironcron.db"
    ironcron.config_path.write_text(f"store: sqlite:{ironcron.store_path}\nhttp: {{ listen: \"127.0.0.1:0\" }}\n"
                                    + jobs(TICK, folder=ironcron.folder))
    with ironcron.serve() as node:
        wait_state(ironcron, "tick", "SUCCESS", 2)
        filler = small_disk / "filler"
        with open(filler, "wb") as file:
            with pytest.raises(OSError):
                while True:
                    file.write(b"\0" * 65536)
                    file.flush()
        node.wait_logged("store_down|event=store")
        until(lambda: node.get("/readyz")[0] == 503, "readyz says that the store fails")
        assert node.get("/livez")[0] == 200
        filler.unlink()
        until(lambda: node.get("/readyz")[0] == 200, "readyz is well again")
        before = states(ironcron, "tick").count("SUCCESS")
        wait_state(ironcron, "tick", "SUCCESS", before + 2)
    verified(ironcron)


# ---- what a job may do ---------------------------------------------------------------------------


def test_what_a_job_may_do_to_us(ironcron):
    ironcron.config(jobs("""
  - name: flood
    schedule: "@every 2s"
    timeout: 20s
    shell: "head -c 30000000 /dev/zero | tr '\\\\0' x"
  - name: closes
    schedule: "@every 2s"
    shell: "exec >&- 2>&-; sleep 1"
  - name: leaves
    schedule: "@every 2s"
    kill_after: 1s
    shell: "sleep 1000 & echo left"
  - name: dies
    schedule: "@every 2s"
    shell: "kill -SEGV $$$$"
  - name: binary
    schedule: "@every 2s"
    shell: "head -c 2000 /dev/urandom"
  - name: exits
    schedule: "@every 2s"
    shell: "exit 42"
""", head="history: { output_max: 64K }\n"))
    with ironcron.serve() as node:
        for job, state in (("flood", "SUCCESS"), ("closes", "SUCCESS"), ("leaves", "SUCCESS"), ("dies", "FAILED"),
                           ("binary", "SUCCESS"), ("exits", "FAILED")):
            wait_state(ironcron, job, state)
        metrics = node.metrics()
        assert metrics['job_failures_total{job_name="dies",reason="signal"}'] >= 1
        assert metrics['job_failures_total{job_name="exits",reason="exit"}'] >= 1
    row = ironcron.query("select run_id from job_runs where job = 'flood' and state = 'SUCCESS' limit 1")[0]
    output = ironcron.run("runs", "output", row["run_id"]).stdout
    assert len(output) < 70000 and "left out" in output
    assert ironcron.query("select exit_code from job_runs where job = 'exits' limit 1")[0]["exit_code"] == 42
    verified(ironcron)


def test_secrets_stay_out_of_the_log(ironcron):
    ironcron.config(jobs("""
  - name: secretive
    schedule: "@every 1s"
    env: { TOKEN: "${THE_TOKEN}" }
    shell: "test \\"$TOKEN\\" = hunter2hunter2 && exit 3"
"""))
    with ironcron.serve(env={"THE_TOKEN": "hunter2hunter2"}) as node:
        until(lambda: [r for r in ironcron.query("select exit_code from job_runs") if r["exit_code"] == 3], "the job saw it")
        log = node.log()
    assert "hunter2hunter2" not in log
    assert b"hunter2hunter2" not in ironcron.store_path.read_bytes()


# ---- time zones change ---------------------------------------------------------------------------


def test_new_zone_rules_are_picked_up(ironcron):
    zones = ironcron.folder / "zoneinfo"
    (zones / "Test").mkdir(parents=True)
    source = pathlib.Path("/usr/share/zoneinfo")
    (zones / "Test/Place").write_bytes((source / "Etc/GMT+1").read_bytes())
    (zones / "UTC").write_bytes((source / "Etc/UTC").read_bytes())
    ironcron.config(jobs("""
  - name: noon
    schedule: "0 12 * * *"
    timezone: Test/Place
    shell: "true"
"""))
    env = {"TZDIR": str(zones)}
    with ironcron.serve(env=env) as node:
        next_run = 'job_next_run_timestamp_seconds{job_name="noon"}'
        assert node.metrics()[next_run] % 86400 == 13 * 3600
        replaced = zones / "Test/Place.new"
        replaced.write_bytes((source / "Etc/GMT-5").read_bytes())
        replaced.rename(zones / "Test/Place")
        node.wait_logged("event=zones_changed")
        until(lambda: node.metrics()[next_run] % 86400 == 7 * 3600, lambda: f"planned anew: {node.metrics()[next_run]}")
