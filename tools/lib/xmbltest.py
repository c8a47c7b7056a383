"""A small harness for tests with real processes.

A test is a function that takes one Scratch: a folder of its own, nodes whose
processes end with the test, a random generator with a known seed.

    @test
    def add_then_cat(t):
        node = t.node()
        ...

@test(alone=True) keeps other tests off the machine meanwhile.  A test fails by
any exception and is left out by Skip.  main() is the whole of a run.py.
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time
import traceback

import nodes
import peers
import processes
import trees
from processes import Failure

PARALLEL = 2
PEERS = {"kubo": "XMBL_KUBO", "helia": "XMBL_HELIA"}
_tests = {}


class Skip(Exception):
    """Why a test cannot be run here."""


class _Test:
    def __init__(self, function, alone, needs):
        self.name = function.__name__
        self.full_name = f"{function.__module__}.{self.name}"
        self.function, self.alone, self.needs = function, alone, needs

    def missing(self):
        """The peers that it needs and that are not here."""
        return [peer for peer in self.needs if PEERS[peer] not in os.environ]


def test(function=None, *, alone=False, needs=()):
    """Make a function a test of this program."""
    def register(function):
        if function.__name__ in _tests:
            raise ValueError(f"two tests are called {function.__name__}")
        _tests[function.__name__] = _Test(function, alone, needs)
        return function
    return register(function) if function is not None else register


def check(condition, what):
    """Fail with what, unless the condition is true."""
    if not condition:
        raise Failure(str(what))


def equal(got, want, what=""):
    """Fail, unless the two are equal."""
    if got != want:
        raise Failure(f"{what}: got {_short(got)}, not {_short(want)}")


def _short(value):
    text = repr(value)
    return text if len(text) < 1000 else f"{text[:1000]}... ({len(text)})"


def same_tree(got, want):
    """Fail, unless two folders (paths or trees) have the same in them."""
    got = got if isinstance(got, dict) else trees.read_tree(got)
    want = want if isinstance(want, dict) else trees.read_tree(want)
    check(got == want, trees.difference(got, want))


class Scratch:
    """What one test has for itself."""

    def __init__(self, folder, options):
        self.dir = pathlib.Path(folder)
        self.long = options.long
        self.seed = options.seed
        self.rng = random.Random(options.seed)
        self._undo = []
        self._nodes = []

    def path(self, name):
        """A path in the test's folder."""
        return self.dir / name

    def write(self, name, content=b""):
        """Make a file in the test's folder."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def defer(self, function, *args):
        """Call it when the test has ended, the last one first."""
        self._undo.append((function, args))

    def node(self, name="node", init=True):
        """A node, with a new data folder unless init is false."""
        node = nodes.Node(self.dir, name)
        self._keep(node)
        if init:
            node.ok("init")
        return node

    def nodes(self, *names):
        """Nodes with running daemons."""
        return [self.node(name).start() for name in names]

    def kubo(self, name="kubo", profile=None):
        """A kubo repository, without its daemon."""
        kubo = peers.Kubo(self.dir, name, profile)
        self._keep(kubo)
        return kubo

    def helia(self, name="helia"):
        """A running helia node."""
        helia = peers.Helia(self.dir, name)
        self._keep(helia)
        return helia.start()

    def _keep(self, node):
        self._nodes.append(node)
        self.defer(node.kill)

    def logs(self):
        """The last lines that daemons logged."""
        return "".join(f"\n{node.name} {node.log().strip()}"
                       for node in self._nodes if node.log().strip())

    def close(self):
        """Undo all that was deferred, and remove the folder."""
        for function, args in reversed(self._undo):
            try:
                function(*args)
            except Exception as error:  # pylint: disable=broad-except
                print(f"     cleaning up: {error}")
        trees.remove(self.dir)


class _Report:
    """Counts, and one line a test."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self._lock = threading.Lock()

    def line(self, verdict, name, seconds, text=""):
        with self._lock:
            took = f"{seconds:6.1f} s" if seconds is not None else " " * 8
            print(f"{verdict:4} {took}  {name}{': ' if text else ''}{text}",
                  flush=True)
            if verdict == "ok":
                self.passed += 1
            elif verdict == "skip":
                self.skipped += 1
            else:
                self.failed += 1

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def _explain(error, scratch):
    """Where a test failed and why, without the harness's own frames."""
    text = str(error) if isinstance(error, Failure) else \
        "".join(traceback.format_exception_only(error)).strip()
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if "test" in pathlib.Path(frame.filename).parts]
    where = "".join(f"\n  {pathlib.Path(frame.filename).name}:{frame.lineno} "
                    f"{frame.line}" for frame in frames)
    return text + where + scratch.logs()


def _run_one(one, options, end, report):
    if time.monotonic() > end:
        report.line("FAIL", one.name, None, "not run: the budget is used up")
        return
    folder = tempfile.mkdtemp(prefix=f"xmbl-{one.name[:40]}-")
    scratch = Scratch(folder, options)
    start = time.monotonic()
    try:
        one.function(scratch)
        verdict, text = "ok", ""
    except Skip as reason:
        verdict, text = "skip", str(reason)
    except Exception as error:  # pylint: disable=broad-except
        verdict, text = "FAIL", _explain(error, scratch)
    seconds = time.monotonic() - start
    if verdict == "FAIL" and options.keep:
        text += f"\nkept: {folder}"
        for node in scratch._nodes:
            node.kill()
    else:
        scratch.close()
    report.line(verdict, one.name, seconds, text)


def _choose(names):
    unknown = [name for name in names
               if not any(name in one.full_name for one in _tests.values())]
    if unknown:
        raise SystemExit(f"no test has {unknown[0]} in its name; -l lists them")
    chosen = [one for one in _tests.values()
              if not names or any(name in one.full_name for name in names)]
    for peer in sorted({peer for one in chosen for peer in one.missing()}):
        print(f"left out: tests with {peer} ({PEERS[peer]} is not set)")
    return [one for one in chosen if not one.missing()]


def _parse(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="run the tests with NAME in their file.name")
    parser.add_argument("-l", "--list", action="store_true",
                        help="list the tests")
    parser.add_argument("--long", action="store_true",
                        help="more rounds and larger data")
    parser.add_argument("--seed", type=int, default=1,
                        help="of everything that is random (1)")
    parser.add_argument("--keep", action="store_true",
                        help="keep the folders of tests that fail")
    parser.add_argument("-j", type=int, default=PARALLEL, metavar="N",
                        help=f"tests at a time ({PARALLEL})")
    return parser.parse_args()


def _stop(number, _frame):
    processes.end_all()
    print(f"stopped by signal {number}", flush=True)
    os._exit(128 + number)


def main(description, budget_s):
    """Run the tests that the command line names; return the exit code."""
    options = _parse(description)
    chosen = _choose(options.names)
    if options.list:
        for one in chosen:
            print(one.name, "-", (one.function.__doc__ or "").split("\n")[0])
        return 0
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    nodes.program()
    end = time.monotonic() + (budget_s * 20 if options.long else budget_s)
    report = _Report()
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for done in concurrent.futures.as_completed(
                [pool.submit(_run_one, one, options, end, report)
                 for one in chosen if not one.alone]):
            done.result()
    for one in chosen:
        if one.alone:
            _run_one(one, options, end, report)
    processes.end_all()
    print(report, flush=True)
    return 1 if report.failed else 0


def load(folder):
    """Import the test_*.py of a folder, which registers their tests."""
    sys.path.insert(0, str(folder))
    for file in sorted(pathlib.Path(folder).glob("test_*.py")):
        __import__(file.stem)
