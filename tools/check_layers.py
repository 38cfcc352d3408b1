#!/usr/bin/env python3
"""The include rule: a folder of src/ includes only what the table allows.

The table is the fenced block `layers` in docs/architecture.md (tools/layers.txt where that page has none).
One row a folder: `folder : what it may include besides itself ; third-party headers`. The longest
folder that matches a file is its row. `a` allows the headers of a/ but not of a/b/ when a/b has a row of
its own; `a/b.h` allows that one header; `*` allows every folder. `.` is src/ itself.

    tools/check_layers.py [ROOT]      checks; prints file:line for each violation
    tools/check_layers.py --self-test shows that each kind of violation is seen
"""

import os
import re
import sys
import tempfile

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The C library, POSIX and Linux: allowed everywhere. Whatever is not here is third-party.
PLATFORM = re.compile(
    r"^(assert|ctype|dirent|errno|fcntl|fenv|float|glob|grp|inttypes|langinfo|limits|locale|malloc|math"
    r"|mntent|netdb|poll|pthread|pwd|sched|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef"
    r"|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|unistd|utime|wchar"
    r"|fnmatch|regex|getopt|paths|endian|execinfo|ucontext|link|dlfcn"
    r"|(sys|linux|arpa|net|netinet|asm|bits)/[a-z0-9_./-]+)\.h$")


class Row:
    def __init__(self, folder, may_include, third_party):
        self.folder = folder
        self.may_include = may_include
        self.third_party = third_party


def read_table(root):
    page = os.path.join(root, "docs/architecture.md")
    source = page
    lines = []
    if os.path.exists(page):
        inside = False
        for number, line in enumerate(open(page, encoding="utf-8"), 1):
            if line.startswith("```"):
                inside = line.strip() == "```layers"
            elif inside:
                lines.append((number, line))
    if not lines:
        source = os.path.join(root, "tools/layers.txt")
        lines = list(enumerate(open(source, encoding="utf-8"), 1))
    table = {}
    for number, line in lines:
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, colon, rest = line.partition(":")
        if not colon:
            sys.exit(f"{source}:{number}: expected `folder : folders ; headers`")
        folders, _, headers = rest.partition(";")
        table[folder.strip()] = Row(folder.strip(), set(folders.split()), set(headers.split()))
    return source, table


def folder_of(path, table):
    """The row of a path relative to src/, or None."""
    folder = os.path.dirname(path)
    while folder:
        if folder in table:
            return table[folder]
        folder = os.path.dirname(folder)
    return table.get(".") if "/" not in path else None


def table_problems(source, table):
    known = set(table)
    for row in table.values():
        for name in row.may_include - {"*"}:
            folder = os.path.dirname(name) if name.endswith(".h") else name
            if folder not in known:
                yield f"{source}: {row.folder} may include {name}, which is in no row"

    def below(folder):
        row = table.get(folder)
        names = known - {".", folder} if row and "*" in row.may_include else (row.may_include if row else ())
        return {os.path.dirname(n) if n.endswith(".h") else n for n in names}

    # `*` means "everything below me": rows further down are not below.
    order = list(table)
    for row in table.values():
        for name in below(row.folder):
            if "*" in row.may_include:
                continue
            if name in order and order.index(name) > order.index(row.folder):
                yield f"{source}: {row.folder} may include {name}, which stands above it"


def may_include(row, header, table):
    target = folder_of(header, table)
    if target is None:
        return False
    if target is row or header in row.may_include:
        return True
    if "*" in row.may_include:
        order = list(table)
        return order.index(target.folder) < order.index(row.folder)
    return target.folder in row.may_include


def includes(path):
    for number, line in enumerate(open(path, encoding="utf-8", errors="replace"), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def cycles(graph):
    done, path = set(), []

    def visit(node):
        if node in path:
            yield path[path.index(node):] + [node]
            return
        if node in done:
            return
        path.append(node)
        for target in graph.get(node, ()):
            yield from visit(target)
        path.pop()
        done.add(node)

    for node in sorted(graph):
        yield from visit(node)


def problems(root):
    source, table = read_table(root)
    yield from table_problems(source, table)
    src = os.path.join(root, "src")
    graph = {}
    for folder, _, names in sorted(os.walk(src)):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".def")):
                continue
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, src)
            row = folder_of(relative, table)
            if row is None:
                yield f"{path}:1: folder {os.path.dirname(relative)} has no row in {source}"
                continue
            for number, angled, header in includes(path):
                where = f"{path}:{number}"
                if angled:
                    if not PLATFORM.match(header) and header not in row.third_party:
                        yield f"{where}: {row.folder} may not include <{header}>"
                elif not os.path.exists(os.path.join(src, header)):
                    yield f'{where}: "{header}" is not a path below src/'
                elif not may_include(row, header, table):
                    yield f'{where}: {row.folder} may not include "{header}"'
                else:
                    graph.setdefault(relative, []).append(header)
    for cycle in cycles(graph):
        yield "include cycle: " + " -> ".join(cycle)


SELF_TEST = [
    # file, text, what must be said (None: nothing)
    ("base/a.h", "", None),
    ("time/t.h", '#include "base/a.h"\n#include <time.h>\n#include <sys/stat.h>\n', None),
    ("base/b.c", '#include "time/t.h"\n', 'base may not include "time/t.h"'),
    ("time/s.c", "#include <sqlite3.h>\n", "time may not include <sqlite3.h>"),
    ("store/sqlite/q.c", "#include <sqlite3.h>\n", None),
    ("store/sqlite/q.h", "", None),
    ("store/s.c", '#include "store/sqlite/q.h"\n', 'store may not include "store/sqlite/q.h"'),
    ("store/model/m.c", '#include "store/sqlite/q.h"\n', 'store/model may not include "store/sqlite/q.h"'),
    ("runner/runner.h", "", None),
    ("runner/process.h", "", None),
    ("engine/e.c", '#include "runner/runner.h"\n', None),
    ("engine/f.c", '#include "runner/process.h"\n', 'engine may not include "runner/process.h"'),
    ("cli/c.c", '#include "store/sqlite/q.h"\n#include "engine/e.h"\n', None),
    ("engine/e.h", "", None),
    ("cli/c.h", "", None),
    ("serve/s.c", '#include "cli/c.h"\n', 'serve may not include "cli/c.h"'),
    ("base/rel.c", '#include "a.h"\n', '"a.h" is not a path below src/'),
    ("util/u.c", "", "folder util has no row"),
    ("base/x.h", '#include "base/y.h"\n', "include cycle: base/x.h -> base/y.h -> base/x.h"),
    ("base/y.h", '#include "base/x.h"\n', None),
    ("main.c", '#include "cli/c.h"\n', None),
]


def self_test():
    table = """base : ;
time : base ;
store : base time ;
store/model : base time store ;
store/sqlite : base time store ; sqlite3.h
runner : base time ;
engine : base time store runner/runner.h ;
serve : * ; uv.h
cli : * ;
. : base cli ;
"""
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in SELF_TEST:
            full = os.path.join(root, "src", path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            open(full, "w", encoding="utf-8").write(text)
        os.makedirs(os.path.join(root, "tools"))
        with open(os.path.join(root, "tools/layers.txt"), "w", encoding="utf-8") as file:
            file.write(table)
        found = list(problems(root))
        wrong = []
        for path, _, expected in SELF_TEST:
            said = [p for p in found if f"/src/{path}:" in p]
            if expected is None and said:
                wrong.append(f"{path}: not expected: {said}")
            if expected is not None and not any(expected in p for p in found):
                wrong.append(f"{path}: not seen: {expected}")
        with open(os.path.join(root, "tools/layers.txt"), "w", encoding="utf-8") as file:
            file.write("base : time ;\ntime : base nowhere ;\n")
        found = list(table_problems(*read_table(root)))
        for expected in ("base may include time, which stands above it", "nowhere, which is in no row"):
            if not any(expected in p for p in found):
                wrong.append(f"table: not seen: {expected}")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
    else:
        root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        found = [os.path.relpath(p, root) if p.startswith("/") else p for p in problems(root)]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
