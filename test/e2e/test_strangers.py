"""Objects, as those see them who neither own nor keep them, who have lost all
but the key, and who leave.

Goal: anybody is told of an object what is signed and nothing else; with the key
alone the files come back; who leaves hands over first.
Method: as in test_objects.py; and a peer that lies (attack_objects.c).
"""
import os
import pathlib
import signal
import time

import api
import processes
import trees
from nodes import program as program_path
from processes import wait_for
from test_objects import (SECONDS, add_safe, held, holders, is_local, network,
                          start, status, wait_holders, wait_state)
from xmbltest import Skip, check, equal, test


def told(node, cid):
    """What others tell a node of an object that is not its own."""
    return node.json("objects", "status", cid, "--timeout", "20s")


def stranger(node, cid):
    """Whether the node has nothing to do with the object."""
    return cid not in {one["root"] for one in node.lines("objects", "ls")}


@test
def anybody_can_ask(t):
    """A node that has nothing to do with an object tells its policy, state,
    copies and holders, also when the owner is off; it says who does not
    answer, and after the release that it was released."""
    nodes = network(t, 5)
    owner = nodes[4]
    cid, _ = add_safe(t, owner, 2)
    keeping = holders(nodes, cid)
    other = next(node for node in nodes[:4] if stranger(node, cid))

    def all_told():
        seen = told(other, cid)
        return seen["copies"]["stored"] == 2 and seen
    wait_for(all_told, SECONDS, "a stranger sees both copies")
    seen = all_told()
    equal((seen["root"], seen["role"], seen["owner"], seen["state"],
           seen["policy"]["copies"], seen["size_bytes"] > 3_000_000),
          (cid, "stranger", owner.peer_id, "stored", 2, True), "status")
    equal({one["peer"]: one["state"] for one in seen["holders"]},
          {node.peer_id: "stored" for node in keeping}, "holders")
    check(owner.peer_id in other.text("objects", "status", cid), "as text")
    equal(owner.stop().code, 0, "the owner's end")
    equal(told(other, cid)["copies"]["stored"], 2, "without the owner")
    keeping[0].kill()
    seen = told(other, cid)
    equal(seen["state"], "partial", "with a holder that is off")
    equal({one["peer"]: one["state"] for one in seen["holders"]},
          {keeping[0].peer_id: "silent", keeping[1].peer_id: "stored"},
          "holders, one of them off")
    start(owner, nodes[0] if nodes[0] is not keeping[0] else nodes[1])
    owner.ok("rm", cid)
    wait_for(lambda: cid not in held(keeping[1]), SECONDS, "it lets go")
    result = other.fails(3, "NOT_FOUND", "objects", "status", cid)
    check("released" in result.err, result)


@test
def asking_without_a_daemon(t):
    """A command that serves itself asks too; nothing of it stays."""
    nodes = network(t, 3)
    cid, _ = add_safe(t, nodes[0], 2, size=1000)
    lone = t.node("lone")
    seen = lone.json("objects", "status", cid, "--bootstrap",
                     nodes[1].address)
    equal((seen["role"], seen["copies"]["stored"], seen["owner"]),
          ("stranger", 2, nodes[0].peer_id), "status")
    equal(lone.lines("objects", "ls"), [], "it has become no object here")


@test
def two_owners_are_told(t):
    """A root that two want kept is told with both, the one with more copies
    first."""
    nodes = network(t, 5)
    one, two = nodes[0], nodes[1]
    cid, path = add_safe(t, one, 3, size=1000)
    two.ok("add", "--copies", 1, path)
    wait_state(two, cid, "safe")
    outside = start(t.node("outside"), nodes[2])

    def both():
        seen = told(outside, cid)
        return len(seen.get("others", [])) == 1 and seen
    check(stranger(outside, cid), "all copies were there before it came")
    wait_for(both, SECONDS, "both owners are seen")
    seen = both()
    equal((seen["owner"], seen["others"][0]["owner"]),
          (one.peer_id, two.peer_id), "owners")
    equal(seen["others"][0]["policy"]["copies"], 1, "the second one's policy")


@test
def why_nobody_tells(t):
    """Each way in which nothing can be told has its words, and an end."""
    alone = t.node("alone").start()
    cid = t.node("n").text("add", "-Q", "-n", t.write("absent", b"nobody's"))
    result = alone.fails(3, "NOT_FOUND", "objects", "status", cid)
    check("nobody could be asked" in result.err, result)
    check(result.seconds < 15, result)
    nodes = network(t, 2)
    wait_for(lambda: nodes[1].json("swarm", "peers"), SECONDS, "a peer")
    result = nodes[1].fails(3, "NOT_FOUND", "objects", "status", cid)
    check("1 node that answered" in result.err, result)
    nodes[1].fails(3, "NOT_FOUND", "objects", "status", cid, "--watch")
    result = alone.fails(3, "NOT_FOUND", "objects", "recover")
    check("nobody could be asked" in result.err, result)


class Liar:
    """A peer of attack_objects.c that lies to a node, or to nobody."""

    def __init__(self, node, name):
        program = pathlib.Path(program_path()).parent / "test/attack"
        if not program.is_file():
            raise Skip(f"{program} is missing")
        out_read, out_write = os.pipe()
        in_read, in_write = os.pipe()
        self.process = processes.Process(
            [program, "--driven", node.address, name], env=node.env,
            cwd=node.home, stdin=os.fdopen(in_read), out=out_write)
        os.close(out_write)
        self.out, self.stdin = os.fdopen(out_read), os.fdopen(in_write, "w")
        equal(self.out.readline().strip(), "status", "the liar's first word")

    def stop(self):
        """Stop it; return what it said."""
        self.stdin.close()
        said = self.out.read()
        self.out.close()
        self.process.wait(30)
        return said

    def end(self):
        """Stop it; fail unless it was asked, and the node is well."""
        said = self.stop()
        check(said.startswith("ok "), said)


def seen_beside(liar_name, victim, cid):
    """What a node is told while a liar is among those that it asks."""
    liar = Liar(victim, liar_name)
    try:
        return victim.run("objects", "status", cid, "--json", "--timeout",
                          "15s")
    finally:
        liar.end()


@test
def liars_are_not_believed(t):
    """Forged records and receipts count for nothing, and are told; made-up
    holders are no copies; silence ends."""
    nodes = network(t, 5)
    owner = nodes[4]
    cid, _ = add_safe(t, owner, 2, size=1000)
    keeping = sorted(node.peer_id for node in holders(nodes, cid))
    other = next(node for node in nodes[:4] if stranger(node, cid))
    for name, lies in (("status_record", 1), ("status_receipts", 1),
                       ("status_holders", 0), ("status_silence", 0)):
        result = seen_beside(name, other, cid)
        equal(result.code, 0, f"{name}: {result}{other.log()}")
        seen = result.json()
        equal((seen["owner"], seen["copies"]["stored"],
               sorted(one["peer"] for one in seen["holders"])),
              (owner.peer_id, 2, keeping), f"{name}: {seen}")
        equal(seen["asked"]["lied"], lies, f"{name}: {seen}")
        made_up = seen.get("others", [])
        equal([one["copies"]["stored"] for one in made_up],
              [0] * len(made_up), f"{name}: copies of a made-up owner")
        check(name != "status_receipts" or not made_up[0]["holders"],
              f"{name}: {made_up}")
        check(result.seconds < 20, f"{name}: {result.seconds:.0f} s")
    alone = t.node("alone").start()
    absent = owner.text("add", "-Q", "-n", t.write("absent", b"nobody's"))
    result = seen_beside("status_record", alone, absent)
    equal(result.code, 3, result)
    check("forged" in result.error()["message"], result)


@test
def asking_can_be_stopped(t):
    """A question that nobody answers ends when its time is over, when it is
    stopped, and with the daemon."""
    node = t.node().start()
    cid = node.text("add", "-Q", "-n", t.write("absent", b"nobody's"))
    liar = Liar(node, "status_silence")
    result = node.fails(7, "TIMEOUT", "objects", "status", cid, "--timeout",
                        "2s")
    check("1 node" in result.err and result.seconds < 6, result)
    stopped = node.begin("objects", "status", cid)
    end = time.monotonic() + 1
    wait_for(lambda: time.monotonic() > end, 5, "it asks")
    stopped.signal(signal.SIGINT)
    equal(stopped.wait(10).code, 130, "a question that was stopped")
    node.begin("objects", "status", cid)
    check(node.json("swarm", "peers"), "the liar stays")
    equal(node.stop().code, 0, f"the daemon's end{node.log()}")
    liar.stop()


@test
def a_lost_machine_gets_its_files(t):
    """recover --get fetches and pins all, and the machine audits again; what
    cannot be had is named, and the others come all the same."""
    nodes = network(t, 4)
    owner = nodes[3]
    cid, path = add_safe(t, owner, 2, name="precious")
    lost, _ = add_safe(t, owner, 1, size=2_000_000, name="lost")
    owner.ok("key", "export", "-o", t.path("key.pem"))
    owner.kill()
    ruined = holders(nodes[:3], lost)[0]
    ruined.kill()
    new = t.node("new", init=False)
    new.ok("key", "import", t.path("key.pem"))
    start(new, next(node for node in nodes[:3] if node is not ruined))

    def listed():
        lines = new.lines("objects", "recover")
        return cid in [line.get("root") for line in lines]
    wait_for(listed, SECONDS, "recover lists it")
    check(not new.lines("pin", "ls"), "listing fetched something")
    # Whoever kept the other has its record, and none of its blocks.
    for file in ruined.segments():
        file.unlink()
    start(ruined, next(node for node in nodes[:3] if node is not ruined))
    wait_for(lambda: lost in [line["root"] for line in
                              new.lines("objects", "recover")],
             SECONDS, "recover lists what is lost")
    result = new.run("objects", "recover", "--get", "--json", "--timeout",
                     "5s")
    equal(result.code, 1, f"{result}{new.log()}")
    equal(result.error()["code"], "INCOMPLETE", result)
    ends = {line["root"]: line for line in result.json_lines()
            if "fetched" in line}
    equal({root: line["fetched"] for root, line in ends.items()},
          {cid: True, lost: False}, f"{result}")
    check(ends[lost]["reason"] and ends[lost]["code"], ends)
    equal([pin["cid"] for pin in new.lines("pin", "ls")
           if pin["type"] == "recursive"], [cid], "pins")
    new.ok("gc")
    check(is_local(new, cid), "the collector took what was recovered")
    equal(new.ok("cat", cid).out, path.read_bytes(), "the file")

    def audits():
        now = status(new, cid)
        return now["state"] == "safe" and all(
            "last_verified" in one for one in now["holders"]
            if one["state"] == "verified")
    wait_for(audits, SECONDS, "the new machine audits")
    new.ok("rm", lost)
    result = new.ok("objects", "recover", "--get")
    check("not fetched" not in result.text, result)


@test
def a_stopped_recovery_goes_on(t):
    """Stopped in the middle, the same command fetches the rest; the daemon
    ends cleanly with one under way."""
    nodes = network(t, 3)
    owner = nodes[2]
    cid, path = add_safe(t, owner, 2, size=400_000_000)
    owner.ok("key", "export", "-o", t.path("key.pem"))
    owner.kill()
    new = t.node("new", init=False)
    new.ok("key", "import", t.path("key.pem"))
    start(new, nodes[0])

    def begin():
        before = new.stored_bytes()
        running = new.begin("objects", "recover", "--get")
        wait_for(lambda: new.stored_bytes() > before + 10_000_000, SECONDS,
                 "it fetches")
        return running
    stopped = begin()
    stopped.signal(signal.SIGINT)
    result = stopped.wait(10)
    equal(result.code, 130, result)
    check("goes on" in result.err, result)
    equal(new.lines("pin", "ls"), [], "pinned without all of it")
    ended = begin()
    equal(new.stop().code, 0, f"the daemon's end{new.log()}")
    check(ended.wait(10).code != 0, "it says that the daemon ended")
    start(new, nodes[0])
    new.ok("objects", "recover", "--get")
    equal([pin["cid"] for pin in new.lines("pin", "ls")], [cid], "pins")
    check(new.stored_bytes() < 500_000_000, "it fetched much twice")
    new.ok("get", cid, "-o", t.path("out"))
    check(trees.same_files(path, t.path("out")), "the file differs")


@test
def a_leaver_hands_over(t):
    """leave ends when other nodes have all that was kept, tells how much, and
    nothing new is taken; stopped before, or without others, all stays."""
    nodes = network(t, 3)
    owner = nodes[0]
    cids = [add_safe(t, owner, 2, size=100_000 + at, name=f"f{at}")[0]
            for at in range(3)]
    leaver = nodes[1]
    equal(held(leaver), set(cids), "it keeps all, there is nobody else")
    result = leaver.fails(7, "TIMEOUT", "objects", "leave", "--timeout", "3s")
    check("0 of 3" in result.err and "goes on" in result.err, result)
    stopped = leaver.begin("objects", "leave")
    wait_for(lambda: "No other node" in stopped.stderr(), SECONDS,
             "it says what it waits for")
    check("waiting up to" in stopped.stderr(), "it says how long it waits")
    stopped.signal(signal.SIGINT)
    result = stopped.wait(10)
    equal(result.code, 130, result)
    check("goes on keeping" in result.err, result)
    equal(held(leaver), set(cids), "aborted: it goes on keeping")
    for cid in cids:
        wait_state(owner, cid, "safe")
    more = start(t.node("more"), owner)
    lines = leaver.lines("objects", "leave", "--timeout", "60s")
    equal(lines[0]["leaving"], 3, "what it has to hand over")
    equal(lines[-1], {"handed_over": 3, "left": 0}, "the end")
    equal(held(leaver), set(), "what it keeps")
    equal(held(more), set(cids), "what the other has")
    equal(leaver.stop().code, 0, "the leaver's end")
    for cid in cids:
        wait_state(owner, cid, "safe")
    another, _ = add_safe(t, owner, 1, size=5000, name="another")
    check(another not in held(start(leaver, owner)), "it came back empty")


@test
def what_is_released_is_not_waited_for(t):
    """An object that waits for the delay after its release keeps nobody from
    leaving; it stays until then, and leave says so."""
    nodes = network(t, 2)
    owner, leaver = nodes
    path = trees.random_file(t.path("slow"), t.seed, 5000)
    slow = owner.lines("add", path)[-1]["cid"]
    api.lines(owner, "POST", "/api/v1/objects",
              {"cid": slow, "copies": 1, "release_delay_s": 3600,
               "wait": "local"})
    path = trees.random_file(t.path("other"), t.seed + 1, 5000)
    cid = owner.lines("add", "--copies", 1, path)[-1]["cid"]
    wait_holders([leaver], slow, 1)
    wait_holders([leaver], cid, 1)
    owner.ok("rm", slow)
    wait_for(lambda: status(leaver, slow)["state"] == "releasing", SECONDS,
             "the holder knows of the release")
    more = start(t.node("more"), owner)
    result = leaver.ok("objects", "leave", "--timeout", "60s")
    check(b"1 object was handed over; nothing else is kept" in result.out,
          result)
    check("1 that its owner has released stays" in result.err, result)
    equal(held(more), {cid}, "what was handed over")
    equal(status(leaver, slow)["state"], "releasing", "what stays")


@test
def who_has_left_takes_nothing(t):
    """Until it is started anew, a node that handed over is offered nothing;
    then it is again."""
    nodes = network(t, 2)
    owner, leaver = nodes
    wait_for(lambda: leaver.json("swarm", "peers"), SECONDS, "a peer")
    leaver.ok("objects", "leave")
    path = trees.random_file(t.path("file"), t.seed, 50_000)
    cid = owner.lines("add", "--copies", 1, "--wait", "local",
                      path)[-1]["cid"]
    wait_state(owner, cid, "partial")
    equal(held(leaver), set(), "it has left")
    equal(leaver.stop().code, 0, "its end")
    start(leaver, owner)
    wait_holders([leaver], cid, 1)


@test
def progress_of_a_pull_is_told(t):
    """Who fetches a copy tells how much of it is there."""
    nodes = network(t, 2)
    owner, holder = nodes
    path = trees.random_file(t.path("file"), t.seed, 300_000_000)
    cid = owner.lines("add", "--copies", 1, "--wait", "local",
                      path)[-1]["cid"]
    seen = []

    def is_kept():
        if cid in {one["root"] for one in holder.lines("objects", "ls")}:
            now = status(holder, cid)
            seen.extend(one["pulled_bytes"] for one in now["holders"]
                        if one["state"] == "pulling")
        return cid in held(holder)
    wait_for(is_kept, SECONDS, "the copy")
    check([one for one in seen if 0 < one < 300_000_000], seen)
    equal(seen, sorted(seen), "it grows")


@test
def what_a_banned_owner_wants_is_refused(t):
    """Others offer what a banned peer owns: it is refused, until the ban
    ends."""
    nodes = network(t, 4)
    owner = nodes[0]
    shy = nodes[3]
    wait_for(lambda: len(shy.json("swarm", "peers")) == 3, SECONDS, "peers")
    shy.ok("peers", "ban", owner.peer_id)
    cid, _ = add_safe(t, owner, 2, size=50_000)
    equal(held(shy), set(), "it has banned the owner")
    gone = holders(nodes, cid)[0]
    gone.kill()
    asked = next(node for node in nodes[1:3] if node is not gone)

    def refused():
        stats = api.get(shy, "/api/v1/stats")
        return stats["offers_refused"] > 0
    wait_for(refused, SECONDS, f"{asked.name} offers it to the shy one")
    shy.ok("peers", "unban", owner.peer_id)
    wait_holders([shy], cid, 1)
