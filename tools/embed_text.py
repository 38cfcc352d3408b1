#!/usr/bin/env python3
"""Writes a C header in which each file is a string: tools/embed_text.py HEADER FILE…"""

import pathlib
import sys


def literal(text):
    """As numbers: a string literal may not be as long as a file."""
    codes = [str(byte) for byte in text.encode()] + ["0"]
    return ",\n".join("    " + ", ".join(codes[i:i + 24]) for i in range(0, len(codes), 24))


def main():
    header, files = sys.argv[1], [pathlib.Path(name) for name in sys.argv[2:]]
    parts = ["// Made by tools/embed_text.py.\n#pragma once\n"]
    for path in files:
        name = path.name.replace(".", "_")
        parts.append(f"static const char {name}[] = {{\n{literal(path.read_text(encoding='utf-8'))}\n}};\n")
    pathlib.Path(header).write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
