"""Nodes find each other, and keep, lose and refuse each other.

Goal: a node that knows one other, a name or nothing but its local network comes
to know all; its book is enough when the first peer is gone; what users enter by
hand counts at once and after a restart.
Method: daemons on loopback, a small DNS server, and two daemons in two network
namespaces.
"""
import os
import time

import api
import nameserver
import netns
import nodes
from processes import resting, wait_for
from test_attacks import is_sanitized
from test_dht import ALONE, connected, table
from xmbltest import check, equal, test

FIRST_S = 5  # until the first peer


def bare(node):
    """The node's address without its peer id."""
    return node.address.rpartition("/p2p/")[0]


def book(node):
    """The peers that a node knows, by their ids."""
    return {peer["peer_id"]: peer for peer in node.json("peers", "ls")}


def swarm(t, hub, *names, options=()):
    """Daemons that know the hub only."""
    return [t.node(name).start("--bootstrap", hub.address, *options)
            for name in names]


def all_know(nodes, seconds=20):
    """Wait until each has all others in its book and has dialled them."""
    ids = {node.peer_id for node in nodes}
    for node in nodes:
        wait_for(lambda node=node: ids - {node.peer_id} <= set(book(node)),
                 seconds, f"{node.name} knows all")


def goes(node, other, seconds=10):
    """Wait until the two are not connected."""
    wait_for(lambda: other.peer_id not in connected(node), seconds,
             f"{node.name} is disconnected from {other.name}")


def comes(node, other, seconds=10):
    """Wait until the two are connected."""
    wait_for(lambda: other.peer_id in connected(node), seconds,
             f"{node.name} is connected to {other.name}")


@test
def first_peers_come_soon(t):
    """One bootstrap peer: a connection in under 5 s, all others in 10 s."""
    hub = t.node("hub").start()
    others = swarm(t, hub, "a", "b", "c", "d")
    begun = time.monotonic()
    late = t.node("late").start("--bootstrap", hub.address)
    check(late.start_seconds < 10, "ready is late")
    comes(late, hub, FIRST_S)
    first = time.monotonic() - begun
    check(first < FIRST_S, f"the first peer came after {first:.1f} s")
    all_know([hub, *others, late], 10)
    wait_for(lambda: len(connected(late)) == 5, 10, "late is connected to all")


@test
def the_book_is_enough(t):
    """The bootstrap peer is gone for ever: others are dialled from the book."""
    hub = t.node("hub").start()
    two, three = swarm(t, hub, "two", "three")
    all_know([hub, two, three])
    wait_for(lambda: book(three)[two.peer_id]["reached"], 20,
             "three has reached two itself")
    gone = hub.address
    three.stop()
    hub.kill()
    three.start("--bootstrap", gone)
    comes(three, two, FIRST_S)


@test
def the_book_outlives_sigkill(t):
    """What was written once is known after kill -9."""
    hub = t.node("hub").start()
    two, three = swarm(t, hub, "two", "three")
    all_know([hub, two, three])
    three.stop()
    three.start("--bootstrap", hub.address)
    comes(three, two)
    three.kill()
    hub.kill()
    three.start()
    comes(three, two, FIRST_S)


@test
def discovery_off_dials_only_who_was_told(t):
    """network.discovery=false: bootstrap peers, again when they come back,
    and nobody else."""
    hub = t.node("hub").start()
    two, three = swarm(t, hub, "two", "three")
    one = t.node("one").start(*ALONE, "--bootstrap", hub.address)
    comes(one, hub, FIRST_S)
    comes(two, three)
    dialled = {peer["peer_id"]: peer["direction"]
               for peer in one.json("swarm", "peers")}
    equal(dialled[hub.peer_id], "outbound", "the bootstrap peer")
    hub.stop()
    goes(one, hub)
    hub.start(listen=bare(hub))
    comes(one, hub, 30)
    alone = t.node("alone").start(*ALONE)
    alone.stop()
    alone.start(*ALONE, "--bootstrap", two.address)
    comes(alone, two, FIRST_S)
    alone.stop()
    two.stop()
    # The book holds others; none of them was told now.
    alone.start(*ALONE)
    equal(connected(alone), set(), "connections of one that was told nobody")


@test
def peers_are_added_and_removed(t):
    """peers add dials at once and after a restart; peers rm forgets."""
    one, two = t.node("one").start(), t.node("two").start()
    equal(one.json("peers", "add", two.address),
          {"peer_id": two.peer_id, "address": bare(two)}, "added")
    comes(one, two, FIRST_S)
    entry = book(one)[two.peer_id]
    check(entry["manual"] and entry["connected"], entry)
    two.stop()
    goes(one, two)
    two.start(listen=bare(two))
    comes(one, two, 30)
    one.stop()
    one.start()
    comes(one, two, FIRST_S)
    one.ok("peers", "rm", two.peer_id)
    check(not book(one).get(two.peer_id, {}).get("manual"), "manual still")
    one.fails(3, "NOT_FOUND", "peers", "rm", "12D3KooWBmAwcd4PJNJvfV89HwE48nw"
              "kRmAgo8Vy3uQEyNNHBox2")
    one.fails(2, "BAD_ADDRESS", "peers", "add", "/ip4/127.0.0.1/tcp/1")
    one.fails(2, "BAD_PEER_ID", "peers", "rm", "nonsense")
    one.fails((2, 4), ("FORBIDDEN", "BAD_ADDRESS"), "peers", "add",
              one.address)


@test
def bans_count_at_once(t):
    """By id and by range: connections go, none comes, also after a restart;
    unbanned they come back."""
    one, two = t.node("one").start(), t.node("two").start()
    for target, name in ((two.peer_id, "id"), ("127.0.0.0/8", "range"),
                         ("127.0.0.1", "address")):
        one.connect(two)
        one.ok("peers", "ban", target, "--for", "1h", "--reason", name)
        goes(one, two, 2)
        one.fails(4, "FORBIDDEN", "swarm", "connect", two.address)
        two.run("swarm", "connect", one.address, "--timeout", "5s")
        goes(one, two, 2)
        goes(two, one, 2)
        listen = bare(one)
        one.stop()
        one.start(listen=listen)
        bans = api.get(one, "/api/v1/bans")["items"]
        equal([(ban["target"], ban["reason"]) for ban in bans],
              [(target, name)], "bans after a restart")
        two.run("swarm", "connect", one.address, "--timeout", "5s")
        goes(one, two, 2)
        check(two.peer_id not in connected(one), "let in after a restart")
        one.ok("peers", "unban", target)
        one.fails(3, "NOT_FOUND", "peers", "unban", target)
        one.connect(two)
        comes(two, one)
        one.ok("swarm", "disconnect", two.peer_id)
    one.fails(2, "BAD_PEER_ID", "peers", "ban", "10.0.0.0/33")
    one.fails(2, "BAD_USAGE", "peers", "ban", two.peer_id, "--for", "soon")


@test
def a_ban_ends(t):
    """A ban of a second is over after a second."""
    one, two = t.node("one").start(), t.node("two").start()
    one.ok("peers", "ban", two.peer_id, "--for", "2s")
    check(two.run("swarm", "connect", one.address, "--timeout", "1s").code or
          two.peer_id not in connected(one), "let in")

    def connects():
        two.run("swarm", "connect", one.address, "--timeout", "1s")
        return two.peer_id in connected(one)
    wait_for(connects, 10, "the ban ends")


@test
def names_lead_to_first_peers(t):
    """seed1.NETWORK.DOMAIN, its dnsaddr records and a name in an address."""
    hub, other = t.node("hub").start(), t.node("other").start()
    zone = {
        ("_dnsaddr.seed1.mainnet.seeds.test", "TXT"):
            [f"dnsaddr={hub.address}", "something else", "dnsaddr=nonsense"],
        ("_dnsaddr.seed2.mainnet.seeds.test", "TXT"):
            ["dnsaddr=/dnsaddr/more.seeds.test"],
        ("_dnsaddr.more.seeds.test", "TXT"):
            [f"dnsaddr={other.address}".replace("/ip4/127.0.0.1",
                                                "/dns4/host.seeds.test")],
        ("host.seeds.test", "A"): ["127.0.0.1"],
        # One that leads to itself ends too.
        ("_dnsaddr.seed3.mainnet.seeds.test", "TXT"):
            ["dnsaddr=/dnsaddr/seed3.mainnet.seeds.test"],
    }
    server = nameserver.NameServer(zone)
    t.defer(server.close)
    one = t.node("one")
    one.start("--set", "network.seed_domain=seeds.test", "--set",
              f"network.dns_servers=127.0.0.1:{server.port}", "--set",
              "network.mdns=false", bootstrap=True)
    comes(one, hub, FIRST_S)
    comes(one, other, FIRST_S)
    equal(book(one)[hub.peer_id]["source"], "dns", "source")
    two = t.node("two")
    two.start("--bootstrap", f"/dns4/host.seeds.test/tcp/{hub.port}/p2p/"
              f"{hub.peer_id}", "--set",
              f"network.dns_servers=127.0.0.1:{server.port}")
    comes(two, hub, FIRST_S)


@test
def a_dead_name_server_does_no_harm(t):
    """Nobody answers names: ready at once, and others are found."""
    hub = t.node("hub").start()
    server = nameserver.NameServer(None)
    t.defer(server.close)
    one = t.node("one")
    one.start("--set", "network.seed_domain=seeds.test", "--set",
              f"network.dns_servers=127.0.0.1:{server.port}", "--set",
              "network.mdns=false", "--bootstrap", hub.address, bootstrap=True)
    check(one.start_seconds < 5, "ready is late")
    comes(one, hub, FIRST_S)
    equal(one.stop().code, 0, "the end of it")


@test
def the_local_network_is_asked(t):
    """Two daemons in two network namespaces, joined by a wire: by mDNS alone
    they find each other, and one fetches from the other."""
    with netns.Pair() as pair:
        options = ("--set", "network.seed_domain=")
        one = pair.node(t, "one", 0).start(*options, bootstrap=True,
                                           listen="/ip4/0.0.0.0/tcp/4101")
        two = pair.node(t, "two", 1).start(*options, bootstrap=True,
                                           listen="/ip4/0.0.0.0/tcp/4101")
        ids = {one.peer_id: one, two.peer_id: two}
        check(len(ids) == 2, "one id for two")
        begun = time.monotonic()
        comes(one, two, FIRST_S)
        equal(book(one)[two.peer_id]["source"], "mdns", "source")
        check(time.monotonic() - begun < FIRST_S, "late")
        cid = one.add(t.write("file", os.urandom(100_000)))
        two.ok("get", cid, "-o", t.path("out"), "--timeout", "10s")


@test
def an_interface_that_comes_later_counts(t):
    """A daemon that started before its network was up announces the address
    when there is one, finds others and is found."""
    with netns.Pair() as pair:
        listen = "/ip4/0.0.0.0/tcp/4101"
        options = ("--set", "network.seed_domain=")
        address = pair.address(0)
        pair.run(0, "address", "delete", address, "dev", pair.wires[0])
        one = pair.node(t, "one", 0).start(*options, bootstrap=True,
                                           listen=listen)
        two = pair.node(t, "two", 1).start(*options, bootstrap=True,
                                           listen=listen)
        equal(connected(one), set(), "connections without an address")
        pair.run(0, "address", "add", address, "dev", pair.wires[0])
        comes(one, two, 30)
        wanted = f"/ip4/{address.split('/', maxsplit=1)[0]}/tcp/4101"
        wait_for(lambda: any(told.startswith(wanted)
                             for told in one.json("id")["addresses"]), 20,
                 "the new address is announced")
        # What two heard of it, it heard from one.
        wait_for(lambda: wanted in two.run("dht", "findpeer",
                                           one.peer_id).text,
                 10, "two knows the new address")


@test
def bad_name_servers_are_told(t):
    """network.dns_servers that are no IP addresses: an end that says so."""
    node = t.node("node")
    node.fails(2, "BAD_CONFIG", "daemon", "--listen", "/ip4/127.0.0.1/tcp/0",
               "--set", "network.dns_servers=ns.example.org")
    server = nameserver.NameServer({})
    t.defer(server.close)
    for servers in (f"127.0.0.1:{server.port}",
                    f"127.0.0.1:{server.port},[::1]:53"):
        node.start("--set", f"network.dns_servers={servers}")
        equal(node.stop().code, 0, f"the end with {servers}")


@test(alone=True)
def many_find_each_other(t):
    """Twenty daemons that know one: each comes to know all and to have most in
    its table, with little memory, and then costs next to nothing."""
    hub = t.node("hub").start()
    all_nodes = [hub, *swarm(t, hub, *[f"n{at}" for at in range(19)])]
    all_know(all_nodes, 20)
    for node in all_nodes:
        wait_for(lambda node=node: len(table(node)) >= 15, 20,
                 f"{node.name} has a table")
    last, first = all_nodes[-1], all_nodes[1]
    cid = first.add(t.write("file", os.urandom(100_000)))
    equal(first.json("dht", "provide", cid)["peers"], 19, "who was told")
    last.ok("get", cid, "-o", t.path("out"), "--timeout", "10s")
    if not is_sanitized(nodes.program()):
        for node in all_nodes:
            used = node.daemon.resident_bytes()
            check(used < 24 << 20, f"{node.name} takes {used >> 10} KiB")
    wait_for(resting([node.daemon.pid for node in all_nodes], 0.04, 1), 20,
             "twenty daemons rest")
