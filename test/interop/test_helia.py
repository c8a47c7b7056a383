"""xmbl and helia give each other what they have.

Goal: files and folders go both ways between xmbl and the JavaScript stack.
Method: a helia node with TCP, Noise and Yamux (helia/node.mjs) on loopback.
"""
import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test


def make_tree():
    """What is exchanged, without links, which helia's importer leaves out."""
    return {b"a": b"a", b"sub/0": b"0", b"sub/deep/b": b"b" * 5000,
            b"sub/big": trees.random_bytes(3, 3_000_000),
            "größe 文件".encode(): b"odd", b"with space": b"odd"}


@test(needs=["helia"])
def helia_fetches_ours(t):
    """A byte, an empty file, a large file, a folder."""
    node, helia = t.node().start(), t.helia()
    helia.connect(node)
    for size in (0, 1, 1000, 1 << 20, 20_000_000):
        path = trees.random_file(t.path(f"file{size}"), size, size)
        # Of an empty file with raw leaves the block has no bytes, and such
        # blocks are not given to others.
        for profile in ("unixfs-v1-2025", "kubo-v0")[size == 0:]:
            cid = node.add(path, "--profile", profile)
            out = t.path("out")
            trees.remove(out)
            helia.ask("get", cid=cid, path=str(out), **{"from": node.peer_id})
            check(trees.same_files(out, path), f"{size} bytes, {profile}")
    trees.write_tree(t.path("folder"), make_tree())
    helia.ask("get", cid=node.add(t.path("folder")),
              path=str(t.path("folder-out")), **{"from": node.peer_id})
    same_tree(t.path("folder-out"), t.path("folder"))


@test(needs=["helia"])
def we_fetch_helias(t):
    """The same the other way; CIDs are the same as ours."""
    node, helia = t.node().start(), t.helia()
    node.connect(helia)
    for size in (0, 1, 1000, 1 << 20, (1 << 20) + 1, 20_000_000):
        path = trees.random_file(t.path(f"file{size}"), size, size)
        cid = helia.ask("add", path=str(path))["cid"]
        equal(node.add(path, "-n"), cid, f"CID of {size} bytes")
        out = t.path(f"out{size}")
        node.ok("get", cid, "-o", out, "--timeout", "30s")
        check(trees.same_files(out, path), f"{size} bytes")
    trees.write_tree(t.path("folder"), make_tree())
    cid = helia.ask("add", path=str(t.path("folder")), folder=True)["cid"]
    equal(node.add(t.path("folder"), "-n"), cid, "CID of the folder")
    node.ok("get", cid, "-o", t.path("folder-out"), "--timeout", "30s")
    same_tree(t.path("folder-out"), t.path("folder"))


@test(needs=["helia"])
def hamt_of_helia(t):
    """A folder of 3,000 goes both ways."""
    node, helia = t.node().start(), t.helia()
    helia.connect(node)
    path = t.path("many")
    trees.write_tree(path, {b"%05d-name-that-is-long-enough-for-a-shard" % at:
                            b"%d" % at for at in range(3000)})
    helia.ask("get", cid=node.add(path), path=str(t.path("helia-out")),
              **{"from": node.peer_id})
    same_tree(t.path("helia-out"), path)
    cid = helia.ask("add", path=str(path), folder=True)["cid"]
    node.ok("get", cid, "-o", t.path("xmbl-out"), "--timeout", "50s")
    same_tree(t.path("xmbl-out"), path)


@test(needs=["helia"])
def helia_sees_us(t):
    """identify and ping both ways, dialled from both sides."""
    node, helia = t.node().start(), t.helia()
    helia.connect(node)
    check(helia.ask("ping", address=node.address)["ms"] >= 0, "ping")
    equal(node.lines("ping", helia.peer_id, "-c", "2")[-1]["received"], 2,
          "our pings")
    seen = wait_for(lambda: _identified(helia, node), 10, "identify")
    mine = node.json("id")
    equal(seen["agent"], mine["agent"], "agent")
    equal(sorted(seen["protocols"]), sorted(mine["protocols"]), "protocols")
    (peer,) = node.json("swarm", "peers")
    equal((peer["peer_id"], peer["direction"]), (helia.peer_id, "inbound"),
          "our peer")
    check(peer["agent"], "helia's agent")
    node.ok("swarm", "disconnect", helia.peer_id)
    node.connect(helia)
    (peer,) = node.json("swarm", "peers")
    equal(peer["direction"], "outbound", "direction")
    equal(node.lines("ping", helia.peer_id, "-c", "1")[-1]["received"], 1,
          "our ping")


def _identified(helia, node):
    seen = helia.ask("peer", peer_id=node.peer_id)
    return seen if seen["protocols"] else None


@test(needs=["helia", "kubo"])
def three_kinds_share(t):
    """helia's file reaches kubo through us, and kubo's helia."""
    node, helia, kubo = t.node().start(), t.helia(), t.kubo().start()
    node.connect(helia)
    kubo.connect(node)
    path = t.write("file", trees.random_bytes(1, 4_000_000))
    cid = helia.ask("add", path=str(path))["cid"]
    node.ok("pin", "add", cid, "--timeout", "30s")
    equal(kubo.ok("cat", cid).out == path.read_bytes(), True, "at kubo")
    other = t.write("other", trees.random_bytes(2, 4_000_000))
    cid = kubo.add(other, "--cid-version=1")
    node.ok("pin", "add", cid, "--timeout", "30s")
    helia.ask("get", cid=cid, path=str(t.path("out")),
              **{"from": node.peer_id})
    check(trees.same_files(t.path("out"), other), "at helia")
