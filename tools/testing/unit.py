"""Unit tests (cmocka, under the sanitizers) and replayed fuzz corpora, counted one by one."""

import json
import os
import re

from testing.build import build
from testing.result import ROOT, run, tail

BUILD = "build/asan"
ENVIRONMENT = {
    "CMOCKA_MESSAGE_OUTPUT": "TAP",
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
}
LINE = re.compile(r"^(not ok|ok) \d+(?: - (.*)| # SKIP ?(.*))?$")
INPUT = re.compile(r"^\S+ \(\d+ bytes\)$", re.M)
PLAN = re.compile(r"^1\.\.(\d+)$")


def programs():
    """Meson's list: name, suites, file names of each test."""
    code, out = run(["meson", "introspect", BUILD, "--tests"])
    return json.loads(out) if code == 0 else []


def count(result, program, code, out):
    """One program's TAP. A crash loses no test: what the plan promised and did not report has failed."""
    planned, failed = 0, []
    passed = skipped = 0
    for line in out.splitlines():
        plan, verdict = PLAN.match(line), LINE.match(line)
        if plan:
            planned += int(plan.group(1))
        elif verdict and line.startswith("not ok") and "# SKIP" in line:
            skipped += 1
        elif verdict and verdict.group(1) == "ok":
            passed += 1
        elif verdict:
            failed.append(verdict.group(2) or line)
    if planned == 0:  # a replayed corpus: one check for each input; any other program is one check
        passed = len(INPUT.findall(out)) or 1
        if code != 0:
            passed, failed = passed - 1, [f"exit code {code} at or after the last input shown"]
    missing = planned - passed - skipped - len(failed)
    if missing > 0 or (code != 0 and not failed and skipped == 0):
        failed += [f"not reached or crashed (exit {code})"] * max(missing, 1)
    result.passed += passed
    result.skipped += skipped
    if failed:
        result.failures.append(f"{program}: {failed[0]}\n{tail(out)}")
        result.failures += [f"{program}: {name}" for name in failed[1:]]


def run_programs(result, names):
    log = os.path.join(ROOT, BUILD, "meson-logs/testlog.json")
    if os.path.exists(log):
        os.remove(log)
    run(["meson", "test", "-C", BUILD, "--no-rebuild", "--num-processes", str(os.cpu_count() or 2),
         "--timeout-multiplier", "4", *names],  # a machine that has other work to do is no failure
        env=ENVIRONMENT)
    if not os.path.exists(log):
        result.check("meson test", "no log was written")
        return
    for line in open(log, encoding="utf-8", errors="replace"):
        test = json.loads(line)
        out = test.get("stdout", "") + test.get("stderr", "")
        code = 124 if test.get("result") == "TIMEOUT" else test.get("returncode", 1)
        count(result, test["name"].replace("ironcron:", "").replace(" / ", "/"), code, out)


def suite(result, belongs, empty):
    """Runs what could be built even when something else could not."""
    build(result, "asan", "-k", "0")
    names = [test["name"] for test in programs() if belongs(test) and os.path.exists(test["cmd"][0])]
    if names:
        run_programs(result, names)
    else:
        result.check(empty, "no test is registered, or none could be built")


def is_corpus(test):
    return "ironcron:fuzz" in test["suite"]


def unit(result):
    suite(result, lambda test: not is_corpus(test), "unit tests")


def corpora(result):
    suite(result, is_corpus, "fuzz corpora")


def one(result, target):
    """One program, by its path below build/asan; only what it needs is built."""
    if build(result, "asan", target):
        run_programs(result, [os.path.basename(target).removeprefix("test_")])
