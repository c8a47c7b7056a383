"""Downloads by a command that has no daemon.

Goal: `get`, `cat`, `ls` and `stat` find what is not here by the DHT, alone:
without a data folder, which leaves nothing behind, and with one, which keeps
what came; and they say why when nobody can be found.
Method: one node has the content and tells the DHT; a second one, which the
commands are told of, has nothing but the DHT's records.  Neither looks for
peers by itself.
"""
import os
import pty
import select
import signal
import time

import dag
import nodes
import processes
import proxy
import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test

ABSENT = dag.text(dag.cid(b"nobody has this block"))
QUIET = ("--set", "network.discovery=false", "--set", "network.mdns=false")


class Lone:
    """Commands of a user who has neither a daemon nor a data folder."""

    def __init__(self, t, name="lone"):
        self.home = t.path(name)
        self.tmp = t.path(name + "-tmp")
        self.home.mkdir()
        self.tmp.mkdir()
        self.env = nodes.clean_environment(self.home)
        self.env["TMPDIR"] = str(self.tmp)
        # The machine may be on a network with others of its kind.
        self.env["XMBL_NETWORK_MDNS"] = "false"

    def begin(self, *args, **how):
        """Start a command; return the Process."""
        return processes.Process([nodes.program(), *args],
                                 env=self.env | how.pop("env", {}),
                                 cwd=self.home, **how)

    def run(self, *args, timeout=60, **how):
        """Run a command, whatever its exit code."""
        return self.begin(*args, **how).wait(timeout)

    def ok(self, *args, **how):
        """Run a command that must end with 0."""
        result = self.run(*args, **how)
        equal(result.code, 0, result)
        return result

    def fails(self, code, word, *args, **how):
        """Run a command that must end with a code and name a code word."""
        result = self.run(*args, **how)
        equal(result.code, code, result)
        check(f"[{word}]" in result.err, result)
        return result

    def files(self):
        """What lies in its folders."""
        return trees.read_tree(self.home) | trees.read_tree(self.tmp)


def two_nodes(t, *content):
    """A node with the content, and its neighbour that has none; their CIDs."""
    holder = t.node("holder").start(*QUIET)
    other = t.node("other").start(*QUIET)
    holder.connect(other)
    cids = [holder.add(path) for path in content]
    for cid in cids:
        wait_for(lambda cid=cid: holder.run("dht", "provide", cid).code == 0,
                 20, "the DHT takes the record")
    return holder, other, cids


@test
def alone_without_a_folder(t):
    """A file and a folder come by the DHT; nothing is left behind."""
    file = trees.random_file(t.path("file"), 1, 20_000_000)
    folder = t.path("folder")
    trees.write_tree(folder, {b"%d/%03d" % (at % 5, at):
                              trees.random_bytes(at, at * 37)
                              for at in range(200)})
    holder, other, cids = two_nodes(t, file, folder)
    lone = Lone(t)
    at = ("--bootstrap", other.address)
    got = lone.ok("get", cids[0], *at, "-o", t.path("f"), "--json").json()
    check(trees.same_files(file, t.path("f")), "the file differs")
    equal(got["bytes"], 20_000_000, "bytes")
    check({holder.peer_id} == {source["peer"] for source in got["sources"]},
          got)
    lone.ok("get", cids[1], *at, "-o", t.path("d"))
    same_tree(t.path("d"), folder)
    equal(lone.ok("cat", cids[1] + "/3/003", *at).out,
          trees.random_bytes(3, 111), "a file of the folder")
    equal(lone.ok("cat", cids[0], *at, "--offset", "5000000", "--length",
                  "1000").out, file.read_bytes()[5000000:5001000], "a range")
    equal(len(lone.ok("ls", cids[1], *at, "--json").json_lines()), 5, "ls")
    equal(lone.ok("stat", cids[0], *at, "--json").json()["type"], "file",
          "stat")
    equal(lone.files(), {}, "left behind")
    check(not t.path("f.xmbl-part.d").exists(), "its folder is left")
    # The settings are heard without a data folder too.
    env = {"XMBL_NETWORK_BOOTSTRAP": other.address}
    lone.ok("get", cids[0], "-o", t.path("f2"), env=env)
    check(trees.same_files(file, t.path("f2")), "the file differs")


@test
def the_dht_alone_is_enough(t):
    """Peers tell each other of nobody: only the DHT knows who has it."""
    file = trees.random_file(t.path("file"), 1, 3_000_000)
    holder, other, cids = two_nodes(t, file)
    lone = Lone(t)
    lone.env["XMBL_NETWORK_DISCOVERY"] = "false"
    result = lone.ok("get", cids[0], "--bootstrap", other.address, "-o",
                     t.path("f"), "--json")
    check(trees.same_files(file, t.path("f")), "the file differs")
    equal([source["peer"] for source in result.json()["sources"]],
          [holder.peer_id], "sources")
    check(result.seconds < 5, f"it waits too long: {result}")


@test
def a_name_without_a_folder(t):
    """An IPNS name is resolved by the DHT, and what it names comes."""
    file = t.write("file", b"named")
    holder, other, cids = two_nodes(t, file)
    name = holder.json("ipns", "publish", cids[0])["name"]
    lone = Lone(t)
    env = {"XMBL_NETWORK_BOOTSTRAP": other.address}
    equal(lone.ok("ipns", "resolve", name, env=env).text, f"/ipfs/{cids[0]}",
          "resolved")
    equal(lone.ok("cat", f"/ipns/{name}", env=env).out, b"named", "cat")
    equal(lone.files(), {}, "left behind")


@test
def alone_with_a_folder(t):
    """What is not here comes from peers and stays; what is here does not."""
    file = trees.random_file(t.path("file"), 1, 9_000_000)
    holder, other, cids = two_nodes(t, file)
    node = t.node("mine")
    mine = node.add(t.write("mine.txt", b"mine"))
    at = ("--bootstrap", other.address)
    began = time.monotonic()
    equal(node.ok("cat", mine, "--timeout", "20s").out, b"mine", "cat")
    check(time.monotonic() - began < 2, "a local file waits for peers")
    env = {"XMBL_NETWORK_MDNS": "false"}
    equal(node.ok("cat", cids[0], *at, env=env).out, file.read_bytes(), "cat")
    # It is cache now, and peers are not needed.
    holder.kill()
    other.kill()
    node.ok("get", cids[0], "-o", t.path("out"))
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(not t.path("out.xmbl-part.d").exists(), "it has a folder")


class Stopped:
    """A get that was stopped when a third had come."""

    def __init__(self, t, lone, number):
        self.file = trees.random_file(t.path("file"), 1, 60_000_000)
        holder, self.other, (self.cid,) = two_nodes(t, self.file)
        wire = proxy.Proxy(holder.port)
        t.defer(wire.close)
        wire.hold_after = 20_000_000
        self.out = t.path("out")
        self.kept = t.path("out.xmbl-part.d")
        get = lone.begin("get", self.cid, "--bootstrap", wire.address(holder),
                         "-o", self.out)
        wait_for(lambda: self.kept_bytes() > 10_000_000, 30, "a part has come")
        get.signal(number)
        self.result = get.wait(10)
        wire.close()

    def kept_bytes(self):
        """Bytes of the blocks that lie beside the file."""
        return sum(file.stat().st_size
                   for file in self.kept.glob("blocks/segment-*"))

    def go_on(self, lone):
        """The same command again; what came from peers then, in bytes."""
        got = lone.ok("get", self.cid, "--bootstrap", self.other.address, "-o",
                      self.out, "--json").json()
        check(trees.same_files(self.file, self.out), "the file differs")
        equal([path.name for path in self.out.parent.glob("out*")], ["out"],
              "left behind")
        return sum(source["bytes"] for source in got["sources"])


@test
def a_killed_get_goes_on(t):
    """SIGKILL half way; the next one asks for what is missing only."""
    lone = Lone(t)
    stopped = Stopped(t, lone, signal.SIGKILL)
    came = stopped.go_on(lone)
    check(came < 52_000_000, f"{came} bytes came again")


@test
def an_interrupted_get_goes_on(t):
    """Ctrl-C says what is kept, which nobody else can read."""
    lone = Lone(t)
    stopped = Stopped(t, lone, signal.SIGINT)
    equal(stopped.result.code, 130, stopped.result)
    check("OUT.xmbl-part.d" in stopped.result.err, stopped.result)
    equal(oct(stopped.kept.stat().st_mode & 0o777), "0o700", "mode")
    check(not (stopped.kept / "identity.key").exists(), "its key is kept")
    came = stopped.go_on(lone)
    check(came < 52_000_000, f"{came} bytes came again")


@test
def what_is_left_is_not_believed(t):
    """Blocks with right checksums and wrong bytes come anew."""
    lone = Lone(t)
    stopped = Stopped(t, lone, signal.SIGTERM)
    equal(stopped.result.code, 130, stopped.result)
    check(forge(stopped.kept / "blocks") > 5, "nothing was forged")
    came = stopped.go_on(lone)
    check(came > 58_000_000, f"only {came} bytes came")


def crc32c(data):
    """The checksum of the store's records."""
    table = []
    for at in range(256):
        for _ in range(8):
            at = at >> 1 ^ (0x82f63b78 if at & 1 else 0)
        table.append(at)
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


def forge(blocks):
    """Give every record short other bytes with a right checksum; how many."""
    count = 0
    for path in blocks.glob("segment-*"):
        old, new = path.read_bytes(), bytearray()
        number = old[12:16]
        new += old[:32]
        at = 32
        while old[at:at + 4] == b"XREC":
            hash_len = old[at + 4]
            size = int.from_bytes(old[at + 8:at + 12], "little")
            data = b"forged"
            flags, aligned = old[at + 5] & ~4, old[at + 5] & 4
            head = (old[at:at + 5] + bytes([flags, 0, 0]) + len(data).to_bytes(4, "little") +
                    crc32c(data).to_bytes(4, "little") +
                    old[at + 16:at + 16 + hash_len])
            place = number + len(new).to_bytes(4, "little")
            new += head + crc32c(place + head).to_bytes(4, "little") + data
            at += 20 + hash_len
            at = -(-at // 4096) * 4096 + size if aligned else at + size
            count += 1
        path.write_bytes(new)
    return count


@test
def strangers_folders_are_not_used(t):
    """What is in the place of the folder is neither used nor removed."""
    file = t.write("file", b"the right bytes" * 1000)
    _, other, cids = two_nodes(t, file)
    lone = Lone(t)
    at = ("--bootstrap", other.address, "-o", t.path("out"))
    place = t.path("out.xmbl-part.d")
    victim = t.write("victim", b"mine")
    place.symlink_to(t.path("elsewhere"))
    lone.fails(4, "EXISTS", "get", cids[0], *at)
    place.unlink()
    (place / "blocks").mkdir(parents=True)
    link = place / "blocks/segment-000001.dat"
    link.symlink_to(victim)
    lone.fails(4, "EXISTS", "get", cids[0], *at)
    equal(victim.read_bytes(), b"mine", "the file behind a link")
    link.unlink()
    place.chmod(0o777)
    lone.fails(4, "EXISTS", "get", cids[0], *at)
    place.chmod(0o755)
    (place / "config.yaml").write_bytes(b"network: {enabled: false}")
    lone.ok("get", cids[0], *at)
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(not place.exists(), "the folder is left")


@test
def nobody_to_ask(t):
    """No peer known, a dead one, wrong ones: told before the time is up, and
    why."""
    lone = Lone(t)
    out = ("-o", t.path("out"))
    file = t.write("file", b"content")
    _, other, cids = two_nodes(t, file)
    result = lone.fails(3, "NOT_FOUND", "get", cids[0], *out)
    check("no bootstrap peer" in result.err, result)
    check("--bootstrap" in result.err, result)
    check(result.seconds < 25, result)
    result = lone.fails(3, "NOT_FOUND", "cat", cids[0], "--timeout", "1s")
    check(result.seconds < 4, result)
    at = ("--bootstrap", other.address)
    result = lone.fails(3, "NOT_FOUND", "get", ABSENT, *at, *out)
    check("DHT knows nobody" in result.err, result)
    check(result.seconds < 25, result)
    result = lone.run("cat", "notacid", *at)
    check("[BAD_CID]" in result.err or "[BAD_PATH]" in result.err, result)
    check(result.seconds < 2, result)
    result = lone.fails(2, "BAD_USAGE", "get", cids[0], "--bootstrap")
    result = lone.fails(2, "BAD_CONFIG", "get", cids[0], "--bootstrap", "/x y")
    other.kill()
    result = lone.fails(7, "TIMEOUT", "get", cids[0], *at, *out)
    check("does not answer" in result.err, result)
    check(result.seconds < 25, result)
    # As the wrong peer: somebody else answers there.
    equal(lone.files(), {}, "left behind")
    equal(list(t.dir.glob("out*")), [], "left behind")


@test
def a_signal_leaves_nothing(t):
    """SIGTERM, Ctrl-C and a closed terminal while peers are looked for."""
    lone = Lone(t)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        for words in (["get", ABSENT, "-o", t.path("out")], ["cat", ABSENT]):
            command = lone.begin(*words)
            wait_for_work(lone, t)
            command.signal(number)
            result = command.wait(5)
            equal(result.code, 130, result)
            equal(lone.files(), {}, f"left behind by {words}")
            equal(list(t.dir.glob("out*")), [], "left behind")
    check("nothing is left" in
          interrupted(lone, t, "get", ABSENT, "-o", t.path("out")).err,
          "words")


def wait_for_work(lone, t):
    """Wait until a command has a folder that it works in, and a store in it:
    from then on it looks for peers."""
    wait_for(lambda: [*lone.tmp.glob("*/blocks"), *t.dir.glob("out*/blocks")],
             10, "a folder to work in")


def interrupted(lone, t, *words):
    """How a command ends that gets a SIGINT."""
    command = lone.begin(*words)
    wait_for_work(lone, t)
    command.signal(signal.SIGINT)
    return command.wait(5)


@test
def a_terminal_sees_what_it_waits_for(t):
    """The line `looking for peers`, on a terminal only."""
    lone = Lone(t)
    master, slave = pty.openpty()
    t.defer(os.close, master)
    command = processes.subprocess.Popen(
        [nodes.program(), "cat", ABSENT, "--timeout", "1s"], env=lone.env |
        {"TERM": "xterm"}, stdin=processes.subprocess.DEVNULL,
        stdout=processes.subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    equal(command.wait(20), 3, "exit code")
    seen = b""
    while select.select([master], [], [], 0.2)[0]:
        try:
            more = os.read(master, 4096)
        except OSError:
            break  # the other end has gone
        seen += more
    check(b"\rlooking for peers" in seen, seen)
    check(b"looking" not in seen.rpartition(b"\x1b[K")[2], seen)
    quiet = lone.run("cat", ABSENT, "--timeout", "1s")
    check("looking" not in quiet.err, quiet)
