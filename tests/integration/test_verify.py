"""The ledger of a node that really ran, verified by `audit verify` and, from the documented bytes alone, by
this test. What somebody changes afterwards is found."""

import contextlib
import hashlib
import sqlite3

import pytest

from conftest import PATIENCE, until

MIX = """jobs:
  - { name: tick, schedule: "@every 1s", shell: "true" }
  - { name: seconds, schedule: "*/2 * * * * *", timezone: Europe/Berlin, shell: "true" }
  - { name: hashed, schedule: "H/3 * * * * *", shell: "true" }
  - { name: failing, schedule: "@every 2s", shell: "exit 3", retries: { max: 2, backoff: 200ms } }
  - { name: slow, schedule: "@every 1s", shell: "sleep 2.5", overlap: skip }
  - { name: queued, schedule: "@every 1s", shell: "sleep 1.3", overlap: queue }
  - { name: replaced, schedule: "@every 2s", shell: "sleep 60", overlap: replace, kill_after: 1s }
  - { name: late, schedule: "@every 3s", shell: "sleep 60", timeout: 1s, kill_after: 1s }
  - { name: boot, schedule: "@reboot", shell: "true" }
"""


def decided(ironcron, job, outcome, count=1):
    """Waits for slots of a job with an outcome."""
    def there():
        rows = ironcron.query("select count(*) n from slots where job = ? and outcome = ?", job, outcome)
        return rows[0]["n"] >= count

    until(there, lambda: f"{count} {outcome} of {job}: "
          f"{ironcron.query('select outcome, reason, count(*) n from slots where job = ? group by 1, 2', job)}")


def report(ironcron, code=0):
    return ironcron.json("audit", "verify", code=code)


def expect_pass(ironcron):
    verdict = ironcron.json("audit", "verify", code=None)
    assert verdict["verdict"] == "PASS", verdict["findings"][:10]
    return verdict


def chain_of(ironcron):
    """(rows, head) recomputed from the public view."""
    previous = "0" * 64
    rows = ironcron.query("select * from audit_log where seq is not null order by seq")
    for number, row in enumerate(rows, 1):
        assert row["seq"] == number
        assert row["prev_hash"] == previous, f"row {number}"
        fields = ["ironcron-audit-1", previous, str(row["seq"])]
        fields += [row[name] or "" for name in ("at", "event", "job", "run_id", "node", "actor", "detail")]
        previous = hashlib.sha256("".join(field + "\n" for field in fields).encode()).hexdigest()
        assert row["hash"] == previous, f"row {number}: {dict(row)}"
    return len(rows), previous


def tamper(ironcron, *statements):
    with contextlib.closing(sqlite3.connect(ironcron.store_path, timeout=PATIENCE)) as db:
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        for statement in statements:
            db.execute(statement)
        db.commit()


def test_a_node_that_lived(ironcron):
    """All policies at work, controls, a reload, a crash: nothing to find, while it runs and afterwards."""
    ironcron.config(MIX)
    with ironcron.serve() as node:
        decided(ironcron, "failing", "FAILED")
        decided(ironcron, "slow", "SKIPPED")
        decided(ironcron, "queued", "SUCCESS", 2)
        decided(ironcron, "late", "TIMED_OUT")
        expect_pass(ironcron)
        ironcron.run("pause", "tick", "--reason", "a test")
        decided(ironcron, "tick", "SKIPPED", 2)
        ironcron.run("resume", "tick")
        ironcron.run("dry-run", "on")
        decided(ironcron, "seconds", "DRY_RUN")
        ironcron.run("dry-run", "off")
        ironcron.run("throttle", "hashed", "x2")
        decided(ironcron, "hashed", "SKIPPED")
        ironcron.run("throttle", "hashed", "off")
        ironcron.config(MIX.replace('"@every 3s"', '"*/4 * * * * *"').replace('"H/3 * * * * *"', '"H/4 * * * * *"'))
        ironcron.run("reload")
        expect_pass(ironcron)
        decided(ironcron, "tick", "SUCCESS", 3)
        node.kill()
    with ironcron.serve():
        decided(ironcron, "tick", "SUCCESS", 5)
        until(lambda: expect_pass(ironcron)["running"] > 0, lambda: "nothing runs")
    verdict = expect_pass(ironcron)
    assert verdict["running"] == 0
    assert verdict["unsealed_rows"] == 0
    for job in verdict["jobs"]:
        assert job["in_ledger"] == job["due"] or job["job"] == "boot", job
    rows, head = chain_of(ironcron)
    assert (verdict["audit_rows"], verdict["head"]) == (rows, {"seq": rows, "hash": head})


@pytest.mark.parametrize("statement, kind", [
    ("update audit set actor = 'mallory' where id = 2", "chain-broken"),
    ("delete from slot where due_at = (select min(due_at) from slot)", "slot-gap"),
    ("update slot set due_at = due_at + 300 where due_at = (select min(due_at) from slot)", "slot-extra"),
    ("update run set state = 2 where state = 1", "run-mismatch"),
    ("update slot set outcome = 0", "slot-open"),
    ("delete from audit where event = 'SUCCESS'", "run-not-ended"),
    ("insert into control (job, kind, value, from_ms, actor) values (null, 0, 1, 0, 'nobody')", "slot-policy"),
])
def test_a_changed_row_is_found(ironcron, statement, kind):
    ironcron.config('jobs: [ { name: tick, schedule: "@every 1s", shell: "true" } ]\n')
    with ironcron.serve():
        decided(ironcron, "tick", "SUCCESS", 2)
    expect_pass(ironcron)
    tamper(ironcron, statement)
    found = report(ironcron, code=1)
    assert found["verdict"] == "FAIL"
    assert kind in {finding["kind"] for finding in found["findings"]}, found["findings"]
    done = ironcron.run("audit", "verify", code=1)
    assert kind in done.stdout and "FAIL" in done.stdout
