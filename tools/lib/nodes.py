"""A node of xmbl as a test or the demo uses it: data folder, daemon, commands.

The program is build/release/xmbl, or what the variable XMBL names.
"""
import os
import pathlib
import re
import select
import signal
import time

import processes
from processes import Failure

ROOT = pathlib.Path(__file__).resolve().parents[2]
READY_S = 20


def program():
    """Path of the xmbl program."""
    path = pathlib.Path(os.environ.get("XMBL", ROOT / "build/release/xmbl"))
    if not path.is_file():
        raise SystemExit(f"{path} is missing; `./dev build` makes it")
    return str(path.resolve())


def clean_environment(home):
    """An environment without anything of the user's that could matter."""
    keep = ("PATH", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    return env | {"HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Node:
    """A data folder, the daemon that may run on it, and its commands."""

    def __init__(self, folder, name="node"):
        self.name = name
        self.home = pathlib.Path(folder)
        self.path = self.home / name
        self.env = clean_environment(self.home)
        self.env["XMBL_PATH"] = str(self.path)
        self.daemon = None
        self.listening = []
        self.start_seconds = None

    # Commands.

    def begin(self, *args, **how):
        """Start a command; return the Process."""
        return processes.Process([program(), *args],
                                 env=self.env | how.pop("env", {}),
                                 cwd=how.pop("cwd", self.home), **how)

    def run(self, *args, timeout=60, **how):
        """Run a command, whatever its exit code."""
        return self.begin(*args, **how).wait(timeout)

    def ok(self, *args, **how):
        """Run a command that must end with 0."""
        result = self.run(*args, **how)
        if result.code != 0:
            raise Failure(f"expected exit 0: {result}{self.log()}")
        return result

    def text(self, *args, **how):
        """Standard output of a command that must end with 0."""
        return self.ok(*args, **how).text

    def json(self, *args, **how):
        """The JSON value of a command, which gets --json."""
        return self.ok(*args, "--json", **how).json()

    def lines(self, *args, **how):
        """The JSON values, one a line, of a command, which gets --json."""
        return self.ok(*args, "--json", **how).json_lines()

    def add(self, path, *args, **how):
        """Add a file or folder; return the CID."""
        return self.text("add", "-Q", *args, path, **how)

    def fails(self, exit_codes, words, *args, **how):
        """Run a command that must end with one of the exit codes and name one
        of the code words."""
        result = self.run(*args, **how)
        codes = (exit_codes,) if isinstance(exit_codes, int) else exit_codes
        words = (words,) if isinstance(words, str) else words
        if result.code not in codes:
            raise Failure(f"expected exit {codes}: {result}{self.log()}")
        # Behind the message there may be lines of the log.
        said = ([result.error()["code"]] if "--json" in args else
                re.findall(r"^xmbl: .*\[(\w+)\]$", result.err, re.M))
        if not set(said) & set(words):
            raise Failure(f"expected {words}: {result}")
        return result

    # The daemon.

    def start(self, *args, seconds=READY_S, listen="/ip4/127.0.0.1/tcp/0",
              bootstrap=False):
        """Start the daemon and wait until it says that it is ready.

        Unless bootstrap is true, it looks up no names and asks no local
        network."""
        if self.daemon is not None and self.daemon.running():
            raise Failure(f"{self.name} runs already")
        reader, writer = os.pipe()
        argv = ["daemon", "--listen", listen, *args]
        if not bootstrap:
            argv.insert(3, "--no-bootstrap")
        self.daemon = self.begin(*argv, out=writer)
        os.close(writer)
        try:
            self._await_ready(reader, seconds)
        finally:
            os.close(reader)
        self.start_seconds = time.monotonic() - self.daemon.started
        return self

    def _await_ready(self, reader, seconds):
        end, text = time.monotonic() + seconds, b""
        while b"\nready\n" not in b"\n" + text:
            left = end - time.monotonic()
            more = select.select([reader], [], [], max(left, 0))[0]
            data = os.read(reader, 65536) if more else b""
            if not data:
                self.daemon.kill()
                why = "ended" if more else f"not ready after {seconds} s"
                raise Failure(f"{self.name}: daemon {why}: "
                              f"{self.daemon.result}")
            text += data
        words = [line.split(" ", 1) for line in text.decode().splitlines()]
        self.listening = [word[1] for word in words if word[0] == "listening"]

    @property
    def address(self):
        """Where it listens, with its peer id."""
        return self.listening[0]

    @property
    def peer_id(self):
        """Its peer id, while or after its daemon runs."""
        return self.address.rpartition("/")[2]

    @property
    def port(self):
        """The TCP port that it listens on."""
        return int(self.address.split("/tcp/")[1].split("/")[0])

    def stop(self, seconds=10, number=signal.SIGTERM):
        """End the daemon; return how it ended, None where none ran."""
        if self.daemon is None or self.daemon.result is not None:
            return None
        self.daemon.signal(number)
        return self.daemon.wait(seconds)

    def kill(self):
        """End the daemon as a power switch would."""
        if self.daemon is not None:
            self.daemon.kill()

    def log(self):
        """The last of the daemon's log, for messages."""
        if self.daemon is None:
            return ""
        return "\n  log: " + processes.tail(self.daemon.stderr(), 8)

    def connect(self, other):
        """Connect to another node, or to an address."""
        address = other if isinstance(other, str) else other.address
        self.ok("swarm", "connect", address, "--timeout", "20s")

    def segments(self):
        """The files that hold its blocks, oldest first."""
        return sorted((self.path / "blocks").glob("segment-*.dat"))

    def stored_bytes(self):
        """Bytes in its block files."""
        total = 0
        for file in self.segments():
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                pass  # the collector took it just now
        return total
