"""The command line through the real binary: usage, help, completion, setting up, and what is printed."""

import json
import os
import pty
import re
import select
import shutil
import subprocess

import pytest
from cli_jobs import jobs, last_run  # noqa: F401
from conftest import BINARY, PATIENCE, ROOT, environment


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
    (["runs", ""], ["show", "output", "retry", "cancel"]),
    (["runs", "output", "--f"], ["--follow"]),
    (["runs", "--state", "t"], ["timed_out"]),
    (["jobs", "--state", "t"], ["throttled"]),
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
                                         "started_at", "ended_at", "duration_ms", "exit_code", "error", "cut_off"}
