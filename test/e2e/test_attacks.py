"""Attacks by peers that speak all protocols, and speak them badly.

Goal: no attack of test/e2e/attack*.c harms a daemon or an honest peer of it.
Each is dropped, tolerated or answered as its row of the table says, an honest
node is pinged and served meanwhile, processor and memory come back after it.
Method: the program attack (build/*/test/attack; `attack -l` lists the rows)
against a daemon that an honest node is connected to.  A few attacks are one
step; with --long each is one, for longer.  What waits for a timeout runs beside
the others.  Floods are dropped, so few of them take the time they could.
"""
import os
import pathlib
import re
import time

import nodes
import processes
from processes import Failure, resting, wait_for
from xmbltest import Skip, check, test

STEP = 8           # attacks
IDLE_SHARE = 0.05  # of a processor, after an attack
IDLE_S = 2
GROWTH = 8 << 20   # bytes of memory that may stay
GROWTH_S = 10
GROWTH_BESIDE = 24 << 20  # while some wait for blocks that they don't take
GET_S = 5          # for a small file while attacks run
DHT_S = 15         # for a search beside a liar
FILE_BYTES = 200_000
FILES = 400
ASKED_BYTES = 4_000_000  # 64 blocks of a file that a bad peer is asked for too
HEAVY = re.compile("flood|churn|many|hoard|wants|paced|padding|cancel|same|"
                   "open|unread|hands|unasked|asked")
REPORT = re.compile(r"(ERROR: \w*Sanitizer|runtime error:|Assertion .* failed)"
                    r".*")


class Row:
    """A line of `attack -l`."""

    def __init__(self, line):
        self.name, flags, self.must, _, self.what = line.split("\t")
        self.slow, self.driven = "S" in flags, "D" in flags
        self.limited = None if not set(flags) & set("LF") else "L" in flags

    def applies(self, limited):
        """Whether it is for a daemon with limit_loopback on or off."""
        return self.limited in (None, limited)


class Built(nodes.Node):
    """A node whose program is not the one that the others have."""

    def __init__(self, folder, name, program):
        super().__init__(folder, name)
        self._program = program

    def begin(self, *args, **how):
        return processes.Process([self._program, *args],
                                 env=self.env | how.pop("env", {}),
                                 cwd=how.pop("cwd", self.home), **how)


def is_sanitized(program):
    """Whether it is a build with AddressSanitizer."""
    return "asan" in pathlib.Path(program).parts


def sanitized_program():
    """The build with sanitizers where there is one of these sources, else the
    usual one."""
    program = nodes.ROOT / "build/asan/xmbl"
    if not program.is_file():
        return nodes.program()
    built = program.stat().st_mtime
    sources = (nodes.ROOT / "src").glob("*/*.[ch]")
    if any(source.stat().st_mtime > built for source in sources):
        return nodes.program()
    return str(program)


def attack_program():
    """Path of the program attack."""
    path = pathlib.Path(nodes.program()).parent / "test/attack"
    if not path.is_file():
        raise Skip(f"{path} is missing")
    return str(path)


def rows(limited):
    """The attacks for a daemon with limit_loopback on or off."""
    listed = processes.run([attack_program(), "-l"])
    return [row for row in map(Row, listed.text.splitlines())
            if row.applies(limited)]


class Siege:
    """A daemon to be attacked, and an honest node that needs it."""

    def __init__(self, t, program, limited=False, more=()):
        self.t, self.limited = t, limited
        self.slack = 3 if is_sanitized(program) else 1
        self.victim = Built(t.dir, "victim", program)
        t.defer(self.victim.kill)
        self.victim.ok("init")
        self.victim.start("--set", f"security.limit_loopback="
                          f"{'true' if limited else 'false'}", *more,
                          seconds=60)
        self.friend = t.node("friend").start(*more)
        self.friend.connect(self.victim)
        self.files = 0
        self.beside = None  # attacks that wait, while they run
        fresh_bytes = self.victim.daemon.resident_bytes()
        self._add_files()
        self.pings = self.friend.begin("ping", self.victim.peer_id, "-c",
                                       "1000", "--json")
        if self.slack == 1:  # the sanitizer keeps memory on purpose
            wait_for(lambda: self.victim.daemon.resident_bytes() <
                     fresh_bytes + GROWTH, GROWTH_S,
                     "what the files took has been given back")
        self.rest_bytes = self.victim.daemon.resident_bytes()

    def _add_files(self):
        folder = self.t.path("files")
        for at in range(FILES):
            self.t.write(f"files/{at}", os.urandom(FILE_BYTES))
        self.cid = self.victim.add(folder, timeout=120)
        self.friend.ok("ls", self.cid)
        listed = self.victim.text("block", "ls")
        self.cids = self.t.write("cids", "".join(
            line.split()[0] + "\n" for line in listed.splitlines()).encode())

    def attack(self, names, flood_ms):
        """Start attacks; return the Process."""
        options = ["--limited"] if self.limited else []
        return self._begin([*options, "--flood", str(flood_ms), "--cids",
                            self.cids, self.victim.address, *names])

    def driven(self, name):
        """Start an attack that prints what is to be done; return the Process
        and the reading end of its output, and what ends it."""
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()
        process = self._begin(["--driven", "--cids", self.cids,
                               self.victim.address, name],
                              stdin=os.fdopen(in_read), out=out_write)
        os.close(out_write)
        return process, os.fdopen(out_read), os.fdopen(in_write, "w")

    def _begin(self, words, **how):
        return processes.Process([attack_program(), *words],
                                 env=self.victim.env, cwd=self.t.dir, **how)

    def get(self, number=None):
        """Start to fetch a file that the friend has not got."""
        self.files += 1
        path = self.t.path(f"got{self.files}")
        number = self.files % FILES if number is None else number
        return self.friend.begin("get", f"{self.cid}/{number}", "-o", path,
                                 "--timeout", "20s"), path

    def finish_get(self, begun, what):
        """The file comes, and in time."""
        process, path = begun
        result = process.wait(30)
        check(result.code == 0, f"{what}: {result}{self.victim.log()}")
        check(result.seconds < GET_S * self.slack,
              f"{what}: a small file took {result.seconds:.1f} s")
        check(path.stat().st_size == FILE_BYTES, f"{what}: wrong file")
        path.unlink()

    def check_sound(self, what):
        """The daemon lives, and no sanitizer has anything to say."""
        report = REPORT.search(self.victim.daemon.stderr())
        check(report is None, f"{what}: {report and report.group()}")
        check(self.victim.daemon.running(),
              f"{what}: the daemon ended: {self.victim.log()}")
        check(self.pings.running(), f"{what}: the friend's pings ended: "
              f"{self.pings.result}")

    def check_rest(self, what):
        """Processor and memory have come back."""
        wait_for(resting([self.victim.daemon.pid], IDLE_SHARE, 0.1),
                 IDLE_S * self.slack, f"{what}: the processor is idle")
        if self.slack > 1:
            return  # the sanitizer keeps memory on purpose
        daemon = self.victim.daemon
        most = self.rest_bytes + GROWTH
        if self.beside is not None and self.beside.running():
            most += GROWTH_BESIDE
        wait_for(lambda: daemon.resident_bytes() < most,
                 GROWTH_S, f"{what}: the memory comes back; "
                 f"{self.rest_bytes >> 10} KiB before, "
                 f"{daemon.resident_bytes() >> 10} KiB after")

    def check_verdicts(self, result, names, what):
        """All attacks ended as they must."""
        lines = result.text.splitlines()
        bad = [line for line in lines if not line.startswith("ok ")]
        told = {line.split()[1] for line in lines if " " in line}
        missing = set(names) - told
        check(not bad and not missing and result.code == 0,
              f"{what}: " + "\n  ".join(bad) + f" missing: {missing} "
              f"{result.err[-1000:]}{self.victim.log()}")

    def step(self, names, flood_ms):
        """Some attacks, and the honest node beside them."""
        what = " ".join(names)
        begun = self.get()
        attacks = self.attack(names, flood_ms)
        self.finish_get(begun, what)
        result = attacks.wait(60 + 10 * flood_ms / 1000 * len(names))
        self.check_sound(what)
        self.check_verdicts(result, names, what)
        self.check_rest(what)

    def end(self):
        """The pings went well, and the daemon ends well."""
        self.pings.signal(2)
        result = self.pings.wait(10)
        slow = [line for line in result.json_lines()
                if line.get("rtt_ms", 0) > 1000 * self.slack]
        check(not slow, f"pings took long: {slow[:3]}")
        refused = self.victim.json("status")["connections_refused"]
        check(not self.limited or refused > 0, "no refused dial was counted")
        ended = self.victim.stop(20)
        check(ended.code == 0 and not REPORT.search(ended.err), ended)


def besiege(t, siege, chosen):
    """All chosen attacks, a few at a time; those that wait beside them."""
    flood_ms = 3000 if t.long else 400
    size = 1 if t.long else STEP
    slow = [row.name for row in chosen if row.slow and not row.driven]
    quick = [row.name for row in chosen if not row.slow and not row.driven]
    if slow:
        siege.beside = siege.attack(slow, flood_ms)
    for at in range(0, len(quick), size):
        siege.step(quick[at:at + size], flood_ms)
    if slow:
        result = siege.beside.wait(90)
        siege.check_sound("attacks that wait")
        siege.check_verdicts(result, slow, "attacks that wait")
        siege.check_rest("attacks that wait")
    siege.end()


@test
def attacks_at_every_step(t):
    """Every attack, against a build with sanitizers where there is one."""
    siege = Siege(t, sanitized_program())
    besiege(t, siege, [row for row in rows(limited=False)
                       if not row.name.startswith("storage_")])


@test
def attacks_within_limits(t):
    """Floods where loopback counts as any address; memory comes back."""
    siege = Siege(t, nodes.program(), limited=True)
    besiege(t, siege, [row for row in rows(limited=True)
                       if t.long or HEAVY.search(row.name)])


def ask_dht(siege, what):
    """What a friend announced is found beside a liar, and in time."""
    for words in (["findprovs", siege.friends_cid, "-n", "1000"],
                  ["query", siege.friend.peer_id],
                  ["findpeer", siege.friend.peer_id]):
        result = siege.victim.run("dht", *words, timeout=DHT_S * 2)
        check(result.code == 0, f"{what}: {result}{siege.victim.log()}")
        check(siege.friend.peer_id in result.text, f"{what}: {result}")
        check(result.seconds < DHT_S, f"{what}: {result.seconds:.1f} s")


def drive(siege, row):
    """Do what an attack asks for: a dial, or a file that it is asked for."""
    process, lines, stdin = siege.driven(row.name)
    first = lines.readline().split()
    took = time.monotonic()
    what = row.name
    if first[:1] == ["connect"]:
        result = siege.victim.run("swarm", "connect", first[1], "--timeout",
                                  "8s", timeout=20)
        check((result.code == 0) == (row.must == "tolerated"),
              f"{what}: {result}")
    elif first[:1] == ["get"]:
        number = len(siege.asked)
        siege.asked.append(what)
        path = siege.t.path(f"asked{number}")
        result = siege.victim.run("get", f"{siege.friends_cid}/{number}", "-o",
                                  path, "--timeout", "25s", timeout=40)
        check(result.code == 0, f"{what}: {result}{siege.victim.log()}")
        check(path.stat().st_size == ASKED_BYTES, f"{what}: wrong file")
    elif first[:1] == ["dht"]:
        ask_dht(siege, what)
    else:
        raise Failure(f"{what} said {first}: {process.wait(10)}")
    took = time.monotonic() - took
    stdin.close()
    text = lines.read()
    lines.close()
    process.wait(30)
    siege.check_sound(what)
    check(text.startswith("ok "), f"{what}: {text}{siege.victim.log()}")
    print(f"     {what}: {took:.1f} s, {text.strip()}")
    return took


@test
def answers_of_bad_peers(t):
    """Wrong, slow and missing blocks: the file comes from the honest node."""
    siege = Siege(t, sanitized_program())
    chosen = [row for row in rows(limited=False) if row.driven
              and not row.name.startswith(("lookup_", "status_",
                                            "holder_", "cache_"))
              and (t.long or not row.slow)]
    count = len(chosen)
    for at in range(count):
        t.write(f"theirs/{at}", os.urandom(ASKED_BYTES))
    siege.friends_cid = siege.friend.add(t.path("theirs"), "--chunker",
                                         "size-65536")
    siege.asked = []
    siege.victim.ok("ls", siege.friends_cid)
    for row in chosen:
        drive(siege, row)
        siege.check_rest(row.name)
    siege.end()


@test
def answers_of_liars_in_the_dht(t):
    """Peers that lie in lookups: what honest ones announced is found beside
    them, and nobody is dialled in masses."""
    siege = Siege(t, sanitized_program())
    siege.friends_cid = siege.friend.add(t.write("theirs", os.urandom(10_000)))
    siege.friend.ok("dht", "provide", siege.friends_cid)
    for row in rows(limited=False):
        if row.name.startswith("lookup_"):
            drive(siege, row)
            siege.check_rest(row.name)
    siege.end()
