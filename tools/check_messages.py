#!/usr/bin/env python3
"""Texts that people read when something is wrong: errors, complaints about a configuration, logs.

Each says in plain words what happened, where, and what to do. What a program can see of that is checked here: one
style (no full stop at the end, no capital at the start, unless it is a whole sentence as the HTTP answers have), no
words of programmers, no text too short to tell anything.

    check_messages.py [ROOT]        problems, one a line; exit 1 when there are any
    check_messages.py --list [ROOT] every text with its place, to be read through
    check_messages.py --self-test   that the checks can fail
"""

import os
import re
import subprocess
import sys

# Calls that take such a text, and what stands before it: the first string of the call is the text.
CALL = re.compile(r"\b(error_set|error_wrap|conform_complain(?:_key)?|config_problems_add|complain(?:_store|_at_byte)?"
                  r"|store_failed|validate_add|validate_ok|doctor_add|problem|refuse|remark|LOG|log_record)\s*\(")
STRING = re.compile(r'\s*"((?:[^"\\\n]|\\.)*)"')
# These calls name a check or an event first; the texts follow.
NAMED_FIRST = ("validate_add", "validate_ok", "doctor_add", "LOG", "log_record")
SENTENCE = re.compile(r"(The|This|An|A|It|There|No|Tell|Send|Sign) ")
WORDS = {
    r"invalid argument|invalid (?!UTF)": "say what is wrong about it, and what would be right",
    r"\bfailed to\b|\bunable to\b|\bcould ?n['o]t be able\b": "say \"cannot\" or \"could not\" and why",
    r"\billegal\b|\bfatal\b|\babort(ed)?\b|\bbad\b": "say what happened in plain words",
    r"\berrno\b|\bEINVAL\b|\bENO[A-Z]+\b|\bNULL\b|\bnullptr\b|\bstruct\b|\bfd\b|\bfds\b|\benum\b|\bsyscall\b":
        "a word of programmers",
    r"unknown error|something went wrong|internal error|\boops\b|unexpected error": "nobody can act on it",
    r"\bplease\b|\bsorry\b": "no courtesy; what to do is enough",
    r"\b(can't|don't|isn't|won't|doesn't|couldn't|wasn't)\b": "write it out",
    r"!(?!=)$": "no exclamation",
    r"\S  +\S": "two blanks",
}
SHORTEST = 3  # words of an error that stands alone


def call_texts(text, start):
    """The string arguments of the call whose "(" is at `start`, adjacent literals joined."""
    depth, at, found, joined = 0, start, [], False
    while at < len(text):
        match = STRING.match(text, at) if text[at] in '" \t\n' else None
        if match:
            if joined:
                found[-1] += match.group(1)
            else:
                found.append(match.group(1))
            at, joined = match.end(), True
            continue
        character = text[at]
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return found
        macro = re.match(r"\s*PRI[a-zA-Z0-9]+\b", text[at:])
        if macro and joined:
            at += macro.end()
            continue
        joined = joined and character.isspace()
        at += 1
    return found


def texts_of(path, text):
    """(line, call, text) of each text in a file."""
    for match in CALL.finditer(text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start:match.start()].lstrip().startswith(("//", "#define", "static", "bool", "void", "PRINTF")):
            continue
        found = call_texts(text, match.end() - 1)
        if match.group(1) in NAMED_FIRST:
            found = found[1:]
        for said in found[:1]:
            yield text.count("\n", 0, match.start()) + 1, match.group(1), said


def faults(call, said):
    plain = said.replace("\\n", "\n").replace('\\"', '"')
    if plain in ("", "%s"):
        return
    last_line = plain.rsplit("\n", 1)[0] if "\nSee: " in plain or "\nAll " in plain else plain
    if SENTENCE.match(plain):
        whole = last_line.endswith(".") or plain.endswith((" ", "%s", "%s,"))
        if not whole and re.match(r"[A-Z]", plain) and "%s" not in plain[-4:]:
            yield "a sentence that begins with a capital ends with a full stop; otherwise begin small"
    elif re.match(r"[A-Z][a-z]+ [a-z]", plain) and not re.match(r"(PostgreSQL|SQLite|Unix|Debian)", plain):
        yield "begins with a capital, and is no sentence"
    elif last_line.endswith(".") and not last_line.endswith("..."):
        yield "ends with a full stop"
    if call == "error_set" and "%" not in plain and len(plain.split()) < SHORTEST:
        yield "too short: say what happened, where, what to do"
    for pattern, advice in WORDS.items():
        hit = re.search(pattern, plain, re.I if pattern.islower() else 0)
        if hit:
            yield f'"{hit.group(0).strip()}": {advice}'


def sources(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "src/*.c"], capture_output=True, text=True, check=False)
    for path in listed.stdout.splitlines():
        full = os.path.join(root, path)
        if os.path.exists(full):
            with open(full, encoding="utf-8") as file:
                yield path, file.read()


def problems(root):
    for path, text in sources(root):
        for line, call, said in texts_of(path, text):
            for fault in faults(call, said):
                yield f"{path}:{line}: {fault}: \"{said}\""


SELF_TEST = [
    ('error_set(err, ERROR_IO, "%s cannot be read: %s; name another file", a, b);', None),
    ('error_set(err, ERROR_IO, "the file is gone.");', "full stop"),
    ('error_set(err, ERROR_IO, "the first half "\n    "and the second.");', "full stop"),
    ('error_set(err, ERROR_IO, "no luck");', "too short"),
    ('error_set(err, ERROR_IO, "invalid argument: %s", a);', "say what is wrong"),
    ('error_set(err, ERROR_IO, "failed to open %s", a);', "cannot"),
    ('error_set(err, ERROR_IO, "the store can\'t be opened now");', "write it out"),
    ('error_set(err, ERROR_IO, "Cannot open the file %s", a);', "begins with a capital"),
    ('error_set(err, ERROR_IO, "The body is nested deeper than %d levels.", a);', None),
    ('error_set(err, ERROR_IO, "The body is nested deeper than allowed");', "ends with a full stop"),
    ('error_set(err, ERROR_IO, "got NULL for the name of a job");', "programmers"),
    ('error_set(err, ERROR_IO, "please try it again later");', "courtesy"),
    ('LOG(LOG_ERROR, "store_down", "unknown error while reading");', "nobody can act"),
    ('LOG(LOG_INFO, "stopped", "all runs have ended and are recorded");', None),
    ('conform_complain(c, n, "timeout: is  too long");', "two blanks"),
    ('error_set(err, ERROR_IO, "see the help of it\\nSee: ironcron help");', None),
]


def self_test():
    for source, expected in SELF_TEST:
        said = [fault for _, call, text in texts_of("a.c", f"    {source}\n") for fault in faults(call, text)]
        if expected is None and said:
            yield f"not expected of {source}: {said}"
        if expected is not None and not any(expected in fault for fault in said):
            yield f"not seen in {source}: {expected}; said: {said}"


def main():
    arguments = sys.argv[1:]
    listing = arguments[:1] == ["--list"]
    roots = arguments[1:] if listing else arguments
    root = roots[0] if roots else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if arguments == ["--self-test"]:
        found = list(self_test())
    elif listing:
        for path, text in sources(root):
            for line, call, said in texts_of(path, text):
                print(f"{path}:{line} {call}: {said}")
        return 0
    else:
        found = list(problems(root))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
