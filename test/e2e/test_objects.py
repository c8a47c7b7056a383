"""Objects: what is kept on many nodes, and stays when some of them go.

Goal: `add --copies` places copies, tells the truth about them, replaces those
that are lost, also without the owner, and `rm` ends them everywhere.
Method: daemons on loopback that find each other through the first one, with
short times; some are killed as by a power switch.  States are asked for again
and again until they are as they should be, or it took too long.
"""
import base64
import signal

import dag
import trees
from processes import Failure, wait_for
from xmbltest import check, equal, test

# What a node offers by itself depends on the disk of the machine.
FAST = ("--set", "storage.repair_grace=2s", "--set",
        "storage.audit_interval=1s", "--set", "storage.offer=8GB")
SECONDS = 40  # in which things settle; a busy machine is slow


def start(node, first=None):
    """Start a daemon that knows the first one."""
    more = ("--bootstrap", first.address) if first is not None else ()
    return node.start(*FAST, *more)


def network(t, count):
    """Nodes with daemons that are about to find each other."""
    made = [t.node(f"n{at}") for at in range(count)]
    for at, node in enumerate(made):
        start(node, made[0] if at else None)
    return made


def status(node, cid):
    """What a node knows of an object."""
    return node.json("objects", "status", cid)


def held(node):
    """The roots that a node keeps for others, all of them."""
    return {one["root"] for one in node.lines("objects", "ls")
            if one["role"] == "holder" and one["kept"]}


def holders(nodes, cid):
    """The nodes of these that keep the object."""
    return [node for node in nodes if cid in held(node)]


def wait_state(node, cid, *states):
    """Wait until the object is in one of the states; return its status."""
    last = {}

    def reached():
        last["status"] = status(node, cid)
        return last["status"]["state"] in states
    try:
        wait_for(reached, SECONDS, f"{cid} is {states}")
    except Failure as error:
        raise Failure(f"{error}: {last}{node.log()}") from None
    return last["status"]


def wait_holders(nodes, cid, count):
    """Wait until so many of the nodes keep it; return these."""
    wait_for(lambda: len(holders(nodes, cid)) == count, SECONDS,
             f"{count} of {len(nodes)} nodes keep {cid}")
    return holders(nodes, cid)


def add_safe(t, owner, copies, size=3_000_000, name="file"):
    """Add a file and wait until this node may be switched off."""
    path = trees.random_file(t.path(name), t.seed, size)
    added = owner.lines("add", "--copies", copies, path)[-1]
    wait_state(owner, added["cid"], "safe")
    return added["cid"], path


def is_local(node, cid):
    """Whether all of it is stored there."""
    return node.json("stat", cid)["local"]


@test
def copies_are_placed_and_proved(t):
    """Three of four others keep it, it is fetched back from each, and the
    answer of add says so."""
    nodes = network(t, 5)
    owner = nodes[1]
    add_safe(t, owner, 3)
    folder = t.path("folder")
    trees.write_tree(folder, {b"%d" % at: trees.random_bytes(at, at * 999)
                              for at in range(50)})
    lines = owner.lines("add", "--copies", 3, "--wait", "safe", "--name",
                        "my folder", folder)
    equal(lines[-1]["copies"], {"wanted": 3, "stored": 3, "verified": 3,
                                "state": "safe"}, "copies")
    cid = lines[-1]["cid"]
    told = status(owner, cid)
    equal((told["root"], told["name"], told["policy"]["copies"]),
          (cid, "my folder", 3), "status")
    equal({one["state"] for one in told["holders"]}, {"verified"}, "holders")
    keeping = holders(nodes, cid)
    equal(sorted(one["peer"] for one in told["holders"]),
          sorted(node.peer_id for node in keeping), "who keeps it")
    check(owner not in keeping, "the owner's own blocks are no copy")
    for node in keeping:
        node.ok("gc")
        check(is_local(node, cid), "the collector took what is held")
        seen = status(node, cid)
        equal((seen["role"], seen["owner"]), ("holder", owner.peer_id),
              "as a holder sees it")
        # They are told of each other when the last receipt has come.
        wait_for(lambda: status(node, cid)["copies"]["stored"] == 3, SECONDS,
                 "a holder knows of the others")


@test
def a_lost_copy_is_replaced(t):
    """A holder is killed: another node gets its copy."""
    nodes = network(t, 5)
    owner = nodes[0]
    cid, _ = add_safe(t, owner, 3)
    gone = holders(nodes, cid)[0]
    gone.kill()
    left = [node for node in nodes if node is not gone]
    wait_holders(left, cid, 3)
    told = wait_state(owner, cid, "stored", "verified", "safe")
    counted = [one["peer"] for one in told["holders"]
               if one["state"] in ("stored", "verified")]
    equal(sorted(counted),
          sorted(node.peer_id for node in holders(left, cid)), "who counts")


@test
def holders_go_on_without_the_owner(t):
    """The owner is switched off, then a holder dies: the others make a new
    copy, and the one that had nothing gets the file from them."""
    nodes = network(t, 6)
    owner = nodes[5]
    cid, path = add_safe(t, owner, 3, size=20_000_000)
    equal(owner.stop().code, 0, "the owner's end")
    holders(nodes[:5], cid)[-1].kill()
    left = [node for node in nodes[:5] if node.daemon.result is None]
    keeping = wait_holders(left, cid, 3)
    other = next(node for node in left if node not in keeping)
    got = other.json("get", cid, "-o", t.path("out"))
    check(trees.same_files(path, t.path("out")), "the file differs")
    sources = {one["peer"] for one in got["sources"]}
    check(sources <= {node.peer_id for node in keeping}, got)


def without_its_owner(t):
    """Six nodes, three of which keep an object; its owner is switched off."""
    owner, *others = network(t, 7)
    cid, path = add_safe(t, owner, 3)
    owner.stop()
    return others, cid, path


def is_read_by_a_newcomer(t, known, cid, path):
    """Who was never there fetches the file and has the same."""
    late = start(t.node("late"), known)
    late.ok("get", cid, "-o", t.path("out"), "--timeout", "20s")
    check(trees.same_files(path, t.path("out")), "the file differs")


@test
def holders_die_one_after_another(t):
    """Without the owner all who kept it first die, with time for repair
    between."""
    left, cid, path = without_its_owner(t)
    for gone in holders(left, cid):
        gone.kill()
        left.remove(gone)
        wait_holders(left, cid, 3)
    is_read_by_a_newcomer(t, left[0], cid, path)


@test
def two_of_three_die_at_once(t):
    """Without the owner, too: the third makes the copies again."""
    left, cid, path = without_its_owner(t)
    for gone in holders(left, cid)[:2]:
        gone.kill()
        left.remove(gone)
    wait_holders(left, cid, 3)
    is_read_by_a_newcomer(t, left[0], cid, path)


@test
def rm_ends_it_everywhere(t):
    """After rm nobody keeps it, and gc removes the blocks of all."""
    nodes = network(t, 4)
    owner = nodes[2]
    cid, _ = add_safe(t, owner, 2)
    keeping = holders(nodes, cid)
    owner.fails(4, "OBJECT_ROOT", "pin", "rm", cid)
    owner.ok("rm", cid)
    wait_holders(nodes, cid, 0)
    wait_for(lambda: not owner.lines("objects", "ls"), SECONDS,
             "the owner forgets it")
    equal(owner.lines("pin", "ls"), [], "the owner's pins")
    for node in [owner, *keeping]:
        node.ok("gc")
    for node in [owner, *keeping]:
        equal(node.json("status")["blocks"], 0, f"blocks of {node.name}")
    owner.fails(3, "NOT_PINNED", "rm", cid)


@test
def rm_while_a_holder_is_off(t):
    """A holder that was off when it was released lets go when it is back."""
    nodes = network(t, 4)
    owner = nodes[0]
    cid, _ = add_safe(t, owner, 3)
    off = holders(nodes, cid)[1]
    off.kill()
    owner.ok("rm", cid)
    wait_holders([node for node in nodes if node is not off], cid, 0)
    start(off, owner)
    wait_holders([off], cid, 0)


@test
def too_few_nodes_is_partial(t):
    """With fewer nodes than copies add ends, says so and is not a failure;
    when a node comes it gets its copy."""
    nodes = network(t, 3)
    owner = nodes[0]
    path = trees.random_file(t.path("file"), t.seed, 500_000)
    result = owner.ok("add", "--copies", 3, path)
    check("partial" in result.err, result)
    cid = result.text.split()[1]
    told = wait_state(owner, cid, "partial")
    equal(told["policy"]["copies"], 3, "wanted")
    wait_for(lambda: status(owner, cid)["copies"]["stored"] == 2, SECONDS,
             "those that are there keep it")
    equal(status(owner, cid)["state"], "partial", "state")
    more = start(t.node("more"), owner)
    told = wait_state(owner, cid, "stored", "verified", "safe")
    check(more.peer_id in [one["peer"] for one in told["holders"]], told)


@test
def a_refusal_is_told_with_its_reason(t):
    """Of an object that is more than holders take of one owner each is named
    with that, and the object waits for others."""
    nodes = network(t, 2)
    small = t.node("small").start("--set", "storage.offer=8MB", "--bootstrap",
                                  nodes[0].address)
    nodes[1].stop()
    path = trees.random_file(t.path("file"), t.seed, 2_000_000)
    result = nodes[0].ok("add", "--copies", 1, path)
    check("0 of 1" in result.err and "objects status" in result.err, result)
    cid = result.out.split()[1].decode()
    wait_for(lambda: [(one["peer"], one["state"], one.get("reason"))
                      for one in status(nodes[0], cid)["holders"]] ==
             [(small.peer_id, "failed", "quota")], SECONDS, "it refuses")
    told = nodes[0].ok("objects", "status", cid).text
    check("storage.offer there" in told, told)
    start(nodes[1])
    nodes[1].connect(nodes[0])
    wait_holders([nodes[1]], cid, 1)


@test
def without_a_daemon_it_is_local(t):
    """add without a daemon says that it is here only; the daemon makes the
    copies when it runs."""
    nodes = network(t, 3)
    owner = t.node("owner")
    path = trees.random_file(t.path("file"), t.seed, 300_000)
    result = owner.ok("add", "--copies", 2, path)
    check("xmbl daemon" in result.err, result)
    line = owner.lines("add", "--copies", 2, path)[-1]
    equal(line["copies"], {"wanted": 2, "stored": 0, "verified": 0,
                           "state": "local"}, "copies")
    cid = line["cid"]
    equal(status(owner, cid)["state"], "local", "state without a daemon")
    start(owner, nodes[0])
    wait_state(owner, cid, "safe")
    equal(len(holders(nodes, cid)), 2, "copies")


@test
def it_survives_restarts(t):
    """Owner and holders are killed and started again: nothing is forgotten,
    and no copy is made for nothing."""
    nodes = network(t, 4)
    owner = nodes[3]
    cid, path = add_safe(t, owner, 2)
    keeping = holders(nodes, cid)
    for node in [owner, *keeping]:
        node.kill()
    first = next(node for node in nodes if node.daemon.result is None)
    for node in [*keeping, owner]:
        start(node, first)
    wait_state(owner, cid, "safe")
    wait_holders(nodes, cid, 2)
    for node in holders(nodes, cid):
        equal(node.ok("cat", cid).out, path.read_bytes(), "the file")


@test
def a_killed_pull_goes_on(t):
    """A holder is killed while it fetches: started again it fetches the
    rest, and the owner need not be asked anew."""
    nodes = network(t, 3)
    owner = nodes[0]
    path = trees.random_file(t.path("file"), t.seed, 200_000_000)
    cid = owner.lines("add", "--copies", 2, "--wait", "local",
                      path)[-1]["cid"]
    holder = nodes[1]
    wait_for(lambda: holder.stored_bytes() > 20_000_000, SECONDS,
             "it fetches")
    holder.kill()
    start(holder, nodes[2])
    wait_holders(nodes, cid, 2)
    check(holder.stored_bytes() < 260_000_000, "it fetched much twice")
    wait_state(owner, cid, "safe")


@test
def stopped_in_the_middle(t):
    """Daemons that are told to stop while they copy end cleanly and soon, and
    go on with it when they are started again."""
    nodes = network(t, 4)
    owner = nodes[0]
    path = trees.random_file(t.path("file"), t.seed, 150_000_000)
    cid = owner.lines("add", "--copies", 3, "--wait", "local",
                      path)[-1]["cid"]
    wait_for(lambda: nodes[1].stored_bytes() > 5_000_000, SECONDS, "copying")
    for node in nodes:
        node.daemon.signal(signal.SIGTERM)
    for node in nodes:
        equal(node.daemon.wait(10).code, 0, f"the end of {node.name}")
    for node in nodes:
        start(node, nodes[0] if node is not nodes[0] else None)
    wait_state(owner, cid, "safe")
    wait_holders(nodes, cid, 3)


@test
def odd_things_become_objects(t):
    """An empty file, standard input, several roots, an old form of CID."""
    nodes = network(t, 3)
    owner = nodes[0]
    empty, small = t.write("empty"), t.write("small", b"x" * 1000)
    owner.ok("add", "--copies", 2, empty, small)
    owner.ok("add", "--copies", 2, "--name", "from a pipe", "-",
             stdin=b"hello")
    old = owner.lines("add", "--copies", 2, "--profile", "kubo-v0",
                      trees.random_file(t.path("f"), t.seed, 600_000))[-1]
    wait_state(owner, old["cid"], "safe")

    def all_safe():
        found = owner.lines("objects", "ls")
        return len(found) == 4 and {x["state"] for x in found} == {"safe"}
    wait_for(all_safe, SECONDS, "all four are safe")
    names = [one.get("name") for one in owner.lines("objects", "ls")]
    check("from a pipe" in names, names)


@test
def status_is_watched(t):
    """status --watch tells each change, until the object is gone."""
    nodes = network(t, 3)
    owner = nodes[0]
    cid, _ = add_safe(t, owner, 1)
    watch = owner.begin("objects", "status", cid, "--watch", "--json")
    owner.ok("objects", "set-copies", cid, 2, "--wait", "stored")
    wait_state(owner, cid, "safe")
    owner.ok("rm", cid)
    told = watch.wait(SECONDS)
    equal(told.code, 0, told)
    lines = told.json_lines()
    check(len(lines) >= 2, told)
    equal({line["root"] for line in lines}, {cid}, "roots")
    check("safe" in [line["state"] for line in lines], lines)


@test
def the_number_of_copies_changes(t):
    """More copies are made, fewer are let go."""
    nodes = network(t, 5)
    owner = nodes[4]
    cid, _ = add_safe(t, owner, 2)
    told = owner.lines("objects", "set-copies", cid, 4, "--wait",
                       "stored")[-1]
    equal(told["copies"]["wanted"], 4, "wanted")
    wait_holders(nodes, cid, 4)
    owner.ok("objects", "set-copies", cid, 1)
    wait_holders(nodes, cid, 1)
    equal(wait_state(owner, cid, "safe", "verified", "stored")["copies"]
          ["wanted"], 1, "wanted")
    owner.fails(2, "BAD_USAGE", "objects", "set-copies", cid, 8)
    nodes[0].fails(3, "NOT_FOUND", "objects", "set-copies", cid, 2)


@test
def two_owners_of_one_file(t):
    """The release of one owner leaves the copies of the other."""
    nodes = network(t, 4)
    one, two = nodes[0], nodes[1]
    cid, _ = add_safe(t, one, 3)
    two.ok("add", "--copies", 3, t.path("file"))
    # Whoever keeps it for somebody else is no copy of its own.
    wait_for(lambda: status(two, cid)["copies"]["stored"] >= 2, SECONDS,
             "the second owner's copies")
    one.ok("rm", cid)
    wait_for(lambda: not [x for x in one.lines("objects", "ls")
                          if x["role"] == "owner"], SECONDS, "the release")
    keeping = holders(nodes[2:], cid)
    equal(len(keeping), 2, "copies of the second owner")
    for node in keeping:
        node.ok("gc")
        check(is_local(node, cid), "the other's release took it")


@test
def a_lost_machine_is_recovered(t):
    """With the key alone a new machine gets its list and its files again."""
    nodes = network(t, 4)
    owner = nodes[3]
    cid, path = add_safe(t, owner, 2, name="precious")
    owner.ok("key", "export", "-o", t.path("key.pem"))
    owner.kill()
    new = t.node("new", init=False)
    new.ok("key", "import", t.path("key.pem"))
    start(new, nodes[0])

    def recovered():
        lines = new.lines("objects", "recover")
        check("lost" not in [line.get("state") for line in lines], lines)
        return cid in [line.get("root") for line in lines]
    wait_for(recovered, SECONDS, "recover finds it")
    check(cid in [one["root"] for one in new.lines("objects", "ls")], "ls")
    new.ok("get", cid, "-o", t.path("out"))
    check(trees.same_files(path, t.path("out")), "the file differs")


def owner_index(node):
    """The CID under which the DHT knows who keeps a node's objects."""
    key = base64.b64decode(node.json("id")["public_key"])[-32:]
    parts = b"".join(bytes([len(part)]) + part
                     for part in (b"xmbl/owner", key))
    return dag.text(dag.cid(parts))


@test
def the_dht_knows_who_keeps_for_an_owner(t):
    """Holders are providers of the owner's index: with it and the key alone
    they are found."""
    nodes = network(t, 4)
    cid, _ = add_safe(t, nodes[0], 2, size=1000)
    keeping = {node.peer_id for node in holders(nodes, cid)}

    def found():
        lines = nodes[0].run("dht", "findprovs", owner_index(nodes[0]),
                             "--json").json_lines()
        return {line.get("peer_id") for line in lines} >= keeping
    wait_for(found, SECONDS, "the DHT names the holders")


@test
def wrong_choices_are_refused(t):
    """What cannot be is said, before anything is done."""
    node = t.node()
    path = t.write("file", b"hello")
    node.fails(2, "BAD_USAGE", "add", "--copies", "8", path)
    node.fails(2, ("BAD_VALUE", "BAD_USAGE"), "add", "--copies", "1",
               "--wait", "never", path)
    node.fails(2, "BAD_VALUE", "add", "--copies", "1", "--pin=false", path)
    cid = node.add(path)
    node.fails(3, "NOT_FOUND", "objects", "status", cid)
    node.fails(6, "DAEMON_NEEDED", "objects", "recover")
    node.ok("rm", "--local", cid)
    node.fails(3, "NOT_PINNED", "rm", cid)


@test
def why_tells_what_is_wrong(t):
    """The steps of why: here, at a peer, nowhere, without a network."""
    one, two = network(t, 2)
    cid = one.add(trees.random_file(t.path("file"), t.seed, 2_000_000))
    here = one.lines("why", cid)
    equal((here[0]["step"], here[0]["result"]), ("local", "ok"), "local")
    equal(here[-1]["fetchable"], True, "here")
    wait_for(lambda: two.json("swarm", "peers"), SECONDS, "a peer")
    there = {line.get("step"): line for line in two.lines("why", cid)}
    equal((there["local"]["result"], there["peers"]["result"],
           there["fetch"]["result"]), ("failed", "ok", "ok"), "at a peer")
    absent = one.text("add", "-Q", "-n", t.write("absent", b"nobody has it"))
    result = two.fails(3, "NOT_FOUND", "why", absent, "--timeout", "5s")
    check("fetch: failed" in result.text, result)
    alone = t.node("alone")
    result = alone.fails(3, "NOT_FOUND", "why", absent)
    check("xmbl daemon" in result.text, result)
