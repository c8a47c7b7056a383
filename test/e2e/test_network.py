"""Nodes that give each other what they have.

Goal: files and folders go from node to node, verified, also when peers stop,
lie, stall or vanish half way.
Method: daemons on loopback, some with a wire between them that a test holds or
cuts (tools/lib/proxy.py).
"""
import ipaddress
import os
import pathlib
import signal
import time

import dag
import proxy
import trees
from processes import Failure, wait_for
from xmbltest import Skip, check, equal, same_tree, test

ABSENT = dag.text(dag.cid(b"nobody has this block"))
MIB = 1 << 20


def wire(t, node):
    """A Proxy to a node, ended with the test."""
    made = proxy.Proxy(node.port)
    t.defer(made.close)
    return made


def source_bytes(got):
    """What peers sent, by the answer of get."""
    return {source["peer"]: source["bytes"] for source in got["sources"]}


@test
def a_file_and_a_folder_move(t):
    """100 MB and 1,000 files from one node to another."""
    one, two = t.nodes("one", "two")
    file = trees.random_file(t.path("file"), 1, 100_000_000)
    folder = t.path("folder")
    trees.write_tree(folder, {b"%d/%04d" % (at % 7, at):
                              trees.random_bytes(at, at * 11)
                              for at in range(1000)})
    cids = [one.add(file), one.add(folder)]
    two.connect(one)
    for cid, name in zip(cids, ("f", "d")):
        got = two.json("get", cid, "-o", t.path(name))
        check(source_bytes(got)[one.peer_id] > 5_000_000, got)
    check(trees.same_files(file, t.path("f")), "the file differs")
    same_tree(t.path("d"), folder)
    # What came stays as cache: it is read without the other.
    one.kill()
    equal(two.ok("cat", cids[1] + "/3/0010").out, trees.random_bytes(10, 110),
          "a cached file")


@test
def much_more_than_the_limit_passes_through(t):
    """get of ten times storage.limit, unpinned: cache makes room for what
    comes, and what is stored stays below the limit all the time."""
    limit = 32 * MIB
    one, two = t.nodes("one", "two")
    two.ok("config", "set", "storage.limit", f"{limit}")
    file = trees.random_file(t.path("file"), 1, 10 * limit)
    cid = one.add(file)
    two.connect(one)
    getting = two.begin("get", cid, "-o", t.path("out"))
    most = 0

    def ended():
        nonlocal most
        used = two.json("status")["bytes_used"]
        check(used <= limit, f"{used} bytes of {limit}")
        most = max(most, used)
        return not getting.running()
    wait_for(ended, 60, "the end of get")
    equal(getting.wait(60).code, 0, f"{getting.result}")
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(most > limit // 2, f"at most {most} bytes were used")
    wait_for(lambda: two.stored_bytes() < 3 * limit, 30,
             f"the disk is given back: {two.stored_bytes()}")


@test
def a_third_gets_it_from_the_second(t):
    """The first is killed; the third fetches from the second."""
    one, two, three = t.nodes("one", "two", "three")
    path = trees.random_file(t.path("file"), 1, 30_000_000)
    cid = one.add(path)
    two.connect(one)
    three.connect(two)
    two.ok("get", cid, "-o", t.path("two-out"))
    one.kill()
    got = three.json("get", cid, "-o", t.path("three-out"))
    equal(list(source_bytes(got)), [two.peer_id], "sources")
    check(trees.same_files(path, t.path("three-out")), "the file differs")


@test
def odd_trees_move(t):
    """Random trees with odd names, empty files and links between nodes."""
    one, two = t.nodes("one", "two")
    two.connect(one)
    for seed in range(t.seed, t.seed + (30 if t.long else 4)):
        folder, out = t.path(f"folder{seed}"), t.path(f"out{seed}")
        trees.write_tree(folder, trees.random_tree(seed))
        cid = one.add(folder, "--chunker", "size-4096", "--profile",
                      t.rng.choice(("kubo-v0", "kubo-v1", "unixfs-v1-2025")))
        two.ok("get", cid, "-o", out)
        same_tree(out, folder)


@test
def ranges_fetch_little(t):
    """cat of a range, ls and stat fetch what they need and no more."""
    one, two = t.nodes("one", "two")
    data = trees.random_bytes(1, 60_000_000)
    cid = one.add(t.write("folder/file", data).parent)
    between = wire(t, one)
    two.connect(between.address(one))
    two.ok("ls", cid)
    check(between.from_server < 200_000, f"ls took {between.from_server}")
    got = two.ok("cat", cid + "/file", "--offset", "30000000", "--length",
                 "1000").out
    equal(got, data[30000000:30001000], "the range")
    check(between.from_server < 4 * MIB, f"1000 bytes took "
          f"{between.from_server}")


@test
def a_download_resumes_after_sigkill(t):
    """The getting daemon is killed half way: only the rest is fetched again."""
    one, two = t.nodes("one", "two")
    size = 100_000_000
    file = trees.random_file(t.path("file"), 1, size)
    cid = one.add(file)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = size // 2
    command = two.begin("get", cid, "-o", t.path("out"))
    check(between.held.wait(60), f"it never came half way: {command.stderr()}")
    # What was let through must reach the store: it is what can be resumed.
    wait_for(lambda: two.stored_bytes() > size // 3, 20, "blocks on the disk")
    two.kill()
    result = command.wait(20)
    check(result.code in (1, 6), result)
    check(not t.path("out").exists(), "OUT was made of a half")
    first = two.stored_bytes()
    between.release()
    between.cut()
    before = between.from_server
    two.start()
    check(two.start_seconds < 10, f"start took {two.start_seconds} s")
    two.connect(between.address(one))
    got = two.json("get", cid, "-o", t.path("out"))
    check(trees.same_files(file, t.path("out")), "the file differs")
    again = between.from_server - before
    check(again < size - first + 12 * MIB,
          f"{again} bytes came again, {first} were there")
    check(sum(source_bytes(got).values()) < size - first + 12 * MIB, got)
    check(not t.path("out.xmbl-part").exists(), "the part was left")


@test
def a_folder_resumes_after_sigkill(t):
    """The same for a folder: files that are there are not fetched again."""
    one, two = t.nodes("one", "two")
    folder = t.path("folder")
    trees.write_tree(folder, {b"%03d" % at: trees.random_bytes(at, 100_000)
                              for at in range(500)})
    cid = one.add(folder)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = 25_000_000
    command = two.begin("get", cid, "-o", t.path("out"))
    check(between.held.wait(60), f"it never came half way: {command.stderr()}")
    wait_for(lambda: two.stored_bytes() > 15_000_000, 20, "blocks on the disk")
    two.kill()
    command.wait(20)
    first = two.stored_bytes()
    between.release()
    between.cut()
    before = between.from_server
    two.start()
    two.connect(between.address(one))
    two.ok("get", cid, "-o", t.path("out"))
    same_tree(t.path("out"), folder)
    again = between.from_server - before
    check(again < 50_000_000 - first + 12 * MIB,
          f"{again} bytes came again, {first} were there")


@test
def ctrl_c_on_get(t):
    """Exit 130; says what is kept; the next one goes on from there."""
    one, two = t.nodes("one", "two")
    size = 60_000_000
    file = trees.random_file(t.path("file"), 1, size)
    cid = one.add(file)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = size // 2
    command = two.begin("get", cid, "-o", t.path("out"))
    check(between.held.wait(60), f"it never came half way: {command.stderr()}")
    command.signal(signal.SIGINT)
    result = command.wait(10)
    equal(result.code, 130, f"exit code of {result}")
    check("same command again" in result.err and "kept" in result.err, result)
    check(not t.path("out").exists(), "OUT was made of a half")
    between.release()
    two.ok("get", cid, "-o", t.path("out"))
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(between.from_server < size * 1.3, f"{between.from_server} bytes")


@test
def an_absent_cid_ends_in_time(t):
    """A CID that nobody has: an answer with the reason inside the deadline."""
    one, two = t.nodes("one", "two")
    patient = two.begin("cat", ABSENT)
    for peers in ("none", "one"):
        if peers == "one":
            two.connect(one)
        for words in (["cat", ABSENT], ["get", ABSENT, "-o", t.path("out")],
                      ["ls", ABSENT], ["stat", ABSENT], ["pin", "add", ABSENT],
                      ["block", "get", ABSENT]):
            result = two.fails((3, 7), ("NOT_FOUND", "TIMEOUT"), *words,
                               "--timeout", "3s", timeout=20)
            check(result.seconds < 6, f"late: {result}")
            check("peer" in result.err or "here" in result.err, result)
        check(not t.path("out").exists(), "OUT was made")
    result = patient.wait(120)
    check(result.code in (3, 7), f"without --timeout: {result}")


@test
def it_comes_when_somebody_gets_it(t):
    """A want stays open for a while: a peer that comes late serves it."""
    one, two = t.nodes("one", "two")
    two.connect(one)
    data = trees.random_bytes(1, 3_000_000)
    path = t.write("file", data)
    cid = one.add(path, "-n")
    command = two.begin("cat", cid, "--timeout", "30s")
    one.ok("ping", two.peer_id, "-c", "1")
    one.add(path)
    result = command.wait(40)
    check(result.code == 0, result)
    check(result.out == data, "other bytes")


@test
def a_stalled_peer_is_replaced(t):
    """A peer that stops answering half way: the rest comes from another."""
    one, two, three = t.nodes("one", "two", "three")
    size = 40_000_000
    file = trees.random_file(t.path("file"), 1, size)
    cid = one.add(file)
    three.add(file)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = size // 4
    command = two.begin("get", cid, "-o", t.path("out"), "--json")
    check(between.held.wait(60), f"it never stalled: {command.stderr()}")
    two.connect(three)
    result = command.wait(60)
    equal(result.code, 0, str(result))
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(three.peer_id in source_bytes(result.json()), result)


@test
def a_cut_line_is_replaced(t):
    """The connection to the only source breaks; it goes on when it is back."""
    one, two = t.nodes("one", "two")
    size = 40_000_000
    file = trees.random_file(t.path("file"), 1, size)
    cid = one.add(file)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = size // 2
    command = two.begin("get", cid, "-o", t.path("out"), "--timeout", "60s")
    check(between.held.wait(60), f"it never came half way: {command.stderr()}")
    between.cut()
    between.release()
    two.connect(between.address(one))
    result = command.wait(70)
    equal(result.code, 0, str(result))
    check(trees.same_files(file, t.path("out")), "the file differs")


@test
def flipped_bits_on_the_wire(t):
    """One bit turned at each place of a connection: it ends, nothing else."""
    one, two = t.nodes("one", "two")
    data = trees.random_bytes(1, 300_000)
    cid = one.add(t.write("file", data))
    between = wire(t, one)
    places = list(range(0, 400, 1 if t.long else 53)) + [500, 800]
    for place in places:
        for back in (False, True):
            between.flip_at = None if back else place
            between.flip_back_at = place if back else None
            two.run("swarm", "connect", between.address(one), "--timeout",
                    "10s", timeout=30)
            got = two.run("cat", cid, "--timeout", "1s", timeout=20)
            check(got.code == 0 and got.out == data or got.code in (1, 3, 7),
                  got)
            between.cut()
            if got.code == 0:
                two.ok("gc")
    between.flip_at = between.flip_back_at = None
    for node in (one, two):
        node.ok("id")
    two.connect(one)
    equal(two.ok("cat", cid).out, data, "at the end")


@test
def wrong_addresses_are_told(t):
    """Nobody there, another peer there, no address: the reason is said."""
    one, two = t.nodes("one", "two")
    dead = wire(t, two)
    dead.close()
    gone = f"/ip4/127.0.0.1/tcp/{dead.port}/p2p/{two.peer_id}"
    one.fails(1, "PEER_UNREACHABLE", "swarm", "connect", gone)
    other = two.address.replace(two.peer_id, one.peer_id)
    one.fails((1, 2), ("PEER_MISMATCH", "PEER_UNREACHABLE", "BAD_ADDRESS"),
              "swarm", "connect", other)
    three = t.node("three").start()
    one.fails(1, "PEER_MISMATCH", "swarm", "connect",
              two.address.replace(two.peer_id, three.peer_id))
    for text in ("nonsense", "/ip4/127.0.0.1/tcp/1", "/ip4/1.2.3/tcp/1",
                 two.address.rpartition("/p2p/")[0]):
        one.fails(2, "BAD_ADDRESS", "swarm", "connect", text)
    one.fails((1, 3), ("PEER_UNREACHABLE", "NOT_FOUND"), "ping", two.peer_id,
              "-c", "1", "--timeout", "5s")
    one.fails(2, "BAD_PEER_ID", "ping", "nonsense")


@test
def bootstrap_and_listen(t):
    """--bootstrap connects at start; a port that is taken is an error."""
    one = t.node("one").start()
    two = t.node("two")
    two.daemon = two.begin("daemon", "--listen", "/ip4/127.0.0.1/tcp/0",
                           "--bootstrap", one.address)
    wait_for(lambda: one.json("swarm", "peers"), 20, "the peer connects")
    two.stop()
    wait_for(lambda: not one.json("swarm", "peers"), 20, "the peer is gone")
    three = t.node("three")
    try:
        three.start(listen=f"/ip4/127.0.0.1/tcp/{one.port}")
    except Failure:
        result = three.daemon.result
        check("[ADDRESS_IN_USE]" in result.err, result)
    else:
        raise Failure("two daemons listen on one port")


def link_local():
    """An address of this machine that is good on one link only, and the
    link's name."""
    for line in pathlib.Path("/proc/net/if_inet6").read_text().splitlines():
        number, _, _, scope, _, link = line.split()
        if scope == "20":
            return ipaddress.IPv6Address(int(number, 16)), link
    raise Skip("no interface has a link-local address")


@test
def addresses_of_one_link(t):
    """/ip6zone: listened at and dialed; other machines are not told of it."""
    address, link = link_local()
    one, two = t.node("one"), t.node("two").start()
    one.start(listen=f"/ip6zone/{link}/ip6/{address}/tcp/0")
    check(one.address.startswith(f"/ip6zone/{link}/ip6/{address}/tcp/"),
          one.address)
    two.connect(one)
    equal(len(two.json("swarm", "peers")), 1, "peers")
    check(not any("fe80" in text for text in one.json("id")["addresses"]),
          "an address of a link is announced")
    other = one.address.replace(f"/ip6zone/{link}/", "/ip6zone/none/")
    three = t.node("three").start()
    three.fails(2, "BAD_ADDRESS", "swarm", "connect", other)


@test
def a_busy_daemon_ends_in_time(t):
    """SIGTERM ends a daemon with work under way in under 5 s."""
    one, two = t.nodes("one", "two")
    file = trees.random_file(t.path("file"), 1, 300_000_000)
    cid = one.add(file)
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = 50_000_000
    commands = [two.begin("get", cid, "-o", t.path("out")),
                two.begin("cat", ABSENT, "--timeout", "60s"),
                two.begin("add", "-Q", trees.random_file(
                    t.path("other"), 2, 200_000_000))]
    check(between.held.wait(60), "it never came that far")
    for node in (two, one):
        start = time.monotonic()
        equal(node.stop().code, 0, "exit code")
        took = time.monotonic() - start
        check(took < 5, f"the end took {took:.1f} s")
    for command in commands:
        result = command.wait(10)
        check(result.code in (0, 1, 3, 6, 130), result)
    two.start()
    equal(two.json("verify")["bad"], [], "bad blocks")


@test
def a_client_that_goes_away_stops_its_work(t):
    """The work of a command that is killed ends in the daemon too."""
    one, two = t.nodes("one", "two")
    cid = one.add(trees.random_file(t.path("file"), 1, 200_000_000))
    between = wire(t, one)
    two.connect(between.address(one))
    between.hold_after = 20_000_000
    command = two.begin("cat", cid, "--timeout", "60s")
    check(between.held.wait(60), "it never came that far")
    command.kill()
    # A daemon that went on would take all of it now.
    between.release()
    two.ok("ping", one.peer_id, "-c", "2")
    wait_for(lambda: not _grows(two, between), 20, "the download stops")
    check(between.from_server < 150_000_000, between.from_server)


def _grows(node, between):
    before = between.from_server
    node.ok("ping", node.json("swarm", "peers")[0]["peer_id"], "-c", "1")
    return between.from_server - before > 100_000


@test
def many_nodes_share(t):
    """Five nodes in a row, then one that asks all of them at once."""
    names = ["a", "b", "c", "d", "e"]
    nodes = t.nodes(*names)
    file = trees.random_file(t.path("file"), 1, 20_000_000)
    cid = nodes[0].add(file)
    for node, last in zip(nodes[1:], nodes):
        node.connect(last)
        node.ok("get", cid, "-o", t.path("out-" + node.name))
    last = t.node("last").start()
    for node in nodes:
        last.connect(node)
    got = last.json("get", cid, "-o", t.path("out"))
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(sum(source_bytes(got).values()) < 1.5 * 20_000_000, got)
    equal(len(last.json("swarm", "peers")), 5, "peers")


@test
def pin_add_fetches(t):
    """pin add fetches all that is missing, and keeps it from gc."""
    one, two = t.nodes("one", "two")
    folder = t.path("folder")
    trees.write_tree(folder, trees.random_tree(t.seed + 5))
    cid = one.add(folder)
    two.connect(one)
    two.ok("pin", "add", cid)
    one.kill()
    two.ok("gc")
    two.ok("get", cid, "-o", t.path("out"))
    same_tree(t.path("out"), folder)


@test
def served_cache_and_not(t):
    """storage.serve_cache false: what is cache only is not given to others."""
    one, two, three = t.node("one").start(), t.node("two"), t.node("three")
    two.start("--set", "storage.serve_cache=false")
    three.start()
    data = os.urandom(100_000)
    cid = one.add(t.write("file", data))
    two.connect(one)
    three.connect(two)
    equal(two.ok("cat", cid).out, data, "fetched")
    one.stop()  # or three finds it by the DHT
    three.fails((3, 7), ("NOT_FOUND", "TIMEOUT"), "cat", cid, "--timeout",
                "2s")
    two.ok("pin", "add", cid)
    equal(three.ok("cat", cid, "--timeout", "5s").out, data, "kept is served")
