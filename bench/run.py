#!/usr/bin/env python3
"""Measures xmbl beside the limits of the machine and beside others.

Usage: run.py [NAME...]         all groups, or those of the names
Prints for each row: ours, theirs, their ratio (the median of the ratios of the
rounds), what it has to be, and whether it is.  docs/benchmarks.md has the
results and what they mean.
"""
import argparse
import pathlib
import signal
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools/lib"))

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import nodes  # noqa: E402
import processes  # noqa: E402
from contest import Bench, table  # noqa: E402
from groups import GROUPS as ONE_PAIR  # noqa: E402
from network import NETWORK_GROUPS  # noqa: E402
from simulate import SIMULATED_GROUPS  # noqa: E402

GROUPS = {**ONE_PAIR, **NETWORK_GROUPS, **SIMULATED_GROUPS}


def parse():
    """The command line."""
    names = "\n".join(f"  {name:10} {function.__doc__}"
                      for name, function in GROUPS.items())
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__.splitlines()[0],
        epilog=f"groups:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="groups to run (all)")
    parser.add_argument("-n", type=int, default=5, metavar="N",
                        help="rounds (5)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X",
                        help="sizes times X; other than 1 only to try")
    parser.add_argument("--noisy", action="store_true",
                        help="do not wait until others are quiet")
    parser.add_argument("-v", "--verbose", action="store_true",
                        help="print each sample")
    parser.add_argument("--folder", type=pathlib.Path, metavar="DIR",
                        default=HERE.parent / "build/bench",
                        help="where to work and keep results (build/bench)")
    parser.add_argument("--table", action="store_true",
                        help="print the newest results in Markdown, and end")
    options = parser.parse_args()
    for name in options.names:
        if name not in GROUPS:
            parser.error(f"no group is called {name}")
    options.folder = options.folder.resolve()
    return options


def main():
    """Run the groups; 1 where a target is missed."""
    options = parse()
    if options.table:
        print(table(options.folder / "results.jsonl"))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options, pathlib.Path(nodes.program()).parent / "bench")
    print(machine.describe())
    try:
        for name in options.names or GROUPS:
            print(f"\n{name}: {GROUPS[name].__doc__}", flush=True)
            GROUPS[name](bench)
    finally:
        processes.end_all()
        bench.close()
    if bench.below:
        print(f"\n{bench.below} rows miss their target")
    return 1 if bench.below else 0


if __name__ == "__main__":
    sys.exit(main())
