"""Packets to the mDNS group that are lies, garbage, or simply too many.

Goal: who shouts into the local network neither stops a daemon nor keeps it
busy, and has it dial a victim a few times at most; honest nodes find each
other meanwhile.
Method: two network namespaces joined by a wire; shouting.py in one of them
beside an honest node, the daemon in the other.
"""
import os
import pathlib
import sys

import netns
import nodes
import processes
from processes import cpu_seconds, resting, wait_for
from test_attacks import is_sanitized
from test_dht import connected
from xmbltest import check, test

KINDS = ("large", "garbage", "names", "odd", "queries", "victims")
SECONDS = 4
CALLS_MAX = 40     # to a victim, in this time
CPU_SHARE = 0.6    # of a processor, while somebody shouts as fast as it goes
GROWTH = 16 << 20  # bytes that may stay
SHOUTING = pathlib.Path(__file__).with_name("shouting.py")


def shout(pair, how):
    """Start it on side 1; return the Process."""
    own = pair.address(1).split("/", maxsplit=1)[0]
    words = pair.command(1, sys.executable, str(SHOUTING), how, str(SECONDS),
                         own)
    return processes.Process(words,
                             env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})


@test
def shouting_into_the_local_network(t):
    """Each kind of packet for a while, beside honest nodes."""
    with netns.Pair() as pair:
        options = ("--set", "network.seed_domain=")
        listen = "/ip4/0.0.0.0/tcp/4101"
        victim = pair.node(t, "victim", 0).start(*options, bootstrap=True,
                                                 listen=listen)
        before = victim.daemon.resident_bytes()
        for how in KINDS:
            cpu = cpu_seconds(victim.daemon.pid)
            shouting = shout(pair, how)
            friend = None
            if how == "victims":  # an honest one is found beside it
                friend = pair.node(t, "friend", 1).start(
                    *options, bootstrap=True, listen=listen)
            result = shouting.wait(SECONDS + 20)
            cpu = cpu_seconds(victim.daemon.pid) - cpu
            check(result.code == 0, f"{how}: {result}")
            sent, callers = map(int, result.text.split())
            print(f"     {how}: {sent} packets, {callers} calls, {cpu:.1f} s "
                  "of processor time")
            check(victim.daemon.running(), f"{how}: {victim.log()}")
            check(sent > 100, f"{how}: only {sent} packets were sent")
            check(callers <= CALLS_MAX, f"{how}: the victim was called "
                  f"{callers} times")
            check(cpu < CPU_SHARE * SECONDS, f"{how}: {cpu:.1f} s")
            if friend is not None:
                wait_for(lambda one=friend: one.peer_id in connected(victim),
                         20, f"{how}: an honest node is found")
                cid = friend.add(t.write("file", os.urandom(100_000)))
                victim.ok("get", cid, "-o", t.path("out"), "--timeout", "10s")
        wait_for(resting([victim.daemon.pid], 0.05, 0.1), 10,
                 "the processor is idle again")
        if is_sanitized(nodes.program()):
            return  # the sanitizer keeps memory on purpose
        wait_for(lambda: victim.daemon.resident_bytes() < before + GROWTH, 10,
                 f"the memory comes back; {before} bytes before, "
                 f"{victim.daemon.resident_bytes()} after")
