#!/usr/bin/env python3
"""Plant the faults of tools/mutants.txt one by one, and fail if the unit test
named with each does not catch it: what is checked but not tested may be lost.

Usage: mutants.py BUILD_DIR [TEXT]   a built tree; only faults whose file or
                                     test has TEXT in its name

The tree is not touched: the faulty file is compiled to a temporary folder and
linked before the library that has the good one.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass

LIST = pathlib.Path("tools/mutants.txt")
TIMEOUT_S = 120  # a test that hangs has noticed too


@dataclass
class Mutant:
    """One fault: @old becomes @new in @file, which @test must notice."""
    file: str
    test: str
    old: str
    new: str

    def __str__(self):
        return f"{self.file}: {self.new.strip() or 'nothing'} ({self.test})"


def parse(text):
    """Yield the faults of the list; see its head for the format."""
    blocks = re.split(r"\n\s*\n", re.sub(r"^#.*\n", "", text, flags=re.M))
    for block in filter(str.strip, blocks):
        head, *lines = block.strip().split("\n")
        file, test = head.split()
        old = "\n".join(line[2:] for line in lines if line.startswith("- "))
        new = "\n".join(line[2:] for line in lines if line.startswith("+ "))
        yield Mutant(file, test, old, new)


def run(command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options)


class Build:
    """How the files and tests of a built tree are made."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder).resolve()
        rows = json.loads((self.dir / "compile_commands.json").read_text())
        self.compile = {row["file"]: row["command"] for row in rows}

    def object_of(self, mutant, folder):
        """Compile the faulty file; None when it does not compile."""
        path = pathlib.Path(mutant.file).resolve()
        text = path.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError("its text is not there once")
        bad = pathlib.Path(folder) / path.name
        bad.write_text(text.replace(mutant.old, mutant.new))
        command = shlex.split(self.compile[str(path)])
        command[command.index("-o") + 1] = str(bad) + ".o"
        command[command.index(str(path))] = str(bad)
        done = run([*command, "-Wno-error"], cwd=self.dir)
        return bad.with_name(bad.name + ".o") if done.returncode == 0 else None

    def program_of(self, mutant, faulty, folder):
        name = "test/test_" + mutant.test.replace(".", "_")
        lines = run(["ninja", "-t", "commands", name], check=True,
                    cwd=self.dir).stdout.strip().split("\n")
        command = shlex.split(lines[-1].removeprefix(": && ")
                              .removesuffix(" && :"))
        program = str(pathlib.Path(folder) / "test")
        at = command.index("-o")
        command[at:at + 2] = [str(faulty), "-o", program]
        run(command, check=True, cwd=self.dir)
        return program


def fault_of(build, mutant):
    """Why the mutant is no good, or None when its test caught it."""
    with tempfile.TemporaryDirectory() as folder:
        faulty = build.object_of(mutant, folder)
        if faulty is None:
            return "does not compile"
        program = build.program_of(mutant, faulty, folder)
        try:
            done = run([program], timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return None
        return "nobody noticed" if done.returncode == 0 else None


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    build, part = Build(sys.argv[1]), (sys.argv[2:] or [""])[0]
    caught, bad = 0, 0
    for mutant in parse(LIST.read_text()):
        if part not in mutant.file and part not in mutant.test:
            continue
        try:
            why = fault_of(build, mutant)
        except (ValueError, KeyError, subprocess.CalledProcessError) as error:
            why = f"cannot be planted: {error}"
        if why is None:
            caught += 1
        else:
            bad += 1
            print(f"{mutant}: {why}")
    print(f"{caught} caught, {bad} not")
    return 1 if bad or not caught else 0


if __name__ == "__main__":
    sys.exit(main())
