#!/usr/bin/env python3
"""Run the tests, stage by stage; called by ./dev test.

Usage: run_tests.py                      all stages
       run_tests.py STAGE [ARGUMENT...]  one, with arguments for its run.py
       run_tests.py NAME                 unit tests with NAME in their names
                                         (unit.<folder>.<name>, corpus.<name>)

Stages beyond the unit tests are programs test/<stage>/run.py, each of which
ends with the line 'N passed, N failed' or 'N passed, N failed, N skipped'.
test/interop/run.py finds the peers by the environment: XMBL_KUBO is the path
of the ipfs program, XMBL_HELIA that of the folder with helia's node_modules.
A peer that cannot be had counts as one skipped test here; its variable is
absent then, and run.py leaves its tests out.
"""
import os
import pathlib
import subprocess
import sys

import stages
from stages import Count, Stage

BUDGETS_S = {"unit": 600, "sim": 600, "e2e": 600, "interop": 600}
PEERS = {"kubo": "XMBL_KUBO", "helia": "XMBL_HELIA"}


def unit_stage(pattern):
    ctest = ["ctest", "--preset", "asan"]
    if pattern:
        ctest += ["-R", pattern]
    return Stage("unit", BUDGETS_S["unit"], [["./dev", "build", "asan"], ctest])


def script_stage(name, arguments):
    run = [sys.executable, f"test/{name}/run.py", *arguments]
    return Stage(name, BUDGETS_S[name], [["./dev", "build"], run])


def find_peers(environment):
    """Put the path of each peer into the environment; count those missing."""
    count = Count()
    for peer, variable in PEERS.items():
        print(f"interop: looking for {peer}", flush=True)
        found = subprocess.run(["tools/peers.sh", peer], text=True,
                               capture_output=True, check=False)
        if found.returncode == 0:
            environment[variable] = found.stdout.strip()
            continue
        reason = (found.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"interop: skipped: {reason}", flush=True)
        count.skipped += 1
    return count


def run_stage(name, arguments=()):
    if name == "unit":
        return stages.run_tests(unit_stage(None))
    if not pathlib.Path(f"test/{name}/run.py").exists():
        print(f"== {name}\nthere is no test/{name}/run.py yet")
        return Count()
    environment, count = dict(os.environ), Count()
    if name == "interop":
        count = find_peers(environment)
    count.add(stages.run_tests(script_stage(name, arguments), environment))
    return count


def run_named(name, arguments):
    if name in BUDGETS_S:
        return run_stage(name, arguments)
    return stages.run_tests(unit_stage(name))


def main():
    total = Count()
    if len(sys.argv) > 1:
        total = run_named(sys.argv[1], sys.argv[2:])
    else:
        for stage in BUDGETS_S:
            total.add(run_stage(stage))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
