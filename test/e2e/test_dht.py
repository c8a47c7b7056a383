"""Who has what and who is where, found through the DHT.

Goal: a node finds and fetches a CID from a node that it has never heard of;
records outlive those who keep them; what nobody has is told so in time.
Method: daemons on loopback that dial nobody but a first peer
(network.discovery=false), so that all they know of others comes from the DHT.
"""
import signal
import time

import api
import proxy
import trees
from processes import wait_for
from xmbltest import check, equal, test

ABSENT = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
NOBODY = "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2"
ALONE = ("--set", "network.discovery=false")


def connected(node):
    """Ids of the peers that a node is connected to."""
    return {peer["peer_id"] for peer in node.json("swarm", "peers")}


def table(node):
    """Ids of the peers in the node's routing table."""
    rows = api.get(node, "/api/v1/dht/table")["items"]
    return {row["peer_id"] for row in rows}


def meet(*pairs):
    """Wait until the first of each pair has the second in its table."""
    for node, other in pairs:
        wait_for(lambda node=node, other=other: other.peer_id in table(node),
                 10, f"{node.name} has {other.name} in its table")


def star(t, *names, options=ALONE):
    """Daemons of which all but the first know the first only."""
    hub, *others = [t.node(name) for name in names]
    hub.start(*options)
    for node in others:
        node.start(*options, "--bootstrap", hub.address)
    for node in others:
        meet((node, hub), (hub, node))
    return hub, *others


def provide(node, path):
    """Add a file and announce it; return the CID."""
    cid = node.add(path)
    check(node.json("dht", "provide", cid)["peers"] > 0, "nobody was told")
    return cid


def providers(node, cid, *options, **how):
    """What the DHT says of those who have a CID, by their ids."""
    lines = node.lines("dht", "findprovs", cid, *options, **how)
    return {line["peer_id"]: line["addresses"] for line in lines}


def got_from(t, node, cid, path):
    """Fetch a file and compare it; return the ids it came from."""
    out = t.path("out-" + node.name)
    trees.remove(out)
    got = node.json("get", cid, "-o", out, "--timeout", "20s")
    check(trees.same_files(path, out), "the file differs")
    return [one["peer"] for one in got["sources"]]


@test
def a_stranger_has_it(t):
    """Added and announced on one leaf of a star, fetched on another."""
    one, two, _ = star(t, "one", "two", "three")
    path = trees.random_file(t.path("file"), 1, 3_000_000)
    cid = provide(two, path)
    four = t.node("four").start(*ALONE, "--bootstrap", one.address)
    check(two.peer_id not in connected(four), "they are no strangers")
    equal(got_from(t, four, cid, path), [two.peer_id], "sources")
    found = providers(four, cid)
    equal(list(found), [two.peer_id], "providers")
    equal(found[two.peer_id], [two.address.rpartition("/p2p/")[0]], "where")


@test
def peers_and_keys_are_found(t):
    """findpeer, query and the table; what they say of who is not there."""
    one, two, three, four = star(t, "one", "two", "three", "four")
    where = four.json("dht", "findpeer", two.peer_id)
    equal(where["peer_id"], two.peer_id, "peer")
    equal(where["addresses"], [two.address.rpartition("/p2p/")[0]], "where")
    equal(four.text("dht", "findpeer", two.address), two.address, "as text")
    closest = four.json("dht", "query", three.peer_id)
    equal(set(closest["peers"]), {one.peer_id, two.peer_id, three.peer_id},
          "the closest")
    equal(closest["peers"][0], three.peer_id, "the closest of all")
    check(closest["hops"] >= 1 and closest["messages"] >= 3, closest)
    equal(len(four.text("dht", "query", ABSENT).splitlines()), 3, "for a CID")
    for row in api.get(one, "/api/v1/dht/table")["items"]:
        equal(row["dht"], "/xmbl/mainnet/kad/1.0.0", "of which DHT")
        check(row["connected"] and row["addresses"], row)
    start = time.monotonic()
    four.fails(3, "NOT_FOUND", "dht", "findpeer", NOBODY)
    four.fails(3, "NOT_FOUND", "dht", "findprovs", ABSENT)
    check(time.monotonic() - start < 5, "no took long")
    four.fails(2, "BAD_PEER_ID", "dht", "findpeer", "nonsense")
    four.fails(3, "NOT_FOUND", "dht", "provide", ABSENT)


@test
def nobody_has_it(t):
    """A CID that nobody has: an answer in time that says so."""
    _, _, three = star(t, "one", "two", "three")
    start = time.monotonic()
    result = three.fails(3, "NOT_FOUND", "get", ABSENT, "-o", t.path("out"))
    check("the DHT knows nobody who does" in result.err, result)
    check(time.monotonic() - start < 15, "no took long")
    alone = t.node("alone").start(*ALONE)
    for words in (["findprovs", ABSENT], ["findpeer", NOBODY],
                  ["query", ABSENT], ["provide", alone.add(t.write("f"))]):
        alone.fails(1, "PEER_UNREACHABLE", "dht", *words)



@test
def records_outlive_a_restart(t):
    """Who has it is gone and who keeps the record was restarted: still known.

    And when it comes back elsewhere, it is found where it is now."""
    one, two = star(t, "one", "two")
    path = t.write("file", trees.random_bytes(1, 100_000))
    cid = provide(two, path)
    listen = one.address.rpartition("/p2p/")[0]
    two.stop()
    one.stop()
    one.start(*ALONE, listen=listen)
    old = two.address.rpartition("/p2p/")[0]
    equal(providers(one, cid), {two.peer_id: [old]}, "what one alone knows")
    three = t.node("three").start(*ALONE, "--bootstrap", one.address)
    meet((three, one))
    old = two.address.rpartition("/p2p/")[0]
    equal(providers(three, cid), {two.peer_id: [old]}, "providers")
    equal(providers(one, cid), {two.peer_id: [old]}, "what one kept itself")
    three.fails(3, "NOT_FOUND", "get", cid, "-o", t.path("none"))
    two.start(*ALONE, "--bootstrap", one.address)
    check(two.address.rpartition("/p2p/")[0] != old, "the port is the same")
    meet((two, one))
    equal(got_from(t, three, cid, path), [two.peer_id], "sources")


@test
def dead_providers_do_not_matter(t):
    """Of many that are told to have it all but one are dead."""
    one, *others = star(t, "one", *[f"n{at}" for at in range(6)])
    path = t.write("file", trees.random_bytes(1, 300_000))
    for node in others:
        provide(node, path)
    for node in others[:-1]:
        node.kill()
    last = t.node("last").start(*ALONE, "--bootstrap", one.address)
    meet((last, one))
    start = time.monotonic()
    cid = others[-1].add(path)
    equal(got_from(t, last, cid, path), [others[-1].peer_id], "sources")
    check(time.monotonic() - start < 10, "the dead cost much")


@test
def a_chain_of_folders_is_found(t):
    """A folder whose root alone was announced, fetched whole."""
    _, two, three = star(t, "one", "two", "three")
    folder = t.path("folder")
    trees.write_tree(folder, {b"%d/%d" % (at % 5, at):
                              trees.random_bytes(at, 3000)
                              for at in range(200)})
    cid = provide(two, folder)
    three.ok("get", cid, "-o", t.path("out"), "--timeout", "20s")
    check(trees.read_tree(t.path("out")) == trees.read_tree(folder),
          "it differs")


@test
def sources_that_go_are_replaced(t):
    """The only source dies half way, another comes up later: it is found."""
    one, two = star(t, "one", "two")
    size = 60_000_000
    path = trees.random_file(t.path("file"), 1, size)
    cid = provide(two, path)
    other = t.node("other").start(*ALONE)
    other.add(path)
    three = t.node("three").start(*ALONE)
    between = proxy.Proxy(two.port)
    t.defer(between.close)
    three.connect(between.address(two))
    three.connect(one)
    meet((three, one))
    between.hold_after = size // 2
    command = three.begin("get", cid, "-o", t.path("out"), "--timeout", "50s")
    check(between.held.wait(30), "it never came half way")
    two.kill()
    between.cut()
    other.connect(one)
    meet((other, one))
    provide(other, path)
    result = command.wait(55)
    equal(result.code, 0, result)
    check(trees.same_files(path, t.path("out")), "the file differs")


def callers(node):
    """How many connections to the node's socket there are."""
    path = str(node.path / "api.sock")
    with open("/proc/net/unix", encoding="utf-8") as file:
        rows = [line.split() for line in file]
    return sum(row[-1] == path and row[5] == "03" for row in rows)


@test
def it_ends_in_the_middle(t):
    """The daemon is stopped while it looks for things and dials the dead: it
    ends well and at once, and so do those who wait for it."""
    one, two, three = star(t, "one", "two", "three")
    gone = t.node("gone").start(*ALONE, "--bootstrap", one.address)
    meet((gone, one))
    cid = provide(gone, t.write("file", b"soon gone"))
    gone.kill()
    two.daemon.signal(signal.SIGSTOP)  # it answers nobody
    t.defer(two.daemon.signal, signal.SIGCONT)
    waiting = [three.begin(*words) for words in (
        ("get", ABSENT, "-o", t.path("absent"), "--timeout", "30s"),
        ("get", cid, "-o", t.path("gone"), "--timeout", "30s"),
        ("dht", "findprovs", ABSENT), ("dht", "findpeer", NOBODY),
        ("dht", "query", two.peer_id), ("dht", "query", ABSENT),
        ("dht", "provide", three.add(t.write("own", b"own"))),
        ("ping", two.peer_id), ("peers", "ls"))]
    # Who comes later finds no daemon, and looks for itself.
    wait_for(lambda: callers(three) >= sum(command.running()
                                           for command in waiting), 10,
             "all have called")
    three.json("swarm", "peers")
    start = time.monotonic()
    ended = three.stop()
    check(ended.code == 0, ended)
    check(time.monotonic() - start < 5, "the end took long")
    for command in waiting:
        command.wait(20)
    three.start(*ALONE, "--bootstrap", one.address)
    equal(three.stop().code, 0, "the second end")
    equal(one.stop().code, 0, "the end of the hub")
