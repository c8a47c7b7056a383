"""Commands that only read, without a daemon.

Goal: they stand beside each other, change nothing, and read what a killed
command, another user or a lost index left; who writes waits for them and is
told of them; what is not here is still fetched and kept.
Method: a reader is held by a pipe that nobody empties; every file of the
folder is compared before and after.
"""
import hashlib
import os
import pathlib
import pwd
import shutil
import stat

import dag
import nodes
import processes
import trees
from processes import wait_for
from xmbltest import Skip, check, equal, test

BIG = 4_000_000
NOT_HERE = dag.text(dag.cid(b"this block is nowhere"))
MDNS_OFF = {"XMBL_NETWORK_MDNS": "false"}
LOCK_WAIT_S = 5


class Held:
    """A `cat` that nobody reads from, so that it stays until it is freed."""

    def __init__(self, t, node, cid):
        self._reader, writer = os.pipe()
        self.process = node.begin("cat", cid, out=writer)
        os.close(writer)
        t.defer(self.process.kill)
        # The first bytes are there: it has the lock and has opened all.
        os.set_blocking(self._reader, True)
        self._head = os.read(self._reader, 1)

    def free(self):
        """Empty the pipe; return all that came and how it ended."""
        parts = [self._head]
        while parts[-1]:
            parts.append(os.read(self._reader, 1 << 20))
        os.close(self._reader)
        return b"".join(parts), self.process.wait(20)


def state(folder):
    """What is in a folder: kind, mode, time and hash of every file."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        st = path.lstat()
        kept = [stat.S_IFMT(st.st_mode), st.st_mode, st.st_mtime_ns,
                st.st_ctime_ns, st.st_size]
        if stat.S_ISREG(st.st_mode):
            kept.append(hashlib.sha256(path.read_bytes()).hexdigest())
        found[str(path.relative_to(folder))] = kept
    return found


def same_state(folder, before, what):
    """Fail, unless nothing in the folder has changed."""
    now = state(folder)
    changed = [name for name in sorted(set(now) | set(before))
               if now.get(name) != before.get(name)]
    equal(changed, [], f"files changed by {what}")


def filled(t, name="node"):
    """A node with a big file and a folder; their CIDs."""
    node = t.node(name)
    big = node.add(trees.random_file(t.path("big"), t.seed, BIG))
    trees.write_tree(t.path("tree"), {b"a": b"a" * 70_000, b"d/b": b"b"})
    return node, big, node.add(t.path("tree"))


@test
def readers_stand_beside_each_other(t):
    """Ten readers end while an eleventh holds the folder."""
    node, big, tree = filled(t)
    held = Held(t, node, big)
    want = t.path("big").read_bytes()
    readers = [node.begin("cat", big) for _ in range(10)]
    others = [node.begin(*words) for words in
              (("ls", tree), ("stat", tree), ("pin", "ls"), ("block", "ls"),
               ("verify",), ("status",), ("objects", "ls"),
               ("why", tree), ("get", tree, "-o", t.path("out")))]
    for process in readers + others:
        result = process.wait(60)
        equal(result.code, 0, result)
        check(result.out == want or process in others, "other bytes")
    check(held.process.running(), "the one that is held has ended")
    got, result = held.free()
    equal((result.code, got == want), (0, True), result)


@test
def a_writer_waits_for_a_reader(t):
    """It gets the folder when the reader ends; else it is told whose it is."""
    node, big, _ = filled(t)
    held = Held(t, node, big)
    small = t.write("small", b"small")
    begun = [node.begin("add", "-Q", small),
             node.begin("daemon", "--listen", "/ip4/127.0.0.1/tcp/0",
                        "--no-bootstrap"),
             node.begin("key", "passphrase", "--new-passphrase-file",
                        t.write("secret", b"secret\n"))]
    for process in begun:
        result = process.wait(30)
        equal(result.code, 6, result)
        check("[FOLDER_LOCKED]" in result.err, result)
        check(f" {held.process.pid}:" in result.err, f"no pid: {result}")
        check(LOCK_WAIT_S - 1 < result.seconds < 20, result)
    waits = node.begin("add", "-Q", small)
    wait_for(lambda: len(waiting(waits.pid)) > 0, 5, "the writer to wait")
    check(waits.running(), "it did not wait")
    equal(held.free()[1].code, 0, "the reader")
    result = waits.wait(20)
    equal(result.code, 0, result)
    equal(node.ok("cat", result.text).out, b"small", "what was added")


def waiting(pid):
    """Descriptors of a process on a file called lock."""
    found = []
    try:
        for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            if fd.readlink().name == "lock":
                found.append(fd)
    except OSError:
        pass
    # Between two tries it has none; that it runs at all is asked elsewhere.
    return found or [pid]


@test
def readers_change_nothing(t):
    """No byte, name, mode or time in the folder is another one after them."""
    node, big, tree = filled(t)
    raw = next(block["cid"] for block in node.lines("block", "ls")
               if block.get("bytes", 0) > 1000)
    before = state(node.path)
    for words in (("cat", big), ("cat", big, "--offset", "9", "--length", "9"),
                  ("ls", tree), ("stat", tree), ("pin", "ls"), ("status",),
                  ("block", "get", raw), ("block", "stat", raw),
                  ("block", "ls"), ("objects", "ls"), ("verify",),
                  ("verify", tree), ("why", tree),
                  ("get", big, "-o", t.path("out")), ("id",),
                  ("car", "export", tree, "-o", t.path("car")),
                  ("sign", t.write("text", b"text"))):
        result = node.run(*words)
        equal(result.code, 0, result)
        same_state(node.path, before, words)
    check(trees.same_files(t.path("out"), t.path("big")), "what was saved")
    node.fails(3, "NOT_FOUND", "block", "get", NOT_HERE)
    same_state(node.path, before, "a miss")


@test
def readers_after_a_kill(t):
    """What a killed command wrote is read by all at once, and left alone."""
    node, big, _ = filled(t)
    stored = node.stored_bytes()
    killed = node.begin("add", "-Q",
                        trees.random_file(t.path("more"), 2, 200_000_000))
    wait_for(lambda: node.stored_bytes() > stored + 60_000_000, 20,
             "some of it")
    killed.kill()
    with node.segments()[-1].open("ab") as file:
        file.write(b"XREC\x22 is a record that was cut")
    before = state(node.path)
    want = t.path("big").read_bytes()
    for process in [node.begin("cat", big) for _ in range(5)]:
        result = process.wait(60)
        equal((result.code, result.out == want), (0, True), result)
    equal(node.json("verify")["bad"], [], "bad blocks")
    blocks = node.lines("block", "ls")
    same_state(node.path, before, "readers")
    named = sum(block["bytes"] for block in blocks)
    # Two writes of 8 MiB may have been under way, the first cut short.
    check(named > node.stored_bytes() - 18_000_000 > stored + 40_000_000,
          f"{named} bytes are listed of {node.stored_bytes()}")
    cids = [block["cid"] for block in blocks]
    equal(cids, sorted(set(cids), key=dag.binary), "their order")
    node.add(t.write("small", b"small"))
    after = {block["cid"] for block in node.lines("block", "ls")}
    equal(set(cids) - after, set(), "lost by the one that writes")
    equal(len(after - set(cids)), 1, "found by the one that writes")
    fsck = node.json("fsck")
    equal((fsck["missing"], fsck["orphaned"]), (0, 0), "fsck")


@test
def readers_without_an_index(t):
    """A lost index is made again by the first; all get what they want."""
    node, big, _ = filled(t)
    shutil.rmtree(node.path / "index")
    want = t.path("big").read_bytes()
    for process in [node.begin("cat", big) for _ in range(5)]:
        result = process.wait(60)
        equal((result.code, result.out == want), (0, True), result)
    before = state(node.path)
    node.ok("cat", big)
    same_state(node.path, before, "a reader behind them")


def as_nobody():
    """Words before a command that make it another user's; Skip where that
    cannot be."""
    if os.geteuid() != 0:
        raise Skip("only root can be somebody else")
    tool = shutil.which("setpriv")
    if tool is None:
        raise Skip("there is no program setpriv (util-linux)")
    user = pwd.getpwnam("nobody")
    return [tool, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
            "--clear-groups"], user


class Visitor:
    """Another user's commands on the folder of a node."""

    def __init__(self, t, node, prefix):
        # The test's own folders may be closed to others.
        self.program = t.path("xmbl")
        shutil.copy(nodes.program(), self.program)
        self.program.chmod(0o755)
        for folder in (t.dir, *t.dir.parents):
            if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        self.node, self.prefix = node, prefix

    def run(self, *args):
        """Run a command to its end."""
        return processes.run([*self.prefix, self.program, *args],
                             env=self.node.env | MDNS_OFF, cwd="/")

    def ok(self, *args):
        """Run a command that must end with 0."""
        result = self.run(*args)
        equal(result.code, 0, result)
        return result

    def fails(self, code, word, *args):
        """Run a command that must end with a code and name a code word."""
        result = self.run(*args)
        equal(result.code, code, result)
        check(f"[{word}]" in result.err, result)
        return result


@test
def a_folder_that_cannot_be_written(t):
    """Its owner reads all of it, and is told what would be to be written."""
    prefix, user = as_nobody()
    node, big, tree = filled(t)
    paths = [node.path, *node.path.rglob("*")]
    for path in paths:
        os.chown(path, user.pw_uid, user.pw_gid)
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = state(node.path)
    owner = Visitor(t, node, prefix)
    want = t.path("big").read_bytes()
    check(owner.ok("cat", big).out == want, "bytes")
    for words in (("ls", tree), ("stat", tree), ("pin", "ls"), ("verify",),
                  ("status",), ("block", "ls"), ("why", tree)):
        owner.ok(*words)
    owner.fails(4, "PERMISSION", "pin", "rm", big)
    owner.fails(3, "NOT_FOUND", "cat", NOT_HERE)
    same_state(node.path, before, "its owner")
    # It was killed while it wrote, and is a copy that must not change.
    with node.segments()[-1].open("ab") as file:
        file.write(b"XREC\x22")
    before = state(node.path)
    check(owner.ok("cat", big).out == want, "bytes beside a torn tail")
    same_state(node.path, before, "its owner")
    shutil.rmtree(node.path / "index")
    result = owner.run("cat", big)
    check(result.code in (1, 3, 4) and result.err, result)


@test
def the_folder_of_another_user(t):
    """Its blocks can be read by whom it lets, without its key."""
    prefix, _ = as_nobody()
    node, big, tree = filled(t)
    for path in [node.path, *node.path.rglob("*")]:
        if path.name != "identity.key":
            path.chmod(0o755 if path.is_dir() else 0o644)
    other = Visitor(t, node, prefix)
    before = state(node.path)
    check(other.ok("cat", big).out == t.path("big").read_bytes(), "bytes")
    other.ok("ls", tree)
    other.ok("pin", "ls")
    other.fails(4, "PERMISSION", "status")
    other.fails(4, "PERMISSION", "pin", "rm", big)
    same_state(node.path, before, "another user")


@test
def a_reader_fetches_and_keeps(t):
    """What is not here is fetched by a command that began as a reader, and is
    here then; what it had handed out before is not handed out twice."""
    source, node = t.node("source").start(), t.node("reader")
    file = trees.random_file(t.path("file"), t.seed, 6_000_000)
    cid = source.add(file)
    want = file.read_bytes()
    at = ("--bootstrap", source.address, "--timeout", "30s")
    part = node.ok("cat", cid, "--length", "2000000", *at, env=MDNS_OFF)
    check(part.out == want[:2_000_000], "its beginning")
    check(2_000_000 < node.stored_bytes() < 5_000_000,
          f"{node.stored_bytes()} bytes are kept")
    whole = node.ok("cat", cid, *at, env=MDNS_OFF)
    check(whole.out == want, f"{len(whole.out)} bytes of {len(want)}")
    source.stop()
    before = state(node.path)
    check(node.ok("cat", cid).out == want, "what was kept")
    same_state(node.path, before, "a reader of what was kept")


@test
def a_reader_that_meets_damage(t):
    """It is told, and noted by the command though it began as a reader."""
    node, big, _ = filled(t)
    with node.segments()[0].open("r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    before = state(node.path)
    check(node.run("cat", big, env=MDNS_OFF, timeout=90).code != 0, "cat")
    check(state(node.path) != before, "nothing was noted")
    result = node.run("verify", "--json")
    equal(len(result.json()["bad"]), 1, result)
    node.add(t.path("big"))
    equal(node.json("verify")["bad"], [], "after it was added again")
    check(node.ok("cat", big).out == t.path("big").read_bytes(), "bytes")


@test
def blocks_are_read_without_the_key(t):
    """Who reads blocks is asked for no passphrase; who needs the key is."""
    node, big, tree = filled(t)
    secret = t.write("secret", b"correct horse\n")
    node.ok("key", "passphrase", "--new-passphrase-file", secret)
    check(node.ok("cat", big).out == t.path("big").read_bytes(), "bytes")
    node.ok("ls", tree)
    node.fails(4, ("PASSPHRASE_NEEDED", "WRONG_PASSPHRASE"), "status")
    node.fails(4, ("PASSPHRASE_NEEDED", "WRONG_PASSPHRASE"), "pin", "rm", big)
    node.ok("status", "--passphrase-file", secret)
