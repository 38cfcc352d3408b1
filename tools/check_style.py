#!/usr/bin/env python3
"""The house rules that a formatter cannot check; each violation is printed as file:line.

    tools/check_style.py [ROOT]       checks the files that git knows, or all below ROOT
    tools/check_style.py --self-test  shows that each kind of violation is seen
"""

import os
import re
import subprocess
import sys
import tempfile

FUNCTION_LINES = 70
FILE_LINES = 500  # 450 is where to begin to look for a second thing in it
COLUMNS = 100

# Calls that must not be written, and what to use instead.
BANNED = {
    "strcpy": "snprintf or struct buf",
    "strcat": "struct buf",
    "sprintf": "snprintf or struct buf",
    "vsprintf": "vsnprintf or struct buf",
    "strtok": "strcspn, or a cursor",
    "atoi": "a parser that can fail",
    "atol": "a parser that can fail",
    "gets": "getline",
    "localtime": "time/civil.h",
    "gmtime": "time/civil.h",
    "localtime_r": "time/civil.h",
    "mktime": "time/civil.h",
    "rand": "the random port",
    "random": "the random port",
    "system": "the runner",
    "popen": "the runner",
}
CLOCKS = {"clock_gettime", "gettimeofday", "time"}
CLOCK_FILE = "src/time/clock_system.c"
# The audit recomputes the ledger by other code than the scheduler's own: the C library's.
OTHER_CLOCK_FILE = "src/audit/wall_clock.c"
C_LIBRARY_TIME = {"localtime_r", "gmtime", "mktime"}
# What a test may use: other code to compare with, programs to look from outside, a seeded sequence.
TESTS_MAY = C_LIBRARY_TIME | {"popen", "system", "rand", "random"}
# A call, not a member (`clock->time(`) and not part of a longer name.
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(sorted(list(BANNED) + list(CLOCKS), key=len, reverse=True)))
# `(*random)(` and `int rand(` in a declaration are not calls of the C library.
MARKER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")


def blank_out(text):
    """Replaces comments and the insides of literals by spaces, keeping lines and columns."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def spaces(match):
        return re.sub(r"[^\n]", " ", match.group())

    return pattern.sub(spaces, text)


def check_c(path, text):
    lines = text.splitlines()
    code = blank_out(text).splitlines()
    opened = None
    allowed = TESTS_MAY if path.startswith("tests/") else C_LIBRARY_TIME if path == OTHER_CLOCK_FILE else ()
    for number, line in enumerate(code, 1):
        if line.rstrip() == "{":
            opened = number
        elif line.rstrip() == "}" and opened is not None:
            length = number - opened + 1
            if length > FUNCTION_LINES:
                yield opened, f"function of {length} lines; {FUNCTION_LINES} at most"
            opened = None
        if re.search(r"\bgoto\b", line):
            yield number, "goto: use AUTO(cleanup) or return early"
        if re.search(r"\btypedef\s+(struct|union|enum)\b[^(]*$", line):
            yield number, "typedef of a struct, union or enum: write the keyword out"
        for match in CALL.finditer(line):
            name = match.group(1)
            if name in CLOCKS and path != CLOCK_FILE and not path.startswith(("bench/", "tests/")):
                yield number, f"{name}(): only {CLOCK_FILE} reads a clock"
            elif name in BANNED and name not in allowed:
                yield number, f"{name}(): use {BANNED[name]}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield number, f"line of {len(line)} columns; {COLUMNS} at most"


def check_all(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        yield len(lines), f"file of {len(lines)} lines; {FILE_LINES} at most: something in it wants a name"
    for number, line in enumerate(lines, 1):
        if MARKER.search(line):
            yield number, "a note to do it later: do it or write it down where users can see it"
        if line.rstrip() != line:
            yield number, "blanks at the end of the line"


def files(root):
    """What git knows, or everything where there is no git."""
    listed = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [n for n in listed.stdout.splitlines() if os.path.exists(os.path.join(root, n))]
    return sorted(os.path.relpath(os.path.join(d, n), root) for d, _, names in os.walk(root) for n in names)


def is_script(path):
    return path.endswith((".py", ".sh")) or path.startswith(("scripts/", ".ci/"))


def problems(root):
    for path in files(root):
        is_c = path.endswith((".c", ".h")) and path.startswith(("src/", "tests/", "bench/"))
        if not is_c and not (is_script(path) and not path.endswith(".txt")):
            continue
        text = open(os.path.join(root, path), encoding="utf-8", errors="replace").read()
        found = list(check_all(path, text))
        if is_c:
            found += check_c(path, text)
        for number, what in sorted(found):
            yield f"{path}:{number}: {what}"


SELF_TEST = [
    # path, text, what must be said about it (None: nothing)
    ("src/a/ok.c", 'int f(void)\n{\n    // strcpy( goto\n    return g("rand()") + c->time(c);\n}\n', None),
    ("src/a/bad1.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", ":3: strcpy()"),
    ("src/a/bad2.c", "void f(void)\n{\n    x = time(NULL);\n}\n", ":3: time()"),
    ("src/time/clock_system.c", "void f(void)\n{\n    clock_gettime(a, b);\n}\n", None),
    ("src/a/bad3.c", "void f(void)\n{\n    clock_gettime(a, b);\n}\n", ":3: clock_gettime()"),
    ("tests/unit/a/test_a.c", "void f(void)\n{\n    clock_gettime(a, b);\n}\n", None),
    ("src/audit/wall_clock.c", "void f(void)\n{\n    localtime_r(a, b);\n}\n", None),
    ("src/audit/other.c", "void f(void)\n{\n    localtime_r(a, b);\n}\n", ":3: localtime_r()"),
    ("src/a/bad4.c", "void f(void)\n{\n    goto out;\n}\n", ":3: goto"),
    ("src/a/bad5.h", "typedef struct a {\n    int b;\n} a_t;\n", ":1: typedef"),
    ("src/a/bad6.c", "void f(void)\n{\n" + "    g();\n" * 70 + "}\n", ":2: function of 72 lines"),
    ("src/a/fits.c", "void f(void)\n{\n" + "    g();\n" * 68 + "}\n", None),
    ("src/a/bad7.c", "int a;\n" * 501, ":501: file of 501 lines"),
    ("tests/unit/a/long.c", "int a;\n" * 500, None),
    ("tests/unit/a/long2.c", "int a;\n" * 501, ":501: file of 501 lines"),
    ("src/a/function.h", "typedef enum a b_fn(struct c *c);\n", None),
    ("tests/unit/a/test_b.c", "void f(void)\n{\n    rand();\n    popen(a, b);\n}\n", None),
    ("tests/unit/a/test_c.c", "void f(void)\n{\n    strcpy(a, b);\n}\n", ":3: strcpy()"),
    ("src/a/bad8.c", "int a; // " + "x" * 100 + "\n", ":1: line of 110 columns"),
    ("src/a/bad9.c", "int a; // TO" "DO later\n", ":1: a note"),
    ("src/a/bad10.c", "int a; \n", ":1: blanks"),
    ("scripts/bad", "# FIX" "ME\n", ":1: a note"),
]


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in SELF_TEST:
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            open(full, "w", encoding="utf-8").write(text)
        found = list(problems(root))
    for path, _, expected in SELF_TEST:
        said = [p for p in found if p.startswith(path + ":")]
        if expected is None and said:
            wrong.append(f"{path}: not expected: {said}")
        if expected is not None and not any(p.startswith(path + expected) for p in said):
            wrong.append(f"{path}: not seen: {expected}; said: {said}")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
