"""The demo's verdict: true evidence passes, and each kind of tampering is seen; then the real demo."""

import collections
import copy
import os
import subprocess
import sys

import pytest

from conftest import BINARY, ROOT, environment

sys.path.insert(0, str(ROOT / "examples/demo"))
import plan  # noqa: E402
import verdict  # noqa: E402

DRY = [1000, 1006]
LIVE = [1020, 1060]
NODE = "live"
DURATION = {"TIMED_OUT": 3.1, "SUCCESS": 0.2, "FAILED": 0.1}


def run_of(job, due, attempt, state, code, started, node=NODE):
    length = 4.1 if job == "slow-report" else DURATION.get(state, 0)
    return {"run_id": f"{job}-{due}-{attempt}-{node}", "job": job, "due": due, "attempt": attempt,
            "trigger": "schedule" if attempt == 1 else "retry", "state": state, "node": node, "started": started,
            "ended": started + length, "exit_code": code}


def metrics_of(runs, slots):
    lines = [f'job_runs_total{{job_name="{job}",status="{state.lower()}"}} {count}' for (job, state), count in
             collections.Counter((r["job"], r["state"]) for r in runs).items()]
    lines += [f'job_slots_{s[0].lower()}_total{{job_name="{s[1]}",reason="{s[2]}"}} {count}' for s, count in
              collections.Counter((s["outcome"], s["job"], s["reason"]) for s in slots
                                  if s["outcome"] in ("SKIPPED", "MISSED")).items()]
    for job in plan.JOBS:
        starts = sum(r["job"] == job for r in runs)
        lines += [f'job_start_delay_seconds_bucket{{job_name="{job}",le="{bound}"}} {starts}'
                  for bound in ("0.05", "0.1", "+Inf")]
        lines.append(f'job_start_delay_seconds_count{{job_name="{job}"}} {starts}')
    lines.append('job_runs_total{job_name="heartbeat",status="lost"} 0')
    return "# TYPE job_runs_total counter\n" + "\n".join(lines) + "\n"


def true_evidence():
    """What a node that does exactly as planned leaves behind."""
    slots, runs = [], []
    for (job, due), fate in plan.slots(DRY[0], LIVE[1]).items():
        if due < DRY[1]:
            slots.append({"job": job, "due": due, "outcome": "DRY_RUN", "reason": ""})
            runs.append(run_of(job, due, 1, "DRY_RUN", None, due + 0.01, "dry"))
        elif due < LIVE[0]:
            slots.append({"job": job, "due": due, "outcome": "MISSED", "reason": "downtime"})
        else:
            slots.append({"job": job, "due": due, "outcome": fate.outcome, "reason": fate.reason})
            runs += [run_of(job, due, attempt, state, code, due + 0.01 + 1.2 * (attempt - 1))
                     for attempt, (state, code) in enumerate(fate.attempts, 1)]
    live = [r for r in runs if r["node"] == NODE]
    events = collections.Counter(r["state"] for r in live)
    rollups = sum(r["job"] == "rollup-events" for r in live)
    return {"dry_window": DRY, "live_window": LIVE, "slots": slots, "runs": runs, "live_node": NODE,
            "audit": {"STARTED": len(live), **events, "SKIPPED": 4, "PAUSED": 1},
            "dry_witness": [], "live_witness": [f"{r['job']} {r['run_id']} {r['attempt']}" for r in live],
            "metrics": metrics_of(live, slots), "verify": {"exit": 0, "output": "ok"},
            "validate": {"exit": 0, "output": "ok"}, "serve_exits": [0, 0, 0], "left_running": [],
            "moving_in": {"lines": 2, "jobs": 2, "lost": ["MAILTO: no mail is sent"], "validate": 0, "marks": [],
                          "names": ["me-a", "me-b"], "states": {"me-a": "DRY_RUN", "me-b": "DRY_RUN"}},
            "effects": {"rolled_up": verdict.EVENTS_PLACED, "rollups": rollups, "files_placed": 200,
                        "files_archived": 32, "files_waiting": 168},
            "start_delay_limit": 1.0}


def failing(evidence):
    return {reason.name for reason in verdict.judge(evidence) if not reason.holds}


def test_true_evidence_passes():
    assert not failing(true_evidence())


def find(rows, **wanted):
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def extra_run(seen):
    seen["runs"].append(run_of("heartbeat", LIVE[0], 2, "SUCCESS", 0, LIVE[0] + 0.5))


def same_attempt_twice(seen):
    again = dict(find(seen["runs"], job="heartbeat", due=LIVE[0]), run_id="again")
    seen["runs"].append(again)


def missing_slot(seen):
    seen["slots"].remove(find(seen["slots"], job="heartbeat", due=LIVE[0] + 5))


def missing_slot_between(seen):
    seen["slots"].remove(find(seen["slots"], job="heartbeat", due=DRY[1] + 3))


def slot_twice(seen):
    seen["slots"].append(dict(find(seen["slots"], job="heartbeat", due=LIVE[0] + 5)))


def unplanned_slot(seen):
    seen["slots"].append({"job": "rollup-events", "due": LIVE[0] + 2, "outcome": "SUCCESS", "reason": ""})


def success_where_failure_was_planned(seen):
    find(seen["slots"], job="import-feed", due=LIVE[0] + 3)["outcome"] = "SUCCESS"


def other_exit_code(seen):
    find(seen["runs"], job="import-feed", due=LIVE[0] + 3)["exit_code"] = 4


def signal_instead_of_timeout(seen):
    find(seen["runs"], job="hang-with-children", due=LIVE[0])["state"] = "FAILED"


def no_second_attempt(seen):
    seen["runs"].remove(find(seen["runs"], job="upload-report", due=LIVE[0] + 6, attempt=2))


def overlapping(seen):
    find(seen["runs"], job="import-feed", due=LIVE[0] + 3)["ended"] = LIVE[0] + 8.5


def skipped_for_another_reason(seen):
    find(seen["slots"], job="slow-report", due=LIVE[0] + 2)["reason"] = "paused"


def executed_in_dry_run(seen):
    seen["dry_witness"].append("heartbeat x 1")


def dry_run_slot_executed(seen):
    find(seen["slots"], job="heartbeat", due=DRY[0])["outcome"] = "SUCCESS"


def executed_twice(seen):
    seen["live_witness"].append(seen["live_witness"][0])


def never_executed(seen):
    seen["live_witness"].pop()


def open_run(seen):
    find(seen["runs"], job="heartbeat", due=LIVE[0])["state"] = "STARTED"


def process_left(seen):
    seen["left_running"].append("4711 sleep 3600")


def slow_starts(seen):
    for run in seen["runs"][-20:]:
        run["started"] += 1.5


def broken_chain(seen):
    seen["verify"] = {"exit": 1, "output": "gap"}


def end_missing_in_audit(seen):
    seen["audit"]["SUCCESS"] -= 1


def metrics_ahead(seen):
    seen["metrics"] = seen["metrics"].replace('status="timed_out"} 4', 'status="timed_out"} 5')


def metrics_gone(seen):
    seen["metrics"] = ""


def rows_not_rolled_up(seen):
    seen["effects"]["rolled_up"] -= 1


def file_lost(seen):
    seen["effects"]["files_waiting"] -= 1


def unclean_stop(seen):
    seen["serve_exits"] = [0, 0, 70]


def failed_validation(seen):
    seen["validate"]["exit"] = 1


def line_not_imported(seen):
    seen["moving_in"]["jobs"] = 1


def more_not_carried_over(seen):
    seen["moving_in"]["lost"].append("the line has no command")


def imported_job_executed(seen):
    seen["moving_in"]["marks"].append("a")


def imported_job_not_run(seen):
    del seen["moving_in"]["states"]["me-b"]


def nothing_ran(seen):
    seen["slots"], seen["runs"] = [], []


TAMPERING = [
    (line_not_imported, "crontab imported"),
    (more_not_carried_over, "crontab imported"),
    (imported_job_executed, "imported jobs run in dry-run"),
    (imported_job_not_run, "imported jobs run in dry-run"),
    (extra_run, "every attempt's end"),
    (same_attempt_twice, "every attempt's end"),
    (missing_slot, "every slot exactly once"),
    (missing_slot_between, "every slot exactly once"),
    (slot_twice, "every slot exactly once"),
    (unplanned_slot, "every slot's outcome"),
    (success_where_failure_was_planned, "every slot's outcome"),
    (other_exit_code, "every attempt's end"),
    (signal_instead_of_timeout, "every attempt's end"),
    (no_second_attempt, "every attempt's end"),
    (overlapping, "no two runs of a job at once"),
    (skipped_for_another_reason, "every slot's outcome"),
    (executed_in_dry_run, "dry-run executed nothing"),
    (dry_run_slot_executed, "dry-run claimed every slot"),
    (executed_twice, "each recorded run executed exactly once"),
    (never_executed, "each recorded run executed exactly once"),
    (open_run, "no run left open"),
    (process_left, "no process left running"),
    (slow_starts, "start delay p99"),
    (broken_chain, "audit chain verified"),
    (end_missing_in_audit, "each STARTED has one end"),
    (metrics_ahead, "metrics equal the ledger: runs"),
    (metrics_gone, "metrics equal the ledger: runs"),
    (rows_not_rolled_up, "roll-up"),
    (file_lost, "file work"),
    (unclean_stop, "serve stopped cleanly"),
    (failed_validation, "startup validation"),
    (nothing_ran, "every slot exactly once"),
]


@pytest.mark.parametrize("tamper,reason", TAMPERING, ids=[tamper.__name__ for tamper, _ in TAMPERING])
def test_tampered_evidence_fails(tamper, reason):
    seen = copy.deepcopy(true_evidence())
    tamper(seen)
    assert seen != true_evidence(), "the tampering changed nothing"
    assert reason in failing(seen)


def test_the_real_demo_passes(tmp_path):
    """One cycle of it. Its verdict on delays is the demo's own affair, not a test's."""
    done = subprocess.run(
        ["/usr/bin/python3", str(ROOT / "examples/demo/rehearse.py"), BINARY, str(tmp_path / "demo"), "--cycles", "1",
         "--start-delay-limit", "1000"], env=environment(tmp_path, {"PYTHONDONTWRITEBYTECODE": "1"}),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: PASS" in done.stdout
    for name in ("metrics.txt", "ironcron.db", "evidence.json"):
        assert os.path.exists(tmp_path / "demo" / name)
