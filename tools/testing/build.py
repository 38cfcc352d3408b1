"""Builds: warnings are errors in each of them."""

from testing.result import run, tail


def build(result, profile, *targets):
    code, out = run(["scripts/build", profile, *targets])
    result.check(f"build {profile} {' '.join(targets)}".rstrip(), tail(out) or "no output" if code else "")
    return code == 0
