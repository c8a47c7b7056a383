"""Names and kubo: each resolves what the other publishes.

Goal: kubo resolves our name and we kubo's, over the LAN DHT of IPFS, also
after the value changed; records go from one to the other as files; what we add
is found by kubo as its provider.
Method: kubo's released program and ours on loopback, where kubo takes part in
its LAN DHT only.
"""
from processes import wait_for
from xmbltest import check, equal, test

OPTIONS = ("--set", "network.ipfs_dht=lan", "--set", "network.discovery=false")
RESOLVE_S = 60


def kubo_dht(t):
    """A kubo daemon in the LAN DHT."""
    kubo = t.kubo()
    for key, value in (("Routing.Type", '"dhtserver"'),
                       ("Routing.LoopbackAddressesOnLanDHT", "true")):
        kubo.ok("config", "--json", key, value)
    return kubo.start()


def meet(t):
    """One of ours and kubo, each in the other's routing table."""
    kubo = kubo_dht(t)
    node = t.node().start(*OPTIONS)
    node.connect(kubo)
    wait_for(lambda: kubo.peer_id in
             node.run("dht", "query", node.peer_id).text, 20, "our table")
    wait_for(lambda: node.peer_id in
             kubo.run("stats", "dht", "lan").text, 20, "kubo's table")
    return node, kubo


@test(needs=["kubo"])
def kubo_resolves_our_name(t):
    """Published here, resolved and read there; the same with a new value."""
    node, kubo = meet(t)
    name = None
    for at, word in enumerate((b"first", b"second")):
        cid = node.add(t.write("file", word))
        told = node.json("ipns", "publish", cid, "--ttl", "1s")
        check(told["peers"] >= 1, told)
        equal(told["sequence"], at + 1, "sequence")
        name = told["name"]
        equal(kubo.text("name", "resolve", "--nocache", name,
                        timeout=RESOLVE_S), f"/ipfs/{cid}", "kubo resolves")
        # It caches the record for its second.
        wait_for(lambda word=word: kubo.ok("cat", f"/ipns/{name}",
                                           timeout=RESOLVE_S).out == word,
                 10, "kubo reads it")
    record = kubo.ok("routing", "get", f"/ipns/{name}",
                     timeout=RESOLVE_S).out
    equal(record, node.ok("ipns", "get", name).out, "the record")
    t.path("record").write_bytes(record)
    said = kubo.text("name", "inspect", "--verify", name, t.path("record"))
    check("Valid:" in said and "true" in said.split("Valid:")[1].split()[0],
          said)


@test(needs=["kubo"])
def we_resolve_kubos_name(t):
    """Published there, resolved and read here; the same with a new value."""
    node, kubo = meet(t)
    name = kubo.text("key", "list", "-l").split()[0]
    for word in (b"first", b"second"):
        cid = kubo.add(t.write("file", word))
        kubo.ok("name", "publish", "--ttl", "1s", f"/ipfs/{cid}",
                timeout=RESOLVE_S)
        got = node.json("ipns", "resolve", "--nocache", name)
        equal((got["name"], got["value"], got["ttl_s"]),
              (name, f"/ipfs/{cid}", 1), "we resolve")
        equal(node.ok("cat", f"/ipns/{name}").out, word, "we read")
    node.ok("ipns", "get", name, "-o", t.path("record"))
    # Another node of ours keeps kubo's record when kubo is gone.
    other = t.node("other").start(*OPTIONS, "--bootstrap", node.address)
    equal(other.json("ipns", "put", name, t.path("record"))["value"],
          f"/ipfs/{cid}", "put")
    kubo.stop()
    equal(other.text("ipns", "resolve", "--nocache", name), f"/ipfs/{cid}",
          "without kubo")


@test(needs=["kubo"])
def kubo_finds_what_we_add(t):
    """Announced at once, and found there by the DHT alone."""
    node, kubo = meet(t)
    cid = node.add(t.write("file", b"to be found"))
    wait_for(lambda: node.peer_id in
             kubo.run("routing", "findprovs", "-n", "1", cid).text, 30,
             "kubo finds us")


@test(needs=["kubo"])
def we_find_what_kubo_adds(t):
    """Kubo provides; a node of ours that it never met finds it."""
    node, kubo = meet(t)
    cid = kubo.add(t.write("file", b"kubo has it"))
    kubo.ok("routing", "provide", cid, timeout=RESOLVE_S)
    equal([line["peer_id"] for line in node.lines("dht", "findprovs", cid)],
          [kubo.peer_id], "the provider")
