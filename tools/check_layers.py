#!/usr/bin/env python3
"""The include rule: a folder of src/ (a room) includes only what the table allows.

The table is the fenced block `layers` in docs/architecture.md, one row a room, from the bottom to the top:
`room  rooms it may include besides itself  + third-party libraries`; `-` is none. What is stricter than a
room's row stands in INSIDE and HEADERS below.

    tools/check_layers.py [ROOT]      checks; prints file:line for each violation
    tools/check_layers.py --self-test shows that each kind of violation is seen
"""

import os
import re
import sys
import tempfile

# Parts of a room that are a port's implementation: who may include them besides themselves.
INSIDE = {
    "store/sqlite/": {"serve", "cli"},
    "store/model/": set(),
    "store/postgres/": {"serve", "cli"},
    "runner/process_runner.h": {"runner", "serve"},
}
# Third-party headers that belong to a part of their room only.
HEADERS = {"sqlite3.h": ("store/sqlite/", "worker/", "config/validate_sqlite"), "libpq-fe.h": ("store/postgres/", "sql/", "config/", "import/pg_cron_read")}
PAGE = "docs/architecture.md"
# src/main.c itself.
MAIN = {"cli"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
# The C library, POSIX and Linux: allowed everywhere. Whatever is not here is third-party.
PLATFORM = re.compile(
    r"^(assert|ctype|dirent|errno|fcntl|fenv|float|glob|grp|inttypes|langinfo|limits|locale|malloc|math"
    r"|mntent|netdb|poll|pthread|pwd|sched|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef"
    r"|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|unistd|utime|wchar"
    r"|fnmatch|libgen|regex|getopt|paths|endian|execinfo|ucontext|link|dlfcn"
    r"|(sys|linux|arpa|net|netinet|asm|bits)/[a-z0-9_./-]+)\.h$")


class Room:
    def __init__(self, place, rooms, libraries):
        self.place = place  # in the order of the table
        self.rooms = rooms
        self.libraries = libraries


def read_table(root):
    """{room: Room} and what is wrong with the table."""
    table, wrong, inside = {}, [], False
    with open(os.path.join(root, PAGE), encoding="utf-8") as page:
        for number, line in enumerate(page, 1):
            if line.startswith("```"):
                inside = line.strip() == "```layers"
            elif inside and line.strip():
                rooms, _, libraries = line.partition("+")
                name, *rooms = [word for word in rooms.split() if word != "-"]
                for room in rooms:
                    if room not in table:
                        wrong.append(f"{PAGE}:{number}: {name} may include {room}, which is not below it")
                table[name] = Room(len(table), set(rooms), {word + ".h" for word in libraries.split()})
    if not table:
        wrong.append(f"{PAGE}:1: has no block `layers`")
    return table, wrong


def room_of(path):
    """The room of a path relative to src/; empty for src/main.c."""
    return path.split("/")[0] if "/" in path else ""


def part_of(path):
    return next((part for part in INSIDE if path.startswith(part)), None)


def may_include(path, header, table):
    room, target, part = room_of(path), room_of(header), part_of(header)
    if part and part_of(path) != part and room not in INSIDE[part]:
        return False
    return target == room or target in (table[room].rooms if room else MAIN)


def may_include_library(path, header, table):
    room = room_of(path)
    if not room or header not in table[room].libraries:
        return False
    return path.startswith(HEADERS.get(header, ("",)))


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


def file_problems(path, relative, src, table, graph):
    room = room_of(relative)
    for number, angled, header in includes(path):
        where = f"{path}:{number}"
        if angled:
            if not PLATFORM.match(header) and not may_include_library(relative, header, table):
                yield f"{where}: {relative} may not include <{header}>"
        elif not os.path.exists(os.path.join(src, header)):
            yield f'{where}: "{header}" is not a path below src/'
        elif not may_include(relative, header, table):
            yield f'{where}: {room or "main.c"} may not include "{header}"'
        else:
            graph.setdefault(relative, []).append(header)


def problems(root):
    table, wrong = read_table(root)
    yield from wrong
    src = os.path.join(root, "src")
    graph = {}
    for folder, _, names in sorted(os.walk(src)):
        for name in sorted(names):
            if not name.endswith((".c", ".h", ".def")):
                continue
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, src)
            if room_of(relative) in table or not room_of(relative):
                yield from file_problems(path, relative, src, table, graph)
            else:
                yield f"{path}:1: folder {room_of(relative)} has no row in {PAGE}"
    for cycle in cycles(graph):
        yield "include cycle: " + " -> ".join(cycle)


TABLE = """# A page
```layers
base   -
time   base
store  base time       + sqlite3
runner base time
engine base time store runner
serve  base time store runner engine + uv
cli    base time store runner engine serve
```
"""
SELF_TEST = [
    # file, text, what must be said (None: nothing)
    ("base/a.h", "", None),
    ("time/t.h", '#include "base/a.h"\n#include <time.h>\n#include <sys/stat.h>\n', None),
    ("base/b.c", '#include "time/t.h"\n', 'base may not include "time/t.h"'),
    ("time/s.c", "#include <sqlite3.h>\n", "time/s.c may not include <sqlite3.h>"),
    ("store/sqlite/q.c", "#include <sqlite3.h>\n", None),
    ("store/sqlite/q.h", "", None),
    ("store/t.c", "#include <sqlite3.h>\n", "store/t.c may not include <sqlite3.h>"),
    ("store/s.c", '#include "store/sqlite/q.h"\n', 'store may not include "store/sqlite/q.h"'),
    ("store/model/m.c", '#include "store/sqlite/q.h"\n', 'store may not include "store/sqlite/q.h"'),
    ("runner/runner.h", "", None),
    ("runner/process_runner.h", "", None),
    ("engine/e.c", '#include "runner/runner.h"\n', None),
    ("engine/f.c", '#include "runner/process_runner.h"\n', 'engine may not include "runner/process_runner.h"'),
    ("cli/c.c", '#include "store/sqlite/q.h"\n#include "engine/e.h"\n', None),
    ("engine/e.h", "", None),
    ("cli/c.h", "", None),
    ("serve/s.c", '#include "cli/c.h"\n', 'serve may not include "cli/c.h"'),
    ("base/rel.c", '#include "a.h"\n', '"a.h" is not a path below src/'),
    ("util/u.c", "", "folder util has no row"),
    ("base/x.h", '#include "base/y.h"\n', "include cycle: base/x.h -> base/y.h -> base/x.h"),
    ("base/y.h", '#include "base/x.h"\n', None),
    ("main.c", '#include "cli/c.h"\n', None),
    ("other.c", '#include "engine/e.h"\n', 'main.c may not include "engine/e.h"'),
]


def write(root, path, text):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as file:
        file.write(text)


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        write(root, PAGE, TABLE)
        for path, text, _ in SELF_TEST:
            write(root, f"src/{path}", text)
        found = list(problems(root))
        for path, _, expected in SELF_TEST:
            said = [p for p in found if f"/src/{path}:" in p]
            if expected is None and said:
                wrong.append(f"{path}: not expected: {said}")
            if expected is not None and not any(expected in p for p in found):
                wrong.append(f"{path}: not seen: {expected}")
        for text, expected in (("```layers\nbase time\ntime -\n```\n", "base may include time, which is not below"),
                               ("nothing here\n", "has no block")):
            write(root, PAGE, text)
            if not any(expected in p for p in read_table(root)[1]):
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
