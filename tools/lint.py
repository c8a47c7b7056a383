#!/usr/bin/env python3
"""Run clang-tidy and cppcheck over the C files that changed since they were
last clean.

A clean run leaves a stamp in ~/.cache/xmbl/lint, named by the hash of all that
the result depends on: the tool and its version, the flags and configuration,
the file and our headers that it includes.

Usage: lint.py BUILD_DIR      whose compile_commands.json names the files
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)
INCLUDE_DIRS = ("src", "test/unit")
STAMP_DAYS = 30
CPPCHECK = ["cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr",
            "--enable=warning,performance,portability", "--std=c11",
            "--suppress=missingIncludeSystem", "-Isrc", "-Itest/unit"]


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "xmbl" / "lint"


@functools.cache
def content(path):
    return path.read_bytes()


def included(path):
    """Our headers that a file includes itself."""
    for name in INCLUDE.findall(content(path)):
        for folder in (path.parent, *map(pathlib.Path, INCLUDE_DIRS)):
            header = folder / name.decode()
            if header.is_file():
                yield header
                break


def with_headers(path):
    """The file and all our headers below it, in a stable order."""
    seen, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += included(file)
    return sorted(seen)


def configurations(path):
    """The .clang-tidy files that apply to a file."""
    for folder in path.parents:
        if (folder / ".clang-tidy").is_file():
            yield folder / ".clang-tidy"


@functools.cache
def version(tool):
    return subprocess.run([tool, "--version"], check=True,
                          capture_output=True).stdout


class Task:
    """One tool over one file."""

    def __init__(self, command, path, flags):
        self.command = command
        self.path = path
        digest = hashlib.sha256()
        parts = [" ".join(command).encode(), flags.encode(),
                 version(command[0])]
        for file in [*configurations(path), *with_headers(path)]:
            parts += [file.as_posix().encode(), content(file)]
        for part in parts:
            digest.update(hashlib.sha256(part).digest())
        self.stamp = cache_dir() / digest.hexdigest()

    def run(self):
        """Return what the tool complains about, or None."""
        done = subprocess.run(self.command, text=True, errors="replace",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            self.stamp.touch()
            return None
        # clang-tidy counts what it did not show; that is no news.
        lines = [line for line in done.stdout.splitlines()
                 if not re.match(r"\d+ warnings?\b", line)]
        return "\n".join(lines)


def all_tasks(build):
    root = pathlib.Path.cwd()
    commands = json.loads((build / "compile_commands.json").read_text())
    flags = {command["file"]: command["command"] for command in commands}
    for file in sorted(flags):
        path = pathlib.Path(file).relative_to(root)
        # Where the object goes does not matter.
        options = re.sub(r" -o .*", "", flags[file]).replace(str(root), "")
        gnu = ["-D_GNU_SOURCE"] if "-D_GNU_SOURCE" in options else []
        tidy = ["clang-tidy", "-p", str(build), "--quiet", str(path)]
        yield Task(tidy, path, options)
        yield Task([*CPPCHECK, *gnu, str(path)], path, "")


def forget_old_stamps():
    oldest = time.time() - STAMP_DAYS * 24 * 3600
    for stamp in cache_dir().iterdir():
        if stamp.stat().st_mtime < oldest:
            stamp.unlink(missing_ok=True)


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    cache_dir().mkdir(parents=True, exist_ok=True)
    forget_old_stamps()
    tasks, bad = [], 0
    for task in all_tasks(pathlib.Path(sys.argv[1])):
        if task.stamp.exists():
            task.stamp.touch()  # in use
        else:
            tasks.append(task)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for complaint in pool.map(Task.run, tasks):
            if complaint is not None:
                print(complaint, flush=True)
                bad += 1
    print(f"{len(tasks)} runs of clang-tidy and cppcheck, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
