"""What is measured in virtual time, by xmbl-sim; as groups.py.

Counts are the same in every run and on every machine; only speed and memory
are of this one.  So a scenario runs once, and nobody waits for a quiet machine.
"""
import json
import os
import pathlib

import nodes
import processes
from contest import Row

TIMEOUT_S = 3600
KIB = 1 << 10


def simulate(bench, scenario):
    """Run @scenario with seed 1; return its line of JSON."""
    program = pathlib.Path(nodes.program()).parent / "xmbl-sim"
    # Thousands of nodes are gigabytes: huge pages, as ./dev sim has them.
    env = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} | os.environ
    result = processes.run([program, "1", "--scenario", scenario,
                            "--no-shrink"], timeout=TIMEOUT_S, env=env)
    found = json.loads(result.text)
    if bench.options.verbose:
        print(f"  {result.text.strip()}", flush=True)
    if not found["ok"]:
        raise SystemExit(f"{scenario} failed: {found['why']}")
    return found


def sample(found):
    """What the rows show of a run."""
    lookups = max(found["lookups"], 1)
    seconds = max(found["marked_real_ms"], 1)
    return {
        "found": 100 * found["lookups_found"] / lookups,
        "stored": 100 * found["provided"] / max(found["provides"], 1),
        "hops": found["lookup_hops"] / lookups,
        "messages": found["lookup_messages"] / lookups,
        "kib": found["lookup_bytes"] / lookups,
        "ms": found["lookup_ms"] / lookups,
        "speed": found["marked_virtual_ms"] / seconds,
        "mib": found["peak_kib"] * KIB,
        "noise": 0,
    }


def rows(name):
    """Those that both groups have."""
    return [
        Row(f"{name}: lookups that found", "xmbl", "found", None, 99),
        Row(f"{name}: keys that were stored", "xmbl", "stored", None, 99),
        Row(f"{name}: hops of a lookup", "xmbl", "hops"),
        Row(f"{name}: messages of a lookup", "xmbl", "messages"),
        Row(f"{name}: bytes of a lookup", "xmbl", "kib"),
        Row(f"{name}: time of a lookup", "xmbl", "ms"),
        Row(f"{name}: virtual seconds a second", "xmbl", "speed", None, 1),
        Row(f"{name}: peak memory", "xmbl", "mib"),
    ]


def dht(bench):
    """lookups among 1,000 simulated nodes, of which 20 % an hour go and come"""
    bench.report({"xmbl": [sample(simulate(bench, "dht"))]}, rows("1,000 nodes"))


def wide(bench):
    """the same among 10,000 nodes"""
    bench.report({"xmbl": [sample(simulate(bench, "wide"))]},
                 rows("10,000 nodes"))


SIMULATED_GROUPS = {"dht": dht, "wide": wide}
