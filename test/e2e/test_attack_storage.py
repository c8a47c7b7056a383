"""Attacks on objects: offers, receipts, audits and more that are lies.

Goal: what is said by /xmbl/<network>/storage/1.0.0, however false or much of
it, harms no daemon, and an honest object goes on: it is taken, proved and
fetched back while others attack.
Method: the rows `storage_...` of the program attack, as in test_attacks.py; at
each step an honest node also has the daemon keep a new object of its own.  And
the other way round: the daemon places objects where one of the holders lies.
"""
import os

import processes
from processes import wait_for
from test_attacks import (Siege, attack_program, besiege, rows,
                          sanitized_program)
from xmbltest import check, test

OBJECT_S = 25  # until an object is kept, while attacks run on a busy machine
OBJECT_BYTES = 50_000
FAST = ("--set", "storage.audit_interval=1s", "--set",
        "storage.repair_grace=3s")


class ObjectSiege(Siege):
    """A siege whose honest node also has objects kept by the daemon."""

    objects = 0

    def place(self):
        """Begin to have a new object kept; return the process."""
        self.objects += 1
        path = self.t.write(f"object{self.objects}", os.urandom(OBJECT_BYTES))
        return self.friend.begin("add", "--copies", "1", "--wait", "stored",
                                 "--timeout", f"{OBJECT_S}s", "--json", path)

    def step(self, names, flood_ms):
        """As any step, and an object beside it."""
        begun = self.place()
        super().step(names, flood_ms)
        result = begun.wait(OBJECT_S * self.slack)
        what = " ".join(names)
        check(result.code == 0, f"{what}: {result}{self.victim.log()}")
        copies = result.json_lines()[-1]["copies"]
        check(copies["stored"] == 1, f"{what}: {copies}")


def chosen(limited):
    """The rows of this test; last those that offer so much of what nobody has
    that others are told to come again, as those that are to be pulled are."""
    names = [row for row in rows(limited) if row.name.startswith("storage_")]
    return sorted(names, key=lambda row: row.name.startswith(
        ("storage_crowd", "storage_flood")))


@test
def objects_beside_attacks(t):
    """Every attack by the protocol of objects."""
    siege = ObjectSiege(t, sanitized_program())
    besiege(t, siege, chosen(limited=False))


def show(node, cid):
    """What a node knows of an object."""
    return node.json("objects", "status", cid)


def place_beside(siege, row):
    """An object for two, one of whom lies: the other keeps it, and the liar's
    copy does not count for long."""
    process, lines, stdin = siege.driven(row.name)
    where = lines.readline().split()
    check(where[:1] == ["connect"], f"{row.name} said {where}")
    siege.victim.ok("swarm", "connect", where[1], "--timeout", "8s")
    check(lines.readline().split() == ["object"], f"{row.name}: no hello")
    liar = where[1].split("/")[-1]
    path = siege.t.write(row.name, os.urandom(OBJECT_BYTES))
    cid = siege.victim.add(path, "--copies", "2", "--wait", "local")
    last = {}

    def settled():
        last["status"] = show(siege.victim, cid)
        states = {one["peer"]: one["state"]
                  for one in last["status"]["holders"]}
        honest = states.get(siege.friend.peer_id)
        return (honest in ("stored", "verified") and
                states.get(liar) not in ("stored", "verified") and
                last["status"]["copies"]["stored"] == 1)
    audits = set()

    def audited_twice():
        for one in show(siege.victim, cid)["holders"]:
            if one["peer"] == siege.friend.peer_id and "last_verified" in one:
                audits.add(one["last_verified"])
        return len(audits) > 2
    try:
        wait_for(settled, OBJECT_S * siege.slack, f"{row.name}: one true copy")
        wait_for(audited_twice, OBJECT_S * siege.slack, f"{row.name}: audits")
        check(settled(), f"{row.name}: it did not stay so")
    finally:
        print(f"     {row.name}: {last}")
        stdin.close()
        text = lines.read()
        lines.close()
        process.wait(30)
    siege.check_sound(row.name)
    check(text.startswith("ok "), f"{row.name}: {text}{siege.victim.log()}")
    siege.victim.ok("rm", cid)


@test
def objects_with_holders_that_lie(t):
    """Accepted and not kept, forged receipts, made-up audits: not counted."""
    siege = ObjectSiege(t, sanitized_program(), more=FAST)
    for row in rows(limited=False):
        if row.driven and row.name.startswith("holder_"):
            place_beside(siege, row)
            siege.check_rest(row.name)
    siege.end()


@test
def audits_do_not_tell_of_the_cache(t):
    """With storage.serve_cache=false nobody learns what was looked at, also
    not who audits an object that is kept for him."""
    victim, friend = t.node("victim"), t.node("friend").start()
    victim.start("--set", "storage.serve_cache=false", "--set",
                 "security.limit_loopback=false")
    victim.connect(friend)
    cid = friend.add(t.write("secret", os.urandom(OBJECT_BYTES)))
    victim.ok("get", cid, "-o", t.path("out"), "--timeout", "10s")
    check(victim.json("stat", cid)["local"], "it is not in the cache")
    cids = t.write("cids", cid.encode() + b"\n")
    result = processes.run([attack_program(), "--driven", "--cids", cids,
                            victim.address, "cache_audit"], timeout=60)
    check(result.code == 0, f"{result}{victim.log()}")
