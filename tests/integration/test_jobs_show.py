"""`jobs show`: the history of a job as a strip, its durations, what waits."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios

from conftest import FAR, PATIENCE, environment, until
from test_cli import on_a_terminal


def outcomes(ironcron, job):
    return [row["outcome"] for row in ironcron.query("select outcome from slots where job = ? order by due_at", job)]


def strip_of(text):
    return re.search(r"^history +(\S.*)$", text, re.M).group(1)


LETTERS = {"SUCCESS": "S", "FAILED": "F", "TIMED_OUT": "T", "LOST": "L", "CANCELLED": "C", "DRY_RUN": "D", "SKIPPED": "-",
           "MISSED": "M"}


def test_the_strip_shows_each_slot(ironcron):
    ironcron.config("""
jobs:
  - name: mixed
    schedule: "* * * * * *"
    shell: 'test -e ok || exit 3'
    workdir: %s
  - { name: slow, schedule: "@every 2s", shell: "sleep 60", timeout: 1s, kill_after: 1s }
  - { name: quiet, schedule: "0 0 1 1 *", shell: "true" }
""" % ironcron.folder)
    with ironcron.serve():
        until(lambda: "FAILED" in outcomes(ironcron, "mixed"), "a failure")
        (ironcron.folder / "ok").touch()
        until(lambda: "SUCCESS" in outcomes(ironcron, "mixed"), "a success")
        until(lambda: "TIMED_OUT" in outcomes(ironcron, "slow"), "a timeout")
        ironcron.run("pause", "mixed", "--reason", "mail server down")
        until(lambda: "SKIPPED" in outcomes(ironcron, "mixed"), "a slot that was passed over")
    # By the ledger, apart from what is not decided since the node stopped.
    expected = "".join(LETTERS[outcome] for outcome in outcomes(ironcron, "mixed"))
    text = ironcron.run("jobs", "show", "mixed").stdout
    strip = strip_of(text)
    decided = strip.rstrip(".")
    assert len(decided) > 2 and expected.endswith(decided)
    assert "mail server down" in text and "lift it: ironcron resume mixed" in text
    assert re.search(r"S \d+ success", text) and re.search(r"F \d+ failed", text) and re.search(r"- \d+ skipped", text)
    assert re.search(r"^duration +min \S+, median \S+, max \S+", text, re.M)
    assert re.search(r"^last success +\d{4}-", text, re.M)
    assert "FAILED, exit code 3" in text and "ironcron runs show" in text
    document = ironcron.json("jobs", "show", "mixed")
    assert [slot["outcome"] for slot in document["slots"] if slot["outcome"]] == outcomes(ironcron, "mixed")[-60:]
    assert document["durations"]["count"] > 0 and document["last_success_at"]
    assert document["last_failure"]["exit_code"] == 3 and document["runs"]
    assert "T" in strip_of(ironcron.run("jobs", "show", "slow").stdout)
    assert "nothing was due yet" in ironcron.run("jobs", "show", "quiet").stdout


def test_on_a_terminal_it_is_drawn(ironcron):
    ironcron.config('jobs:\n  - { name: tick, schedule: "* * * * * *", shell: "true" }\n')
    with ironcron.serve():
        until(lambda: outcomes(ironcron, "tick").count("SUCCESS") >= 2, "two runs")
    drawn = on_a_terminal(ironcron, "jobs", "show", "tick")
    assert "\033[32m✔\033[0m" in drawn and re.search("[▁▂▃▄▅▆▇█]{2}", drawn)
    plain = on_a_terminal(ironcron, "--no-color", "jobs", "show", "tick")
    assert "✔✔" in plain and "\033" not in plain
    letters = on_a_terminal(ironcron, "--no-color", "jobs", "show", "tick", env={"LANG": "C", "LC_ALL": "C"})
    assert "SS" in letters and letters.isascii()
    assert ironcron.run("jobs", "show", "tick").stdout.isascii()


def test_slots_of_an_earlier_schedule_belong_to_it(ironcron):
    ironcron.config('jobs:\n  - { name: tick, schedule: "* * * * * *", shell: "true" }\n')
    with ironcron.serve():
        until(lambda: len(outcomes(ironcron, "tick")) >= 2, "two slots")
        before = len(outcomes(ironcron, "tick"))
        ironcron.config('jobs:\n  - { name: tick, schedule: "0 0 1 1 *", shell: "true" }\n')
        ironcron.run("reload")
        until(lambda: None not in outcomes(ironcron, "tick"), "the last one of it has ended")
        document = ironcron.json("jobs", "show", "tick")
        assert len(document["slots"]) >= before
        assert [slot["outcome"] for slot in document["slots"]] == outcomes(ironcron, "tick")


def test_what_runs_and_what_waits(ironcron):
    ironcron.config("""
jobs:
  - { name: long, schedule: "* * * * * *", shell: "sleep 60", overlap: skip }
  - { name: again, schedule: "* * * * * *", shell: "exit 1", retries: { max: 9, backoff: 30s } }
""")
    with ironcron.serve():
        until(lambda: ironcron.query("select 1 from job_runs where job = 'long'"), "a run")
        text = ironcron.run("jobs", "show", "long").stdout
        assert re.search(r"^running +\S+ so far, attempt 1$", text, re.M) and "runs output" in text and "-f" in text
        assert "R" in strip_of(text)
        until(lambda: ironcron.query("select 1 from job_runs where job = 'again' and state = 'FAILED'"), "a failure")
        text = ironcron.run("jobs", "show", "again").stdout
        assert re.search(r"^waits +the slot of \S+ waits for its next attempt$", text, re.M)
        assert "ironcron why again --at" in text and "W" in strip_of(text)


def test_a_run_with_all_that_belongs_to_it(ironcron):
    ironcron.config(f"""
jobs:
  - {{ name: third, schedule: "{FAR}", shell: "exit 1" }}
  - name: tries
    schedule: "* * * * * *"
    shell: 'echo "attempt $IRONCRON_ATTEMPT"; test $IRONCRON_ATTEMPT = 3'
    retries: {{ max: 5, backoff: 100ms, factor: 1, jitter: 0 }}
""")
    with ironcron.serve():
        until(lambda: "SUCCESS" in outcomes(ironcron, "tries"), "the third attempt")
        ironcron.run("run", "third", code=1)
    first = ironcron.query("select * from slots where job = 'tries' and outcome = 'SUCCESS' order by due_at limit 1")[0]
    attempts = ironcron.query("select run_id, state from job_runs where job = 'tries' and due_at = ? order by attempt",
                              first["due_at"])
    assert [run["state"] for run in attempts] == ["FAILED", "FAILED", "SUCCESS"]
    for number, run in enumerate(attempts, 1):  # whichever of them is asked for
        text = ironcron.run("runs", "show", run["run_id"]).stdout
        assert "attempts at the slot" in text and all(other["run_id"] in text for other in attempts)
        assert re.search(r"^  slot +SUCCESS$", text, re.M) and f"attempt {number}\n" in text.partition("AT ")[2]
        assert re.search(r"^  memory +\S+ MB at the most$", text, re.M) and "cpu time" in text
        assert text.splitlines()[-1].startswith("next  ironcron why tries --at ")
        document = ironcron.json("runs", "show", run["run_id"])
        assert [attempt["run_id"] for attempt in document["attempts"]] == [other["run_id"] for other in attempts]
        assert document["slot_outcome"] == "SUCCESS" and document["facts"]["memory_peak"] > 0
        assert document["next"].startswith("ironcron why tries --at ")
    manual = ironcron.json("runs", "--job", "third", "--limit", "1")[0]
    text = ironcron.run("runs", "show", manual["run_id"]).stdout
    assert "attempts at the slot" not in text and text.splitlines()[-1] == "next  ironcron jobs show third"


def at_width(ironcron, columns, *arguments):
    """What is printed on a terminal of so many columns."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(ironcron.command("--no-color", *arguments), stdout=follower, stderr=subprocess.DEVNULL,
                               env=environment(ironcron.folder, {"TERM": "xterm"}))
    os.close(follower)
    text = b""
    try:
        while piece := os.read(leader, 65536):
            text += piece
    except OSError:
        pass
    os.close(leader)
    process.wait(PATIENCE)
    return text.decode().replace("\r\n", "\n").splitlines()


def test_commands_stay_whole_on_a_narrow_terminal(ironcron):
    ironcron.config('jobs:\n  - { name: a-job-that-fails, schedule: "0 0 1 1 *", shell: "exit 3" }\n')
    ironcron.run("run", "a-job-that-fails", code=1)
    command = "ironcron runs show " + ironcron.json("runs")[0]["run_id"]
    narrow = at_width(ironcron, 80, "status")
    assert "    " + command in narrow and all(len(line) <= 80 for line in narrow if command in line)
    wide = at_width(ironcron, 200, "status")
    assert [line for line in wide if line.endswith(command) and "a-job-that-fails" in line]
    assert [line for line in ironcron.run("status", code=1).stdout.splitlines() if line.endswith(command) and "FAILED" in line]


def test_jobs_are_picked_by_name_and_state(ironcron):
    ironcron.config("jobs:\n" + "".join(
        f'  - {{ name: {name}, schedule: "0 0 1 1 *", shell: "{work}" }}\n'
        for name, work in (("rollup-day", "true"), ("rollup-week", "exit 1"), ("export", "exit 1"), ("idle", "true"))))
    for name in ("rollup-day", "rollup-week", "export"):
        ironcron.run("run", name, code=None)
    ironcron.run("pause", "rollup-day")

    def names(*words):
        picked = [job["job"] for job in ironcron.json("jobs", *words)]
        lines = ironcron.run("jobs", *words).stdout.splitlines()[1:]
        assert [line.split()[0] for line in lines] == picked
        return picked

    assert names("rollup-*") == ["rollup-day", "rollup-week"]
    assert names("--state", "failing") == ["rollup-week", "export"]
    assert names("rollup-*", "--state", "failing") == ["rollup-week"]
    assert names("--state", "paused") == ["rollup-day"] and names("--state", "never_ran") == ["idle"]
    assert len(names()) == 4 and names("--state", "stale") == []
    assert "none of 4 jobs is such a one" in ironcron.run("jobs", "nothing*").stderr
    assert 'did you mean "failing"?' in ironcron.run("jobs", "--state", "failling", code=2).stderr


def test_the_nodes_that_a_job_demands_are_shown(ironcron):
    ironcron.config("""
node: { labels: { region: eu } }
jobs:
  - { name: here, schedule: "@daily", shell: "true", nodes: { region: eu } }
  - { name: there, schedule: "@daily", shell: "true", nodes: { region: us, disk: fast } }
  - { name: anywhere, schedule: "@daily", shell: "true" }
""")
    assert re.search(r"^  only nodes +region=us, disk=fast$", ironcron.run("jobs", "show", "there").stdout, re.M)
    assert "only nodes" not in ironcron.run("jobs", "show", "anywhere").stdout
    assert ironcron.json("jobs", "show", "there")["definition"]["nodes"] == {"region": "us", "disk": "fast"}
    assert ironcron.json("jobs", "show", "anywhere")["definition"]["nodes"] == {}
    text = ironcron.run("validate").stdout
    assert "job there demands a node with region=us, disk=fast, and this one has region=eu" in text
