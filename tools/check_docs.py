#!/usr/bin/env python3
"""The pages say what is true: links and named files exist, and generated pages are what the binary prints.

    tools/check_docs.py             checks
    tools/check_docs.py --write     writes the generated pages first
    tools/check_docs.py --self-test shows that each kind of mistake is seen
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# page: the command that prints it
GENERATED = {"docs/cli.md": ["help", "--markdown"], "docs/configuration.md": ["help", "configuration"]}
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
# `src/engine/run.c`, `tests/unit/`: what a page names in backticks below these folders must be there.
NAMED = re.compile(r"`((?:src|tests|tools|scripts|docs|bench|examples|\.ci)/[\w./-]*)`")
PLACEHOLDER = re.compile(r"/(?:test_)?[A-Z]+\b(?!\.md)")  # tests/unit/ROOM/test_TOPIC.c


def pages(root):
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in (".git", "build", "node_modules"))
        for name in sorted(names):
            if name.endswith(".md"):
                yield os.path.join(folder, name)


def anchors(path):
    """GitHub's anchors of a page's headings."""
    found, fenced = set(), False
    for line in open(path, encoding="utf-8"):
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            heading = re.sub(r"[`*]", "", line.lstrip("#").strip().lower())
            found.add(re.sub(r"[^\w\- ]", "", heading).replace(" ", "-"))
    return found


def link_problem(root, page, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    full = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not full.startswith(root) or not os.path.exists(full):
        return f"{target} does not exist"
    if anchor and full.endswith(".md") and anchor not in anchors(full):
        return f"{target}: no such heading"
    return None


def page_problems(root):
    for page in pages(root):
        name, fenced = os.path.relpath(page, root), False
        for number, line in enumerate(open(page, encoding="utf-8"), 1):
            fenced ^= line.startswith("```")
            if fenced:
                continue
            for target in LINK.findall(line):
                problem = link_problem(root, page, target)
                if problem:
                    yield f"{name}:{number}: {problem}"
            for path in filter(lambda p: not PLACEHOLDER.search(p), NAMED.findall(line)):
                if not os.path.exists(os.path.join(root, path)):
                    yield f"{name}:{number}: {path} does not exist"


def printed(root, arguments):
    done = subprocess.run([os.path.join(root, "build/release/ironcron"), *arguments], capture_output=True,
                          text=True, timeout=30, check=False)
    return done.stdout if done.returncode == 0 else ""


def generated_problems(root):
    for page, arguments in GENERATED.items():
        path, text = os.path.join(root, page), printed(root, arguments)
        if not text:
            yield f"{page}: `ironcron {' '.join(arguments)}` printed nothing"
        elif not os.path.exists(path) or text != open(path, encoding="utf-8").read():
            yield f"{page}:1: out of date; mend: make docs"


def write_generated(root):
    for page, arguments in GENERATED.items():
        text = printed(root, arguments)
        if text:
            with open(os.path.join(root, page), "w", encoding="utf-8") as file:
                file.write(text)


def self_test():
    text = "# A head\n[ok](b.md) [ok](#a-head) [bad](c.md) [bad](b.md#none)\n`src/x.c`\n```\n[no](z)\n```\n"
    expected = ["a.md:2: c.md does not exist", "a.md:2: b.md#none: no such heading",
                "a.md:3: src/x.c does not exist"]
    with tempfile.TemporaryDirectory() as root:
        for name, content in (("a.md", text), ("b.md", "# B\n")):
            with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                file.write(content)
        found = list(page_problems(root))
    return [] if found == expected else [f"expected {expected}", f"found {found}"]


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        if sys.argv[1:] == ["--write"]:
            write_generated(ROOT)
        found = list(page_problems(ROOT)) + list(generated_problems(ROOT))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
