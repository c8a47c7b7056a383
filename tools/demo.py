#!/usr/bin/env python3
"""A small network on this machine: files go from node to node, and survive.

Usage: demo.py [--keep]; called by ./dev demo.  Ends with 0 when all went well.

Three nodes run as real processes.  A file of 100 MB and a folder of 1,000
files are added on the first and fetched by the second, which is killed half
way and goes on where it was; then the first is killed and the third fetches
from the second.  Where kubo's `ipfs` is found (in $XMBL_KUBO, in the cache of
the interop tests or in $PATH), it fetches them too.  Then five nodes find each
other; one has a file kept by three, is switched off, a holder is killed, and the
file is fetched and its missing copy made again.  --keep leaves the folders.
"""
import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "lib"), str(HERE)]

# pylint: disable=wrong-import-position
import demo_objects  # noqa: E402
import nodes  # noqa: E402
import peers  # noqa: E402
import processes  # noqa: E402
import proxy  # noqa: E402
import trees  # noqa: E402
from processes import Failure  # noqa: E402

FILE_BYTES = 100_000_000
FILES = 1000
MB = 1_000_000


class Screen:
    """Steps and what they found, aligned; colour on a terminal only."""

    def __init__(self):
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._unicode = "utf" in (sys.stdout.encoding or "").lower()
        self.rows = []

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def step(self, text):
        """Begin a step."""
        print("\n" + self._paint("1", text), flush=True)

    def line(self, text):
        """Something to know about a step."""
        print(f"    {text}", flush=True)

    def done(self, what, seconds, size=None, note=""):
        """The end of some work, which the summary repeats."""
        rate = f"{size / MB / max(seconds, 1e-3):7,.0f} MB/s" if size else ""
        row = f"{what:<46}{seconds:7.2f} s  {rate:>12}  {note}".rstrip()
        self.rows.append(row)
        tick = self._paint("32", "✓" if self._unicode else "ok")
        print(f"  {tick} {row}", flush=True)

    def failed(self, text):
        """Why it did not go well."""
        print("\n" + self._paint("31", "The demo failed: ") + text,
              file=sys.stderr, flush=True)

    def summary(self, seconds):
        """All results once more."""
        bar = ("─" if self._unicode else "-") * 78
        print("\n" + bar)
        for row in self.rows:
            print("  " + row)
        print(bar)
        print(f"  All data compared equal.  {seconds:.0f} s in all.",
              flush=True)


def find_kubo():
    """Path of an ipfs program, or None."""
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    found = (os.environ.get("XMBL_KUBO"), f"{cache}/xmbl/peers/bin/ipfs",
             shutil.which("ipfs"))
    return next((path for path in found
                 if path and os.access(path, os.X_OK)), None)


def must(condition, what):
    """Stop with what, unless the condition is true."""
    if not condition:
        raise Failure(what)


class Demo:
    """The nodes, what they hold, and the steps."""

    def __init__(self, folder, screen):
        self.dir, self.screen = pathlib.Path(folder), screen
        self.alice, self.bob, self.carol = (
            nodes.Node(folder, name) for name in ("alice", "bob", "carol"))
        self.file = self.dir / "film.bin"
        self.folder = self.dir / "photos"
        self.folder_bytes = 0
        self.file_cid = self.folder_cid = None

    def make_files(self):
        """A real file and a real folder."""
        self.screen.step("Some data")
        start = time.monotonic()
        trees.random_file(self.file, 1, FILE_BYTES)
        tree = {b"%02d/picture %04d.jpg" % (at % 20, at):
                trees.random_bytes(at, 1000 + at * 37 % 40_000)
                for at in range(FILES)}
        trees.write_tree(self.folder, tree)
        self.folder_bytes = sum(map(len, tree.values()))
        took = time.monotonic() - start
        self.screen.line(f"{self.file.name}: {FILE_BYTES // MB} MB; "
                         f"{self.folder.name}/: {FILES:,} files, "
                         f"{self.folder_bytes / MB:.1f} MB "
                         f"(made in {took:.1f} s)")

    def start(self):
        """Three nodes as processes of their own."""
        self.screen.step("Three nodes")
        for node in (self.alice, self.bob, self.carol):
            node.ok("init")
            # Who is connected to whom is the demo's to say, for now.
            node.start("--set", "network.discovery=false")
            self.screen.line(f"{node.name:<6} process {node.daemon.pid:<8} "
                             f"port {node.port:<6} ready in "
                             f"{node.start_seconds * 1000:.0f} ms")
            self.screen.line(f"       {node.peer_id}")
        self.bob.connect(self.alice)
        self.carol.connect(self.bob)
        pings = self.bob.lines("ping", self.alice.peer_id, "-c", "1")
        self.screen.line("bob - alice and carol - bob are connected, "
                         f"{pings[-1]['avg_ms']:.1f} ms")

    def add(self):
        """Add both on the first node."""
        self.screen.step("alice adds them")
        start = time.monotonic()
        self.file_cid = self.alice.add(self.file)
        self.screen.done("alice: add the file", time.monotonic() - start,
                         FILE_BYTES)
        self.screen.line(self.file_cid)
        start = time.monotonic()
        self.folder_cid = self.alice.add(self.folder)
        self.screen.done("alice: add the folder", time.monotonic() - start,
                         self.folder_bytes, f"{FILES:,} files")
        self.screen.line(self.folder_cid)

    def _get(self, node, cid, want, what, size):
        out = self.dir / f"{node.name}-{want.name}"
        trees.remove(out)
        got = node.json("get", cid, "-o", out, timeout=60)
        if want.is_dir():
            same = trees.read_tree(out) == trees.read_tree(want)
        else:
            same = trees.same_files(out, want)
        must(same, f"{node.name} got something else than {want}")
        came = sum(source["bytes"] for source in got["sources"])
        note = f"{came / MB:,.0f} MB came" if came < 0.95 * size else "equal"
        self.screen.done(what, got["seconds"], size if note == "equal" else
                         came, note)
        return got

    def fetch(self):
        """The second node fetches the folder, and half of the file."""
        self.screen.step("bob fetches them, and is killed half way")
        self._get(self.bob, self.folder_cid, self.folder,
                  "bob: get the folder from alice", self.folder_bytes)
        wire = proxy.Proxy(self.alice.port)
        try:
            self._kill_half_way(wire)
        finally:
            wire.close()

    def _kill_half_way(self, wire):
        # Through a wire of ours, so that half way is the same every time.
        self.bob.ok("swarm", "disconnect", self.alice.peer_id)
        self.bob.connect(wire.address(self.alice))
        before = self.bob.stored_bytes()
        wire.hold_after = wire.from_server + FILE_BYTES // 2
        command = self.bob.begin("get", self.file_cid, "-o",
                                 self.dir / "bob-film.bin")
        must(wire.held.wait(30), f"no download: {command.stderr()}")
        processes.wait_for(lambda: self.bob.stored_bytes() - before >
                           FILE_BYTES // 3, 10, "blocks on bob's disk")
        pid = self.bob.daemon.pid
        self.bob.kill()
        command.wait(20)
        had = self.bob.stored_bytes() - before
        self.screen.line(f"process {pid} was killed (SIGKILL) with "
                         f"{had / MB:.0f} of {FILE_BYTES // MB} MB")
        self.bob.start("--set", "network.discovery=false")
        self.screen.line("bob is back, ready in "
                         f"{self.bob.start_seconds * 1000:.0f} ms")
        self.bob.connect(self.alice)
        got = self._get(self.bob, self.file_cid, self.file,
                        "bob: get the rest of the file", FILE_BYTES)
        came = sum(source["bytes"] for source in got["sources"])
        must(came < FILE_BYTES - had // 2, "bob fetched all of it again")

    def survive(self):
        """The first node is killed; the third fetches from the second."""
        self.screen.step("alice is killed for good; carol fetches from bob")
        self.alice.kill()
        self.screen.line(f"process {self.alice.daemon.pid} was killed")
        self.carol.connect(self.bob)
        for cid, want, what, size in (
                (self.file_cid, self.file, "carol: get the file from bob",
                 FILE_BYTES),
                (self.folder_cid, self.folder,
                 "carol: get the folder from bob", self.folder_bytes)):
            got = self._get(self.carol, cid, want, what, size)
            must({source["peer"] for source in got["sources"]} ==
                 {self.bob.peer_id}, "carol had another source")

    def kubo(self):
        """kubo, the IPFS of others, fetches the same addresses."""
        path = find_kubo()
        self.screen.step("kubo (IPFS) fetches the same from bob")
        if path is None:
            self.screen.line("left out: no ipfs program was found; "
                             "tools/peers.sh kubo builds one")
            return
        os.environ["XMBL_KUBO"] = path
        kubo = peers.Kubo(self.dir, "kubo")
        self.screen.line(kubo.text("version"))
        kubo.start()
        try:
            kubo.connect(self.bob)
            for cid, want, what, size in (
                    (self.file_cid, self.file, "kubo: get the file from bob",
                     FILE_BYTES),
                    (self.folder_cid, self.folder,
                     "kubo: get the folder from bob", self.folder_bytes)):
                out = self.dir / f"kubo-{want.name}"
                start = time.monotonic()
                # Its pin asks for many blocks at once, its get for one.
                kubo.ok("pin", "add", cid)
                kubo.ok("get", "-o", out, cid)
                took = time.monotonic() - start
                same = (trees.same_files(out, want) if want.is_file() else
                        trees.read_tree(out) == trees.read_tree(want))
                must(same, f"kubo got something else than {want}")
                self.screen.done(what, took, size, "equal")
        finally:
            kubo.kill()

    def stop(self):
        """End the nodes as a system does."""
        self.screen.step("The end")
        for node in (self.bob, self.carol):
            start = time.monotonic()
            result = node.stop()
            must(result.code == 0, f"{node.name} ended badly: {result}")
            self.screen.line(f"{node.name} ended in "
                             f"{(time.monotonic() - start) * 1000:.0f} ms")

    def run(self):
        """All steps."""
        for step in (self.make_files, self.start, self.add, self.fetch,
                     self.survive, self.kubo, self.stop):
            step()


def on_signal(number, _frame):
    """End what was started, also when somebody loses patience."""
    raise SystemExit(128 + number)


def main():
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(
        description="A small network at work on this machine.")
    parser.add_argument("--keep", action="store_true",
                        help="leave the nodes' folders")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    screen, start, code = Screen(), time.monotonic(), 0
    folder = tempfile.mkdtemp(prefix="xmbl-demo-")
    try:
        Demo(folder, screen).run()
        demo_objects.Survival(folder, screen).run()
        screen.summary(time.monotonic() - start)
    except (Failure, OSError, KeyError, ValueError) as error:
        screen.failed(str(error))
        code = 1
    finally:
        processes.end_all()
        if options.keep:
            print(f"The folders are in {folder}")
        else:
            trees.remove(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
