#!/usr/bin/env python3
"""Runs every suite, or one, and ends with one line `N passed, N failed`. See scripts/test."""

import glob
import os
import sys

from testing import checks, unit
from testing.build import build
from testing.integration import FOLDER, integration
from testing.result import ROOT, Report
from testing.spin import spin

SUITES = {
    "layers": checks.layers,
    "style": checks.style,
    "format": checks.formatting,
    "unit": unit.unit,
    "corpora": unit.corpora,
    "release": lambda result: build(result, "release"),
    "symbols": checks.symbols,
    "clang": lambda result: build(result, "clang"),
    "docs": checks.docs,
    "spin": spin,
    "integration": integration,
}


def by_name(name):
    """A suite, a unit test program, or a file of integration tests."""
    if name in SUITES:
        return SUITES[name]
    path = name.split("::")[0]
    candidates = [path, f"{FOLDER}/{path}", f"{FOLDER}/test_{path}.py", f"{FOLDER}/{path}.py"]
    for candidate in candidates:
        if candidate.endswith(".py") and os.path.exists(os.path.join(ROOT, candidate)):
            return lambda result: integration(result, name.replace(path, candidate, 1))
    stem = os.path.basename(path).removesuffix(".c").removeprefix("test_")
    sources = glob.glob(f"tests/**/test_{stem}.c", root_dir=ROOT, recursive=True)
    if os.path.exists(os.path.join(ROOT, f"tests/fuzz/fuzz_{stem}.c")) and not sources:
        sources = [f"tests/fuzz/replay_{stem}.c"]
    if sources:
        return lambda result: unit.one(result, sources[0].removesuffix(".c"))
    return None


def main():
    os.chdir(ROOT)
    suites = SUITES
    if len(sys.argv) > 1:
        suites = {name: by_name(name) for name in sys.argv[1:]}
        unknown = [name for name, suite in suites.items() if suite is None]
        if unknown:
            print(f"no such suite or test: {' '.join(unknown)}; suites: {' '.join(SUITES)}; tests: a file "
                  "below tests/, or what stands between test_ and .c or .py", file=sys.stderr)
            return 2
    report = Report()
    for name, suite in suites.items():
        report.run(name, suite)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
