"""What a suite returns, and how it is shown."""

import os
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Result:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failures = []  # one text each

    def check(self, name, problem):
        """One check: `problem` is empty when it passed."""
        if problem:
            self.failures.append(f"{name}\n{problem}".rstrip())
        else:
            self.passed += 1

    def add(self, other):
        self.passed += other.passed
        self.skipped += other.skipped
        self.failures += other.failures


def run(command, timeout=7200, env=None):
    """Returns (exit code, everything that was printed). A hang is a failure, never a wait for ever; a slow machine is none."""
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False,
                              env=dict(os.environ, **(env or {})))
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace") + f"\nstopped after {timeout} s"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode(errors="replace")


def tail(text, lines=60):
    kept = text.rstrip().splitlines()
    if len(kept) > lines:
        kept = [f"… {len(kept) - lines} lines before this"] + kept[-lines:]
    return "\n".join("    " + line for line in kept)


class Report:
    """Prints each suite as it ends, and the summary."""

    def __init__(self):
        self.rows = []

    def run(self, name, suite):
        print(f"== {name}", flush=True)
        started = time.monotonic()
        result = Result()
        try:
            suite(result)
        except Exception as error:  # a broken suite is a failed one, and the others still run
            result.failures.append(f"{name} broke: {type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        for failure in result.failures:
            print(f"FAILED {failure}", flush=True)
        self.rows.append((name, result, seconds))
        return not result.failures

    def finish(self):
        print(f"\n{'suite':<22} {'passed':>7} {'failed':>7} {'skipped':>8} {'seconds':>8}")
        for name, result, seconds in self.rows:
            print(f"{name:<22} {result.passed:>7} {len(result.failures):>7} {result.skipped:>8}"
                  f" {seconds:>8.1f}")
        passed = sum(result.passed for _, result, _ in self.rows)
        failed = sum(len(result.failures) for _, result, _ in self.rows)
        if passed + failed == 0:
            print("nothing was tested")
            failed = 1
        print(f"{passed} passed, {failed} failed", flush=True)
        return 1 if failed else 0
