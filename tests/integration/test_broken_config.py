"""A mistake in the configuration does not blind who looks at the store."""

import pytest

from conftest import until

GOOD = """
jobs:
  - { name: tick, schedule: "* * * * * *", shell: "true" }
  - { name: fails, schedule: "@every 1s", shell: "exit 3" }
  - { name: rare, schedule: "0 0 1 1 *", timezone: Europe/Berlin, shell: "true" }
"""
# Each with what stderr says of it; the store is named in all of them.
MISTAKES = {
    "key": ('jobs:\n  - { name: tick, schedul: "* * * * * *", shell: "true" }\n', 'did you mean "schedule"?'),
    "schedule": ('jobs:\n  - { name: tick, schedule: "* * * * * 61", shell: "true" }\n', "schedule"),
    "zone": ("timezone: Europe/Berlim\n", "Europe/Berlin"),
    "yaml": ('jobs:\n  - { name: tick, schedule: "* * * * * *"\n  - x: [\n', "not valid YAML"),
    "include": ('include: [ "nowhere.yml" ]\n', "nowhere.yml"),
}


def break_config(ironcron, addition):
    # What the fixture wrote before the jobs: the store among it.
    text = ironcron.config_path.read_text()
    ironcron.config_path.write_text(text.partition("jobs:")[0] + addition)


def has_run(ironcron):
    return {row["state"] for row in ironcron.query("select state from job_runs")} >= {"SUCCESS", "FAILED"}


def ran(ironcron):
    ironcron.config(GOOD)
    with ironcron.serve():
        until(lambda: has_run(ironcron), "both jobs have run")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_blinds_nobody(ironcron, mistake):
    ran(ironcron)
    addition, says = MISTAKES[mistake]
    break_config(ironcron, addition)
    for line in (["runs"], ["audit"], ["why", "tick"], ["nodes"], ["jobs"], ["audit", "verify"], ["doctor"], ["status"],
                 ["runs", "--job", "fails", "--limit", "1"], ["jobs", "show", "tick"]):
        done = ironcron.run(*line, code=None)
        assert done.returncode in (0, 1), (line, done.stderr)
        assert done.stdout, line
        assert says in done.stderr and "See: ironcron validate" in done.stderr, done.stderr
        assert str(ironcron.store_path) in done.stderr, done.stderr
    status = ironcron.json("status", code=1)
    assert any("the configuration has errors" in problem for problem in status["problems"])
    jobs = {job["job"]: job for job in ironcron.json("jobs")}
    assert set(jobs) == {"tick", "fails", "rare"}
    assert jobs["rare"]["timezone"] == "Europe/Berlin" and jobs["rare"]["next_due_at"].endswith("12-31T23:00:00.000Z")
    assert jobs["fails"]["state"] == "failing" and jobs["tick"]["last_run"]["state"] == "SUCCESS"
    assert ironcron.json("why", "tick", code=None)["cause"]
    run = ironcron.json("runs", "--job", "fails", "--limit", "1")[0]
    assert ironcron.json("runs", "show", run["run_id"])["exit_code"] == 3


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_acts_or_judges_still_refuses(ironcron, mistake):
    ran(ironcron)
    break_config(ironcron, MISTAKES[mistake][0])
    for line in (["validate"], ["run", "tick"], ["serve"], ["reload"]):
        assert ironcron.run(*line, code=None).returncode == 78, line


def test_a_store_that_is_not_certain_is_not_guessed(ironcron):
    ran(ironcron)
    text = ironcron.config_path.read_text()
    ironcron.config_path.write_text(text.replace("store:", "stroe:"))
    done = ironcron.run("status", code=78)
    assert 'did you mean "store"?' in done.stderr and not done.stdout
    ironcron.config_path.write_text(text.replace("sqlite:", "sqlight:"))
    assert "must be sqlite:FILE" in ironcron.run("status", code=78).stderr
    ironcron.config_path.write_text("jobs: [\n" + text)
    assert ironcron.run("runs", code=78).stderr
    ironcron.config_path.unlink()
    assert "ironcron init" in ironcron.run("status", code=78).stderr


def test_a_live_node_is_seen_behind_a_mistake(ironcron):
    ironcron.config(GOOD)
    with ironcron.serve() as node:
        until(lambda: has_run(ironcron), "both jobs have run")
        break_config(ironcron, MISTAKES["key"][0])
        status = ironcron.json("status", code=1)
        assert status["node"]["pid"] == node.pid
        assert [job["job"] for job in status["failed"]] == ["fails"]
        assert {slot["job"] for slot in status["next_hour"]} == {"tick", "fails"}
        assert "no configuration without errors" in ironcron.run("next", "tick", config=False, code=2).stderr
        # Nor does it tie the hands of who wants to hold something back.
        ironcron.run("pause", "fails", "--reason", "too loud")
        until(lambda: ironcron.query("select 1 from slots where job = 'fails' and reason = 'paused'"), "it is paused")
        assert {job["job"]: job["paused"] for job in ironcron.json("jobs")}["fails"]
        ironcron.run("resume", "fails")
        ironcron.run("throttle", "tick", "x2")
        ironcron.run("throttle", "tick", "off")
        assert "there is no job" in ironcron.run("pause", "nobody", code=1).stderr
        ironcron.run("pause", "--all")
        ironcron.run("resume", "--all")
        assert ironcron.json("why", "rare", "--at", "2001-01-01T00:00:00Z", code=None)["policy"] is None


def test_a_file_that_is_no_database_is_no_matter_of_time(ironcron):
    ironcron.config(GOOD)
    ironcron.store_path.write_text("this is no database\n" * 1000)
    for line in (["status"], ["runs"], ["doctor"], ["validate"], ["pause", "tick"]):
        done = ironcron.run(*line, code=1)
        assert "not a" in done.stderr + done.stdout, (line, done.stderr)
    ironcron.run("serve", code=1)  # 75 would have a supervisor try again and again
