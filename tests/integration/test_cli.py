"""The command line through the real binary: usage, every command with and without a node, exit codes, --json."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import BINARY, PATIENCE, ROOT, environment, until

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
UTC_MS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

JOBS = r"""
environment: test
timezone: Europe/Berlin
jobs:
  - name: greet
    description: says hello
    schedule: "0 0 1 1 *"
    shell: 'echo "hello $IRONCRON_PARAM_WHO"'
  - name: breaks
    schedule: "0 0 1 1 *"
    shell: "echo going down; exit 3"
  - name: waits
    schedule: "0 0 1 1 *"
    shell: "echo begun; while ! test -e go; do sleep 0.05; done; echo over"
    workdir: WORKDIR
    kill_after: 1s
  - name: ticks
    schedule: "* * * * * *"
    command: ["/bin/true"]
  - name: paints
    schedule: "0 0 1 1 *"
    shell: "printf '\\033[31mred\\033[0m b\\303\\244r \\377\\n'"
    env: { SECRET_WORD: "swordfish" }
"""


@pytest.fixture
def jobs(ironcron):
    ironcron.config(JOBS.replace("WORKDIR", str(ironcron.folder)))
    return ironcron


def last_run(program, job):
    return program.json("runs", "--job", job, "--limit", "1")[0]


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "says"), [
    ([], "say what to do"),
    (["pasue"], 'did you mean "pause"?'),
    (["runs", "--limt", "3"], 'did you mean "--limit"?'),
    (["runs", "shwo", "x"], 'did you mean "runs show"?'),
    (["runs", "--since"], "--since needs a value"),
    (["runs", "--since", "soon"], "--since"),
    (["pause"], "needs JOB or --all"),
    (["next", "61 * * * *"], "minute 61"),
    (["next", "* * * * *", "--tz", "Europe/Berln"], "Europe/Berlin"),
    (["help", "pasue"], 'did you mean "pause"?'),
])
def test_wrong_usage_is_exit_2_and_names_the_word(ironcron, line, says):
    done = ironcron.run(*line, code=2, config=False)
    assert says in done.stderr
    assert done.stdout == ""


def test_help(ironcron):
    overview = ironcron.run("help", config=False).stdout
    for name in ("serve init validate status next jobs run runs pause resume dry-run throttle reload audit nodes "
                 "version help completion").split():
        assert re.search(rf"^  {name} ", overview, re.M), name
        page = ironcron.run("help", name, config=False).stdout
        assert f"Usage: ironcron {name}" in page
        assert ironcron.run(name, "--help", config=False).stdout == page or name == "help"
    assert ironcron.run("--help", config=False).stdout == overview
    assert "ironcron runs output ID" in ironcron.run("help", "runs", "output", config=False).stdout


def test_the_manual_is_up_to_date(ironcron):
    printed = ironcron.run("help", "--markdown", config=False).stdout
    assert (ROOT / "docs/cli.md").read_text() == printed, "run: ironcron help --markdown >docs/cli.md"


def test_version(ironcron):
    document = json.loads(ironcron.run("--json", "version", config=False).stdout)
    assert document["version"] in ironcron.run("--version", config=False).stdout
    assert re.match(r"20\d\d[a-z]+$|unknown$", document["tzdata"])


def test_a_full_disk_behind_stdout_is_an_error(ironcron):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([BINARY, "help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False,
                              env=environment(ironcron.folder))
    assert done.returncode == 1
    assert "could not be written" in done.stderr


# ---- completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_sound(ironcron, shell):
    script = ironcron.run("completion", shell, config=False).stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", "/dev/stdin"], input=script, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def completed(program, *words):
    lines = program.run("__complete", "--", *words, config=False,
                        env={"IRONCRON_CONFIG": str(program.config_path)}).stdout.splitlines()
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize(("words", "candidates"), [
    (["ru"], ["runs", "run"]),
    (["runs", ""], ["show", "output", "cancel"]),
    (["runs", "output", "--f"], ["--follow"]),
    (["runs", "--state", "t"], ["timed_out"]),
    (["runs", "--job", "gr"], ["greet"]),
    (["pause", ""], ["greet", "breaks", "waits", "ticks", "paints"]),
    (["throttle", "greet", ""], ["x2", "x5", "x10", "off"]),
    (["throttle", "--all", ""], ["x2", "x5", "x10", "off"]),
    (["dry-run", "on", "gre"], ["greet"]),
    (["completion", "z"], ["zsh"]),
    (["help", "audit", ""], ["verify", "export"]),
    (["-c", ""], [":file"]),
    (["__comp"], []),
    (["nonsense", ""], []),
])
def test_completion(jobs, words, candidates):
    assert completed(jobs, *words) == candidates


def test_completion_in_a_real_bash(jobs):
    script = jobs.run("completion", "bash", config=False).stdout
    ask = f'{script}\nCOMP_WORDS=({BINARY} resume gr); COMP_CWORD=2; _ironcron; echo "${{COMPREPLY[*]}}"\n'
    done = subprocess.run(["bash", "-c", ask], text=True, capture_output=True, check=False,
                          env=environment(jobs.folder, {"IRONCRON_CONFIG": str(jobs.config_path)}))
    assert (done.stdout, done.stderr) == ("greet\n", "")


def test_completion_survives_a_broken_configuration(ironcron):
    ironcron.config("jobs: [")
    assert completed(ironcron, "pause", "") == []


# ---- before the first start ----------------------------------------------------------------------


def test_init_writes_a_configuration_that_is_right(ironcron):
    done = ironcron.run("init", config=False)
    assert "ironcron validate" in done.stdout
    written = (ironcron.folder / "ironcron.yml").read_text()
    ironcron.run("init", code=1, config=False)
    assert (ironcron.folder / "ironcron.yml").read_text() == written
    assert len(ironcron.json("jobs")) >= 1
    ironcron.run("init", "other/place.yml", code=1, config=False)


def test_a_wrong_configuration_is_exit_78_with_all_errors(ironcron):
    ironcron.config('jobs:\n  - { name: a, schedul: "* * * * *", command: [x] }\n'
                    '  - { name: a, schedule: "61 * * * *", command: [x] }\n')
    for command in (["validate"], ["jobs"], ["status"], ["pause", "a"], ["run", "a"]):
        done = ironcron.run(*command, code=78)
        assert 'ironcron.yml:' in done.stderr and 'schedul' in done.stderr and '61' in done.stderr, command
        assert done.stdout == ""
    document = ironcron.json("validate", code=78)
    assert not document["ok"] and len(document["problems"]) >= 2
    assert all(problem["line"] > 0 for problem in document["problems"])
    ironcron.run("-c", "nowhere.yml", "jobs", code=78, config=False)


def test_validate(jobs):
    assert "all checks passed" in jobs.run("validate").stdout
    document = jobs.json("validate")
    assert document["ok"] and {check["result"] for check in document["checks"]} <= {"ok", "warning"}
    jobs.config('jobs:\n  - { name: a, schedule: "* * * * *", command: [/does/not/exist] }\n')
    done = jobs.run("validate", code=1)
    assert "failed" in done.stdout and "mend it:" in done.stdout
    assert not jobs.json("validate", code=1)["ok"]
    assert not jobs.store_path.exists()


def test_reading_needs_no_store(jobs):
    assert [job["state"] for job in jobs.json("jobs")] == ["never_ran"] * 5
    assert jobs.json("runs") == []
    assert "nothing has run yet" in jobs.run("audit", code=1).stderr
    assert "nothing has run yet" in jobs.run("nodes", code=1).stderr
    assert "nothing has run yet" in jobs.run("audit", "verify", code=1).stderr
    document = jobs.json("status", code=1)
    assert not document["ok"] and document["node"] is None and document["store"]["bytes"] is None
    assert "there is no store yet" in jobs.run("status", code=1).stdout
    assert not jobs.store_path.exists()


# ---- next ----------------------------------------------------------------------------------------


def test_next_of_a_schedule(ironcron):
    done = ironcron.run("next", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2027-03-26T12:00:00Z", "--count", "3",
                        config=False)
    assert done.stdout.splitlines() == ["2027-03-27T02:30:00+01:00", "2027-03-28T03:00:00+02:00",
                                        "2027-03-29T02:30:00+02:00"]
    assert len(ironcron.run("next", "@hourly", config=False).stdout.splitlines()) == 5
    assert ironcron.run("next", "0 0 30 2 *", code=None, config=False).returncode in (1, 2)


def test_next_explains_clock_changes(ironcron):
    line = ["next", "30 2 * * *", "--tz", "Europe/Berlin", "--from", "2027-03-26T12:00:00Z", "--explain"]
    text = ironcron.run(*line, config=False).stdout
    assert "Europe/Berlin" in text and text.count("Clock change") == 2
    document = json.loads(ironcron.run("--json", *line, config=False).stdout)
    assert [change["effect"] for change in document["changes"]] == ["moved", "once"]
    assert document["changes"][0]["moved_to"] == "2027-03-28T01:00:00.000Z"
    assert document["slots"][1] == {"due_at": "2027-03-28T01:00:00.000Z", "local": "2027-03-28T03:00:00+02:00"}


def test_next_of_a_job(jobs):
    slots = jobs.run("next", "greet", "--from", "2026-11-24", "--count", "2").stdout.splitlines()
    assert slots == ["2027-01-01T00:00:00+01:00", "2028-01-01T00:00:00+01:00"]
    assert 'did you mean "greet"?' in jobs.run("next", "gret", code=1).stderr


# ---- run without a node --------------------------------------------------------------------------


def test_run_becomes_a_short_lived_node(jobs):
    done = jobs.run("run", "greet", "--param", "WHO=anna")
    assert done.stdout == "hello anna\n"
    assert "SUCCESS" in done.stderr
    run = last_run(jobs, "greet")
    assert run["state"] == "SUCCESS" and run["trigger"] == "manual" and run["exit_code"] == 0
    assert UUID.match(run["run_id"]) and UTC_MS.match(run["started_at"]) and UTC_MS.match(run["ended_at"])
    jobs.expect_no_process()


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
        assert "All is well." in jobs.run("status").stdout
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
        assert "running  1" in jobs.run("status").stdout
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
    assert "no events match" in jobs.run("audit", "--event", "NONSENSE").stderr


# ---- what is printed -----------------------------------------------------------------------------


def on_a_terminal(program, *arguments, env=None):
    """What a command prints when stdout is a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(program.command(*arguments), stdout=follower, stderr=subprocess.DEVNULL,
                               env=environment(program.folder, {"TERM": "xterm", **(env or {})}))
    os.close(follower)
    text = b""
    while select.select([leader], [], [], PATIENCE)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(leader)
    process.wait(PATIENCE)
    return text.decode(errors="surrogateescape")


def test_output_is_exact_in_a_pipe_and_harmless_on_a_terminal(jobs):
    done = subprocess.run(jobs.command("run", "paints"), capture_output=True, check=True,
                          env=environment(jobs.folder))
    painted = b"\x1b[31mred\x1b[0m b\xc3\xa4r \xff\n"
    assert done.stdout == painted
    identity = last_run(jobs, "paints")["run_id"]
    done = subprocess.run(jobs.command("runs", "output", identity), capture_output=True, check=True,
                          env=environment(jobs.folder))
    assert done.stdout == painted
    assert on_a_terminal(jobs, "runs", "output", identity) == "?[31mred?[0m bär ?\r\n"
    pieces = [json.loads(line) for line in jobs.run("--json", "runs", "output", identity).stdout.splitlines()]
    assert "".join(piece["text"] for piece in pieces) == "?[31mred?[0m bär ?\n"
    assert pieces[0]["offset"] == 0 and pieces[0]["run_id"] == identity


def test_colours_only_on_a_terminal_that_wants_them(jobs):
    jobs.run("run", "greet")
    assert "\033[" in on_a_terminal(jobs, "jobs")
    assert "\033[" not in on_a_terminal(jobs, "--no-color", "jobs")
    assert "\033[" not in on_a_terminal(jobs, "jobs", env={"NO_COLOR": "1"})
    assert "\033[" not in on_a_terminal(jobs, "jobs", env={"TERM": "dumb"})
    assert "\033[" not in jobs.run("jobs").stdout


def test_values_of_the_environment_are_not_shown(jobs):
    for line in (["jobs", "show", "paints"], ["--json", "jobs", "show", "paints"], ["--json", "jobs"]):
        assert "swordfish" not in jobs.run(*line).stdout
    assert "SECRET_WORD" in jobs.run("jobs", "show", "paints").stdout


def test_runs_are_filtered(jobs):
    jobs.run("run", "greet")
    jobs.run("run", "breaks", code=1)
    assert [run["job"] for run in jobs.json("runs")] == ["breaks", "greet"]
    assert [run["job"] for run in jobs.json("runs", "--state", "FAILED")] == ["breaks"]
    assert [run["job"] for run in jobs.json("runs", "--limit", "1")] == ["breaks"]
    assert jobs.json("runs", "--until", "-1h") == []
    assert len(jobs.json("runs", "--since", "-1h")) == 2
    assert set(jobs.json("runs")[0]) == {"run_id", "job", "due_at", "attempt", "trigger", "state", "node", "fence",
                                         "started_at", "ended_at", "duration_ms", "exit_code", "error"}


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
