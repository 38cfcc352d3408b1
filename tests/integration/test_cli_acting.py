"""The commands that run, hold back and prove things, with and without a live node."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest
from api_client import Api
from cli_jobs import JOBS, jobs, last_run  # noqa: F401
from conftest import PATIENCE, environment, until

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
UTC_MS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


# ---- run without a node --------------------------------------------------------------------------


def test_run_becomes_a_short_lived_node(jobs):
    done = jobs.run("run", "greet", "--param", "WHO=anna")
    assert done.stdout == "hello anna\n"
    assert "SUCCESS" in done.stderr
    run = last_run(jobs, "greet")
    assert run["state"] == "SUCCESS" and run["trigger"] == "manual" and run["exit_code"] == 0
    assert UUID.match(run["run_id"]) and UTC_MS.match(run["started_at"]) and UTC_MS.match(run["ended_at"])
    jobs.expect_no_process()


def test_declared_params_have_defaults_and_bounds(ironcron):
    ironcron.config("""
jobs:
  - name: report
    schedule: "* * * * * *"
    shell: 'echo "$IRONCRON_PARAM_DAY of $IRONCRON_PARAM_TENANT"; test "$IRONCRON_PARAM_DAY" != bad'
    params: { day: today, tenant: all }
""")
    assert ironcron.run("run", "report").stdout == "today of all\n"
    assert ironcron.run("run", "report", "--param", "day=monday").stdout == "monday of all\n"
    refused = ironcron.run("run", "report", "--param", "dya=monday", code=2)
    assert 'no param "dya"' in refused.stderr and 'did you mean "day"?' in refused.stderr
    assert len(ironcron.json("runs", "--job", "report")) == 2
    shown = ironcron.json("jobs", "show", "report")["definition"]["params"]
    assert shown == [{"name": "day", "required": False}, {"name": "tenant", "required": False}]
    with ironcron.serve():
        def scheduled():
            return [run for run in ironcron.json("runs", "--state", "success") if run["trigger"] == "schedule"]

        until(scheduled, "a scheduled run has ended")
        assert ironcron.run("runs", "output", scheduled()[0]["run_id"]).stdout == "today of all\n"
        ironcron.run("pause", "report")
        until(lambda: not ironcron.json("runs", "--state", "started"), "nothing runs")
        assert ironcron.run("run", "report", "--param", "tenant=b").stdout == "today of b\n"


def test_a_run_that_fails_is_exit_1_with_the_command_that_shows_more(jobs):
    done = jobs.run("run", "breaks", code=1)
    assert done.stdout == "going down\n"
    identity = last_run(jobs, "breaks")["run_id"]
    assert f"ironcron runs show {identity}" in done.stderr and "exit code 3" in done.stderr
    document = jobs.json("run", "breaks", code=1)
    assert document["state"] == "FAILED" and document["exit_code"] == 3
    shown = jobs.run("runs", "show", identity).stdout
    assert "going down" in shown and "STARTED" in shown and "FAILED" in shown
    document = jobs.json("runs", "show", identity)
    assert [event["event"] for event in document["events"]] == ["STARTED", "FAILED"]
    assert document["reason"] == "exit" and document["output_bytes"] == len("going down\n")


def test_run_in_dry_run_executes_nothing(jobs):
    done = jobs.run("run", "greet", "--dry-run")
    assert done.stdout == "" and "DRY_RUN" in done.stderr
    assert last_run(jobs, "greet")["state"] == "DRY_RUN"
    jobs.run("run", "greet", env={"JOB_DRY_RUN": "yes"})
    assert [run["state"] for run in jobs.json("runs", "--job", "greet")] == ["DRY_RUN", "DRY_RUN"]
    jobs.run("run", "greet", env={"JOB_DRY_RUN": "perhaps"}, code=None)
    assert len(jobs.json("runs", "--job", "greet")) == 2
    jobs.run("run", "greet")
    assert [run["state"] for run in jobs.json("runs", "--job", "greet")] == ["SUCCESS", "DRY_RUN", "DRY_RUN"]


def test_interrupting_a_short_lived_node_ends_its_run(jobs):
    running = subprocess.Popen(jobs.command("run", "waits"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment(jobs.folder))
    assert running.stdout.readline() == "begun\n"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 1 and last_run(jobs, "waits")["state"] == "CANCELLED"
    jobs.expect_no_process()


def test_a_node_that_does_not_answer_is_named(jobs):
    """Waiting without a word would look like a job that takes long."""
    with jobs.serve() as node:
        node.signal(signal.SIGSTOP)
        running = subprocess.Popen(jobs.command("run", "greet"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment(jobs.folder))
        try:
            assert f"pid {node.process.pid}) has not taken this up yet" in running.stderr.readline()
        finally:
            node.signal(signal.SIGCONT)
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 0


def test_what_needs_a_node_says_so(jobs):
    assert "no node is live" in jobs.run("run", "greet", "--detach", code=1).stderr
    jobs.run("run", "greet")
    assert "no node is live" in jobs.run("runs", "cancel", "--job", "greet", code=1).stderr
    assert "No node is live" in jobs.run("reload").stdout
    assert len(jobs.json("runs")) == 1
    assert "no node is live" in jobs.run("status", code=1).stdout
    assert [node["state"] for node in jobs.json("nodes")] == ["stopped"]


@pytest.mark.parametrize("line", [["run", "gret"], ["pause", "gret"], ["resume", "gret"], ["throttle", "gret", "x2"],
                                  ["dry-run", "on", "gret"], ["jobs", "show", "gret"]])
def test_an_unknown_job_is_exit_1_with_the_nearest_name(jobs, line):
    done = jobs.run(*line, code=1)
    assert 'there is no job "gret"' in done.stderr and 'did you mean "greet"?' in done.stderr


def test_runs_are_found_by_the_beginning_of_their_id(jobs):
    jobs.run("run", "greet")
    identity = last_run(jobs, "greet")["run_id"]
    assert jobs.run("runs", "output", identity[:23]).stdout == "hello \n"
    assert "no run's id begins" in jobs.run("runs", "show", "ffffffff", code=1).stderr
    assert "not the id" in jobs.run("runs", "show", "xyz", code=1).stderr
    jobs.run("run", "greet")
    assert "more than one" in jobs.run("runs", "show", identity[:6], code=1).stderr


# ---- controls ------------------------------------------------------------------------------------


def test_controls_are_recorded_shown_and_undone(jobs):
    done = jobs.run("pause", "greet", "--reason", "mail server down", "--as", "anna")
    undo = re.search(r"Undo: ironcron (.*)", done.stdout).group(1)
    assert "since" in done.stdout and "mail server down" in done.stdout and "No node is live" in done.stdout
    assert "already paused" in jobs.run("pause", "greet").stdout
    job = jobs.json("jobs", "show", "greet")
    assert job["state"] == "paused" and job["pause"]["reason"] == "mail server down"
    assert re.match(r".+@.+", job["pause"]["actor"])
    assert "mail server down" in jobs.run("jobs", "show", "greet").stdout
    assert "mail server down" in jobs.run("status", code=1).stdout
    event = jobs.json("audit", "--event", "PAUSED")[0]
    assert json.loads(event["detail"]) == {"as": "anna", "reason": "mail server down"}
    assert event["actor"] == job["pause"]["actor"]
    jobs.run(*undo.split())
    assert jobs.json("jobs", "show", "greet")["state"] == "never_ran"
    assert "nothing changed" in jobs.run("resume", "greet").stdout


@pytest.mark.parametrize(("line", "event", "undo"), [
    (["pause", "greet"], "PAUSED", ["resume", "greet"]),
    (["pause", "--all"], "PAUSED", ["resume", "--all"]),
    (["throttle", "greet", "x4"], "THROTTLED", ["throttle", "greet", "off"]),
    (["throttle", "--all", "x7"], "THROTTLED", ["throttle", "--all", "off"]),
    (["dry-run", "on", "greet"], "DRY_RUN_ON", ["dry-run", "off", "greet"]),
    (["dry-run", "on"], "DRY_RUN_ON", ["dry-run", "off"]),
])
def test_each_control_names_the_command_that_undoes_it(jobs, line, event, undo):
    document = jobs.json(*line)
    assert document["changed"] and document["undo"] == " ".join(["ironcron", *undo])
    assert jobs.json("audit", "--event", event)[0]["actor"] == document["actor"]
    assert len(jobs.json("status", code=1)["controls"]) == 1
    back = jobs.json(*undo)
    assert back["changed"] and back["undo"] == " ".join(["ironcron", *line])
    assert jobs.json("status", code=1)["controls"] == []
    assert not jobs.json(*undo)["changed"]


def test_a_pause_of_all_outlives_the_resume_of_one(jobs):
    jobs.run("pause", "--all", "--reason", "move")
    done = jobs.run("resume", "greet")
    assert "all jobs are paused" in done.stdout and "ironcron resume --all" in done.stdout
    jobs.run("pause", "greet")
    assert "greet stays paused" in jobs.run("resume", "--all").stdout


def test_the_first_command_that_writes_creates_the_store_for_its_owner_only(jobs):
    jobs.run("pause", "greet")
    assert jobs.store_path.stat().st_mode & 0o777 == 0o600


# ---- with a node ---------------------------------------------------------------------------------


def test_a_live_node_carries_out_what_is_asked(jobs):
    with jobs.serve() as node:
        assert jobs.run("run", "greet", "--param", "WHO=you").stdout == "hello you\n"
        assert "going down" in jobs.run("run", "breaks", code=1).stdout
        assert jobs.json("run", "greet")["node"] == jobs.json("nodes")[0]["node"]
        assert jobs.json("nodes")[0]["state"] == "live"
        assert "asked for" in jobs.run("run", "greet", "--detach").stdout
        until(lambda: len(jobs.json("runs", "--job", "greet", "--state", "success")) == 3, "three runs of greet")
        status = jobs.json("status", code=1)
        assert status["node"]["pid"] == node.pid and status["mode"] == "live"
        assert [entry["job"] for entry in status["failed"]] == ["breaks"] and status["failed"][0]["failing"]
        assert len(status["problems"]) == 1
        assert "ironcron runs show" in jobs.run("status", code=1).stdout


def test_status_is_exit_0_when_all_is_well(jobs):
    with jobs.serve():
        until(lambda: jobs.json("runs", "--job", "ticks", "--state", "success"), "a scheduled run")
        until(lambda: "All is well." in jobs.run("status", code=None).stdout, "all is well")
        document = jobs.json("status")
        assert document["ok"] and document["problems"] == [] and document["late"] == []
        assert document["next_hour"][0]["job"] == "ticks"


def test_follow_and_cancel(jobs):
    with jobs.serve():
        jobs.run("run", "waits", "--detach")
        run = until(lambda: jobs.json("runs", "--job", "waits", "--state", "started"), "waits runs")[0]
        follower = subprocess.Popen(jobs.command("runs", "output", run["run_id"], "-f"), stdout=subprocess.PIPE,
                                    text=True, env=environment(jobs.folder))
        assert follower.stdout.readline() == "begun\n"
        assert "a run of this job is going on" in jobs.run("run", "waits", "--detach", code=1).stderr
        until(lambda: "running  1" in jobs.run("status").stdout, "it is shown, and alone between two runs of ticks")
        assert jobs.json("jobs", "show", "waits")["state"] == "running"
        (jobs.folder / "go").touch()
        assert follower.communicate(timeout=PATIENCE)[0] == "over\n"
        assert follower.returncode == 0
        (jobs.folder / "go").unlink()

        jobs.run("run", "waits", "--detach")
        run = until(lambda: jobs.json("runs", "--job", "waits", "--state", "started"), "waits runs")[0]
        jobs.run("runs", "cancel", run["run_id"], "--reason", "enough")
        until(lambda: last_run(jobs, "waits")["state"] == "CANCELLED", "waits is cancelled")
        assert "is over already" in jobs.run("runs", "cancel", run["run_id"], code=1).stderr
        assert jobs.json("audit", "verify")["verdict"] == "PASS"


def test_interrupting_the_wait_leaves_the_run(jobs):
    with jobs.serve():
        waiting = subprocess.Popen(jobs.command("run", "waits"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=environment(jobs.folder))
        assert waiting.stdout.readline() == "begun\n"
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=PATIENCE)
        run = last_run(jobs, "waits")
        assert waiting.returncode == 1 and run["state"] == "STARTED"
        assert f"ironcron runs output {run['run_id']} -f" in said
        assert f"ironcron runs cancel {run['run_id']}" in said
        (jobs.folder / "go").touch()
        until(lambda: last_run(jobs, "waits")["state"] == "SUCCESS", "the run goes on")


def test_pause_takes_effect_on_a_live_node(jobs):
    with jobs.serve():
        until(lambda: jobs.json("runs", "--job", "ticks", "--state", "success"), "a run before the pause")
        jobs.run("pause", "ticks")
        until(lambda: jobs.query("select 1 from slots where job = 'ticks' and outcome = 'SKIPPED'"), "a skipped slot")
        jobs.run("resume", "ticks")
        skipped = jobs.query("select max(due_at) as due from slots where outcome = 'SKIPPED'")[0]["due"]
        until(lambda: jobs.query("select 1 from slots where outcome = 'SUCCESS' and due_at > ?", skipped), "a run again")
        jobs.run("run", "waits", "--detach")
        until(lambda: jobs.json("runs", "--job", "waits", "--state", "started"), "waits runs")
        assert jobs.json("pause", "waits", "--cancel-running")["cancelled"] == 1
        until(lambda: last_run(jobs, "waits")["state"] == "CANCELLED", "waits is cancelled")
        assert jobs.json("audit", "verify")["verdict"] == "PASS"


def test_reload(jobs):
    with jobs.serve() as node:
        jobs.config(JOBS.replace("name: greet", "name: welcome").replace("WORKDIR", str(jobs.folder)))
        assert f"pid {node.pid}" in jobs.run("reload").stdout
        assert "hello" in jobs.run("run", "welcome").stdout
        jobs.config("jobs: [")
        jobs.run("reload", code=78)
        assert node.alive()


def test_the_node_that_dies_is_named(jobs):
    node = jobs.start()
    until(lambda: jobs.json("runs", "--job", "ticks"), "a run")
    node.kill()
    jobs.expect_no_process()
    until(lambda: jobs.json("nodes")[0]["state"] == "gone", "the node is gone")
    document = jobs.json("status", code=1)
    assert document["node"] is None
    assert any("no node is live" in problem for problem in document["problems"])


# ---- audit ---------------------------------------------------------------------------------------


def test_audit_verify_and_export(jobs):
    with jobs.serve():
        until(lambda: len(jobs.json("runs", "--job", "ticks", "--state", "success")) >= 2, "two runs")
        assert jobs.run("audit", "verify").stdout.splitlines()[-1] == "PASS"
    report = jobs.json("audit", "verify")
    assert report["verdict"] == "PASS" and report["unsealed_rows"] == 0 and report["findings"] == []
    ticks = next(job for job in report["jobs"] if job["job"] == "ticks")
    assert ticks["due"] == ticks["in_ledger"] >= 2 and UTC_MS.match(ticks["high_water"])
    rows = [json.loads(line) for line in jobs.run("audit", "export").stdout.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) == report["audit_rows"]
    assert all(rows[i]["prev_hash"] == rows[i - 1]["hash"] for i in range(1, len(rows)))
    assert rows[-1]["hash"] == report["head"]["hash"]
    newest = jobs.json("audit", "--limit", "3")
    assert [row["seq"] for row in newest] == [row["seq"] for row in reversed(rows[-3:])]
    assert {row["job"] for row in jobs.json("audit", "--job", "ticks")} == {"ticks"}
    assert {row["event"] for row in jobs.json("audit", "--event", "success")} == {"SUCCESS"}
    assert "no events match" in jobs.run("audit", "--event", "NONSENSE").stderr


def test_nothing_found_of_a_job_that_is_not_there_says_so(jobs):
    jobs.run("run", "greet")
    for command, words in (("runs", "no runs match\n"), ("audit", "no events match\n")):
        assert jobs.run(command, "--job", "greet", "--until", "2020-01-01").stderr == words
        told = jobs.run(command, "--job", "gret").stderr
        assert told.startswith(words) and 'there is no job "gret"' in told and 'did you mean "greet"?' in told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_store_that_one_may_not_see_is_not_said_to_be_absent(jobs):
    jobs.run("run", "greet")
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program, config = f"{folder}/ironcron", pathlib.Path(folder, "ironcron.yml")
        shutil.copy(jobs.command("status")[0], program)
        config.write_text(f"store: sqlite:{jobs.store_path}\n{JOBS}")
        for words in (["status"], ["jobs"], ["runs"], ["why", "greet"], ["doctor"], ["nodes"]):
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-c", config, *words],
                                  capture_output=True, text=True, timeout=PATIENCE, env=environment(folder), check=False)
            assert done.returncode == 1 and "may not be read by this user" in done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for others")
def test_root_does_not_run_the_jobs_of_a_store_that_is_somebody_elses(jobs):
    os.chown(jobs.folder, 65534, -1)
    refused = jobs.run("run", "greet", code=1)
    assert "belongs to user nobody" in refused.stderr and "sudo -u nobody ironcron" in refused.stderr
    jobs.run("pause", "greet", code=1)  # it would make the store, as root
    assert not jobs.store_path.exists()
    os.chown(jobs.folder, 0, -1)
    jobs.run("run", "greet")
    os.chown(jobs.store_path, 65534, -1)
    jobs.run("backfill", "greet", "--from", "-1h", "--to", "-0s", code=1)
    assert "systemctl start ironcron" in jobs.run("serve", code=1).stderr
    jobs.run("pause", "greet")  # what is there, root may write


def test_pause_ends_all_that_runs_however_much(ironcron):
    ironcron.config("node: { max_running: 1200, drain: 5s }\njobs:\n"
                    "  - { name: long, schedule: '0 0 1 1 *', overlap: allow, shell: 'exec sleep 600' }\n")
    with ironcron.serve():
        api = Api(ironcron)
        for _ in range(1050):
            assert api.post("/api/v1/jobs/long/run").status in (200, 202)
        assert ironcron.json("pause", "--all", "--cancel-running")["cancelled"] == 1050
        until(lambda: ironcron.query("select count(*) n from job_runs where state = 'CANCELLED'")[0]["n"] == 1050, "all are ended")
