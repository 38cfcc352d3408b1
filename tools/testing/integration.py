"""pytest against the release binary."""

import os
import tempfile
import xml.etree.ElementTree as ElementTree

from testing.build import build
from testing.result import ROOT, run, tail

FOLDER = "tests/integration"


def integration(result, *targets):
    if not build(result, "release"):
        return
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        # Most of a test's time is waiting for a real clock, so more of them than cores fit.
        code, out = run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "4",
                         "--dist", "loadfile", "--junitxml", report, *(targets or [FOLDER])],
                        env={"IRONCRON_BIN": os.path.join(ROOT, "build/release/ironcron"),
                             "PYTHONDONTWRITEBYTECODE": "1"})
        if not os.path.exists(report):
            result.check("pytest", tail(out) or "no output")
            return
        before = len(result.failures)
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            bad = [child for child in case if child.tag in ("failure", "error")]
            if bad:
                result.check(name, tail("\n".join(child.text or "" for child in bad), 120))
            elif any(child.tag == "skipped" for child in case):
                result.skipped += 1
            else:
                result.check(name, "")
        if code != 0 and len(result.failures) == before:
            result.check("pytest", tail(out))
