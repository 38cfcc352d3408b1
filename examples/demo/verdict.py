#!/usr/bin/env python3
"""Judges the evidence of a demo: PASS or FAIL, with one figure for each reason.

    verdict.py EVIDENCE.json

The evidence is everything that was seen (evidence.py says what); the plan is plan.py. Nothing here asks
ironcron, so that what it says about itself is compared with what others saw.
"""

import collections
import json
import re
import sys

import plan

ENDS = ("SUCCESS", "FAILED", "TIMED_OUT", "LOST", "CANCELLED")
EVENTS_PLACED = 1_000_000


class Reason:
    def __init__(self, holds, name, figure, details=()):
        self.holds = holds
        self.name = name
        self.figure = figure
        self.details = list(details)


def differences(planned, seen, describe):
    """What is planned and not seen, seen and not planned, or seen otherwise; at most five, in words."""
    found = []
    for key in sorted(set(planned) | set(seen), key=str):
        if planned.get(key) != seen.get(key):
            found.append(f"{describe(key)}: planned {planned.get(key, 'nothing')}, seen {seen.get(key, 'nothing')}")
    return found[:5] + ([f"and {len(found) - 5} more"] if len(found) > 5 else []), len(found)


def compare(name, planned, seen, describe, unit):
    details, wrong = differences(planned, seen, describe)
    figure = f"{len(planned)} {unit} planned, {len(seen)} seen, {wrong} different"
    return Reason(wrong == 0 and len(planned) > 0, name, figure, details)


def slot_name(key):
    return f"{key[0]} at {key[1]}"


def p99(values):
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)] if ordered else None


class Judge:
    def __init__(self, evidence):
        self.evidence = evidence
        self.dry = evidence["dry_window"]
        self.live = evidence["live_window"]
        self.slots = evidence["slots"]
        self.runs = evidence["runs"]
        # Each slot's row, and each row again when a slot has two.
        self.slot_count = collections.Counter((s["job"], s["due"]) for s in self.slots)
        self.live_runs = [r for r in self.runs if r["node"] == evidence["live_node"]]

    def slots_between(self, window):
        return [s for s in self.slots if window[0] <= s["due"] < window[1]]

    def validated(self):
        seen = self.evidence["validate"]
        return Reason(seen["exit"] == 0, "startup validation", f"exit {seen['exit']}, 0 planned")

    def moved_in(self):
        seen = self.evidence["moving_in"]
        named = len(seen["lost"]) == 1 and "MAILTO" in seen["lost"][0]
        yield Reason(0 < seen["lines"] == seen["jobs"] and named, "crontab imported",
                     f"{seen['lines']} lines, {seen['jobs']} jobs, {len(seen['lost'])} not carried over, 1 planned",
                     seen["lost"])
        dry = [name for name in seen["names"] if seen["states"].get(name) == "DRY_RUN"]
        yield Reason(seen["validate"] == 0 and len(dry) == seen["jobs"] and not seen["marks"],
                     "imported jobs run in dry-run", f"{seen['jobs']} jobs, {len(dry)} DRY_RUN,"
                     f" {len(seen['marks'])} executed, 0 planned", seen["marks"])

    def dry_run_decided(self):
        planned = {key: "DRY_RUN" for key in plan.slots(*self.dry)}
        seen = {(s["job"], s["due"]): s["outcome"] for s in self.slots_between(self.dry)}
        return compare("dry-run claimed every slot", planned, seen, slot_name, "slots")

    def dry_run_executed_nothing(self):
        seen = len(self.evidence["dry_witness"])
        return Reason(seen == 0, "dry-run executed nothing", f"{seen} executions witnessed, 0 planned",
                      self.evidence["dry_witness"][:5])

    def every_slot_once(self):
        """From the first dry-run slot to the last live one, the time in between included."""
        planned = {key: 1 for key in plan.slots(self.dry[0], self.live[1])}
        seen = {key: n for key, n in self.slot_count.items() if self.dry[0] <= key[1] < self.live[1]}
        return compare("every slot exactly once", planned, seen, slot_name, "slots")

    def outcomes(self):
        planned = {key: (fate.outcome, fate.reason) for key, fate in plan.slots(*self.live).items()}
        seen = {(s["job"], s["due"]): (s["outcome"], s["reason"] if s["outcome"] == "SKIPPED" else "")
                for s in self.slots_between(self.live)}
        yield compare("every slot's outcome", planned, seen, slot_name, "slots")
        for outcome in ("SUCCESS", "FAILED", "TIMED_OUT", "SKIPPED"):
            want = sum(value[0] == outcome for value in planned.values())
            have = sum(value[0] == outcome for value in seen.values())
            yield Reason(want == have, f"slots {outcome}", f"{want} planned, {have} seen")

    def attempts(self):
        """Each attempt's end and exit code: what was planned to fail fails in just that way."""
        planned = {(job, due, attempt): end for (job, due), fate in plan.slots(*self.live).items()
                   for attempt, end in enumerate(fate.attempts, 1)}
        seen = collections.defaultdict(list)
        for run in self.runs:
            if self.live[0] <= run["due"] < self.live[1]:
                code = None if run["state"] == "TIMED_OUT" else run["exit_code"]
                seen[(run["job"], run["due"], run["attempt"])].append((run["state"], code))
        flat = {key: ends[0] if len(ends) == 1 else tuple(ends) for key, ends in seen.items()}
        return compare("every attempt's end", planned, flat,
                       lambda key: f"{slot_name(key)} attempt {key[2]}", "runs")

    def witnessed(self):
        """The jobs' own record of having been executed, against the ledger."""
        executed = collections.Counter(line for line in self.evidence["live_witness"])
        recorded = collections.Counter(f"{r['job']} {r['run_id']} {r['attempt']}" for r in self.live_runs)
        wrong = [f"{line}: recorded {recorded[line]}, executed {executed[line]}"
                 for line in sorted(set(executed) | set(recorded)) if executed[line] != recorded[line]]
        figure = f"{sum(recorded.values())} recorded, {sum(executed.values())} executed, {len(wrong)} different"
        return Reason(not wrong and bool(recorded), "each recorded run executed exactly once", figure, wrong[:5])

    def never_two_at_once(self):
        clashes = []
        by_job = collections.defaultdict(list)
        for run in self.live_runs:
            if run["job"] not in plan.MAY_OVERLAP:
                by_job[run["job"]].append((run["started"], run["ended"], run["run_id"]))
        for job, spans in by_job.items():
            spans.sort(key=lambda span: span[0])
            for one, two in zip(spans, spans[1:]):
                if one[1] is None or two[0] < one[1]:
                    clashes.append(f"{job}: {two[2]} started before {one[2]} had ended")
        return Reason(not clashes, "no two runs of a job at once",
                      f"{len(clashes)} overlaps of {sum(map(len, by_job.values()))} runs, 0 planned",
                      clashes[:5])

    def nothing_open(self):
        open_runs = [r["run_id"] for r in self.runs if r["state"] == "STARTED"]
        left = self.evidence["left_running"]
        yield Reason(not open_runs, "no run left open", f"{len(open_runs)} open, 0 planned", open_runs[:5])
        yield Reason(not left, "no process left running", f"{len(left)} processes, 0 planned", left[:5])

    def start_delay(self):
        limit = self.evidence["start_delay_limit"]
        bound, count = self.delay_of_metrics()
        measured = p99([r["started"] - r["due"] for r in self.live_runs if r["trigger"] == "schedule"])
        if bound is None or measured is None:
            return Reason(False, "start delay p99", "no start delay was measured")
        # The metrics tell a bucket's upper bound, the ledger the figure itself.
        figure = f"{measured * 1000:.0f} ms by the ledger, at most {bound:g} s by the metrics ({count} starts)," \
                 f" limit {limit:g} s"
        return Reason(measured <= limit and bound <= max(limit, 1.0), "start delay p99", figure)

    def delay_of_metrics(self):
        buckets, count = collections.Counter(), 0
        for (name, labels), value in self.samples().items():
            if name == "job_start_delay_seconds_bucket":
                buckets[float(dict(labels)["le"].replace("+Inf", "inf"))] += value
            elif name == "job_start_delay_seconds_count":
                count += value
        enough = [bound for bound in sorted(buckets) if count and buckets[bound] >= 0.99 * count]
        return (enough[0] if enough else None), int(count)

    def samples(self):
        found = {}
        for line in self.evidence["metrics"].splitlines():
            match = re.match(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$', line)
            if match:
                labels = tuple(sorted(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")))
                found[(match.group(1), labels)] = float(match.group(3))
        return found

    def metrics_equal_ledger(self):
        counted = {}
        for (name, labels), value in self.samples().items():
            if name == "job_runs_total" and value:
                labels = dict(labels)
                counted[(labels["job_name"], labels["status"])] = int(value)
        ledger = collections.Counter((r["job"], r["state"].lower()) for r in self.live_runs)
        yield compare("metrics equal the ledger: runs", dict(ledger), counted, " ".join, "series")
        passed_over = collections.Counter()
        for (name, labels), value in self.samples().items():
            if name in ("job_slots_skipped_total", "job_slots_missed_total") and value:
                passed_over[(dict(labels)["job_name"], dict(labels)["reason"])] += int(value)
        rows = collections.Counter((s["job"], s["reason"]) for s in self.slots
                                   if s["outcome"] in ("SKIPPED", "MISSED"))
        yield compare("metrics equal the ledger: slots passed over", dict(rows), dict(passed_over), " ".join,
                      "series")

    def audited(self):
        verify = self.evidence["verify"]
        yield Reason(verify["exit"] == 0, "audit chain verified", f"exit {verify['exit']}, 0 planned",
                     verify["output"].splitlines()[-5:] if verify["exit"] else [])
        events = collections.Counter(self.evidence["audit"])
        ends = sum(events[event] for event in ENDS)
        yield Reason(events["STARTED"] == ends > 0, "each STARTED has one end",
                     f"{events['STARTED']} started, {ends} ended")
        yield Reason(events["STARTED"] == len(self.live_runs), "audit equals the ledger",
                     f"{events['STARTED']} STARTED in the audit, {len(self.live_runs)} runs in the ledger")

    def work_done(self):
        seen = self.evidence["effects"]
        rollups = [r for r in self.live_runs if r["job"] == "rollup-events" and r["state"] == "SUCCESS"]
        yield Reason(seen["rolled_up"] == EVENTS_PLACED and seen["rollups"] == len(rollups), "roll-up",
                     f"{seen['rolled_up']} of {EVENTS_PLACED} events in the sums,"
                     f" {seen['rollups']} roll-ups by {len(rollups)} successful runs")
        kept = seen["files_archived"] + seen["files_waiting"]
        yield Reason(kept == seen["files_placed"] and seen["files_archived"] > 0, "file work",
                     f"{seen['files_placed']} files placed, {seen['files_archived']} archived"
                     f" + {seen['files_waiting']} waiting = {kept}")

    def stopped_cleanly(self):
        codes = self.evidence["serve_exits"]
        return Reason(codes == [0, 0, 0], "serve stopped cleanly", f"exits {codes}, [0, 0, 0] planned")

    def reasons(self):
        yield self.validated()
        yield from self.moved_in()
        yield self.dry_run_decided()
        yield self.dry_run_executed_nothing()
        yield self.every_slot_once()
        yield from self.outcomes()
        yield self.attempts()
        yield self.witnessed()
        yield self.never_two_at_once()
        yield from self.nothing_open()
        yield self.start_delay()
        yield from self.audited()
        yield from self.metrics_equal_ledger()
        yield from self.work_done()
        yield self.stopped_cleanly()


def judge(evidence):
    return list(Judge(evidence).reasons())


def show(reasons, out=sys.stdout):
    for reason in reasons:
        print(f"  {'pass' if reason.holds else 'FAIL'}  {reason.name}: {reason.figure}", file=out)
        if not reason.holds:
            for detail in reason.details:
                print(f"          {detail}", file=out)
    failed = sum(not reason.holds for reason in reasons)
    verdict = "FAIL" if failed or not reasons else "PASS"
    print(f"\nVerdict: {verdict} ({len(reasons) - failed} of {len(reasons)} reasons hold)", file=out)
    return verdict == "PASS"


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.exit(0 if show(judge(json.load(file))) else 1)
