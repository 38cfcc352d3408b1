"""Checks of the source itself."""

import glob
import subprocess

from testing.build import build
from testing.result import ROOT, run, tail


def tool(result, script):
    """A checker: first that it can see what it looks for, then what it says about the tree."""
    for arguments in (["--self-test"], []):
        code, out = run(["python3", script, *arguments])
        result.check(" ".join([script, *arguments]), tail(out) or "no output" if code else "")


def layers(result):
    tool(result, "tools/check_layers.py")


def style(result):
    tool(result, "tools/check_style.py")
    tool(result, "tools/check_messages.py")


def c_files():
    listed = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.split()
    return listed or [n for n in glob.glob("**/*.[ch]", root_dir=ROOT, recursive=True)
                      if not n.startswith("build/")]


def formatting(result):
    files = c_files()
    code, out = run(["clang-format-14", "--dry-run", "--Werror", *files])
    wrong = sorted({line.split(":")[0] for line in out.splitlines() if "error:" in line})
    what = "\n".join(f"    {name}" for name in wrong) + "\n    mend: make format" if wrong else tail(out)
    result.check("clang-format", (what or "no output") if code else "")


def symbols(result):
    if build(result, "release"):
        tool(result, "tools/check_symbols.py")


def docs(result):
    build(result, "release")
    tool(result, "tools/check_docs.py")
