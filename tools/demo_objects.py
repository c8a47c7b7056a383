"""The second half of the demo: a file survives its owner and a holder."""
import pathlib
import time

import nodes
import processes
import trees
from processes import Failure

FILE_BYTES = 100_000_000
MB = 1_000_000
COPIES = 3
GRACE_S = 5
AUDIT_S = 2
STATE_S = 60   # longest wait for a state
REPAIR_S = 90  # and for the missing copy
NAMES = ("dora", "erik", "fay", "gus", "hal")


def must(condition, what):
    """Stop with what, unless the condition is true."""
    if not condition:
        raise Failure(what)


class Survival:
    """Five nodes of one network, an owner among them."""

    def __init__(self, folder, screen):
        self.dir, self.screen = pathlib.Path(folder), screen
        self.nodes = [nodes.Node(folder, name) for name in NAMES]
        self.owner = self.nodes[1]
        self.file = self.dir / "archive.bin"
        self.cid = None

    def _by_peer(self, peer_id):
        return next(node for node in self.nodes if node.peer_id == peer_id)

    def _status(self, node):
        return node.json("objects", "status", self.cid)

    def _holders(self, node, states=("stored", "verified")):
        return [self._by_peer(holder["peer"])
                for holder in self._status(node)["holders"]
                if holder["state"] in states]

    def start(self):
        """They find each other; only the first one's address is told."""
        self.screen.step("Five nodes find each other")
        start = time.monotonic()
        # Of itself a node offers a tenth of what is free on its disk.
        settings = ("--set", f"storage.repair_grace={GRACE_S}s",
                    "--set", f"storage.audit_interval={AUDIT_S}s",
                    "--set", "storage.offer=2GB")
        first = self.nodes[0]
        for node in self.nodes:
            node.ok("init")
            known = (() if node is first else
                     ("--bootstrap", first.address))
            node.start(*settings, *known)
            self.screen.line(f"{node.name:<6} process {node.daemon.pid:<8} "
                             f"ready in {node.start_seconds * 1000:.0f} ms")
        others = len(self.nodes) - 1
        for node in self.nodes:
            processes.wait_for(
                lambda node=node: len(node.json("swarm", "peers")) >= others,
                STATE_S, f"{node.name} connected to the others")
        self.screen.done("five nodes, all know each other",
                         time.monotonic() - start)

    def store(self):
        """The owner has three of the others keep a file."""
        self.screen.step(f"{self.owner.name} stores a file {COPIES} times")
        trees.random_file(self.file, 2, FILE_BYTES)
        start = time.monotonic()
        root = self.owner.lines("add", "--copies", str(COPIES), self.file,
                                timeout=120)[-1]
        self.cid = root["cid"]
        took = time.monotonic() - start
        must(root["copies"]["stored"] == COPIES, f"not stored: {root}")
        self.screen.done(f"{self.owner.name}: add, stored {COPIES} times",
                         took, FILE_BYTES)
        self.screen.line(self.cid)
        processes.wait_for(
            lambda: self._status(self.owner)["state"] == "safe", STATE_S,
            "safe to switch off")
        self.screen.done("safe: parts fetched back by third nodes",
                         time.monotonic() - start)

    def lose(self):
        """The owner goes, and a holder is killed."""
        holders = self._holders(self.owner)
        victim = holders[0]
        stranger = next(node for node in self.nodes
                        if node is not self.owner and node not in holders)
        self.screen.step(f"{self.owner.name} is switched off, and "
                         f"{victim.name}, who holds a copy, is killed")
        must(self.owner.stop().code == 0, "the owner ended badly")
        victim.kill()
        killed = time.monotonic()
        self.screen.line(f"process {victim.daemon.pid} was killed (SIGKILL)")
        out = self.dir / "archive-again.bin"
        got = stranger.json("get", self.cid, "-o", out, timeout=60)
        must(trees.same_files(out, self.file), "the file has other bytes")
        self.screen.done(f"{stranger.name}: get it, who never had it",
                         got["seconds"], FILE_BYTES, "equal")
        witness = holders[1]
        alive = [node for node in self.nodes
                 if node not in (self.owner, victim)]
        processes.wait_for(
            lambda: sum(node in alive
                        for node in self._holders(witness)) == COPIES,
            REPAIR_S, "the missing copy")
        self.screen.done("the missing copy was made again by itself",
                         time.monotonic() - killed,
                         note=f"grace time {GRACE_S} s")
        must(trees.same_files(out, self.file), "the file has other bytes")

    def stop(self):
        """End those who still run."""
        for node in self.nodes:
            result = node.stop()
            must(result is None or result.code == 0 or result.code == -9,
                 f"{node.name} ended badly: {result}")

    def run(self):
        """All steps."""
        for step in (self.start, self.store, self.lose, self.stop):
            step()
