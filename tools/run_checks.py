#!/usr/bin/env python3
"""Run the checks of the source; called by ./dev check.

Usage: run_checks.py [NAME]     all checks, or the one of that name
"""
import pathlib
import sys

import stages
from stages import Count, Stage


def c_files():
    """All C files of ours."""
    return sorted(str(path) for folder in ("src", "test", "bench")
                  for path in pathlib.Path(folder).rglob("*.[ch]"))


def tool(name, *arguments):
    return [sys.executable, f"tools/{name}", *arguments]


def all_checks():
    return [
        Stage("format", 20,
              [["clang-format", "--dry-run", "-Werror", *c_files()]]),
        Stage("layers", 10, [tool("check_layers.py")]),
        Stage("size", 10, [tool("check_size.py")]),
        Stage("headers", 30, [["tools/check_headers.sh"]]),
        Stage("selftest", 60, [tool("test_checks.py")]),
        Stage("gcc", 300, [["./dev", "build", "dev"]]),
        Stage("clang", 300, [["./dev", "build", "clang"]]),
        Stage("symbols", 10, [tool("check_symbols.py", "build/dev")]),
        Stage("static", 30, [tool("check_static.py", "build/dev")]),
        Stage("mutants", 40, [tool("mutants.py", "build/dev")]),
        Stage("lint", 600, [tool("lint.py", "build/dev")]),
    ]


# What cannot be looked at when the build before it has failed.
NEEDS_GCC = {"symbols", "static", "mutants"}


def run_checks(checks):
    count, failed = Count(), set()
    for check in checks:
        if check.name in NEEDS_GCC and "gcc" in failed:
            print(f"skip {check.name}: gcc failed")
            count.skipped += 1
        elif stages.run_check(check):
            count.passed += 1
        else:
            failed.add(check.name)
            count.failed += 1
    return count


def main():
    checks = all_checks()
    if len(sys.argv) == 2:
        wanted = {sys.argv[1], "gcc" if sys.argv[1] in NEEDS_GCC else ""}
        checks = [check for check in checks if check.name in wanted]
    if len(sys.argv) > 2 or not checks:
        names = " ".join(check.name for check in all_checks())
        print(f"usage: run_checks.py [NAME]\nchecks: {names}", file=sys.stderr)
        return 2
    count = run_checks(checks)
    print(count)
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
