"""`peers trace`: how a node knows and reaches another one, step by step.

Goal: each step tells the truth, what failed comes with a remedy, and only a
peer that answers makes it end with 0.
Method: daemons on loopback that know each other by the DHT, by hand or not at
all; one that is killed, one that is frozen, one that is banned.
"""
import signal
import time

from test_dht import ALONE, NOBODY, connected, star
from xmbltest import check, equal, test


def bare(node):
    """The node's address without its peer id."""
    return node.address.rpartition("/p2p/")[0]


def steps(lines, name):
    """The lines of one step."""
    return [line for line in lines if line.get("step") == name]


def one(lines, name):
    """The only line of a step."""
    found = steps(lines, name)
    equal(len(found), 1, f"lines of {name}: {lines}")
    return found[0]


def failing(node, *words, code="PEER_UNREACHABLE", **how):
    """The lines of a trace that does not reach the peer, and the error."""
    result = node.fails(1, code, "peers", "trace", *words, "--json", **how)
    lines = result.json_lines()
    equal(lines[-1]["reached"], False, lines)
    return lines, result


def every_failure_has_a_remedy(lines):
    """What failed at last says what would help."""
    check(lines[-1].get("remedy"), lines)
    equal(lines[-1]["failed"] in {line.get("step") for line in lines}, True,
          "the step that failed is one of them")


@test
def a_peer_of_the_dht_is_reached(t):
    """Known to a third only: who told, where it was dialled, what it says."""
    hub, two, three = star(t, "hub", "two", "three")
    three.run("swarm", "disconnect", two.peer_id)  # joining may have met it
    lines = three.lines("peers", "trace", two.peer_id)
    equal(lines[-1], {"peer_id": two.peer_id, "reached": True}, "the end")
    equal(one(lines, "allowed")["result"], "ok", "allowed")
    asked = [line for line in steps(lines, "asked")
             if line["peer_id"] == hub.peer_id]
    equal(len(asked), 1, lines)
    equal((asked[0]["result"], asked[0]["hop"], asked[0]["addresses"]),
          ("ok", 1, [bare(two)]), "who told")
    equal(one(lines, "lookup")["result"], "ok", "lookup")
    if steps(lines, "dial"):  # else the lookup itself asked it
        dial = one(lines, "dial")
        equal((dial["address"], dial["result"]), (bare(two), "ok"), "dial")
    else:
        equal(one(lines, "connection")["result"], "ok", "connection")
    who = one(lines, "identify")
    equal(who["result"], "ok", who)
    check(who["agent"].startswith("xmbl/"), who)
    check("/ipfs/ping/1.0.0" in who["protocols"], who)
    ping = one(lines, "ping")
    equal((ping["result"], len(ping["rtts_ms"])), ("ok", 3), ping)
    check(all(0 < rtt < 1000 for rtt in ping["rtts_ms"]), ping)
    for line in lines[:-1]:
        check(line["result"] in ("ok", "failed", "not_tried"), line)
        check(isinstance(line["ms"], int), line)


@test
def a_connected_peer_and_its_text(t):
    """The connection that is there is told; text has the same steps."""
    hub, two = star(t, "hub", "two")
    lines = two.lines("peers", "trace", hub.address)
    there = one(lines, "connection")
    equal((there["result"], there["direction"]), ("ok", "outbound"), there)
    known = one(lines, "book")
    equal(known["result"], "ok", known)
    check(known["addresses"] == [bare(hub)] and "quality" in known, known)
    check(known["last_seen"], known)
    equal([line for line in steps(lines, "dial")
           if line["result"] != "not_tried"], [], "dialled")
    text = two.text("peers", "trace", hub.peer_id)
    for words in ("book", "quality", "connection: ok", "identify: ok",
                  "xmbl/", "ping: ok", "3 of 3"):
        check(words in text, f"{words}: {text}")


@test
def an_address_by_hand_is_enough(t):
    """Neither in the book nor in a DHT: the address of the command is dialled,
    and the node does not keep the peer for it."""
    one_, two = [t.node(name).start(*ALONE) for name in ("one", "two")]
    lines = one_.lines("peers", "trace", two.address)
    equal(one(lines, "book")["result"], "failed", "book")
    dial = one(lines, "dial")
    equal((dial["address"], dial["result"]), (bare(two), "ok"), dial)
    equal(lines[-1]["reached"], True, "the end")


@test
def who_is_gone_is_told(t):
    """Each address with its fault, nobody else reaches it, a remedy."""
    hub, two, three = star(t, "hub", "two", "three")
    two.kill()
    lines, _ = failing(three, two.address)
    tried = {line["address"]: line for line in steps(lines, "dial")}
    equal(tried[bare(two)]["result"], "failed", tried)
    check("refused" in tried[bare(two)]["detail"], tried)
    equal(one(lines, "ping")["result"], "not_tried", "ping")
    every_failure_has_a_remedy(lines)
    result = three.run("peers", "trace", two.peer_id)
    equal(result.code, 1, result)
    check("dial" in result.text and "[PEER_UNREACHABLE]" in result.err, result)


@test
def who_never_was_is_told(t):
    """No address anywhere: the lookup says so; without peers too."""
    hub, two = star(t, "hub", "two")
    lines, _ = failing(two, NOBODY)
    equal(one(lines, "book")["result"], "failed", "book")
    equal(one(lines, "lookup")["result"], "failed", "lookup")
    equal(steps(lines, "dial"), [], "dialled")
    equal(lines[-1]["failed"], "lookup", lines[-1])
    every_failure_has_a_remedy(lines)
    alone = t.node("alone").start(*ALONE)
    lines, _ = failing(alone, NOBODY)
    equal(one(lines, "lookup")["result"], "not_tried", "alone")
    every_failure_has_a_remedy(lines)


@test
def who_is_banned_is_not_dialled(t):
    """A ban is told with its reason and how to end it."""
    one_, two = [t.node(name).start(*ALONE) for name in ("one", "two")]
    one_.ok("peers", "ban", two.peer_id, "--reason", "too loud")
    lines, _ = failing(one_, two.address)
    ban = one(lines, "allowed")
    equal(ban["result"], "failed", ban)
    check("too loud" in ban["detail"] and "unban" in ban["remedy"], ban)
    equal(lines[-1]["failed"], "allowed", lines[-1])
    check(two.peer_id not in connected(one_), "it was dialled")
    one_.ok("peers", "unban", two.peer_id)
    one_.ok("peers", "trace", two.address)


@test
def who_is_frozen_does_not_answer(t):
    """A connection alone is not reaching: the pings fail."""
    hub, two = star(t, "hub", "two")
    hub.daemon.signal(signal.SIGSTOP)
    t.defer(hub.daemon.signal, signal.SIGCONT)
    start = time.monotonic()
    lines, _ = failing(two, hub.peer_id, "--timeout", "2s")
    check(time.monotonic() - start < 20, "it took long")
    equal(one(lines, "connection")["result"], "ok", "connection")
    equal(one(lines, "ping")["result"], "failed", "ping")
    equal(lines[-1]["failed"], "ping", lines[-1])
    every_failure_has_a_remedy(lines)


@test
def somebody_else_is_there(t):
    """At the address another peer answers, which is named."""
    one_, two = [t.node(name).start(*ALONE) for name in ("one", "two")]
    lines, _ = failing(one_, f"{bare(two)}/p2p/{NOBODY}")
    dial = one(lines, "dial")
    equal(dial["result"], "failed", dial)
    check(two.peer_id in dial["detail"], dial)


@test
def wrong_words_are_refused(t):
    """No peer, ourselves, no daemon, no network."""
    node = t.node("node")
    node.fails(6, "DAEMON_NEEDED", "peers", "trace", NOBODY)
    node.start(*ALONE)
    node.fails(2, "BAD_PEER_ID", "peers", "trace", "nonsense")
    node.fails(2, "BAD_ADDRESS", "peers", "trace", node.peer_id)
    node.fails(2, "BAD_USAGE", "peers", "trace")
    node.stop()
    node.start("--set", "network.enabled=false")
    node.fails(1, "NETWORK_OFF", "peers", "trace", NOBODY)
