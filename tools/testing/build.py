"""Builds: warnings are errors in each of them."""

import re

from testing.result import run, tail


def build(result, profile, *targets):
    code, out = run(["scripts/build", profile, *targets])
    out = re.sub(r"^\[\d+/\d+\] .*\n", "", out, flags=re.M)  # ninja's progress
    result.check(f"build {profile} {' '.join(targets)}".rstrip(), tail(out) or "no output" if code else "")
    return code == 0
