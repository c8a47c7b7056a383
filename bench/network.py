"""What is measured of several nodes; as groups.py."""
import os
import signal
import subprocess
import threading
import time

import machine
import nodes
import processes
from contest import MIB, Row, Skip
from groups import (CHUNK, DEBIAN_PYTHON, GIB, command, free_port, fresh,
                    random_file, same_file)
from wire import Wire

SOURCES = 4
COPIES_BYTES = 100_000_000
COPIES = 3
SLOW_RATE = 1 * MIB
DELAY_S = 0.05  # one way
SMALL_BYTES = 1000
CONNS = 500
IDLE_S = 10
ALONE = ("--set", "network.discovery=false")


def start_sources(bench, path, count):
    """Nodes that have the file, and its CID."""
    found, cid = [], None
    for number in range(count):
        node = fresh(bench, f"source-{number}")
        cid = node.add(path, "--chunker", f"size-{CHUNK}", timeout=900)
        found.append(node.start(*ALONE))
    return found, cid


def get_from(bench, path, cid, addresses, meanwhile=None):
    """One download from those addresses."""
    target = fresh(bench, "target")
    out = target.home / "out"
    try:
        target.start(*ALONE)
        for address in addresses:
            target.ok("swarm", "connect", address)
        bench.before(path)
        if meanwhile is not None:
            threading.Thread(target=meanwhile, daemon=True).start()
        seconds, _, _, _ = command(target.ok, "get", "-o", out, cid)
        peak = target.daemon.peak_bytes()
    finally:
        target.stop()
    same_file(path, out)
    bench.drop("target")
    return {"rate": path.stat().st_size / seconds, "mib": peak}


def torrents(bench, path, count):
    """libtorrent from several seeds."""
    script = nodes.ROOT / "bench/torrent.py"
    probe = subprocess.run([DEBIAN_PYTHON, "-c", "import libtorrent"],
                           check=False, capture_output=True)
    if probe.returncode != 0:
        raise Skip("python3-libtorrent is not installed")
    torrent = bench.folder / "file.torrent"
    if not torrent.exists():
        subprocess.run([DEBIAN_PYTHON, script, "create", path, torrent],
                       check=True)
    ports = [str(free_port()) for _ in range(count)]
    out = bench.empty("torrent-out")
    seeds = [subprocess.Popen([DEBIAN_PYTHON, script, "seed", torrent,
                               path.parent, port],
                              stdout=subprocess.PIPE, text=True)
             for port in ports]
    try:
        for seed in seeds:
            if seed.stdout.readline() != "ready\n":
                raise processes.Failure("a seed ended")
        bench.before(path)
        _, _, peak, text = command(
            processes.run, [DEBIAN_PYTHON, script, "leech", torrent, out,
                            str(free_port()), *ports])
    finally:
        for seed in seeds:
            seed.kill()
            seed.wait()
    same_file(path, out / path.name)
    bench.drop("torrent-out")
    return {"rate": path.stat().st_size / float(text), "mib": peak}


def sources(bench):
    """get of 1 GiB from four daemons, one of them slow or killed"""
    path = random_file(bench, "file", bench.size(GIB))
    found, cid = start_sources(bench, path, SOURCES)
    for node in found:
        bench.before(node.home)
    everyone = [node.address for node in found]

    def slow():
        wire = Wire(found[0].port, rate=SLOW_RATE)
        try:
            return get_from(bench, path, cid,
                            [wire.address(found[0]), *everyone[1:]])
        finally:
            wire.close()

    def killed():
        def kill():
            time.sleep(0.8)  # half way, about
            found[0].kill()
        try:
            return get_from(bench, path, cid, everyone, kill)
        finally:
            found[0].start(*ALONE, listen=found[0].address.rpartition(
                "/p2p/")[0])

    try:
        samples = bench.rounds({
            "one": lambda: get_from(bench, path, cid, everyone[:1]),
            "four": lambda: get_from(bench, path, cid, everyone),
            "slow": slow,
            "killed": killed,
            "libtorrent": lambda: torrents(bench, path, SOURCES),
        })
    finally:
        for number, node in enumerate(found):
            node.stop()
            bench.drop(f"source-{number}")
    bench.report(samples, [
        Row("get from 4 / from one", "four", "rate", "one", 0.9),
        Row("get from 4 / libtorrent, 4 seeds", "four", "rate", "libtorrent",
            1.2),
        Row("one of 4 at 1 MiB/s / from 4", "slow", "rate", "four", 0.9),
        Row("one of 4 killed / from 4", "killed", "rate", "four", 0.9),
        Row("get from 4, peak memory", "four", "mib", None, 64, False),
    ])


def network_of(bench, count, *settings):
    """Nodes that know each other."""
    found = []
    for number in range(count):
        node = fresh(bench, f"node-{number}")
        known = () if not found else ("--bootstrap", found[0].address)
        found.append(node.start(*settings, *known))
    for node in found:
        processes.wait_for(
            lambda node=node: len(node.json("swarm", "peers")) >= count - 1,
            60, "all nodes connected")
    return found


def copies(bench):
    """add of 100 MB with three copies on five daemons"""
    size = bench.size(COPIES_BYTES)
    found = network_of(bench, 5, "--set", "storage.offer=8GB")

    def add(number, *args):
        path = random_file(bench, f"file-{number}-{len(args)}-"
                           f"{os.urandom(4).hex()}", size)
        bench.before(path)
        seconds, _, _, _ = command(found[1].ok, "add", *args, path)
        path.unlink()
        return {"ms": seconds * 1000}

    try:
        samples = bench.rounds({
            "add": lambda: add(0, "--copies", "0"),
            "copies": lambda: add(1, "--copies", str(COPIES)),
        })
        for plain, kept in zip(samples["add"], samples["copies"]):
            kept["more"] = kept["ms"] - plain["ms"]
    finally:
        for number, node in enumerate(found):
            node.stop()
            bench.drop(f"node-{number}")
    bench.report(samples, [
        Row("add of 100 MB", "add", "ms"),
        Row("add --copies 3 of 100 MB, to stored", "copies", "ms"),
        Row("that beyond the add", "copies", "more", None, 1500, False),
    ])


def first_byte(bench):
    """time to the first byte over a line of 100 ms, in round trips"""
    path = bench.folder / "first-byte"
    source = fresh(bench, "source").start(*ALONE)
    wire = Wire(source.port, delay_s=DELAY_S)

    def cat():
        target = fresh(bench, "target").start(*ALONE)
        try:
            with open(path, "wb") as file:
                file.write(os.urandom(SMALL_BYTES))
            cid = source.add(path)
            target.ok("swarm", "connect", wire.address(source))
            target.ok("ping", source.peer_id, "-c", "1")
            start = time.monotonic()
            target.ok("cat", cid)
            trips = (time.monotonic() - start) / (2 * DELAY_S)
        finally:
            target.stop()
            bench.drop("target")
        return {"trips": trips}

    try:
        samples = bench.rounds({"xmbl": cat})
    finally:
        wire.close()
        source.stop()
        bench.drop("source")
    bench.report(samples, [
        Row("cat of a connected peer's", "xmbl", "trips", None, 2, False)])


def conns(bench):
    """500 connections to one daemon, idle"""
    count = max(round(CONNS * bench.options.scale), 2)
    # A part of the places is for others than those that come.
    places = count * 8 // 5
    hub = fresh(bench, "hub").start(
        "--set", f"network.connections_max={places}", *ALONE)
    others = []

    def one():
        for number in range(len(others), count):
            node = fresh(bench, f"peer-{number}")
            others.append(node.start(*ALONE, "--bootstrap", hub.address))
        processes.wait_for(lambda: len(hub.json("swarm", "peers")) >= count,
                           120, f"{count} connections")
        time.sleep(IDLE_S)
        cpu = machine.cpu_seconds(hub.daemon.pid)
        time.sleep(IDLE_S)
        cpu = machine.cpu_seconds(hub.daemon.pid) - cpu
        return {"mib": hub.daemon.resident_bytes(),
                "share": 100 * cpu / IDLE_S}

    try:
        samples = bench.rounds({"xmbl": one}, 1)
    finally:
        for node in (*others, hub):
            if node.daemon is not None:
                node.daemon.signal(signal.SIGKILL)
        for number, node in enumerate(others):
            node.daemon.wait(10)
            bench.drop(f"peer-{number}")
        hub.daemon.wait(10)
        bench.drop("hub")
    bench.report(samples, [
        Row(f"{count} connections, memory", "xmbl", "mib", None, 64, False),
        Row(f"{count} connections, CPU", "xmbl", "share", None, 2, False),
    ])


NETWORK_GROUPS = {"sources": sources, "copies": copies,
                  "first-byte": first_byte, "conns": conns}
