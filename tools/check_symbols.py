#!/usr/bin/env python3
"""The names that the rooms show to each other: every external symbol of the release build's libraries.

All rooms are linked into one flat space of names, so
- a name is defined once,
- a name that no other file of the program and no test needs is static, or gone,
- a name says whose it is: one word alone ("place", "spawn") is too general.

    tools/check_symbols.py [FOLDER]    checks build/release, or FOLDER; one line for each violation
    tools/check_symbols.py --tests     lists what only tests and benchmarks use
    tools/check_symbols.py --self-test shows that each kind of violation is seen
"""

import collections
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORD = re.compile(r"[A-Za-z_]\w*")
# "ARCHIVE[OBJECT]: NAME TYPE …" for a member of an archive, "OBJECT: NAME TYPE …" otherwise.
LINE = re.compile(r"^(?:.*\[(?P<member>.*)\]|(?P<object>.*)): (?P<name>\S+) (?P<type>\S)")
NEEDED = "Uvw"  # nm's letters for what is used here and defined elsewhere


class Symbols:
    def __init__(self):
        self.defined = collections.defaultdict(set)  # name → objects
        self.needed = collections.defaultdict(set)

    def read(self, folder, files):
        listed = subprocess.run(["nm", "-A", "-P", "-g", *files], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            match = LINE.match(line)
            if match:
                place = match["member"] or match["object"]
                place = os.path.relpath(place, folder) if os.path.isabs(place) else place
                side = self.needed if match["type"] in NEEDED else self.defined
                side[match["name"]].add(place)


def source_of(place):
    """src/store/libironcron_store.a.p/sqlite_sqlite_read.c.o → store: sqlite_sqlite_read.c"""
    room = re.search(r"src/(\w+)/", place)
    return f"{room[1] if room else 'src'}: {os.path.basename(place).removesuffix('.o')}"


def words_of(folders):
    words = set()
    for folder in folders:
        for path in glob.glob(f"{folder}/**/*.[ch]", recursive=True):
            with open(path, encoding="utf-8", errors="replace") as source:
                words.update(WORD.findall(source.read()))
    return words


def unshared(symbols):
    for name, places in sorted(symbols.defined.items()):
        if name != "main" and not symbols.needed[name] - places:
            yield name, places


def problems(symbols, test_words):
    for name, places in sorted(symbols.defined.items()):
        if len(places) > 1:
            yield f"{name} is defined in {' and in '.join(sorted(map(source_of, places)))}"
        if "_" not in name and name != "main":
            yield f"{source_of(min(places))}: {name} is too general: put its noun before it"
    for name, places in unshared(symbols):
        if name not in test_words:
            yield f"{source_of(min(places))}: nothing outside uses {name}: make it static, or remove it"


def read_build(folder):
    libraries = sorted(glob.glob(f"{folder}/src/*/libironcron_*.a"))
    main = glob.glob(f"{folder}/src/ironcron.p/main.c.o")
    if not libraries or not main:
        sys.exit(f"{folder} holds no build of the program: run scripts/build release")
    symbols = Symbols()
    symbols.read(folder, libraries + main)
    return symbols


SELF_TEST = {
    "a/one.c": "int one_used(void){return 1;} int one_lonely(void){return 2;} int one_tested(void){return 3;}\n"
               "int both_have(void){return 4;} static int hidden(void){return 5;} int one_table[] = {6};\n"
               "int (*one_pointer)(void) = hidden; int one_weak(void) __attribute__((weak));\n"
               "int one_weak(void){return 7;}",
    "b/two.c": "int one_used(void); int both_have(void){return 1;} int general(void){return one_used();}\n"
               "extern int one_table[]; extern int (*one_pointer)(void);\n"
               "int two_calls(void){return one_table[0] + one_pointer();}",
    "main.c": "int general(void); int two_calls(void); int main(void){return general() + two_calls();}",
}
EXPECTED = {
    "both_have is defined in a: one.c and in b: two.c",
    "b: two.c: general is too general: put its noun before it",
    "a: one.c: nothing outside uses one_lonely: make it static, or remove it",
    "a: one.c: nothing outside uses one_weak: make it static, or remove it",
    "a: one.c: nothing outside uses both_have: make it static, or remove it",
}


def self_test():
    compiler = shutil.which(os.environ.get("CC", "cc")) or "gcc"
    with tempfile.TemporaryDirectory() as folder:
        for path, text in SELF_TEST.items():
            room, name = os.path.split(path)
            home = f"{folder}/src/{room}/libironcron_{room}.a.p" if room else f"{folder}/src/ironcron.p"
            os.makedirs(home)
            with open(f"{home}/{name}", "w", encoding="utf-8") as source:
                source.write(text)
            subprocess.run([compiler, "-c", f"{home}/{name}", "-o", f"{home}/{name}.o"], check=True)
            if room:
                subprocess.run(["ar", "rcsT", f"{folder}/src/{room}/libironcron_{room}.a", f"{home}/{name}.o"],
                               check=True)
        found = set(problems(read_build(folder), {"one_tested"}))
    return ([f"not seen: {p}" for p in sorted(EXPECTED - found)]
            + [f"not expected: {p}" for p in sorted(found - EXPECTED)])


def main():
    if sys.argv[1:] == ["--self-test"]:
        found = self_test()
        print("\n".join(found), end="\n" if found else "")
        return 1 if found else 0
    os.chdir(ROOT)
    folders = [word for word in sys.argv[1:] if word != "--tests"]
    symbols = read_build(folders[0] if folders else "build/release")
    if "--tests" in sys.argv:
        for name, places in unshared(symbols):
            print(f"{source_of(min(places))}: {name}")
        return 0
    found = list(problems(symbols, words_of(["tests", "bench"])))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
