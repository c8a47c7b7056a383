"""xmbl and kubo in one DHT.

Goal: each finds what the other has, and who the other is, through a third that
both know; then both fetch.
Method: kubo's released program and ours, daemons on loopback.  On loopback kubo
has its LAN DHT only, and only with Routing.LoopbackAddressesOnLanDHT.
"""
import json
import time

import api
import trees
from processes import wait_for
from xmbltest import check, equal, same_tree, test

LAN = ("--set", "network.ipfs_dht=lan", "--set", "network.discovery=false")
LAN_NAME = "/ipfs/lan/kad/1.0.0"


def kubo_of_dht(t, name, routing="dhtserver"):
    """A running kubo that takes part in the DHT."""
    kubo = t.kubo(name)
    kubo.ok("config", "Routing.Type", routing)
    kubo.ok("config", "--json", "Routing.LoopbackAddressesOnLanDHT", "true")
    return kubo.start()


def in_table_of_kubo(kubo, peer_id):
    """Whether kubo has the peer in its table of the LAN."""
    return peer_id in kubo.text("stats", "dht", "lan")


def in_our_table(node, peer_id):
    """Whether we have the peer in our table of the LAN."""
    rows = api.get(node, "/api/v1/dht/table")["items"]
    return any(row["dht"] == LAN_NAME and row["peer_id"] == peer_id
               for row in rows)


def meet(node, kubo):
    """Connect the two and wait until each has the other in its table."""
    node.connect(kubo)
    wait_for(lambda: in_our_table(node, kubo.peer_id), 20,
             f"{node.name} has {kubo.name} in its table")
    wait_for(lambda: in_table_of_kubo(kubo, node.peer_id), 20,
             f"{kubo.name} has {node.name} in its table")


def found_by_kubo(kubo, *words):
    """Answers of a routing command of kubo that it prints as events."""
    text = kubo.text("routing", *words, "--enc=json", timeout=90)
    events = [json.loads(line) for line in text.splitlines()]
    return {answer["ID"]: answer.get("Addrs") or []
            for event in events for answer in event.get("Responses") or []}


@test(needs=["kubo"])
def kubo_finds_ours(t):
    """Two of ours and two kubos: what one of ours announced, a kubo that never
    heard of it finds and fetches."""
    ours, hub = t.node("ours").start(*LAN), t.node("hub").start(*LAN)
    far = kubo_of_dht(t, "far")
    meet(hub, far)
    ours.connect(hub)
    wait_for(lambda: in_our_table(ours, hub.peer_id), 10, "ours has the hub")
    path = trees.random_file(t.path("file"), 1, 2_000_000)
    cid = ours.add(path)
    check(ours.json("dht", "provide", cid)["peers"] >= 1, "nobody was told")
    found = found_by_kubo(far, "findprovs", cid)
    check(ours.peer_id in found, found)
    found = found_by_kubo(far, "findpeer", ours.peer_id)
    check(any(f"/tcp/{ours.port}" in address
              for address in found[ours.peer_id]), found)
    far.ok("get", "-o", t.path("out"), cid, timeout=60)
    check(trees.same_files(path, t.path("out")), "kubo got another file")


@test(needs=["kubo"])
def we_find_kubos(t):
    """The same the other way: kubo provides, one of ours that knows only
    another kubo finds and fetches."""
    near, far = kubo_of_dht(t, "near"), kubo_of_dht(t, "far")
    far.connect(near)
    wait_for(lambda: in_table_of_kubo(near, far.peer_id), 20, "kubos met")
    path = trees.random_file(t.path("file"), 2, 2_000_000)
    cid = far.add(path)
    far.ok("routing", "provide", cid, timeout=90)
    ours = t.node("ours").start(*LAN)
    meet(ours, near)
    lines = ours.lines("dht", "findprovs", cid)
    check(far.peer_id in {line["peer_id"] for line in lines}, lines)
    where = ours.json("dht", "findpeer", far.peer_id)["addresses"]
    check(far.address.rpartition("/p2p/")[0] in where, where)
    ours.ok("get", cid, "-o", t.path("out"), "--timeout", "20s")
    check(trees.same_files(path, t.path("out")), "we got another file")


@test(needs=["kubo"])
def kubo_keeps_our_record(t):
    """What we announce to kubo alone is told by it to another kubo, and the
    other way round; the keys closest to a key are the same for both."""
    ours, middle = t.node("ours").start(*LAN), kubo_of_dht(t, "middle")
    meet(ours, middle)
    cid = ours.add(t.write("file", b"kept by kubo"))
    equal(ours.json("dht", "provide", cid)["peers"], 1, "who was told")
    far = kubo_of_dht(t, "far")
    far.connect(middle)
    wait_for(lambda: in_table_of_kubo(far, middle.peer_id), 20, "kubos met")
    check(ours.peer_id in found_by_kubo(far, "findprovs", cid), "not found")
    equal(far.ok("cat", cid, timeout=60).out, b"kept by kubo", "content")
    wait_for(lambda: in_our_table(ours, far.peer_id) or
             far.peer_id in {peer["peer_id"]
                             for peer in ours.json("swarm", "peers")}, 20,
             "far is known")
    closest = ours.json("dht", "query", far.peer_id)["peers"]
    check(set(closest) <= {middle.peer_id, far.peer_id} and closest, closest)


@test(needs=["kubo"])
def a_client_of_the_dht_has_it(t):
    """A kubo that is no server is in nobody's table: it is found by its record
    alone, also by who asks before it knows anybody."""
    hub, far = t.node("hub").start(*LAN), kubo_of_dht(t, "far", "dhtclient")
    far.connect(hub)
    wait_for(lambda: in_table_of_kubo(far, hub.peer_id), 20, "far has the hub")
    path = trees.random_file(t.path("file"), 3, 300_000)
    cid = far.add(path)
    far.ok("routing", "provide", cid, timeout=90)
    late = t.node("late").start(*LAN)
    command = late.begin("get", cid, "-o", t.path("out"))
    wait_for(lambda: time.monotonic() - command.started > 0.5, 5, "it waits")
    check(command.running(), command.stderr())
    late.connect(hub)
    result = command.wait(20)
    equal(result.code, 0, result)
    check(trees.same_files(path, t.path("out")), "the file differs")
    check(not in_our_table(hub, far.peer_id), "a client is in a table")


@test(needs=["kubo"])
def a_part_is_completed_by_the_root(t):
    """Of a folder whose root alone was announced a part is here: the rest is
    looked for by the root, not only by blocks that nobody announced."""
    hub, far = t.node("hub").start(*LAN), t.kubo("far")
    far.ok("config", "Routing.Type", "dhtclient")
    far.ok("config", "--json", "Routing.LoopbackAddressesOnLanDHT", "true")
    far.ok("config", "Provide.Strategy", "roots")
    far.start()
    far.connect(hub)
    wait_for(lambda: in_table_of_kubo(far, hub.peer_id), 20, "far has the hub")
    folder = t.path("folder")
    trees.write_tree(folder, {b"a": trees.random_bytes(1, 300_000),
                              b"b": trees.random_bytes(2, 300_000)})
    cid = far.add(folder)
    ours = t.node("ours").start(*LAN)
    ours.connect(far)
    ours.ok("get", cid + "/a", "-o", t.path("a"), "--timeout", "20s")
    ours.ok("swarm", "disconnect", far.peer_id)
    ours.stop()
    far.ok("routing", "provide", cid, timeout=90)
    ours.start(*LAN)
    ours.connect(hub)
    wait_for(lambda: in_our_table(ours, hub.peer_id), 20, "ours has the hub")
    ours.ok("get", cid, "-o", t.path("out"), "--timeout", "20s")
    same_tree(t.path("out"), folder)


@test(needs=["kubo"])
def an_object_while_its_owner_is_off(t):
    """Two of ours keep an object of a third, which is switched off: a kubo
    that knows only another kubo finds the holders and fetches it."""
    near, far = kubo_of_dht(t, "near"), kubo_of_dht(t, "far")
    far.connect(near)
    wait_for(lambda: in_table_of_kubo(near, far.peer_id), 20, "kubos met")
    owner = t.node("owner").start("--set", "network.ipfs_dht=lan")
    holders = [t.node(name).start("--set", "network.ipfs_dht=lan",
                                  "--bootstrap", owner.address)
               for name in ("one", "two")]
    for node in (owner, *holders):
        meet(node, near)
    path = trees.random_file(t.path("file"), 4, 3_000_000)
    cid = owner.lines("add", "--copies", 2, "--wait", "safe", path)[-1]["cid"]
    owner.stop()
    wanted = {node.peer_id for node in holders}
    wait_for(lambda: wanted <= set(found_by_kubo(far, "findprovs", cid)), 60,
             "kubo finds the holders")
    far.ok("get", "-o", t.path("out"), cid, timeout=60)
    check(trees.same_files(path, t.path("out")), "kubo got another file")
