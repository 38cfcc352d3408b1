#!/usr/bin/env python3
"""Writes C source in which each file is a string, declared in HEADER: tools/embed_text.py SOURCE HEADER FILE…"""

import pathlib
import sys


def literal(text):
    """As numbers: a string literal may not be as long as a file."""
    codes = [str(byte) for byte in text.encode()] + ["0"]
    return ",\n".join("    " + ", ".join(codes[i:i + 24]) for i in range(0, len(codes), 24))


def main():
    source, header, *names = sys.argv[1:]
    files = [pathlib.Path(name) for name in names]
    parts = [f'// Made by tools/embed_text.py.\n#include "{header}"\n']
    for path in files:
        name = path.name.replace(".", "_")
        parts.append(f"const char {name}[] = {{\n{literal(path.read_text(encoding='utf-8'))}\n}};\n")
    pathlib.Path(source).write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
