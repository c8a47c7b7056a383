"""Objects on nodes that die, come back and change their minds.

Goal: whatever happens to nodes in between, an object that `add` called stored
is fetched again by every node, equal; objects that stay come back to the
copies that are wanted, no more and no fewer; those that were removed go.
Method: seven daemons on loopback and a random series of adds, kills as by a
power switch, restarts, removals and changes of copies; then time to settle,
then everything is looked at.  12 steps, 150 with --long.
"""
import trees
from processes import Failure, wait_for
from test_objects import FAST, SECONDS, holders, network, status
from xmbltest import check, equal, same_tree, test

NODES = 7
DOWN_MAX = 2  # at a time; fewer than copies


def again(node):
    """Start a node that has run before, on its port."""
    node.start(*FAST, listen=node.address.rpartition("/p2p/")[0])


def same(got, want):
    """Fail, unless both are equal files or equal folders."""
    if want.is_dir():
        same_tree(got, want)
    else:
        check(trees.same_files(got, want), f"{got} differs")


class Churn:
    """A network, and what it was asked to keep."""

    def __init__(self, t):
        self.t, self.rng = t, t.rng
        self.nodes = network(t, NODES)
        self.objects = {}  # CID: (owner, path, copies)
        self.log = []

    def running(self):
        """The nodes that run."""
        return [node for node in self.nodes if node.daemon.running()]

    def add(self):
        """Some running node has a file or folder kept by others."""
        owner = self.rng.choice(self.running())
        name = f"o{len(self.log)}"
        copies = self.rng.choice((2, 3))
        if self.rng.random() < 0.3:
            path = self.t.path(name)
            trees.write_tree(path, trees.random_tree(name, 30, 100_000))
        else:
            path = trees.random_file(self.t.path(name), name,
                                     self.rng.randrange(1, 4_000_000))
        added = owner.lines("add", "--copies", copies, path)[-1]
        self.objects[added["cid"]] = (owner, path, copies)
        return f"{owner.name} adds {added}"

    def kill(self):
        """A node dies."""
        if NODES - len(self.running()) >= DOWN_MAX:
            return self.restart()
        node = self.rng.choice(self.running())
        node.kill()
        return f"{node.name} is killed"

    def restart(self):
        """A dead node comes back."""
        down = [node for node in self.nodes if not node.daemon.running()]
        if not down:
            return self.kill()
        node = self.rng.choice(down)
        again(node)
        return f"{node.name} comes back"

    def mine(self):
        """An object whose owner runs; None: there is none."""
        cids = [cid for cid, (owner, _, _) in self.objects.items()
                if owner.daemon.running()]
        return self.rng.choice(cids) if cids else None

    def change(self):
        """An owner wants another number of copies."""
        cid = self.mine()
        if cid is None:
            return self.add()
        owner, path, _ = self.objects[cid]
        copies = self.rng.choice((1, 2, 3, 4))
        owner.ok("objects", "set-copies", cid, copies)
        self.objects[cid] = (owner, path, copies)
        return f"{owner.name} wants {copies} of {cid}"

    def remove(self):
        """An owner ends what add began."""
        cid = self.mine()
        if cid is None:
            return self.add()
        owner, _, _ = self.objects.pop(cid)
        owner.ok("rm", cid)
        return f"{owner.name} removes {cid}"

    def get(self):
        """Some node fetches something."""
        if not self.objects:
            return self.add()
        cid = self.rng.choice(list(self.objects))
        node = self.rng.choice(self.running())
        out = self.t.path(f"got{len(self.log)}")
        node.ok("get", cid, "-o", out, timeout=120)
        same(out, self.objects[cid][1])
        return f"{node.name} gets {cid}"

    def step(self):
        """Something happens."""
        what = self.rng.choices(
            (self.add, self.kill, self.restart, self.change, self.remove,
             self.get), (4, 3, 3, 1, 1, 2))[0]
        self.log.append(what())

    def settled(self, cid):
        """Whether the owner and the holders say that all is as wanted."""
        owner, _, copies = self.objects[cid]
        told = status(owner, cid)
        return (told["copies"]["stored"] == copies and
                len(holders(self.nodes, cid)) == copies)


@test
def objects_outlive_churn(t):
    """What was stored is there after any series of deaths and returns."""
    churn = Churn(t)
    wait_for(lambda: all(len(node.json("swarm", "peers")) >= NODES - 1
                         for node in churn.nodes), SECONDS, "a network")
    for _ in range(150 if t.long else 12):
        churn.step()
    for node in churn.nodes:
        if not node.daemon.running():
            again(node)
    try:
        for cid, (_, path, _) in churn.objects.items():
            wait_for(lambda cid=cid: churn.settled(cid), 2 * SECONDS,
                     f"{cid} is kept as wanted")
            for node in churn.nodes:
                out = t.path(f"{node.name}-{cid}")
                node.ok("get", cid, "-o", out, timeout=120)
                same(out, path)
    except Failure as error:
        raise Failure("\n".join([str(error), *churn.log])) from None
    for node in churn.nodes:
        equal(node.json("verify")["bad"], [], "bad blocks")
        check(node.stop().code == 0, f"{node.name} did not end{node.log()}")
