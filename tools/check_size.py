#!/usr/bin/env python3
"""Fail if a source file is too long; split it by struct.

Usage: check_size.py        check the tree in the current directory
"""
import pathlib
import sys

LINES_MAX = 1000
FOLDERS = ("src", "test", "bench", "tools", "cmake", "web", "desktop", ".ci")
SUFFIXES = {".c", ".h", ".py", ".sh", ".js", ".mjs", ".css", ".html", ".cmake"}
SKIPPED = {"vectors", "corpus", "node_modules"}  # data, and what is not ours


def source_files():
    for folder in FOLDERS:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.suffix in SUFFIXES and not SKIPPED & set(path.parts):
                yield path


def main():
    bad = 0
    for path in source_files():
        count = path.read_bytes().count(b"\n")
        if count > LINES_MAX:
            print(f"{path}: {count} lines, at most {LINES_MAX}")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
