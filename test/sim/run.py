#!/usr/bin/env python3
"""Run the simulator: many seeds with sanitizers, and equal seeds in two builds.

Usage: run.py              every scenario with as many seeds as it names, and
                           those that found a fault once
       run.py SEEDS        ... with so many instead
       run.py SEEDS NAME   ... of one scenario

A seed that fails is told with the command that repeats it.  The time of each
stage is told: that of a scenario with sanitizers, and that of its traces.  The first five
seeds of each scenario are run twice with each compiler: their traces must be
equal.  Without clang that part is skipped.  Ends with the line
'N passed, N failed[, N skipped]'.
"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EQUAL_SEEDS = 5
BATCH = 5  # seeds that one process runs
TIMEOUT_S = 900
# Seeds that found a fault, beyond those that every run takes.
FOUND = {
    "all": [60085, 100062],
    "blind": [100005],
    "crowd": [100206, 100215],
    "forgers": [100047],
    "forget": [50025, 100010],
    "liars": [30003, 50038],
    "storm": [30054],
    "survey": [30072],
    "sybils": [30046],
}


def build(preset):
    """The simulator of a preset."""
    folder = ROOT / "build" / preset
    if not (folder / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", preset], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", "--preset", preset, "--target",
                    "xmbl-sim"], cwd=ROOT, check=True)
    return folder / "xmbl-sim"


def scenarios(program):
    """Pairs (name, seeds) of those that are part of the test run."""
    listed = subprocess.run([program, "--list"], check=True, text=True,
                            capture_output=True).stdout.splitlines()
    rows = [line.split()[:2] for line in listed]
    return [(name, int(seeds)) for name, seeds in rows if int(seeds) > 0]


def run(program, name, first, count):
    """The results of seeds @first to @first + @count - 1, and what was told."""
    command = [program, str(first), "--seeds", str(count), "--scenario", name]
    try:
        done = subprocess.run(command, text=True, capture_output=True,
                              check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return [], f"{name} {first}: no end after {TIMEOUT_S} s\n"
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return results, done.stderr


def run_seeds(program, name, count, found):
    """Return how many of the seeds 1 to @count and @found passed, and failed."""
    passed = 0
    batches = [(first, min(BATCH, count - first + 1))
               for first in range(1, count + 1, BATCH)]
    batches += [(seed, 1) for seed in found]
    count += len(found)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(run, program, name, first, seeds)
                for first, seeds in batches]
        for job in jobs:
            results, told = job.result()
            passed += sum(result["ok"] for result in results)
            if told:
                print(told, end="", flush=True)
    return passed, count - passed


def traces(program, name):
    return [result["trace"]
            for result in run(program, name, 1, EQUAL_SEEDS)[0]]


def compare(programs, name):
    """Whether the traces of all programs, twice each, are equal."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda program: traces(program, name),
                              [*programs, *programs]))
    same = all(trace == found[0] for trace in found)
    if not same or len(found[0]) != EQUAL_SEEDS:
        print(f"{name}: traces differ: {found}")
        return False
    return True


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else None
    only = sys.argv[2] if len(sys.argv) > 2 else None
    checked = build("asan")
    plain = [build("release")]
    has_clang = shutil.which("clang") is not None
    if has_clang:
        plain.append(build("clang"))
    passed = failed = skipped = 0
    for name, seeds in scenarios(checked):
        if only not in (None, name):
            continue
        began = time.monotonic()
        found = [] if wanted else FOUND.get(name, [])
        good, bad = run_seeds(checked, name, wanted or seeds, found)
        checked_at = time.monotonic()
        equal = compare(plain, name) if has_clang else None
        compared_at = time.monotonic()
        print(f"{name}: {good} of {good + bad} seeds passed"
              f" in {checked_at - began:.1f} s"
              + (f", traces {'equal' if equal else 'DIFFER'}"
                 f" in {compared_at - checked_at:.1f} s" if has_clang else ""),
              flush=True)
        passed += good + (equal is True)
        failed += bad + (equal is False)
        skipped += equal is None
    print(f"{passed} passed, {failed} failed"
          + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
