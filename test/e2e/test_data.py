"""Files and folders go in and come out as they were.

Goal: add, get, cat, ls, stat, pins, gc and CAR files work on real trees, with
and without a daemon.
Method: trees from a seed, compared with what comes back; ranges against the
bytes they are of; stored sizes against what gc says.
"""
import os
import signal

import dag
import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test


def both_ways(t):
    """A node without and one with a daemon."""
    yield t.node("alone")
    yield t.node("served").start()


def new_path(t, name="out"):
    """A path where nothing is."""
    path = t.path(name)
    trees.remove(path)
    return path


def round_trip(t, node, path, *options):
    """add, get, compare; return the CID."""
    cid = node.add(path, *options)
    out = new_path(t)
    node.ok("get", cid, "-o", out)
    check(not os.path.lexists(f"{out}.xmbl-part"), "the part was left")
    if path.is_dir():
        same_tree(out, path)
    else:
        check(trees.same_files(out, path), "the file differs")
    return cid


@test
def random_trees_come_back(t):
    """Trees with odd names, sizes around the chunk, links, empty things."""
    rounds = 100 if t.long else 8
    for node in both_ways(t):
        for seed in range(t.seed, t.seed + rounds):
            folder = new_path(t, "folder")
            tree = trees.random_tree(seed, chunk=4096)
            trees.write_tree(folder, tree)
            cid = round_trip(t, node, folder, "--chunker", "size-4096",
                             "--profile", t.rng.choice(
                                 ("kubo-v0", "kubo-v1", "unixfs-v1-2025")))
            for name, value in tree.items():
                if isinstance(value, bytes) and name.decode().isprintable():
                    got = node.ok("cat", f"{cid}/{name.decode()}").out
                    equal(got, value, name)
                    break


@test
def odd_names_come_back(t):
    """Newlines, control characters, 255 bytes, bytes that are no UTF-8."""
    for node in both_ways(t):
        folder = new_path(t, "folder")
        names = trees.ODD_NAMES + trees.NOT_UTF8
        trees.write_tree(folder, {name: name for name in names} |
                         {name + b"/" + name: name
                          for name in (b"new\nfolder", b"esc\x1bfolder")})
        cid = round_trip(t, node, folder)
        for name in trees.ODD_NAMES:
            equal(node.ok("cat", f"{cid}/{name.decode()}").out, name, name)
        lines = node.lines("ls", cid)
        equal(len(lines), len(names) + 2, "entries")


@test
def single_files_come_back(t):
    """Empty, one byte, around the chunk size, and a large one."""
    for node in both_ways(t):
        for size in (0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 40_000_000):
            path = trees.random_file(new_path(t, "file"), size, size)
            round_trip(t, node, path)


@test
def ranges_are_exact(t):
    """--offset and --length against the bytes they are of."""
    data = trees.random_bytes(t.seed, 300_007)
    node = t.node()
    cids = [node.add(t.write("file", data), "--chunker", chunker, "--profile",
                     profile) for chunker, profile in
            (("size-1000", "kubo-v0"), ("size-4096", "kubo-v1"),
             ("size-1048576", "unixfs-v1-2025"))]
    node.start()
    edges = [0, 1, 999, 1000, 1001, 4096, 300_006, 300_007, 300_008, 10 ** 12]
    pairs = [(start, length) for start in edges for length in (0, 1, 5000)]
    pairs += [(t.rng.randrange(300_007), t.rng.randrange(300_007))
              for _ in range(200 if t.long else 30)]
    for at, (start, length) in enumerate(pairs):
        got = node.run("cat", cids[at % 3], "--offset", str(start),
                       "--length", str(length))
        want = data[start:start + length]
        # Behind the end there is nothing; saying so is as good.
        if got.code != 0:
            check(start > len(data) and got.code in (1, 2), got)
        equal(got.out, want, f"{start}+{length} of {cids[at % 3]}")
    equal(node.ok("cat", cids[0], "--offset", "299000").out, data[299000:],
          "an offset alone")
    equal(node.ok("cat", cids[0], "--length", "10").out, data[:10],
          "a length alone")


@test
def wrapping_and_hidden_files(t):
    """-w keeps the name; --no-hidden leaves out; a root for each path."""
    node = t.node()
    t.write("folder/a", b"a")
    t.write("folder/.h", b"h")
    t.write("folder/sub/.h", b"h")
    wrapped = node.add(t.path("folder/a"), "-w")
    equal([line["name"] for line in node.lines("ls", wrapped)], ["a"], "-w")
    bare = node.add(t.path("folder"), "--no-hidden")
    equal([line["name"] for line in node.lines("ls", bare)], ["a", "sub"],
          "--no-hidden")
    equal(node.lines("ls", bare + "/sub"), [], "hidden below")
    full = [node.add(t.path("folder"), *words)
            for words in ([], ["-H"], ["-r"], ["-r", "-H"])]
    equal(len(set(full)), 1, "accepted options change nothing")
    lines = node.lines("add", t.path("folder/a"), t.path("folder/sub"))
    equal([line["path"] for line in lines if "/" not in line["path"]],
          ["a", "sub"], "roots")


@test
def only_hash_stores_nothing(t):
    """-n gives the CID and leaves the store as it was."""
    for node in both_ways(t):
        before = node.lines("block", "ls")
        cid = node.add(t.write("file", trees.random_bytes(3, 3_000_000)), "-n")
        equal(node.lines("block", "ls"), before, "blocks")
        node.fails(3, "NOT_FOUND", "block", "stat", cid)
        equal(node.add(t.path("file")), cid, "the CID")


@test
def adding_again_stores_nothing_new(t):
    """The same content twice is stored once."""
    for node in both_ways(t):
        path = trees.random_file(new_path(t, "file"), 5, 20_000_000)
        node.add(path)
        size = node.stored_bytes()
        node.add(path, "-w")
        check(node.stored_bytes() - size < 100_000, "stored twice")


@test
def special_files_are_told(t):
    """A FIFO or socket in a folder is an error, not a wait for ever."""
    for node in both_ways(t):
        folder = new_path(t, "folder")
        trees.write_tree(folder, {b"a": b"a"})
        os.mkfifo(folder / "fifo")
        result = node.run("add", folder, timeout=20)
        check(result.code == 1 and "fifo" in result.err, result)
        result = node.run("add", folder / "fifo", timeout=20)
        check(result.code == 1 and "fifo" in result.err, result)
        # It says that it is empty, and is not: better refused than lost.
        node.fails(1, "CHANGED_FILE", "add", "/proc/version")
        check(node.run("add", "/proc/self/mem").code != 0,
              "a file that cannot be read")


@test
def loops_of_links_end(t):
    """Symlinks to a folder above and to themselves stay symlinks."""
    for node in both_ways(t):
        folder = new_path(t, "folder")
        trees.write_tree(folder, {b"sub/up": trees.Symlink(b".."),
                                  b"self": trees.Symlink(b"self"),
                                  b"none": trees.Symlink(b"no/where")})
        round_trip(t, node, folder)
        cid = node.add(folder / "self")
        node.ok("get", cid, "-o", new_path(t))
        equal(os.readlink(t.path("out")), "self", "the link alone")


def _stopped_while_adding(t, node, path, change):
    """Add the path with a process that stands still, from when it has the
    file open until change() was called; return the result."""
    worker = node.daemon
    command = None
    if worker is None:
        command = worker = node.begin("add", "-Q", path)
    else:
        command = node.begin("add", "-Q", path)
    target = os.fspath(path)

    def has_it_open():
        fds = f"/proc/{worker.pid}/fd"
        try:
            names = [os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds)]
        except OSError:
            names = []
        if any(name.startswith(target) for name in names):
            return "open"
        return None if command.running() else "ended"

    seen = wait_for(has_it_open, 20, "the file is open")
    if seen == "open":
        worker.signal(signal.SIGSTOP)
        change()
        worker.signal(signal.SIGCONT)
    return seen, command.wait(60)


@test
def files_that_change_are_told(t):
    """A file that grows or shrinks while it is added: a clear error."""
    for node in both_ways(t):
        for how in ("grow", "cut", "rewrite"):
            path = trees.random_file(new_path(t, "file"), 7, 200_000_000)

            def change(how=how, path=path):
                if how == "cut":
                    os.truncate(path, 1_000_000)
                    return
                with open(path, "r+b") as file:
                    file.seek(-1 if how == "rewrite" else 0, os.SEEK_END)
                    file.write(b"more")

            seen, result = _stopped_while_adding(t, node, path, change)
            if seen == "open" and result.code != 0:
                check("[CHANGED_FILE]" in result.err, result)
                check("file" in result.err, result)
            else:
                # It had read all before it was stopped: then it is whole.
                node.ok("verify", result.text)
            node.ok("pin", "ls")


@test
def files_that_vanish_are_told(t):
    """A file that goes away while its folder is added: an error, no crash."""
    for node in both_ways(t):
        folder = new_path(t, "folder")
        trees.write_tree(folder, {b"%04d" % at: trees.random_bytes(at, 30_000)
                                  for at in range(1500)})

        def change(folder=folder):
            for at in range(750, 1500):
                (folder / f"{at:04d}").unlink()

        _, result = _stopped_while_adding(t, node, folder, change)
        if result.code != 0:
            check(result.code in (1, 3), result)
            check("[INTERNAL]" not in result.err, result)
        else:
            node.ok("verify", result.text)
        trees.remove(folder)
        trees.write_tree(folder, {b"a": b"a"})
        round_trip(t, node, folder)


@test
def large_folder(t):
    """A folder of many files, which becomes a HAMT; memory stays bounded."""
    count = 100_000 if t.long else 8_000
    folder = t.path("folder")
    folder.mkdir()
    for at in range(count):
        (folder / f"file number {at}").write_bytes(b"%d" % at)
    node = t.node()
    result = node.ok("add", "-Q", folder, timeout=600)
    limit = 160 << 20
    check(result.peak_bytes < limit, f"add took {result.peak_bytes} bytes")
    cid = result.text
    listed = node.ok("ls", cid, "--json", timeout=600)
    equal(len(listed.json_lines()), count, "entries")
    equal(node.ok("cat", f"{cid}/file number {count - 1}").out,
          b"%d" % (count - 1), "one file")
    result = node.ok("get", cid, "-o", t.path("out"), timeout=600)
    check(result.peak_bytes < limit, f"get took {result.peak_bytes} bytes")
    same_tree(t.path("out"), folder)


@test
def deep_folders(t):
    """200 folders in each other come back."""
    for node in both_ways(t):
        folder = new_path(t, "folder")
        trees.write_tree(folder, {b"/".join([b"d"] * 200) + b"/f": b"deep"})
        cid = round_trip(t, node, folder)
        equal(node.ok("cat", cid + "/d" * 200 + "/f").out, b"deep", "the file")


@test
def symlinks_are_not_followed_by_paths(t):
    """A path of content ends at a symlink."""
    node = t.node()
    trees.write_tree(t.path("folder"), {b"real/f": b"f",
                                        b"link": trees.Symlink(b"real")})
    cid = node.add(t.path("folder"))
    equal(node.json("stat", cid + "/link")["type"], "symlink", "type")
    equal(node.json("stat", cid + "/link")["target"], "real", "target")
    result = node.run("cat", cid + "/link/f")
    check(result.code in (1, 2, 3), result)


@test
def pins_and_gc(t):
    """gc removes what nothing keeps, and nothing else."""
    for node in both_ways(t):
        shared = trees.random_bytes(1, 1_500_000)
        folder = new_path(t, "one")
        trees.write_tree(folder, {b"shared": shared, b"mine": b"1" * 2000000})
        one = node.add(folder)
        folder = new_path(t, "two")
        trees.write_tree(folder, {b"shared": shared, b"mine": b"2" * 2000000})
        two = node.add(folder)
        loose = node.add(t.write("loose", b"3" * 2000000), "--pin=false")
        check(node.json("gc")["removed"] > 0, "gc left the loose file")
        node.fails(3, "NOT_FOUND", "block", "stat", loose)
        node.ok("rm", one)
        gone = node.json("gc")
        check(gone["removed"] > 0 and gone["bytes"] >= 2_000_000, gone)
        check(gone["bytes"] < 3_400_000, f"the shared file went: {gone}")
        node.ok("get", two, "-o", new_path(t))
        same_tree(t.path("out"), folder)
        direct = node.add(t.write("direct", b"4" * 3000000), "--pin=false")
        node.ok("pin", "add", "--direct", direct)
        node.json("gc")
        node.ok("block", "stat", direct)
        node.fails(3, "NOT_FOUND", "cat", direct, "--timeout", "2s")
        equal(node.json("verify")["bad"], [], "bad blocks")


@test
def blocks_by_hand(t):
    """block put, get, stat, ls and rm, in three codecs."""
    for node in both_ways(t):
        raw = trees.random_bytes(2, 1000)
        cid = node.text("block", "put", stdin=raw)
        equal(cid, dag.text(dag.cid(raw)), "CID")
        equal(node.ok("block", "get", cid).out, raw, "bytes")
        equal(node.json("block", "stat", cid),
              {"cid": cid, "bytes": 1000}, "stat")
        folder = dag.directory([(b"f", dag.binary(cid), 1000)])
        root = node.text("block", "put", "--codec", "dag-pb", stdin=folder)
        equal(root, dag.text(dag.cid(folder, dag.DAG_PB)), "CID of dag-pb")
        equal(node.ok("cat", root + "/f").out, raw, "through the folder")
        node.text("block", "put", "--codec", "dag-cbor", stdin=b"\xa0")
        node.fails(1, "BAD_BLOCK", "block", "put", "--codec", "dag-cbor",
                   stdin=b"\xff\x00")
        node.fails(1, ("BAD_BLOCK", "TOO_LARGE"), "block", "put",
                   stdin=bytes((2 << 20) + 1))
        node.text("block", "put", stdin=bytes(2 << 20))
        node.text("block", "put", stdin=b"")
        node.ok("block", "rm", cid)
        node.fails(3, "NOT_FOUND", "block", "stat", cid)


@test
def car_files_travel(t):
    """car export here, car import there: the same content."""
    one, two = t.node("one"), t.node("two")
    folder = t.path("folder")
    trees.write_tree(folder, trees.random_tree(t.seed + 1))
    cid = one.add(folder, "--chunker", "size-4096")
    one.ok("car", "export", cid, "-o", t.path("file.car"))
    equal(one.ok("car", "export", cid).out, t.path("file.car").read_bytes(),
          "export to stdout")
    done = two.json("car", "import", t.path("file.car"))
    equal(done["roots"], [cid], "roots")
    check(done["blocks"] > 3 and done["bytes"] > 1000, done)
    two.ok("get", cid, "-o", t.path("out"))
    same_tree(t.path("out"), folder)
    equal(two.json("stat", cid)["pinned"], True, "the root is pinned")
    two.start()
    two.ok("car", "import", "-", stdin=t.path("file.car").read_bytes())
    equal(two.ok("car", "export", cid).out, t.path("file.car").read_bytes(),
          "what the other exports")


@test
def get_refuses_what_is_there(t):
    """An existing file or folder is not touched without --force."""
    for node in both_ways(t):
        file = node.add(t.write("file", b"new"))
        folder = node.add(t.write("folder/a", b"new").parent)
        trees.remove(t.path("here"))
        for cid in (file, folder):
            t.write("here/old", b"old")
            node.fails(4, "EXISTS", "get", cid, "-o", t.path("here"))
            same_tree(t.path("here"), {b"old": b"old"})
        node.fails(4, "EXISTS", "get", file, "-o", t.path("here/old"))
        equal(t.path("here/old").read_bytes(), b"old", "the old file")
        node.ok("get", file, "-o", t.path("here/old"), "--force")
        equal(t.path("here/old").read_bytes(), b"new", "--force")
        node.ok("get", folder, "-o", t.path("here"), "--force")
        same_tree(t.path("here"), {b"a": b"new"})
        result = node.run("get", file, "-o", t.path("no/such/folder/x"))
        check(result.code in (1, 3), result)


@test
def large_files_take_little_memory(t):
    """add and get of a large file: bounded memory on both sides."""
    size = (10 << 30) if t.long else (600 << 20)
    node = t.node()
    path = trees.random_file(t.path("file"), 1, size)
    limit = 96 << 20
    result = node.ok("add", "-Q", path, timeout=600)
    check(result.peak_bytes < limit, f"add took {result.peak_bytes} bytes")
    cid = result.text
    result = node.ok("get", cid, "-o", t.path("out"), timeout=600)
    check(result.peak_bytes < limit, f"get took {result.peak_bytes} bytes")
    check(trees.same_files(path, t.path("out")), "the file differs")
    t.path("out").unlink()
    node.start()
    node.add(path, "-w", timeout=600)
    node.ok("get", cid, "-o", t.path("out"), timeout=600)
    peak = node.daemon.peak_bytes()
    check(peak < limit, f"the daemon took {peak} bytes")
