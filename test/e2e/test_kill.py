"""SIGKILL at random moments: nothing that was acknowledged is lost.

Goal: after a kill during add, gc or get, the next start is at once, all that
commands before it added is whole, and work goes on.
Method: the moment is drawn from the seed, within the time that the work takes;
10 rounds in all, 200 with --long.
"""
import json
import random
import time

import trees
from processes import wait_for, wait_random
from xmbltest import check, equal, test

START_MAX_S = 10


def rounds(t, share):
    """How many rounds a test has of the 10 or 200 that there are in all."""
    return max(1, round((200 if t.long else 10) * share))


class Kept:
    """What was acknowledged: files in a folder, by CID."""

    def __init__(self, t, node):
        self.t, self.node, self.files, self.count = t, node, {}, 0

    def new_file(self, size):
        """A file that no other round had."""
        self.count += 1
        return trees.random_file(self.t.path(f"kept-{self.count}"),
                                 f"{self.t.seed}/{self.count}", size)

    def acknowledged(self, cid, path):
        """The command that added it came to its end."""
        self.files[cid] = path

    def check(self):
        """All are there by their hashes; some are read, the newest too."""
        result = self.node.run("verify", "--json", timeout=120)
        check(result.code == 0 and not result.json()["bad"],
              f"after {self.count} rounds: {result}{self.node.log()}")
        pinned = {pin["cid"] for pin in self.node.lines("pin", "ls")}
        lost = set(self.files) - pinned
        check(not lost, f"after {self.count} rounds: {lost} is not pinned")
        known = list(self.files.items())
        older = self.t.rng.sample(known[:-5], min(5, len(known[:-5])))
        for cid, path in known[-5:] + older:
            result = self.node.run("cat", cid, timeout=120)
            check(result.code == 0 and result.out == path.read_bytes(),
                  f"{path.name} is lost: exit {result.code}: {result.err}")


def restart(node):
    """Start the daemon again: at once, whatever happened."""
    node.start(seconds=START_MAX_S)


@test
def killed_while_adding(t):
    """The daemon dies during add; what commands before it added is whole."""
    node = t.node().start()
    kept = Kept(t, node)
    for _ in range(rounds(t, 0.3)):
        small = [kept.new_file(t.rng.randrange(1, 3_000_000))
                 for _ in range(3)]
        for path in small:
            kept.acknowledged(node.add(path), path)
        big = kept.new_file(80_000_000)
        command = node.begin("add", big, "--json")
        wait_random(t.rng, command, 1.0)
        node.kill()
        result = command.wait(20)
        if result.code == 0:
            kept.acknowledged(result.json_lines()[-1]["cid"], big)
        restart(node)
        kept.check()


@test
def killed_while_adding_alone(t):
    """The command itself dies during add, without a daemon."""
    node = t.node()
    kept = Kept(t, node)
    for _ in range(rounds(t, 0.2)):
        file = kept.new_file(3_000_000)
        kept.acknowledged(node.add(file), file)
        command = node.begin("add", "-Q", kept.new_file(80_000_000))
        wait_random(t.rng, command, 0.8)
        command.kill()
        kept.check()


@test
def killed_while_collecting(t):
    """The daemon dies during gc; what is pinned is whole."""
    node = t.node().start()
    kept = Kept(t, node)
    for _ in range(rounds(t, 0.25)):
        for _ in range(3):
            file = kept.new_file(t.rng.randrange(1, 2_000_000))
            kept.acknowledged(node.add(file, "--chunker", "size-20000"), file)
        gone = node.add(kept.new_file(20_000_000), "--chunker", "size-5000")
        node.ok("rm", gone)
        command = node.begin("gc")
        wait_random(t.rng, command, 0.5)
        node.kill()
        command.wait(20)
        restart(node)
        kept.check()
    node.ok("gc")
    kept.check()
    used = sum(path.stat().st_size for path in kept.files.values())
    status = node.json("status")
    check(status["bytes_used"] < used * 1.2 + 1_000_000,
          f"{status['bytes_used']} bytes are used for {used}")


@test
def killed_while_getting(t):
    """The getting daemon dies; the next get completes the file."""
    one, two = t.nodes("one", "two")
    kept = Kept(t, two)
    for _ in range(rounds(t, 0.25)):
        path = kept.new_file(60_000_000)
        cid = one.add(path)
        out = t.path(f"out-{kept.count}")
        for _ in range(3):
            two.connect(one)
            command = two.begin("get", cid, "-o", out)
            wait_random(t.rng, command, 0.3)
            two.kill()
            result = command.wait(20)
            if result.code == 0:
                check(trees.same_files(path, out), "acknowledged, not whole")
                out.unlink()
            check(not out.exists() or trees.same_files(path, out),
                  "OUT is there and not whole")
            restart(two)
            equal(two.json("verify")["bad"], [], "bad blocks")
        two.connect(one)
        two.ok("get", cid, "-o", out, "--force")
        check(trees.same_files(path, out), "the file differs")


@test
def killed_while_rebuilding(t):
    """The daemon dies while it makes its index anew, again and again."""
    node = t.node()
    kept = Kept(t, node)
    file = kept.new_file(30_000_000)
    kept.acknowledged(node.add(file, "--chunker", "size-2000"), file)
    trees.remove(node.path / "index")
    rng = random.Random(t.seed)
    for _ in range(10 if t.long else 3):
        node.start(seconds=START_MAX_S)
        end = time.monotonic() + rng.random() * 0.2
        wait_for(lambda end=end: time.monotonic() > end, 5, "a moment")
        node.kill()
    node.start(seconds=START_MAX_S)
    wait_for(lambda: node.run("cat", *kept.files, "--timeout", "1s").code == 0,
             30, "the index is rebuilt")
    kept.check()
