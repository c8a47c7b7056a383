"""Names: published, resolved, kept; and announcements of what is stored.

Goal: a name published by one node is resolved by another, follows its content,
survives restarts; what is not signed by its key is refused; what a node adds
is found through the DHT by nodes that it was never told of.
Method: two and three daemons on loopback that know one address each, with
discovery off, so that a node is connected to nobody but whom it asked for.
"""
import time

import api
import nameserver
import trees
from nodes import ROOT
from processes import wait_for
from xmbltest import check, equal, test

VECTORS = ROOT / "test/vectors/ipns"
FIXTURES = (  # kind, name, whether it is valid; test/vectors/ipns/README.md
    ("v1-v2", "k51qzi5uqu5dlkw8pxuw9qmqayfdeh4kfebhmreauqdc6a7c3y7d5i9fi8mk9w",
     True),
    ("v2", "k51qzi5uqu5dit2ku9mutlfgwyz8u730on38kd10m97m36bjt66my99hb6103f",
     True),
    ("v1-v2-broken-signature-v1",
     "k51qzi5uqu5dilgf7gorsh9vcqqq4myo6jd4zmqkuy9pxyxi5fua3uf7axph4y", True),
    ("v1-v2-broken-v1-value",
     "k51qzi5uqu5dlmit2tuwdvnx4sbnyqgmvbxftl0eo3f33wwtb9gr7yozae9kpw", False),
    ("v1-v2-broken-signature-v2",
     "k51qzi5uqu5diamp7qnnvs1p1gzmku3eijkeijs3418j23j077zrkok63xdm8c", False),
    ("v1", "k51qzi5uqu5dm4tm0wt8srkg9h9suud4wuiwjimndrkydqm81cqtlb5ak6p7ku",
     False),
)
NOBODY = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
DEADLINE_S = 40
ALONE = ("--set", "network.discovery=false")


def meet(*pairs):
    """Wait until the first of each pair has the second in its table."""
    def knows(node, other):
        rows = api.get(node, "/api/v1/dht/table")["items"]
        return other.peer_id in [row["peer_id"] for row in rows]
    for node, other in pairs:
        wait_for(lambda node=node, other=other: knows(node, other), 15,
                 f"{node.name} has {other.name} in its table")


def pair(t):
    """Two nodes that are connected."""
    one = t.node("one").start(*ALONE)
    two = t.node("two").start(*ALONE, "--bootstrap", one.address)
    meet((one, two), (two, one))
    return one, two


def three(t, *options):
    """A hub, and two nodes that know the hub only."""
    hub = t.node("hub").start(*ALONE)
    one = t.node("one").start(*ALONE, "--bootstrap", hub.address, *options)
    two = t.node("two").start(*ALONE, "--bootstrap", hub.address)
    meet((hub, one), (hub, two), (one, hub), (two, hub))
    return hub, one, two


def announced(node):
    """Numbers of what was announced."""
    return api.get(node, "/api/v1/stats")["announce"]


def providers(node, cid):
    """Ids of those who have a CID, by the DHT."""
    return [line["peer_id"] for line in node.lines("dht", "findprovs", cid)]


@test
def a_name_goes_from_node_to_node(t):
    """Published on one, resolved on the other, and read under its name."""
    one, two = pair(t)
    t.write("site/index.html", b"first")
    first = one.add(t.path("site"))
    told = one.json("ipns", "publish", first)
    name = told["name"]
    equal((told["value"], told["sequence"], told["ttl_s"]),
          (f"/ipfs/{first}", 1, 300), "what was published")
    check(told["peers"] >= 1, told)
    check(name.startswith("k51"), name)
    got = two.json("ipns", "resolve", name)
    equal({key: got[key] for key in told if key != "peers"},
          {key: told[key] for key in told if key != "peers"}, "resolved")
    equal(two.text("ipns", "resolve", f"/ipns/{name}/index.html"),
          f"/ipfs/{first}/index.html", "with a path")
    equal(two.text("ipns", "resolve", one.peer_id), f"/ipfs/{first}",
          "by the peer id")
    equal(one.text("ipns", "resolve"), f"/ipfs/{first}", "its own")
    for place in (f"/ipns/{name}/index.html", f"ipns://{name}/index.html"):
        equal(two.ok("cat", place).out, b"first", place)
    equal(two.json("stat", f"/ipns/{name}")["cid"], first, "stat")
    check("index.html" in two.text("ls", f"/ipns/{name}"), "ls")
    two.ok("get", f"/ipns/{name}/index.html", "-o", t.path("out"))
    equal(t.path("out").read_bytes(), b"first", "get")
    two.fails(3, "NOT_FOUND", "cat", f"/ipns/{name}/nothing")


@test
def names_and_paths_where_a_cid_can_stand(t):
    """pin add, block get, block stat, car export and verify follow them; what
    takes something away wants the CID."""
    one, two = pair(t)
    t.write("site/a/index.html", b"first")
    site = one.add(t.path("site"))
    file = one.json("stat", f"{site}/a/index.html")["cid"]
    name = one.json("ipns", "publish", site)["name"]
    place = f"/ipns/{name}/a/index.html"
    equal(two.ok("block", "get", place).out, b"first", "block get")
    equal(two.json("block", "stat", f"{site}/a/index.html")["cid"], file,
          "block stat of a path")
    equal(two.ok("block", "get", f"/ipns/{name}").out,
          one.ok("block", "get", site).out, "block get of the root")
    two.ok("pin", "add", f"/ipns/{name}")
    two.ok("pin", "add", place)
    equal(sorted(pin["cid"] for pin in two.lines("pin", "ls")),
          sorted((site, file)), "pins")
    two.ok("car", "export", place, "-o", t.path("out.car"))
    equal(t.node("three").json("car", "import", t.path("out.car"))["roots"],
          [file], "roots of the CAR file")
    equal(two.json("verify", f"/ipns/{name}")["bad"], [], "verify")
    for command in (("pin", "rm"), ("block", "rm"), ("rm",), ("pin", "ls")):
        two.fails(1, "UNSUPPORTED", *command, f"/ipns/{name}")
    two.fails(3, "NOT_FOUND", "pin", "add", f"{site}/nothing")
    two.fails(2, "BAD_CID", "pin", "add", "nonsense")
    two.fails(2, "BAD_CID", "block", "get", "nonsense")
    two.fails(2, "BAD_CID", "block", "get", "nonsense/a")


@test
def a_name_follows_its_content(t):
    """A new value has the next sequence, the same one has not."""
    one, two = pair(t)
    first, second = (one.add(t.write(word, word.encode()))
                     for word in ("a", "b"))
    name = one.json("ipns", "publish", first, "--ttl", "1s")["name"]
    equal(two.json("ipns", "resolve", name)["ttl_s"], 1, "ttl")
    equal(one.json("ipns", "publish", first)["sequence"], 1, "the same")
    told = one.json("ipns", "publish", f"/ipfs/{second}")
    equal(told["sequence"], 2, "another value")
    wait_for(lambda: two.json("ipns", "resolve", name)["value"] ==
             f"/ipfs/{second}", 10, "the new value after the time of the old")
    equal(two.json("ipns", "resolve", "--nocache", name)["sequence"], 2,
          "asked anew")
    equal(one.json("ipns", "publish", first, "--ttl", "1h")["sequence"], 3,
          "back to the first")
    got = two.json("ipns", "resolve", "--nocache", name)
    equal((got["value"], got["ttl_s"]), (f"/ipfs/{first}", 3600), "back")


@test
def a_name_outlives_restarts(t):
    """Kept on disk, and told again to peers that forgot it."""
    one, two = pair(t)
    cid = one.add(t.write("file", b"file"))
    name = one.json("ipns", "publish", cid)["name"]
    for node in (one, two):
        equal(node.stop().code, 0, "a clean end")
    # Without a daemon its own name is known, and can be changed.
    equal(one.text("ipns", "resolve"), f"/ipfs/{cid}", "without a daemon")
    other = one.add(t.write("other", b"other"))
    told = one.json("ipns", "publish", other)
    equal((told["sequence"], told["peers"]), (2, 0), "without a daemon")
    stranger = t.node("stranger").start(*ALONE)
    one.start(*ALONE, "--bootstrap", stranger.address)
    wait_for(lambda: stranger.run("ipns", "resolve", name).code == 0,
             DEADLINE_S, "a peer that never heard of it is told")
    equal(stranger.json("ipns", "resolve", name)["sequence"], 2, "the newer")


@test
def unknown_and_bad_names(t):
    """Names of nobody, names that are none: in time and with the cause."""
    one, _ = pair(t)
    start = time.monotonic()
    one.fails(3, "NOT_FOUND", "ipns", "resolve", NOBODY, "--timeout", "20s")
    one.fails(3, "NOT_FOUND", "cat", f"/ipns/{NOBODY}/a")
    one.fails(3, "NOT_FOUND", "ipns", "get", NOBODY)
    check(time.monotonic() - start < 20, "in time")
    one.fails(2, "BAD_PEER_ID", "ipns", "resolve", "nonsense")
    one.fails(2, "BAD_PEER_ID", "cat", "/ipns/nonsense/a")
    one.fails(2, "BAD_CID", "ipns", "publish", "nonsense")
    one.fails(1, "UNSUPPORTED", "pin", "rm", f"/ipns/{NOBODY}")
    alone = t.node("alone").start(*ALONE)
    alone.fails(1, "PEER_UNREACHABLE", "ipns", "resolve", NOBODY)


@test
def names_of_names(t):
    """A name that stands for a name; a loop ends."""
    one, two = pair(t)
    cid = one.add(t.write("file", b"content"))
    a = one.json("ipns", "publish", cid)["name"]
    b = two.json("ipns", "publish", f"/ipns/{a}")["name"]
    equal(one.text("ipns", "resolve", b), f"/ipfs/{cid}", "two steps")
    equal(one.text("ipns", "resolve", "--recursive=false", b), f"/ipns/{a}",
          "one step")
    equal(one.ok("cat", f"/ipns/{b}").out, b"content", "read")
    one.ok("ipns", "publish", f"/ipns/{b}")
    one.fails(1, "LIMIT", "ipns", "resolve", "--nocache", a)


@test
def domains_stand_for_content(t):
    """A DNSLink leads to content, to a name and to another domain; what is
    wrong with one is told, in time."""
    zone = {}
    server = nameserver.NameServer(zone)
    t.defer(server.close)
    one = t.node("one").start(
        *ALONE, "--set", f"network.dns_servers=127.0.0.1:{server.port}")
    (t.dir / "tree").mkdir()
    t.write("tree/a", b"content")
    cid = one.add(t.dir / "tree")
    name = one.json("ipns", "publish", cid)["name"]
    zone |= {
        ("_dnslink.site.test", "TXT"):
            ["v=spf1 -all", f"dnslink=/ipfs/{cid}", "dnslink=/ipfs/nonsense"],
        ("_dnslink.named.test", "TXT"): [f"dnslink=/ipns/{name}"],
        ("_dnslink.deep.test", "TXT"): ["dnslink=/ipns/site.test/a"],
        ("_dnslink.long.test", "TXT"):
            [f"dnslink=/ipfs/{cid}/" + "x" * 500],
        ("_dnslink.loop.test", "TXT"): ["dnslink=/ipns/loop.test"],
        ("_dnslink.other.test", "TXT"): ["dnslink=/swarm/x", "something"],
        ("_dnslink.bad.test", "TXT"): ["dnslink=/ipfs/nonsense"],
    }
    for domain in ("site.test", "named.test", "SITE.test", "site.test."):
        equal(one.ok("cat", f"/ipns/{domain}/a").out, b"content", domain)
        equal(one.text("ipns", "resolve", domain), f"/ipfs/{cid}", domain)
    equal(one.ok("cat", "/ipns/deep.test").out, b"content", "a path in it")
    equal(one.json("ipns", "resolve", "site.test/a"),
          {"name": "site.test", "value": f"/ipfs/{cid}/a"}, "as JSON")
    equal(one.text("ipns", "resolve", "--recursive=false", "named.test"),
          f"/ipns/{name}", "one step")
    equal(one.text("ipns", "resolve", "long.test"),
          f"/ipfs/{cid}/" + "x" * 500, "a text of several strings")
    one.ok("get", "/ipns/site.test", "-o", t.path("out"))
    check(trees.same_files(t.dir / "tree/a", t.dir / "out/a"), "it differs")
    lone = t.node("lone")
    equal(lone.ok("cat", "/ipns/site.test/a", "--bootstrap", one.address,
                  "--timeout", "20s", env={
                      "XMBL_NETWORK_DNS_SERVERS":
                          f"127.0.0.1:{server.port}"}).out, b"content",
          "without a daemon")
    for domain in ("none.test", "other.test"):
        result = one.fails(3, "NOT_FOUND", "cat", f"/ipns/{domain}/a")
        check(domain in result.err and "dnslink=" in result.err, result)
    one.fails(1, "LIMIT", "cat", "/ipns/loop.test")
    one.fails(2, "BAD_CID", "cat", "/ipns/bad.test")
    for domain in ("a..test", "x" * 64 + ".test", "a b.test"):
        one.fails(2, "BAD_PEER_ID", "ipns", "resolve", domain)
    one.fails(1, "LIMIT", "ipns", "resolve", "a." * 122 + "test")


@test
def silent_name_servers_are_told(t):
    """Nobody answers: an end in the time that was given."""
    server = nameserver.NameServer(None)
    t.defer(server.close)
    one = t.node("one").start(
        *ALONE, "--set", f"network.dns_servers=127.0.0.1:{server.port}")
    start = time.monotonic()
    result = one.fails(7, "TIMEOUT", "cat", "/ipns/site.test",
                       "--timeout", "2s")
    check(time.monotonic() - start < 5, f"in time: {result}")
    check("site.test" in result.err, result)


@test
def records_as_files(t):
    """A record is saved, put elsewhere and kept; bad ones are refused."""
    one, two = pair(t)
    cid = one.add(t.write("file", b"file"))
    name = one.json("ipns", "publish", cid)["name"]
    two.ok("ipns", "get", name, "-o", t.path("record"))
    record = t.path("record").read_bytes()
    equal(two.ok("ipns", "get", name).out, record, "to stdout")
    one.stop()
    # A node that was never connected to its owner takes and tells it.
    third = t.node("three").start(*ALONE, "--bootstrap", two.address)
    meet((third, two))
    told = third.json("ipns", "put", name, t.path("record"))
    equal((told["name"], told["value"]), (name, f"/ipfs/{cid}"), "put")
    two.stop()
    third.stop()
    equal(third.text("ipns", "resolve", name), f"/ipfs/{cid}", "kept")
    third.start(*ALONE)
    bad = bytearray(record)
    bad[-100] ^= 1
    t.write("bad", bytes(bad))
    for what, code, word in ((t.path("bad"), 1, "BAD_RECORD"),
                             (t.write("cut", record[:-1]), 1, "BAD_RECORD"),
                             (t.write("none", b""), 1, "BAD_RECORD"),
                             (t.write("long", bytes(11_000)), 1, "TOO_LARGE")):
        third.fails(code, word, "ipns", "put", name, what)
    said = third.run("ipns", "put", two.peer_id, t.path("record"))
    check("not signed by the key" in said.err, said)


@test
def an_older_record_is_refused(t):
    """What is behind the newest is not put in its place."""
    one, two = pair(t)
    cids = [one.add(t.write(word, word.encode())) for word in ("a", "b")]
    name = one.json("ipns", "publish", cids[0])["name"]
    one.ok("ipns", "get", name, "-o", t.path("old"))
    one.ok("ipns", "publish", cids[1])
    two.fails(4, "OLD_RECORD", "ipns", "put", name, t.path("old"))
    equal(two.text("ipns", "resolve", name), f"/ipfs/{cids[1]}", "the newest")


@test
def records_of_others(t):
    """Fixtures of another implementation: what is valid is taken."""
    node = t.node()
    for kind, name, good in FIXTURES:
        result = node.run("ipns", "put", name, VECTORS / f"{kind}.ipns-record")
        equal(result.code == 0, good, f"{kind}: {result}")


@test
def an_added_root_is_found(t):
    """What one adds, a node finds that was told of the hub only."""
    _, one, two = three(t, "--set", "storage.announce=roots")
    cid = one.add(t.write("file", bytes(range(256)) * 4000))
    wait_for(lambda: announced(one)["roots_announced"] >= 1, 10,
             "the root is told")
    equal(providers(two, cid), [one.peer_id], "the provider")
    got = two.json("get", cid, "-o", t.path("out"), "--timeout", "20s")
    equal(t.path("out").read_bytes(), t.path("file").read_bytes(), "content")
    equal([source["peer"] for source in got["sources"]], [one.peer_id],
          "source")


@test
def pins_made_without_a_network_are_announced(t):
    """Added before the daemon runs; announced when it does."""
    one = t.node("one")
    cid = one.add(t.write("file", b"early"))
    hub = t.node("hub").start(*ALONE)
    two = t.node("two").start(*ALONE, "--bootstrap", hub.address)
    one.start(*ALONE, "--bootstrap", hub.address)
    meet((two, hub))
    wait_for(lambda: announced(one)["roots_announced"] >= 1, 15, "told")
    equal(two.ok("cat", cid, "--timeout", "20s").out, b"early", "content")
    one.stop()
    late = one.add(t.write("late", b"late"))
    one.start(*ALONE, "--bootstrap", hub.address)
    wait_for(lambda: announced(one)["roots_announced"] >= 1, 15, "told")
    equal(two.ok("cat", late, "--timeout", "20s").out, b"late", "content")


@test
def all_blocks_are_swept(t):
    """storage.announce=all: each block of a file, but none of the cache."""
    _, one, two = three(t)
    trees.random_file(t.path("file"), 1, 4_000_000)
    one.add(t.path("file"), "--chunker", "size-262144")
    blocks = [line["cid"] for line in one.lines("block", "ls")]
    check(len(blocks) > 10, blocks)
    cached = one.text("block", "put", t.write("cached", b"cache"))
    wait_for(lambda: announced(one)["blocks_announced"] >= len(blocks), 60,
             "all blocks are told")
    for block in blocks:
        equal(providers(two, block), [one.peer_id], "the provider")
    two.fails(3, "NOT_FOUND", "dht", "findprovs", cached)


@test
def nothing_is_announced(t):
    """storage.announce=none; and when that changes, all is."""
    _, one, two = three(t, "--set", "storage.announce=none")
    cid = one.add(t.write("file", b"secret"))
    equal(announced(one)["roots_waiting"], 0, "waiting")
    two.fails(3, "NOT_FOUND", "dht", "findprovs", cid)


@test
def storage_announce_changes_live(t):
    """From none to roots by config set and reload."""
    one = t.node("one")
    one.ok("config", "set", "storage.announce", "none")
    hub = t.node("hub").start(*ALONE)
    one.start(*ALONE, "--bootstrap", hub.address)
    meet((one, hub))
    cid = one.add(t.write("file", b"live"))
    equal(announced(one)["roots_announced"], 0, "announced")
    one.ok("config", "set", "storage.announce", "roots")
    one.ok("config", "reload")
    wait_for(lambda: announced(one)["roots_announced"] == 1, 15, "told")
    equal(providers(hub, cid), [one.peer_id], "the provider")
