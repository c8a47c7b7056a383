"""`stats`: what a node counts, as a screen, as JSON and again and again.

Goal: the numbers are those of what was done: bytes that were fetched, blocks
that went over, blocks that are stored, nodes of the DHT.
Method: one daemon fetches a file from another; what both say of it is compared
with the file and with each other.
"""
import json
import signal
import time

import trees
from processes import wait_for
from test_dht import ALONE, star
from xmbltest import check, equal, test

SIZE = 5_000_000


def stats(node, *words):
    return node.json("stats", *words)


@test
def the_numbers_are_those_of_a_download(t):
    """Bandwidth, bitswap, store and DHT of both sides of one file."""
    one, two = star(t, "one", "two")
    cid = one.add(trees.random_file(t.path("file"), 1, SIZE))
    before = stats(two, "bandwidth")
    two.ok("get", cid, "-o", t.path("out"))
    blocks = len(one.text("block", "ls").splitlines())
    there, here = stats(one, "bitswap"), stats(two, "bitswap")
    equal(there["blocks_sent"], here["blocks_received"] + here["duplicates"],
          "blocks of both sides")
    equal(here["blocks_received"], blocks, "blocks")
    check(SIZE < here["bytes_received"] < SIZE * 1.01, here)
    equal((here["wants"], here["sessions"]), (0, 0), "nothing is wanted")
    after = stats(two, "bandwidth")
    came = after["bytes_in"] - before["bytes_in"]
    check(SIZE < came < SIZE * 1.1, f"bytes in: {came}")
    peers = {row["peer_id"]: row for row in after["connections"]}
    equal(set(peers), {one.peer_id}, "connections")
    check(SIZE < peers[one.peer_id]["bytes_in"] <= after["bytes_in"], peers)
    wait_for(lambda: stats(two, "bandwidth")["rate_in"] > SIZE // 11, 5,
             "a rate of what came in the last ten seconds")
    rates = stats(two, "bandwidth")
    check(rates["rate_in"] < SIZE // 9, rates)
    check(rates["connections"][0]["rate_in"] > SIZE // 11, rates)
    out = stats(one, "bandwidth")
    check(out["rate_out"] > SIZE // 11 > out["rate_in"], out)
    kept = stats(two, "store")
    equal(kept["blocks"], len(two.text("block", "ls").splitlines()), "blocks")
    check(kept["segments"] >= 1, kept)
    check(SIZE < kept["bytes_used"] <= kept["bytes_on_disk"], kept)
    dht = stats(two, "dht")
    equal([(row["name"], row["contacts"]) for row in dht],
          [("/xmbl/mainnet/kad/1.0.0", 1)], "DHT")
    check(dht[0]["queries"] >= 1 and dht[0]["answers_in"] >= 1, dht)


@test
def rates_end_when_nothing_comes(t):
    """Ten seconds later nothing of it is left but what keeps a node alive."""
    one, two = star(t, "one", "two")
    cid = one.add(trees.random_file(t.path("file"), 1, SIZE))
    two.ok("get", cid, "-o", t.path("out"))
    wait_for(lambda: stats(two, "bandwidth")["rate_in"] > SIZE // 11, 5, "a rate")
    check("receiving" in two.text("status"), "status has no rates")
    wait_for(lambda: stats(two, "bandwidth")["rate_in"] < SIZE // 100, 20,
             "no rate")


@test
def a_screen_and_all_of_it(t):
    """Text for people; all parts as JSON; without a daemon; wrong words."""
    one, two = star(t, "one", "two")
    text = two.text("stats")
    for words in ("bandwidth", "bitswap", "store", "dht", one.peer_id[-8:]):
        check(words in text.lower() or words in text, f"{words}: {text}")
    check(len(text.splitlines()) <= 45, text)
    check("bandwidth" not in two.text("stats", "store").lower(), "one part")
    every = two.json("stats")
    check({"bandwidth", "bitswap", "store", "dht", "state", "peers"} <=
          set(every), every)
    two.fails(2, "BAD_USAGE", "stats", "nonsense")
    two.stop()
    alone = two.json("stats")
    check({"store", "state"} <= set(alone), alone)
    check("bandwidth" not in alone, "nothing is known of a network")
    equal(two.json("stats", "store")["blocks"], alone["blocks"], "blocks")
    two.fails(6, "DAEMON_NEEDED", "stats", "bandwidth")
    two.fails(6, "DAEMON_NEEDED", "stats", "--watch")


@test
def watching_goes_on(t):
    """A line each second, until Ctrl-C."""
    node = t.node().start(*ALONE)
    path = t.path("lines")
    with open(path, "wb") as out:
        command = node.begin("stats", "store", "--watch", "--json",
                             out=out.fileno())
        start = time.monotonic()
        wait_for(lambda: path.read_bytes().count(b"\n") >= 3, 10, "three lines")
        check(time.monotonic() - start > 1.5, "they come too fast")
        command.signal(signal.SIGINT)
        result = command.wait(10)
    equal(result.code, 130, result)
    for line in path.read_text().splitlines():
        check("segments" in json.loads(line), line)
