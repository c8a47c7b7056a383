"""Strangers that connect to do harm, as far as raw TCP goes.

Goal: whatever comes in over TCP, honest peers are served meanwhile, the memory
comes back, and places are limited.
Method: plain sockets against a daemon between two honest nodes.  What only a
peer that speaks Noise can do is in the unit tests of the protocol cores.
"""
import contextlib
import os
import select
import socket
import time

import trees
from processes import wait_for
from xmbltest import check, equal, test

MULTISTREAM = b"\x13/multistream/1.0.0\n"
NOISE = b"\x07/noise\n"
MEMORY = 24 << 20


def connect(node):
    """A raw connection to the node's port."""
    return socket.create_connection(("127.0.0.1", node.port), 10)


@contextlib.contextmanager
def sockets(node, count):
    """Raw connections, closed at the end; as many as were taken."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            try:
                made.append(stack.enter_context(connect(node)))
            except OSError:
                break  # refused is as good as closed at once
        yield made


def send(one, data):
    """Send what the other side takes; a closed connection is no error."""
    try:
        one.settimeout(2)
        one.sendall(data)
        return True
    except OSError:
        return False


def is_open(one):
    """Whether the other side has not closed the connection."""
    try:
        while select.select([one], [], [], 0)[0]:
            if not one.recv(65536):
                return False
        return True
    except OSError:
        return False


def count_open(made):
    """How many of the connections are open."""
    return sum(is_open(one) for one in made)


class Honest:
    """Two nodes that need each other while one is attacked."""

    def __init__(self, t, *options):
        self.victim = t.node("victim").start(*options)
        self.friend = t.node("friend").start()
        self.friend.connect(self.victim)
        self.cid = self.victim.add(t.write("file", os.urandom(2_000_000)))
        self.before = self.victim.daemon.resident_bytes()

    def check(self, what):
        """The friend is served."""
        result = self.friend.run("ping", self.victim.peer_id, "-c", "1",
                                 "--timeout", "5s", timeout=15)
        check(result.code == 0, f"{what}: {result}{self.victim.log()}")
        result = self.friend.run("cat", self.cid, "--timeout", "10s")
        check(result.code == 0, f"{what}: {result}{self.victim.log()}")
        self.friend.ok("gc")

    def check_memory(self, what, extra=MEMORY):
        """The memory that the attack took has come back."""
        victim = self.victim.daemon
        wait_for(lambda: victim.resident_bytes() < self.before + extra, 30,
                 f"{what}: memory comes back ({self.before} before, "
                 f"{victim.resident_bytes()} now)")


@test
def garbage_on_the_wire(t):
    """Random bytes, half messages and huge lengths: dropped, no crash."""
    honest = Honest(t)
    hello = MULTISTREAM + NOISE
    messages = [os.urandom(size) for size in (1, 10, 1000, 100_000)]
    messages += [hello[:at] for at in range(len(hello))]
    messages += [hello + tail for tail in
                 (b"\0\0", b"\xff\xff" + os.urandom(65535), b"\0\x01x",
                  b"\0\x20" + bytes(32), b"\0\x20" + b"\xff" * 32,
                  b"\0\x20" + os.urandom(32) + b"\0\0")]
    messages += [b"\xff" * 50, b"\x80" * 100, b"\0" * 10_000,
                 b"\xff\xff\xff\xff\x0f" + b"x" * 1000,
                 MULTISTREAM + b"\x03ls\n", MULTISTREAM * 1000,
                 b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-x\r\n",
                 b"\x16\x03\x01\x02\0" + os.urandom(512)]
    for data in messages:
        with sockets(honest.victim, 1) as made:
            for one in made:
                send(one, data)
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_WR)
                one.settimeout(15)
                with contextlib.suppress(OSError):
                    while one.recv(65536):
                        pass
    honest.check("after garbage")
    honest.check_memory("after garbage")


@test
def silent_connections(t):
    """200 connections that say nothing: dropped in time, others are served."""
    honest = Honest(t)
    with sockets(honest.victim, 200) as made:
        honest.check("while 200 are silent")
        wait_for(lambda: count_open(made) == 0, 60, "they are dropped")
        honest.check("after they were dropped")
    honest.check_memory("after 200 silent ones")


@test
def half_handshakes(t):
    """200 connections that stop in the middle of the handshake."""
    honest = Honest(t)
    with sockets(honest.victim, 200) as made:
        for at, one in enumerate(made):
            send(one, (MULTISTREAM + NOISE + b"\0\x20" + os.urandom(32))
                 [:10 + at % 60])
        honest.check("while 200 are half done")
        wait_for(lambda: count_open(made) == 0, 60, "they are dropped")
    honest.check_memory("after half handshakes")


@test
def slow_senders(t):
    """A byte now and then keeps no connection alive for ever."""
    honest = Honest(t)
    hello = MULTISTREAM + b"\x09/unknown\n" * 100
    start = time.monotonic()
    with sockets(honest.victim, 20) as made:
        at = 0
        while count_open(made) and time.monotonic() < start + 90:
            for one in made:
                send(one, hello[at % len(hello):at % len(hello) + 1])
            at += 1
            honest.friend.ok("ping", honest.victim.peer_id, "-c", "1")
        equal(count_open(made), 0, "connections that are still open")
    honest.check("after slow senders")


@test
def refused_proposals(t):
    """Floods of proposals that are answered `na`: the connection goes."""
    honest = Honest(t)
    flood = b"\x09/unknown\n" * 5000
    with sockets(honest.victim, 8) as made:
        for one in made:
            send(one, MULTISTREAM)
        end = time.monotonic() + 15
        while count_open(made) and time.monotonic() < end:
            for one in made:
                if is_open(one):
                    send(one, flood)
        equal(count_open(made), 0, "floods that go on")
        honest.check("after a flood of proposals")
    honest.check_memory("after a flood of proposals")


@test
def one_that_never_reads(t):
    """Answers that nobody reads are bounded."""
    honest = Honest(t)
    with sockets(honest.victim, 20) as made:
        for one in made:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            send(one, MULTISTREAM + b"\x03ls\n" * 100_000)
        honest.check("while they don't read")
        grown = honest.victim.daemon.resident_bytes() - honest.before
        check(grown < 40 << 20, f"it grew by {grown} bytes")
    honest.check_memory("after those that don't read")


@test
def connections_from_one_address(t):
    """300 from one address, with the limit for loopback on: 3 are kept."""
    victim = t.node("victim").start("--set", "security.limit_loopback=true")
    with sockets(victim, 300) as made:
        wait_for(lambda: count_open(made) <= 3, 10, "at most 3 are kept")
    # All of them gone, an honest one comes in.
    friend = t.node("friend").start()
    friend.connect(victim)
    friend.ok("ping", victim.peer_id, "-c", "1")


@test
def nodes_from_one_address(t):
    """Six honest nodes on one address: at most 3 stay, and the rest is told."""
    victim = t.node("victim").start("--set", "security.limit_loopback=true")
    for at in range(6):
        node = t.node(f"node{at}").start()
        node.run("swarm", "connect", victim.address, "--timeout", "5s")
        check(len(victim.json("swarm", "peers")) <= 3, "more than 3 are kept")
    equal(len(victim.json("swarm", "peers")), 3, "peers")


@test
def many_connections(t):
    """400 connections at once and closed again, many times over."""
    honest = Honest(t)
    for _ in range(10 if t.long else 3):
        with sockets(honest.victim, 400) as made:
            for one in made:
                send(one, MULTISTREAM + NOISE)
            honest.check("with 400 connections")
    honest.check_memory("after many connections")
    wait_for(lambda: len(os.listdir(f"/proc/{honest.victim.daemon.pid}/fd"))
             < 100, 30, "descriptors are closed")


@test
def memory_returns_after_much_work(t):
    """A daemon that gave and took much is small again."""
    one, two = t.nodes("one", "two")
    two.connect(one)
    before = [node.daemon.resident_bytes() for node in (one, two)]
    for at in range(4):
        cid = one.add(trees.random_file(t.path("file"), at, 100_000_000))
        two.ok("get", cid, "-o", t.path("out"), "--force")
    for node, start in zip((one, two), before):
        wait_for(lambda node=node, start=start:
                 node.daemon.resident_bytes() < start + (48 << 20), 20,
                 f"{node.name} gives memory back ({start} before, "
                 f"{node.daemon.resident_bytes()} now)")
        peak = node.daemon.peak_bytes()
        check(peak < 128 << 20, f"{node.name} took {peak} bytes")
