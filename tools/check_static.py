#!/usr/bin/env python3
"""Fail if a function of src/ is visible for nobody.

What only its own file uses is static; what nothing uses is deleted.  Tests,
fuzz targets and benchmarks count as users.  What others use is declared in a
header.

Usage: check_static.py BUILD_DIR      a complete build with unit tests
"""
import json
import pathlib
import re
import subprocess
import sys

VISIBLE = set("TDRB")
UNDEFINED = set("Uwv")
ENTRY_POINTS = {"main", "LLVMFuzzerTestOneInput"}


def objects(build):
    """Pairs (source, object) of what the build compiles."""
    commands = json.loads((build / "compile_commands.json").read_text())
    for command in commands:
        output = re.search(r" -o (\S+)", command["command"]).group(1)
        source = pathlib.Path(command["file"])
        yield (source.relative_to(pathlib.Path.cwd()).as_posix(),
               pathlib.Path(command["directory"]) / output)


def symbols(path):
    """The names that an object defines for others, and those it wants."""
    lines = subprocess.run(["nm", "-P", "-g", str(path)], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    return ({row[0] for row in rows if row[1] in VISIBLE},
            {row[0] for row in rows if row[1] in UNDEFINED})


def names_in_headers():
    names = set()
    for folder in ("src", "test"):
        for header in pathlib.Path(folder).rglob("*.h"):
            names.update(re.findall(r"\w+", header.read_text()))
    return names


def faults_of(source, defined, wanted_elsewhere, declared):
    for name in sorted(defined - ENTRY_POINTS):
        if name not in declared:
            yield f"{source}: {name} is declared in no header: make it static"
        elif name not in wanted_elsewhere:
            yield (f"{source}: nothing outside this file uses {name}:"
                   " make it static or delete it")


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    table = {}
    for source, path in objects(pathlib.Path(sys.argv[1])):
        table.setdefault(source, symbols(path))
    declared = names_in_headers()
    faults = []
    for source, (defined, _) in sorted(table.items()):
        if not source.startswith("src/"):
            continue
        elsewhere = set().union(*(wanted for other, (_, wanted) in table.items()
                                  if other != source))
        faults += faults_of(source, defined, elsewhere, declared)
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
