"""Disks that are full or damaged, folders that are held by another.

Goal: a clear refusal, reads that go on, repair where there is a source, and
never a loss of what was acknowledged.
Method: a small tmpfs; files of the data folder cut, overwritten and removed;
single bytes of known blocks turned; two processes on one folder.
"""
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time

import trees
from processes import Failure, wait_for
from xmbltest import Skip, check, equal, same_tree, test


def small_disk(t, name, size):
    """A tmpfs of that many MiB, mounted for this test."""
    if os.geteuid() != 0:
        raise Skip("mounting a tmpfs needs root")
    path = t.path(name)
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m",
                           "tmpfs", path], capture_output=True, text=True,
                          check=False)
    if made.returncode != 0:
        raise Skip(f"no tmpfs can be mounted: {made.stderr.strip()}")
    t.defer(subprocess.run, ["umount", "-l", path])
    return path


def on_disk(t, path, name):
    """A node whose data folder lies in that place."""
    node = t.node(name, init=False)
    node.path = path / name
    node.env["XMBL_PATH"] = str(node.path)
    node.ok("init")
    return node


@test
def full_disk(t):
    """A full disk: add is refused, reads go on, room lets it go on."""
    for served in (False, True):
        disk = small_disk(t, f"disk{served}", 64)
        node = on_disk(t, disk, "node")
        if served:
            node.start()
        kept = trees.random_file(t.path("kept"), 1, 10_000_000)
        (disk / "other").write_bytes(bytes(25_000_000))
        cid = node.add(kept)
        big = trees.random_file(t.path("big"), 2, 90_000_000)
        result = node.fails(5, "NO_SPACE", "add", big)
        equal(result.out, b"", f"stdout of {result}")
        check(trees.same_files(_saved(t, node, cid), kept), "reads go wrong")
        equal(node.json("verify")["bad"], [], "bad blocks")
        # Something else fills the disk to the last byte.
        _fill(disk / "filler")
        node.fails(5, "NO_SPACE", "add", t.write("small", b"s" * 3_000_000))
        check(trees.same_files(_saved(t, node, cid), kept), "reads go wrong")
        if served:
            node.ok("id")
        (disk / "filler").unlink()
        (disk / "other").unlink()
        node.ok("gc")
        small = node.add(t.write("small", b"s" * 3_000_000))
        equal(node.ok("cat", small).out, b"s" * 3_000_000, "the small one")
        check(trees.same_files(_saved(t, node, cid), kept), "reads go wrong")
        if served:
            node.stop()
            node.start()
            check(trees.same_files(_saved(t, node, cid), kept), "reads")


@test
def gc_gives_room_back(t):
    """What gc removes is free on the disk, also in the file written last."""
    for served in (False, True):
        disk = small_disk(t, f"disk{served}", 64)
        node = on_disk(t, disk, "node")
        if served:
            node.start()
        kept = node.add(t.write("kept", b"k" * 3_000_000))
        for turn in range(2):
            big = trees.random_file(t.path("big"), turn, 40_000_000)
            cid = node.add(big)
            node.ok("rm", cid)
            equal(node.json("gc")["bytes"] > 40_000_000, True, "removed")
            check(node.stored_bytes() < 20_000_000,
                  f"{turn}: {node.stored_bytes()} bytes are left")
            equal(node.ok("cat", kept).out, b"k" * 3_000_000, "what is kept")
        # A full disk: what was removed makes it usable again.
        node.fails(5, "NO_SPACE", "add",
                   trees.random_file(t.path("big"), 9, 90_000_000))
        node.ok("gc")
        node.add(trees.random_file(t.path("big"), 10, 30_000_000))
        equal(node.json("fsck")["bad"], [], "bad")
        # Collections that find little leave no trail of files.
        for turn in range(5):
            node.ok("rm", node.add(t.write("small", bytes([turn]) * 100_000)))
            node.ok("gc")
        check(len(node.segments()) <= 4, node.segments())
        if served:
            node.stop()
            node.start()
        equal(node.ok("cat", kept).out, b"k" * 3_000_000, "what is kept")
        equal(node.json("verify")["bad"], [], "bad")


def _saved(t, node, cid):
    path = t.path("saved")
    trees.remove(path)
    node.ok("get", cid, "-o", path)
    return path


def _fill(path):
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass


@test
def start_on_a_full_disk(t):
    """A daemon starts and reads though the disk has no free byte."""
    disk = small_disk(t, "disk", 48)
    node = on_disk(t, disk, "node")
    cid = node.add(trees.random_file(t.path("kept"), 1, 10_000_000))
    _fill(disk / "filler")
    node.start()
    check(trees.same_files(_saved(t, node, cid), t.path("kept")), "reads")
    node.fails(5, "NO_SPACE", "add", t.write("small", b"s" * 3_000_000))
    node.stop()
    check(trees.same_files(_saved(t, node, cid), t.path("kept")), "reads")


@test
def full_disk_while_getting(t):
    """get onto a full disk: NO_SPACE, no OUT; with room it is completed."""
    disk = small_disk(t, "disk", 32)
    one, two = t.nodes("one", "two")
    two.connect(one)
    file = trees.random_file(t.path("file"), 1, 60_000_000)
    cid = one.add(file)
    result = two.fails(5, "NO_SPACE", "get", cid, "-o", disk / "out")
    check("the disk is full: " in result.err, result)
    check(not (disk / "out").exists(), "OUT was made")
    two.ok("get", cid, "-o", t.path("out"))
    check(trees.same_files(file, t.path("out")), "the file differs")


@test
def quota_is_kept(t):
    """storage.limit: what is over it is refused before it is written."""
    for served in (False, True):
        node = t.node(f"node{served}")
        (node.path / "config.yaml").write_text("storage:\n  limit: 20MB\n")
        if served:
            node.start()
        cid = node.add(trees.random_file(t.path("kept"), 1, 12_000_000))
        node.fails(5, "QUOTA", "add",
                   trees.random_file(t.path("big"), 2, 30_000_000))
        check(node.stored_bytes() < 24_000_000, "over the limit on the disk")
        check(trees.same_files(_saved(t, node, cid), t.path("kept")), "reads")
        # Cache gives way to what is new.
        node.add(trees.random_file(t.path("loose"), 3, 5_000_000),
                 "--pin=false")
        new = node.add(trees.random_file(t.path("new"), 4, 6_000_000))
        check(trees.same_files(_saved(t, node, new), t.path("new")), "reads")
        check(trees.same_files(_saved(t, node, cid), t.path("kept")), "reads")
        used = node.json("status")["bytes_used"]
        check(12_000_000 <= used <= 20_000_000, f"{used} bytes used")


def _damage(path, how):
    """Do something to a file or folder of the index."""
    if how == "removed":
        trees.remove(path)
    elif path.is_dir():
        for file in path.iterdir():
            _damage(file, how)
    elif how == "garbage":
        size = max(path.stat().st_size, 8192)
        path.write_bytes(trees.random_bytes(1, size))
    elif how == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    elif how == "emptied":
        os.truncate(path, 0)
    elif how == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "spotted":
        data = bytearray(path.read_bytes())
        for at in range(100, len(data), 5000):
            data[at] ^= 0x55
        path.write_bytes(data)


@test
def index_damaged(t):
    """A lost or damaged index is rebuilt from the segments; nothing is lost."""
    node = t.node()
    folder = t.path("folder")
    trees.write_tree(folder, trees.random_tree(t.seed, entries=60))
    file = trees.random_file(t.path("file"), 1, 30_000_000)
    cids = node.add(folder, "--chunker", "size-4096"), node.add(file)
    removed = node.add(t.write("removed", b"r" * 100_000))
    node.ok("rm", removed)
    node.ok("gc")
    blocks = {line["cid"] for line in node.lines("block", "ls")}
    for how in ("removed", "garbage", "zeros", "emptied", "cut"):
        for served in (True, False):
            _damage(node.path / "index", how)
            node.name = f"index {how}"
            if served:
                node.start()
                check(node.start_seconds < 10, f"{node.start_seconds} s")
            # Reads need not wait until the index is whole again.
            trees.remove(t.path("out"))
            node.ok("get", cids[0], "-o", t.path("out"))
            same_tree(t.path("out"), folder)
            check(trees.same_files(_saved(t, node, cids[1]), file),
                  f"index {how}: the file differs")
            wait_for(lambda: node.json("status")["state"] != "rebuilding", 30,
                     "the index is rebuilt")
            lost = blocks - {line["cid"] for line in
                             node.lines("block", "ls")}
            check(not lost, f"index {how}: {len(lost)} blocks are lost")
            equal(node.json("verify")["bad"], [], "bad blocks")
            node.ok("gc")
            node.ok("add", t.write("new", os.urandom(10_000)))
            if served:
                equal(node.stop().code, 0, "exit code")


@test
def index_with_wrong_bytes(t):
    """Single wrong bytes in the index, which has no checksums of its own: no
    crash, no wrong bytes given out, and fsck brings everything back."""
    node = t.node()
    file = trees.random_file(t.path("file"), 1, 3_000_000)
    cid = node.add(file, "--chunker", "size-4096")
    want = file.read_bytes()
    for _ in range(60 if t.long else 6):
        path = node.path / "index" / "data.mdb"
        data = bytearray(path.read_bytes())
        for _ in range(t.rng.choice((1, 5, 50))):
            data[t.rng.randrange(len(data))] ^= 1 << t.rng.randrange(8)
        path.write_bytes(data)
        result = node.run("cat", cid, "--timeout", "1s")
        check(result.code >= 0 and want.startswith(result.out), str(result)
              [:1000])
        result = node.run("fsck")
        check(result.code in (0, 1), f"fsck after wrong bytes: {result}")
        result = node.run("cat", cid, "--timeout", "1s")
        check(result.code == 0 and result.out == want,
              f"after fsck: exit {result.code}: {result.err}")


@test
def pins_table_damaged(t):
    """node.db overwritten with garbage: no crash, no silent loss of blocks."""
    node = t.node()
    cid = node.add(t.write("file", os.urandom(3_000_000)))
    for how in ("garbage", "cut", "spotted"):
        saved = t.path("saved-db")
        trees.remove(saved)
        shutil.copytree(node.path / "node.db", saved)
        _damage(node.path / "node.db", how)
        result = node.run("gc")
        check(result.code >= 0 and "INTERNAL" not in result.err,
              f"node.db {how}: {result}")
        if result.code == 0:
            # Without its pins nothing may be collected unasked.
            check(node.run("cat", cid, "--timeout", "1s").code == 0,
                  f"node.db {how}: gc threw the pinned file away")
        else:
            trees.remove(node.path / "node.db")
            shutil.copytree(saved, node.path / "node.db")
        node.ok("cat", cid)


def _turn_bit(node, content, skip=0):
    """Turn one bit of stored bytes, found by what they are."""
    for file in node.segments():
        data = file.read_bytes()
        at = data.find(content, skip)
        if at >= 0:
            with open(file, "r+b") as out:
                out.seek(at + len(content) // 2)
                byte = data[at + len(content) // 2]
                out.write(bytes([byte ^ 4]))
            return
    raise Failure("the bytes are in no segment")


@test
def segment_damaged(t):
    """A bit turned in a block: reported, never given out; fetched again."""
    data = trees.random_bytes(1, 3_000_000)
    for served in (False, True):
        node, other = t.node(f"node{served}"), t.node(f"other{served}")
        cid = node.add(t.write("file", data))
        other.add(t.path("file"))
        _turn_bit(node, data[1_500_000:1_500_100])
        if served:
            node.start()
        result = node.run("cat", cid, "--timeout", "2s")
        check(result.code in (1, 3, 7), result)
        check(data.startswith(result.out), "wrong bytes were given out")
        result = node.run("verify", "--json")
        equal(result.code, 1, f"exit code of {result}")
        equal(len(result.json()["bad"]), 1, "bad blocks")
        equal(result.error()["code"], "CORRUPT_BLOCK", "code")
        bad = result.json()["bad"][0]
        node.fails((1, 3, 7), ("CORRUPT_BLOCK", "NOT_FOUND", "TIMEOUT"),
                   "block", "get", bad, "--timeout", "2s")
        if not served:
            # Adding the file again is a way to repair, too.
            equal(node.add(t.path("file")), cid, "CID")
            check(node.ok("cat", cid).out == data, "still wrong")
            equal(node.json("verify")["bad"], [], "bad blocks")
            continue
        other.start()
        node.connect(other)
        repaired = node.json("verify")
        equal(repaired["repaired"], [bad], f"repaired: {repaired}")
        other.kill()
        check(node.ok("cat", cid).out == data, "wrong after the repair")
        equal(node.json("verify")["bad"], [], "bad blocks")


@test
def many_damaged_blocks_are_fetched_together(t):
    """What nobody has costs its wait once, not for each block."""
    node, has, empty = t.nodes("node", "has", "empty")
    blocks = [trees.random_bytes(100 + i, 2000) for i in range(40)]
    cids = [node.ok("block", "put", t.write(f"b{i}", block)).text
            for i, block in enumerate(blocks)]
    for i in range(3):
        has.ok("block", "put", t.path(f"b{i}"))
    node.connect(has)
    node.connect(empty)
    for block in blocks:
        _turn_bit(node, block)
    began = time.monotonic()
    result = node.run("verify", "--json", timeout=280)
    seconds = time.monotonic() - began
    equal(sorted(result.json()["bad"]), sorted(cids), "bad")
    equal(sorted(result.json()["repaired"]), sorted(cids[:3]), "repaired")
    check(seconds < 30, f"{seconds} s")
    for i in range(3):
        check(node.ok("block", "get", cids[i]).out == blocks[i], "repaired")


@test
def a_damaged_block_is_fetched_while_reading(t):
    """get of a file with a bad block takes that one from a peer."""
    node, other = t.nodes("node", "other")
    data = trees.random_bytes(2, 5_000_000)
    cid = node.add(t.write("file", data))
    other.add(t.path("file"))
    node.connect(other)
    _turn_bit(node, data[2_500_000:2_500_100])
    got = node.json("get", cid, "-o", t.path("out"))
    check(t.path("out").read_bytes() == data, "wrong bytes")
    equal([source["peer"] for source in got["sources"]], [other.peer_id],
          "sources")
    check(got["sources"][0]["bytes"] < 2_500_000, got)


@test
def a_damaged_block_is_not_served(t):
    """A peer that asks for a bad block does not get it."""
    node, asker = t.nodes("node", "asker")
    data = trees.random_bytes(3, 800_000)
    cid = node.add(t.write("file", data))
    _turn_bit(node, data[400_000:400_100])
    asker.connect(node)
    asker.fails((3, 7), ("NOT_FOUND", "TIMEOUT"), "cat", cid, "--timeout",
                "3s")
    equal(len(asker.json("swarm", "peers")), 1, "the connection stays")


@test
def segments_cut_and_strange(t):
    """A torn tail, a segment that is gone, strange files: told, no crash."""
    node = t.node()
    first = node.add(trees.random_file(t.path("file"), 1, 5_000_000))
    tail = node.segments()[-1]
    whole = tail.read_bytes()
    # Bytes behind the last record, as a cut of power may leave them.
    tail.write_bytes(whole + trees.random_bytes(5, 70_000))
    check(trees.same_files(_saved(t, node, first), t.path("file")), "tail")
    second = node.add(t.write("second", os.urandom(100_000)))
    equal(node.json("verify")["bad"], [], "bad blocks")
    (node.path / "blocks" / "segment-000abc.dat").write_bytes(b"strange")
    (node.path / "blocks" / "notes.txt").write_bytes(b"strange")
    check(trees.same_files(_saved(t, node, first), t.path("file")), "strange")
    node.ok("cat", second)
    # Half of the newest segment is gone: what was in it is reported.
    os.truncate(tail, len(whole) // 2)
    result = node.run("verify", "--json")
    check(result.code in (0, 1) and "INTERNAL" not in result.err, result)
    check(result.code == 1 or
          node.run("cat", first, "--timeout", "1s").code != 0,
          f"the loss was not seen: {result}")
    node.add(t.path("file"))
    check(trees.same_files(_saved(t, node, first), t.path("file")), "repair")
    tail.unlink()
    result = node.run("verify", "--json")
    check("INTERNAL" not in result.err, result)
    node.add(t.path("file"))
    check(trees.same_files(_saved(t, node, first), t.path("file")), "repair")


@test
def two_daemons_on_one_folder(t):
    """The second names the process that holds the folder, and exits 6."""
    node = t.node().start()
    second = node.begin("daemon", "--listen", "/ip4/127.0.0.1/tcp/0",
                        "--no-bootstrap")
    result = second.wait(15)
    equal(result.code, 6, f"exit code of {result}")
    check(f" {node.daemon.pid}" in result.err, f"no pid: {result}")
    check("[FOLDER_LOCKED]" in result.err, result)
    node.ok("add", t.write("a", b"a"))


@test
def writers_and_readers_without_daemon(t):
    """Readers share the folder; a writer waits for another one."""
    node = t.node()
    cid = node.add(trees.random_file(t.path("file"), 1, 40_000_000))
    readers = [node.begin("cat", cid) for _ in range(4)]
    writers = [node.begin("add", "-Q", t.write(f"new{at}", b"%d" % at))
               for at in range(4)]
    want = t.path("file").read_bytes()
    for process in readers:
        result = process.wait(60)
        check(result.code == 0 and result.out == want, str(result)[:500])
    for process in writers:
        equal(process.wait(60).code, 0, str(process.result))
    equal(node.json("verify")["bad"], [], "bad blocks")


@test
def settings_wait_for_nobody(t):
    """config show, config get and id read files alone, whoever holds the
    folder."""
    node = t.node()
    identity = node.json("id")
    node.ok("config", "set", "storage.limit", "10GiB")
    shown = node.text("config", "show")
    with open(node.path / "lock", "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = node.ok("config", "get", "storage.limit")
        equal(result.text, "10GiB", "get")
        check(result.seconds < 3, result)
        equal(node.text("config", "show"), shown, "show")
        equal(node.json("id"), identity, "id")
    node.start("--set", "storage.limit=20GiB")
    equal(node.text("config", "get", "storage.limit"), "20GiB",
          "what the daemon has")
    for field in ("peer_id", "agent", "public_key"):
        equal(node.json("id")[field], identity[field], field)
    bare = t.node("bare", init=False)
    bare.fails(3, "NO_FOLDER", "config", "show")


@test
def a_writer_that_hangs_is_named(t):
    """A command that cannot have the folder says who holds it, after 5 s."""
    node = t.node()
    big = trees.random_file(t.path("big"), 1, 200_000_000)
    holder = node.begin("add", "-Q", big)
    wait_for(lambda: node.stored_bytes() > 1_000_000, 20, "it writes")
    holder.signal(signal.SIGSTOP)
    try:
        result = node.run("add", t.write("a", b"a"), timeout=20)
        equal(result.code, 6, f"exit code of {result}")
        check(f" {holder.pid}" in result.err, f"no pid: {result}")
        check(4 < result.seconds < 12, result)
    finally:
        holder.signal(signal.SIGCONT)
    equal(holder.wait(60).code, 0, str(holder.result))
    node.ok("add", t.path("a"))


@test
def commands_use_the_daemon(t):
    """With a daemon, commands go to it; they see each other's work at once."""
    node = t.node().start()
    cids = [node.add(t.write(f"file{at}", os.urandom(1000 + at)))
            for at in range(5)]
    results = [node.begin("cat", cid) for cid in cids]
    for at, process in enumerate(results):
        equal(process.wait(20).out, t.path(f"file{at}").read_bytes(), "bytes")
    node.daemon.signal(signal.SIGSTOP)
    try:
        result = node.run("id", "--timeout", "2s", timeout=15)
        check(result.code in (6, 7), result)
    finally:
        node.daemon.signal(signal.SIGCONT)
    node.ok("id")
    node.kill()
    # The socket of a daemon that was killed is no daemon.
    check((node.path / "api.sock").exists(), "the socket is gone?")
    equal(node.ok("cat", cids[0]).out, t.path("file0").read_bytes(), "bytes")


@test
def many_commands_at_once(t):
    """40 commands together on one daemon all get their answers."""
    node = t.node().start()
    data = [os.urandom(200_000) for _ in range(20)]
    adds = [node.begin("add", "-Q", t.write(f"f{at}", one))
            for at, one in enumerate(data)]
    cids = [process.wait(60) for process in adds]
    for result in cids:
        equal(result.code, 0, str(result))
    cats = [node.begin("cat", result.text) for result in cids]
    cats += [node.begin("ls", cids[0].text) for _ in range(10)]
    for at, process in enumerate(cats[:20]):
        check(process.wait(60).out == data[at], str(process.result)[:300])
    for process in cats[20:]:
        process.wait(60)
    node.ok("id")


@test
def the_api_bears_bad_clients(t):
    """Garbage, half requests and huge headers on the socket: it lives on."""
    node = t.node().start()
    path = str(node.path / "api.sock")
    sockets = []

    def send(data):
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(10)
        one.connect(path)
        try:
            one.sendall(data)
        except OSError:
            pass  # it was refused half way
        sockets.append(one)

    for data in (b"", b"\0" * 1000, os.urandom(100_000), b"GET / HTTP/1.1\r\n",
                 b"GET " + b"/a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                 b"POST /api/v1/add HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 99999999999999\r\n\r\nabc",
                 b"POST /api/v1/add HTTP/1.1\r\nHost: localhost\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
                 b"GET /api/v1/node HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
                 b"BREW /api/v1/node HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"POST /api/v1/local/add HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Type: application/json\r\n"
                 b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000):
        send(data)
        node.ok("id", timeout=10)
    for _ in range(100):
        send(b"GET /api/v1/node HTTP/1.1\r\n")
    node.ok("id", timeout=20)
    for one in sockets:
        one.close()
    check(node.daemon.peak_bytes() < 100 << 20, "memory")


@test(alone=True)
def start_is_quick(t):
    """ready in little time, empty and with 100,000 blocks (fewer unless
    --long); a small idle daemon."""
    node = t.node()
    times = []
    for _ in range(5):
        node.start()
        times.append(node.start_seconds)
        node.stop()
    check(sorted(times)[2] < 0.25, f"empty: {times}")
    node.start()
    idle = node.daemon.resident_bytes()
    check(idle < 24 << 20, f"an idle daemon has {idle} bytes")
    node.stop()
    count = 100_000 if t.long else 20_000
    node.add(t.write("file", os.urandom(count * 300)), "--chunker",
             "size-300", timeout=300)
    times = []
    for _ in range(3):
        node.start()
        times.append(node.start_seconds)
        node.kill()
    check(sorted(times)[1] < 0.5, f"{count} blocks: {times}")


@test
def stop_and_start_again_and_again(t):
    """Clean ends and kills in turn: the data and the peer id stay."""
    node = t.node()
    data = {}
    seen = set()
    for at in range(20 if t.long else 6):
        node.start()
        seen.add(node.peer_id)
        path = t.write(f"file{at}", os.urandom(300_000))
        data[node.add(path)] = path.read_bytes()
        for cid, want in data.items():
            check(node.ok("cat", cid).out == want, "other bytes")
        if at % 2:
            node.kill()
        else:
            equal(node.stop().code, 0, "exit code")
    equal(len(seen), 1, "peer ids")


@test
def shutdown_by_signal_and_api(t):
    """SIGTERM, SIGINT and the API end it with exit 0, the socket goes."""
    node = t.node()
    for number in (signal.SIGTERM, signal.SIGINT):
        node.start()
        start = time.monotonic()
        equal(node.stop(number=number).code, 0, f"signal {number}")
        check(time.monotonic() - start < 5, "slow")
        check(not (node.path / "api.sock").exists(), "the socket was left")


@test
def progress_reaches_no_pipe(t):
    """In a pipe, stderr of long work has no progress bar."""
    node = t.node().start()
    path = trees.random_file(t.path("file"), 1, 300_000_000)
    result = node.ok("add", path)
    check("\r" not in result.err and "\x1b" not in result.err, result)
