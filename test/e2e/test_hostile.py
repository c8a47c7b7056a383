"""Content made by somebody who wishes us ill.

Goal: whatever a DAG or CAR file says, `get` writes nothing outside of OUT,
memory stays bounded, and the answer is an error that says why, or the truth.
Method: blocks made by hand, imported as a CAR file, asked for in every way.
"""
import os
import signal

import dag
import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test

MEMORY = 100 << 20


def load(t, node, built, root):
    """Import the blocks of a Dag, as if a peer had sent them; the CID."""
    node.ok("car", "import", t.write("hostile.car", built.car(root)),
            timeout=120)
    return dag.text(root)


def bounded(node, *words, seconds=30):
    """Run a command that must end in time and in little memory, whatever it
    says; return its result."""
    result = node.run(*words, "--timeout", "5s", timeout=seconds)
    check(result.code in (0, 1, 2, 3, 4, 5, 7), result)
    check(result.peak_bytes < MEMORY, f"{result.peak_bytes} bytes: {result}")
    check("INTERNAL" not in result.err, result)
    if result.code:
        check(result.err.startswith(("xmbl: ", '{"error":')), result)
    return result


class Cage:
    """A folder around OUT in which nothing else may change."""

    def __init__(self, t):
        self.dir = t.path("cage")
        trees.remove(self.dir)
        trees.write_tree(self.dir, {b"outside/secret": b"secret",
                                    b"in/secret": b"secret"})
        self.out = self.dir / "in" / "out"
        self.before = trees.read_tree(self.dir)

    def check(self, what):
        """Nothing but OUT is there that was not there before."""
        now = trees.read_tree(self.dir)
        strange = [name for name in now if name not in self.before and not
                   name.startswith((b"in/out/", b"in/out.xmbl-part")) and
                   name != b"in/out"]
        check(not strange, f"{what}: written outside of OUT: {strange}")
        for name, value in self.before.items():
            equal(now.get(name, "gone"), value, f"{what}: {name}")


ESCAPES = (b"../escape", b"../../escape", b"..", b".", b"", b"/absolute",
           b"a/../../escape", b"sub/file", b"nul\0byte", b"/", b"//x",
           b"../outside/secret", b"x/")


@test
def names_that_escape(t):
    """Folders with `..`, absolute and other impossible names."""
    node = t.node()
    for name in ESCAPES:
        for make_shard in (False, True):
            built = dag.Dag()
            leaf = built.raw(b"pwned")
            sub = built.put(dag.directory([(b"secret", leaf, 5)]))
            for child in (leaf, sub):
                entries = [(b"aaa", leaf, 5), (name, child, 5)]
                root = built.put(dag.directory(entries) if not make_shard else
                                 dag.shard([(1, b"aaa", leaf, 5),
                                            (2, name, child, 5)]))
                cage = Cage(t)
                cid = load(t, node, built, root)
                result = bounded(node, "get", cid, "-o", cage.out)
                cage.check(f"{name!r} in {'a shard' if make_shard else 'one'}")
                check(result.code != 0 or not name.strip(b"./"),
                      f"{name!r} was taken: {result}")
                bounded(node, "ls", cid)
                bounded(node, "ls", cid, "--json").json_lines()


@test
def names_that_are_too_long(t):
    """256 and 100,000 bytes: no file system takes them; the reason is said."""
    node = t.node()
    for size in (256, 5000, 100_000):
        built = dag.Dag()
        root = built.put(dag.directory([(b"n" * size, built.raw(b"x"), 1)]))
        cage = Cage(t)
        cid = load(t, node, built, root)
        check(bounded(node, "get", cid, "-o", cage.out).code != 0, "taken")
        cage.check(f"{size} bytes")
        bounded(node, "ls", cid)


@test
def links_that_lead_outside(t):
    """A symlink and a folder of the same name: nothing is written through."""
    node = t.node()
    for target in (b"../../outside", b"..", b"/tmp", b"."):
        built = dag.Dag()
        leaf = built.raw(b"pwned")
        link = built.put(dag.symlink(target))
        folder = built.put(dag.directory([(b"secret", leaf, 5),
                                          (b"new", leaf, 5)]))
        for entries in ([(b"d", link, 9), (b"d", folder, 9)],
                        [(b"d", folder, 9), (b"d", link, 9)],
                        [(b"d", link, 9), (b"d", leaf, 5)],
                        [(b"d", link, 9), (b"d", link, 9)]):
            for make in (dag.directory, lambda es: dag.shard(
                    [(at, *entry) for at, entry in enumerate(es)])):
                root = built.put(make(entries))
                cage = Cage(t)
                cid = load(t, node, built, root)
                bounded(node, "get", cid, "-o", cage.out)
                cage.check(f"a link to {target!r}")
                result = bounded(node, "get", cid, "-o", cage.out, "--force")
                cage.check(f"a link to {target!r}, again: {result}")
                check(not os.path.exists("/tmp/new"), "/tmp/new was made")


@test
def out_is_a_trap(t):
    """A symlink where OUT or its part goes is not written through."""
    node = t.node()
    file = node.add(t.write("file", b"pwned"))
    folder = node.add(t.write("folder/secret", b"pwned").parent)
    for cid in (file, folder):
        for name in ("out", "out.xmbl-part"):
            for target in ("../outside/secret", "../outside", "../outside/new",
                           "secret"):
                for force in ([], ["--force"]):
                    cage = Cage(t)
                    (cage.dir / "in" / name).symlink_to(target)
                    bounded(node, "get", cid, "-o", cage.out, *force)
                    cage.check(f"{name} is a link to {target}")


@test
def parts_of_others_are_no_trap(t):
    """A part that holds links and wrong bytes does not lead outside, and what
    comes out is right."""
    node = t.node()
    tree = {b"d/secret": b"right", b"d/e/f": b"right", b"g": b"right" * 9}
    folder = t.path("folder")
    trees.write_tree(folder, tree)
    cid = node.add(folder)
    tree = trees.read_tree(folder)
    for part in ({b"d": trees.Symlink(b"../../../outside")},
                 {b"d/e": trees.Symlink(b"/tmp")},
                 {b"d/secret": trees.Symlink(b"../../../outside/secret")},
                 {b"g": b"wrong" * 9}, {b"g/x": b"a folder"}, {b"d": b"file"},
                 {b"stranger": b"left there"}):
        cage = Cage(t)
        trees.write_tree(f"{cage.out}.xmbl-part", part)
        result = bounded(node, "get", cid, "-o", cage.out)
        cage.check(f"a part with {part}")
        if result.code == 0:
            same_tree(cage.out, tree)


@test
def sizes_that_lie(t):
    """Sizes in blocks that are not those of the content."""
    node = t.node()
    built = dag.Dag()
    leaf = built.raw(b"12345")
    other = built.raw(b"678")
    links = [dag.link(leaf, b"", 5), dag.link(other, b"", 3)]

    def inner(**data):
        return built.put(dag.node(links, dag.unixfs(dag.FILE, **data)))

    huge = 1 << 62
    lies = [inner(filesize=huge, blocksizes=(huge - 3, 3)),
            inner(filesize=8, blocksizes=(huge, huge)),
            inner(filesize=8, blocksizes=(4, 4)),
            inner(filesize=8, blocksizes=(3, 5)),
            inner(filesize=9, blocksizes=(5, 3)),
            inner(filesize=7, blocksizes=(5, 3)),
            inner(filesize=8, blocksizes=(5,)),
            inner(filesize=8, blocksizes=(5, 3, 0)),
            inner(filesize=(1 << 64) - 1, blocksizes=((1 << 64) - 1, 1)),
            inner(filesize=0, blocksizes=(0, 0)),
            inner(filesize=huge, data=b"inline", blocksizes=(5, 3)),
            built.put(dag.node([], dag.unixfs(dag.FILE, data=b"abc",
                                              filesize=1 << 50)))]
    for at, root in enumerate(lies):
        cid = load(t, node, built, root)
        result = bounded(node, "cat", cid)
        check(result.code != 0, f"lie {at} was believed: {result}")
        check(len(result.out) <= 16, f"lie {at}: {len(result.out)} bytes")
        cage = Cage(t)
        result = bounded(node, "get", cid, "-o", cage.out)
        check(result.code != 0, f"lie {at} was believed by get: {result}")
        check(not cage.out.exists(), f"lie {at}: OUT was made")
        bounded(node, "cat", cid, "--offset", str(1 << 40))
        bounded(node, "stat", cid)
    # What a link says of its target's size is no part of the content.
    true = built.put(dag.node([dag.link(leaf, b"", huge),
                               dag.link(other, b"", 0)],
                              dag.unixfs(dag.FILE, filesize=8,
                                         blocksizes=(5, 3))))
    equal(node.ok("cat", load(t, node, built, true)).out, b"12345678",
          "a file whose Tsize lies")


@test
def malformed_nodes(t):
    """Blocks that are no UnixFS, in every place of a tree."""
    node = t.node()
    built = dag.Dag()
    leaf = built.raw(b"x")
    bad_bits = dag.node([dag.link(leaf, b"05a", 1)], dag.unixfs(
        dag.HAMT, data=b"\xff", rest=dag.field(5, 0x22) + dag.field(6, 256)))
    bads = [b"", b"\x0a\x00", dag.node([], b""), dag.node([], b"\xff"),
            dag.node([], dag.unixfs(99)), dag.node([], dag.unixfs(3)),
            dag.symlink(b""), dag.symlink(b"nul\0"), dag.symlink(b"x" * 9000),
            dag.node([dag.link(leaf)], dag.unixfs(dag.SYMLINK, data=b"x")),
            bad_bits, dag.shard([(5, b"a", leaf, 1)], fanout=8),
            dag.shard([(1, b"a", leaf, 1)], fanout=1 << 20)]
    for at, block in enumerate(bads):
        bad = built.put(block)
        for root in (bad, built.put(dag.directory([(b"d", bad, 1)])),
                     built.put(dag.file([(bad, 1), (leaf, 1)])),
                     built.put(dag.shard([(7, b"d", bad, 1)]))):
            cage = Cage(t)
            cid = load(t, node, built, root)
            bounded(node, "get", cid, "-o", cage.out)
            cage.check(f"bad block {at}")
            for words in (["cat", cid], ["ls", cid], ["stat", cid],
                          ["cat", cid + "/d"], ["ls", cid + "/d"]):
                bounded(node, *words)


def _chain(built, make, depth):
    at = built.raw(b"bottom")
    for _ in range(depth):
        at = built.put(make(at))
    return at


@test
def deep_chains(t):
    """A file and a folder of depth 10,000."""
    node = t.node()
    for what, make in (("file", lambda at: dag.file([(at, 6)])),
                       ("folder", lambda at: dag.directory([(b"d", at, 6)])),
                       ("shard", lambda at: dag.shard([(3, b"", at, 6)]))):
        built = dag.Dag()
        cid = load(t, node, built, _chain(built, make, 10_000))
        cage = Cage(t)
        for words in (["cat", cid], ["get", cid, "-o", cage.out], ["ls", cid],
                      ["stat", cid], ["cat", cid + "/d" * 300],
                      ["car", "export", cid, "-o", t.path(what + ".car")],
                      ["pin", "add", cid], ["verify", cid]):
            bounded(node, *words, seconds=60)
        cage.check(what)
    bounded(node, "gc", seconds=60)
    equal(node.json("verify")["bad"], [], "bad blocks")


@test
def a_million_links_to_one_block(t):
    """A file of the same byte all over: small blocks, bounded memory, right
    bytes (100,000 links, a million with --long)."""
    node = t.node()
    built = dag.Dag()
    leaf = built.raw(b"z")
    middle = built.put(dag.file([(leaf, 1)] * 1000))
    count = 1000 if t.long else 100
    cid = load(t, node, built, built.put(dag.file([(middle, 1000)] * count)))
    want = b"z" * (1000 * count)
    result = bounded(node, "cat", cid, seconds=count)
    check(result.out == want, f"{len(result.out)} bytes: {result.err}")
    result = bounded(node, "get", cid, "-o", t.path("out"), seconds=count)
    check(t.path("out").read_bytes() == want, result)
    equal(node.ok("cat", cid, "--offset", str(len(want) - 9)).out, b"z" * 9,
          "a range")


@test
def folders_that_multiply(t):
    """Nine folders of a thousand links to the next: 10^27 paths, ten blocks."""
    node = t.node()
    built = dag.Dag()
    at = built.raw(b"x" * 1000)
    for _ in range(9):
        at = built.put(dag.directory([(b"%03d" % name, at, 1000)
                                      for name in range(1000)]))
    cid = load(t, node, built, at)
    for words in (["ls", cid], ["stat", cid], ["pin", "add", cid],
                  ["verify", cid], ["verify"],
                  ["car", "export", cid, "-o", t.path("out.car")]):
        result = bounded(node, *words)
        check(result.code == 0, result)
    check(t.path("out.car").stat().st_size < 2_000_000, "the CAR multiplies")
    equal(node.json("stat", cid)["blocks"], 10, "distinct blocks")
    node.ok("pin", "rm", cid)
    for key in (cid,):
        node.run("rm", key)
    check(node.json("gc", timeout=30)["removed"] >= 10, "gc left some")
    # As files they would be 10^30 bytes: get must be stoppable.
    load(t, node, built, at)
    process = node.begin("get", cid, "-o", t.path("out"))
    stored = t.path("out.xmbl-part")
    wait_for(lambda: stored.exists() or not process.running(), 20, "a part")
    process.signal(signal.SIGINT)
    result = process.wait(20)
    check(result.code in (1, 5, 130), result)


@test
def files_that_multiply(t):
    """Links to a megabyte, a billion times: sizes add up or are refused."""
    node = t.node()
    built = dag.Dag()
    size, at = 1 << 20, built.raw(bytes(1 << 20))
    for _ in range(3):
        at = built.put(dag.file([(at, size)] * 1000))
        size *= 1000
    cid = load(t, node, built, at)
    equal(node.json("stat", cid)["bytes"], size, "bytes")
    equal(node.ok("cat", cid, "--offset", str(size - 5)).out, bytes(5),
          "the last bytes")
    equal(node.ok("cat", cid, "--offset", str(size // 2), "--length",
                  "5").out, bytes(5), "bytes in the middle")
    while size < 1 << 64:
        at = built.put(dag.file([(at, size)] * 1000))
        size *= 1000
    cid = load(t, node, built, at)
    bounded(node, "stat", cid)
    check(bounded(node, "cat", cid).code != 0, "sizes over 64 bits")


def _lying_cars():
    good, other = b"good block", b"other block"
    key = dag.cid(good)
    head = dag.car_header([key])
    yield "a false block", dag.car([key], [(key, other)]), True
    whole = dag.car([key], [(key, good)])
    for size in (0, 1, 10, len(head) - 1, len(head) + 1, len(whole) - 1):
        yield f"cut to {size}", whole[:size], True
    yield "huge header", dag.varint(1 << 60) + b"\xa2", True
    yield "large header", dag.varint(40 << 20) + bytes(1000), True
    yield "huge section", head + dag.varint(1 << 60) + key, True
    yield "large section", head + dag.varint(5 << 20) + key + bytes(100), True
    yield "huge block", dag.car([dag.cid(bytes(3 << 20))],
                                [(dag.cid(bytes(3 << 20)),
                                  bytes(3 << 20))]), True
    yield "endless varint", head + b"\xff" * 20, True
    yield "empty section", head + b"\0" + dag.car_section(key, good), None
    yield "no CID", head + dag.varint(3) + b"\xff\xff\xff", True
    yield "version 7", dag.car_header([key], 7) + dag.car_section(key, good), \
        True
    yield "no roots", dag.car([], [(key, good)]), None
    yield "no CBOR", dag.varint(4) + b"abcd", True
    yield "deep CBOR", dag.varint(9000) + b"\x81" * 9000, True
    yield "many roots", dag.car([key] * 20_000, [(key, good)]), None
    yield "root not there", dag.car([dag.cid(other)], [(key, good)]), None
    yield "random", trees.random_bytes(9, 100_000), True


@test
def car_files_that_lie(t):
    """CAR files that are cut, malformed or hold false blocks."""
    node = t.node("alone")
    served = t.node("served").start()
    false_key = dag.text(dag.cid(b"good block"))
    for what, content, must_fail in _lying_cars():
        path = t.write("file.car", content)
        for one in (node, served):
            result = one.run("car", "import", path, timeout=60)
            if must_fail:
                check(result.code == 1 and "[BAD_" in result.err or
                      "[TOO_LARGE]" in result.err, f"{what}: {result}")
            check("[INTERNAL]" not in result.err, f"{what}: {result}")
            check(one is served or result.peak_bytes < MEMORY,
                  f"{what}: {result.peak_bytes} bytes")
            if what == "a false block":
                one.fails(3, "NOT_FOUND", "block", "stat", false_key)
        check(served.daemon.peak_bytes() < MEMORY,
              f"{what}: the daemon takes {served.daemon.peak_bytes()}")
    for one in (node, served):
        equal(one.json("verify")["bad"], [], "bad blocks")


@test
def ask_for_strange_paths(t):
    """Paths with `..`, percent signs, NUL, no end, and many parts."""
    node = t.node().start()
    cid = node.add(t.write("folder/a", b"a").parent)
    for path in ("/..", "/../../etc/passwd", "/.", "/%2e%2e", "//a", "/a/",
                 "/" + "x" * 5000, "/a" * 3000, "/\x01", "/\xff", "?x", "#y",
                 "/a%00b", "/%zz", "/a?offset=1"):
        trees.remove(t.path("here"))
        t.path("here").mkdir()
        for words in (["cat", cid + path], ["get", cid + path],
                      ["stat", cid + path]):
            result = node.run(*words, cwd=t.path("here"), timeout=20)
            check(result.code in (0, 1, 2, 3), f"{path[:40]!r}: {result}")
            check(set(os.listdir(t.path("here"))) <= {"a", cid},
                  f"{path[:40]!r} made {os.listdir(t.path('here'))}")
            check("INTERNAL" not in result.err, f"{path[:40]!r}: {result}")
            check(b"root:" not in result.out, "a file of this machine")
    node.ok("id")
