"""xmbl and kubo give each other what they have.

Goal: files and folders go both ways, connections are made both ways, each
sees who the other is, CAR files are exchanged.
Method: kubo's released program and ours, daemons on loopback.
"""
import json
import re

import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test

FETCH_S = 60


def kubo_get(t, kubo, cid, want):
    """kubo fetches a CID; the result is compared with a path."""
    out = t.path("kubo-out")
    trees.remove(out)
    kubo.ok("get", "-o", out, cid, timeout=FETCH_S)
    if want.is_dir():
        same_tree(out, want)
    else:
        check(trees.same_files(out, want), f"kubo got another {cid}")


def xmbl_get(t, node, cid, want):
    """xmbl fetches a CID; the result is compared with a path."""
    out = t.path("xmbl-out")
    trees.remove(out)
    got = node.json("get", cid, "-o", out, "--timeout", "30s",
                    timeout=FETCH_S)
    if want.is_dir():
        same_tree(out, want)
    else:
        check(trees.same_files(out, want), f"xmbl got another {cid}")
    return got


def make_samples(t):
    """Paths of what is exchanged: files and folders of all kinds."""
    samples = [t.write("one-byte", b"1"), t.write("empty", b""),
               t.write("small", trees.random_bytes(1, 1000)),
               trees.random_file(t.path("large"), 2, 30_000_000)]
    for name, tree in (
            ("folder", {b"a": b"a", b"sub/empty": b"", b"sub/0": b"",
                        b"sub/big": trees.random_bytes(3, 3_000_000),
                        b"link": trees.Symlink(b"sub/big"), b"nothing": None}),
            ("empty-folder", {}),
            ("odd", {name: name for name in trees.ODD_NAMES}),
            ("random", trees.random_tree(11))):
        path = t.path(name)
        trees.write_tree(path, tree)
        samples.append(path)
    return samples


def make_many(t, count):
    """A folder of many small files, which becomes a HAMT."""
    path = t.path("many")
    trees.write_tree(path, {b"%05d-name-that-is-long-enough-for-a-shard" % at:
                            b"%d" % at for at in range(count)})
    return path


def has_empty_file(path):
    """Whether there is a file without bytes in a path."""
    files = [path] if path.is_file() else path.rglob("*")
    return any(file.is_file() and not file.is_symlink() and
               file.stat().st_size == 0 for file in files)


@test(needs=["kubo"])
def kubo_fetches_ours(t):
    """Files, folders, links, empty things, in three profiles.

    A block of no bytes, which an empty file is with raw leaves, never reaches
    kubo over bitswap, from another kubo neither: those are left out."""
    node, kubo = t.node().start(), t.kubo().start()
    kubo.connect(node)
    for path in make_samples(t):
        for profile in ("unixfs-v1-2025", "kubo-v0", "kubo-v1"):
            if profile == "kubo-v0" or not has_empty_file(path):
                kubo_get(t, kubo, node.add(path, "--profile", profile), path)
    cid = node.add(t.path("large"))
    equal(kubo.ok("cat", "-o", "20000000", "-l", "5", cid).out,
          t.path("large").read_bytes()[20000000:20000005], "a range")


@test(needs=["kubo"])
def we_fetch_kubos(t):
    """The same from kubo: dag-pb v0, raw leaves with v1, its 2025 profile."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    for path in make_samples(t):
        for options in ([], ["--cid-version=1"], ["--raw-leaves"],
                        ["--cid-version=1", "--raw-leaves=false"],
                        ["--trickle"]):
            cid = kubo.add(path, "-H", *options)
            got = xmbl_get(t, node, cid, path)
            if path.name == "large":
                check(sum(one["bytes"] for one in got["sources"]) > 0 or
                      options, got)
            node.ok("gc")


@test(needs=["kubo"])
def kubo_fetches_our_hamt(t):
    """A folder of 5,000, listed, and one file of it."""
    node, kubo = t.node().start(), t.kubo().start()
    kubo.connect(node)
    path = make_many(t, 5000)
    for profile in ("unixfs-v1-2025", "kubo-v0"):
        cid = node.add(path, "--profile", profile)
        name = "04321-name-that-is-long-enough-for-a-shard"
        equal(kubo.ok("cat", f"/ipfs/{cid}/{name}").out, b"4321", "one file")
        # kubo's get asks for one small file after the other, 20 ms each; its
        # pin asks for many at once.
        kubo.ok("pin", "add", cid, timeout=FETCH_S)
        kubo_get(t, kubo, cid, path)


@test(needs=["kubo"])
def we_fetch_kubos_hamt(t):
    """The same from kubo."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    path = make_many(t, 5000)
    for options in ([], ["--cid-version=1"]):
        cid = kubo.add(path, *options)
        name = "04321-name-that-is-long-enough-for-a-shard"
        equal(node.ok("cat", f"{cid}/{name}").out, b"4321", "one file")
        xmbl_get(t, node, cid, path)


@test(needs=["kubo"])
def connected_both_ways(t):
    """Each dials the other; each pings and sees the other."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    (peer,) = node.json("swarm", "peers")
    equal((peer["peer_id"], peer["direction"]), (kubo.peer_id, "outbound"),
          "our peer")
    wait_for(lambda: node.json("swarm", "peers")[0]["agent"], 10, "the agent")
    check(node.json("swarm", "peers")[0]["agent"].startswith("kubo/"),
          node.json("swarm", "peers"))
    check(node.peer_id in kubo.text("swarm", "peers"), "kubo's peers")
    pings = node.lines("ping", kubo.peer_id, "-c", "2")
    equal(pings[-1]["received"], 2, "pings of ours")
    kubo.ok("ping", "-n", "2", node.peer_id)
    node.ok("swarm", "disconnect", kubo.peer_id)
    wait_for(lambda: node.peer_id not in kubo.text("swarm", "peers"), 20,
             "kubo sees the end")
    kubo.connect(node)
    (peer,) = node.json("swarm", "peers")
    equal((peer["peer_id"], peer["direction"]), (kubo.peer_id, "inbound"),
          "our peer the other way")
    kubo.ok("ping", "-n", "2", node.peer_id)
    equal(node.lines("ping", kubo.peer_id, "-c", "2")[-1]["received"], 2,
          "pings of ours the other way")
    kubo.ok("swarm", "disconnect", f"/p2p/{node.peer_id}")
    wait_for(lambda: not node.json("swarm", "peers"), 20, "we see the end")


@test(needs=["kubo"])
def kubo_identifies_us(t):
    """`ipfs id` shows our agent, protocols, key and addresses."""
    node, kubo = t.node().start(), t.kubo().start()
    kubo.connect(node)
    seen = json.loads(kubo.text("id", node.peer_id))
    mine = node.json("id")
    equal(seen["ID"], mine["peer_id"], "peer id")
    equal(seen["AgentVersion"], mine["agent"], "agent")
    equal(seen["PublicKey"], mine["public_key"], "public key")
    for protocol in ("/ipfs/bitswap/1.2.0", "/ipfs/id/1.0.0",
                     "/ipfs/ping/1.0.0"):
        check(protocol in seen["Protocols"], f"{protocol}: {seen}")
        check(protocol in mine["protocols"], f"{protocol}: {mine}")
    check(node.address in seen["Addresses"], f"addresses: {seen}")
    check(kubo.text("ping", "-n", "1", node.peer_id), "ping")


@test(needs=["kubo"])
def kubo_starts_again(t):
    """kubo ends and comes back: we connect again and fetch."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    first = kubo.add(t.write("first", trees.random_bytes(1, 2_000_000)))
    xmbl_get(t, node, first, t.path("first"))
    kubo.stop()
    wait_for(lambda: not node.json("swarm", "peers"), 20, "kubo is gone")
    second = kubo.add(t.write("second", trees.random_bytes(2, 2_000_000)))
    node.fails((3, 7), ("NOT_FOUND", "TIMEOUT"), "cat", second, "--timeout",
               "2s")
    kubo.start()
    node.connect(kubo)
    xmbl_get(t, node, second, t.path("second"))
    kubo_get(t, kubo, node.add(t.write("third", b"third")), t.path("third"))


@test(needs=["kubo"])
def we_start_again(t):
    """We end and come back: kubo connects again and fetches."""
    node, kubo = t.node().start(), t.kubo().start()
    kubo.connect(node)
    path = t.write("file", trees.random_bytes(1, 3_000_000))
    cid = node.add(path)
    node.kill()
    node.start()
    wait_for(lambda: kubo.run("swarm", "connect", node.address).code == 0, 30,
             "kubo connects again")
    kubo_get(t, kubo, cid, path)


@test(needs=["kubo"])
def kubo_waits_for_what_comes(t):
    """kubo asks first; the file is added here afterwards."""
    node, kubo = t.node().start(), t.kubo().start()
    kubo.connect(node)
    path = t.write("file", trees.random_bytes(7, 1_500_000))
    cid = node.add(path, "-n")
    command = kubo.begin("cat", cid)
    wait_for(lambda: _wants(kubo), 20, "kubo asks")
    node.add(path)
    equal(command.wait(FETCH_S).out == path.read_bytes(), True, "the bytes")


def _wants(kubo):
    return kubo.text("bitswap", "wantlist").strip()


@test(needs=["kubo"])
def car_files_both_ways(t):
    """`ipfs dag export` -> `car import`, `car export` -> `ipfs dag import`."""
    node, kubo = t.node(), t.kubo()
    folder = t.path("folder")
    trees.write_tree(folder, trees.random_tree(5, chunk=262144))
    for options in ([], ["--cid-version=1"]):
        cid = kubo.add(folder, "-H", *options)
        car = kubo.ok("dag", "export", "-p=false", cid).out
        done = node.json("car", "import", t.write("kubo.car", car))
        equal(done["roots"], [cid], "roots")
        xmbl_get(t, node, cid, folder)
    cid = node.add(folder)
    node.ok("car", "export", cid, "-o", t.path("xmbl.car"))
    text = kubo.text("dag", "import", "--stats", t.path("xmbl.car"))
    check(cid in text, text)
    kubo_get(t, kubo, cid, folder)
    equal(kubo.ok("dag", "export", "-p=false", cid).out,
          t.path("xmbl.car").read_bytes(), "both export the same bytes")


@test(needs=["kubo"])
def keys_both_ways(t):
    """kubo's key as ours, and ours as kubo's: the peer ids are the same."""
    kubo, node = t.kubo(), t.node(init=False)
    key = kubo.private_key()
    node.ok("key", "import", t.write("self.key", key.encode()))
    equal(node.json("id")["peer_id"], kubo.peer_id, "peer id")
    other = t.node("other")
    other.ok("key", "export", "--format", "protobuf", "-o", t.path("ours"))
    kubo.ok("key", "import", "ours", t.path("ours"))
    listed = kubo.text("key", "list", "-l", "--ipns-base=b58mh")
    check(re.search(re.escape(other.json("id")["peer_id"]) + r"\s+ours",
                    listed), listed)


@test(needs=["kubo"])
def blocks_both_ways(t):
    """Single blocks of three codecs and zero-length blocks."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    for codec, data in (("raw", b"raw block"), ("dag-cbor", b"\xa1\x61a\x01"),
                        ("dag-pb", b"\x0a\x02\x08\x01")):
        cid = node.text("block", "put", "--codec", codec, stdin=data)
        equal(kubo.ok("block", "get", cid).out, data, f"{codec} at kubo")
        other = kubo.text("block", "put", "--cid-codec", codec, stdin=data +
                          (b"" if codec != "raw" else b" of kubo"))
        equal(node.ok("block", "get", other).out, data +
              (b"" if codec != "raw" else b" of kubo"), f"{codec} here")


@test(needs=["kubo"])
def large_file_from_kubo_after_sigkill(t):
    """Our daemon is killed half way through kubo's file, and completes it."""
    node, kubo = t.node().start(), t.kubo().start()
    node.connect(kubo)
    path = trees.random_file(t.path("file"), 1, 120_000_000)
    cid = kubo.add(path, "--cid-version=1")
    command = node.begin("get", cid, "-o", t.path("out"))
    wait_for(lambda: node.stored_bytes() > 30_000_000 or
             not command.running(), 60, "half of it")
    node.kill()
    command.wait(20)
    had = node.stored_bytes()
    node.start()
    node.connect(kubo)
    got = xmbl_get(t, node, cid, path)
    check(sum(one["bytes"] for one in got["sources"]) <
          120_000_000 - had + 16_000_000, f"{had} bytes were there: {got}")
