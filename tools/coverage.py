#!/usr/bin/env python3
"""Run the unit tests and corpora with gcov counters; print the line coverage
of src/ per folder, and the files below the aim.

Usage: coverage.py        after ./dev build coverage
"""
import json
import pathlib
import subprocess
import sys

BUILD = pathlib.Path("build/coverage")
AIM_PERCENT = 90


def run_tests():
    for counters in BUILD.rglob("*.gcda"):
        counters.unlink()
    return subprocess.run(["ctest", "--preset", "coverage", "--quiet"],
                          check=False).returncode


def gcov_files(counters):
    """What gcov knows of each source file of one object."""
    output = subprocess.run(
        ["gcov", "--json-format", "--stdout", str(counters.absolute())],
        cwd=BUILD, check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        yield from json.loads(line)["files"]


def collect():
    """For each file of src/: its lines, and whether each was run."""
    source = pathlib.Path("src").absolute()
    table = {}
    for counters in sorted(BUILD.rglob("*.gcno")):
        for file in gcov_files(counters):
            path = (BUILD / file["file"]).resolve()
            if not path.is_relative_to(source):
                continue
            lines = table.setdefault(path.relative_to(source), {})
            for line in file["lines"]:
                number = line["line_number"]
                lines[number] = lines.get(number, False) or line["count"] > 0
    return table


def percent(run, total):
    return 100 * run / total if total else 100


def print_rows(rows):
    for name, run, total in rows:
        print(f"{name:32} {run:6} of {total:6} lines"
              f" {percent(run, total):6.1f} %")


def main():
    code = run_tests()
    if code != 0:
        print("some tests fail; see ctest --preset coverage")
    files = [(path, sum(lines.values()), len(lines))
             for path, lines in sorted(collect().items())]
    low = [row for row in files if percent(*row[1:]) < AIM_PERCENT]
    if low:
        print(f"files below {AIM_PERCENT} %:")
        print_rows([(str(path), run, total) for path, run, total in low])
    print("folders:")
    for folder in sorted({path.parts[0] for path, _, _ in files}):
        own = [row for row in files if row[0].parts[0] == folder]
        print_rows([(folder, sum(r[1] for r in own), sum(r[2] for r in own))])
    print_rows([("all", sum(r[1] for r in files), sum(r[2] for r in files))])
    return code


if __name__ == "__main__":
    sys.exit(main())
