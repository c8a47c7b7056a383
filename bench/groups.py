"""What is measured: each function is a group of contestants and its rows."""
import functools
import os
import resource
import socket
import subprocess
import sys
import time

import machine
import nodes
import peers
import processes
from contest import MIB, Row, Skip

GIB = 1 << 30
CHUNK = MIB
KUBO_CHUNK = 256 * 1024
DEBIAN_PYTHON = "/usr/bin/python3"
TIMEOUT_S = 900
IDLE_S = 5
DISK_FOR_MEMORY = 40 * GIB
FEW, MANY = 3, 100_000


# What contestants share.

def random_file(bench, name, size):
    """A file that no compression helps with; made once."""
    path = bench.folder / name
    if not path.exists():
        with open(path, "wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
    return path


def small_files(bench, count, size):
    """A folder of small files; made once."""
    folder = bench.folder / "small-files"
    if not folder.exists():
        for start in range(0, count, 100):
            part = folder / f"{start // 100:04}"
            part.mkdir(parents=True)
            for number in range(start, min(start + 100, count)):
                (part / f"{number:06}").write_bytes(os.urandom(size))
    return folder


def command(run, *args, **how):
    """Run a command that must succeed; return (seconds, CPU seconds, peak
    bytes, text)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = run(*args, timeout=TIMEOUT_S, **how)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime - before.ru_utime + after.ru_stime -
           before.ru_stime)
    return result.seconds, cpu, result.peak_bytes, result.text


def fresh(bench, name):
    """A new node of ours."""
    node = nodes.Node(bench.empty(name))
    node.ok("init")
    return node


def kubo_program():
    """Finds kubo, or builds it the first time."""
    if "XMBL_KUBO" not in os.environ:
        found = subprocess.run([nodes.ROOT / "tools/peers.sh", "kubo"],
                               capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise Skip(found.stderr.strip().splitlines()[-1])
        os.environ["XMBL_KUBO"] = found.stdout.strip()


def fresh_kubo(bench, name):
    """A new node of kubo, that knows nobody but whom it is told."""
    kubo_program()
    return peers.Kubo(bench.empty(name), "kubo")


def kubo_add_args(chunk):
    """How kubo adds a file as we do."""
    return ["add", "-Q", "--cid-version=1", f"--chunker=size-{chunk}"]


def same_file(one, other):
    """Complain unless two files are equal."""
    if subprocess.run(["cmp", "-s", one, other], check=False).returncode != 0:
        raise processes.Failure(f"{one} and {other} differ")


# Adding.

def limit_add(bench, path, chunk):
    """One core that does the least of it."""
    folder = bench.empty("limit")
    bench.before(path)
    told = bench.program("limit_add", path, folder, chunk)
    bench.drop("limit")
    return {"rate": told["bytes"] / told["seconds"], "cpu": told["cpu"]}


def our_add(bench, path, *args):
    """`xmbl add` on its own."""
    node = fresh(bench, "ours")
    bench.before(path)
    seconds, cpu, peak, _ = command(node.ok, "add", "-Q", *args, path)
    bench.drop("ours")
    return {"rate": path.stat().st_size / seconds, "cpu": cpu, "mib": peak}


def our_daemon_add(bench, path):
    """`xmbl add` with a daemon that does the work."""
    node = fresh(bench, "ours").start()
    try:
        bench.before(path)
        cpu = machine.cpu_seconds(node.daemon.pid)
        seconds, client, _, _ = command(node.ok, "add", "-Q", path)
        cpu = machine.cpu_seconds(node.daemon.pid) - cpu + client
        peak = node.daemon.peak_bytes()
    finally:
        node.stop()
    bench.drop("ours")
    return {"rate": path.stat().st_size / seconds, "cpu": cpu, "mib": peak}


def kubo_add(bench, path, chunk):
    """`ipfs add` on its own; it does not sync."""
    kubo = fresh_kubo(bench, "kubo")
    bench.before(path)
    seconds, cpu, peak, _ = command(kubo.ok, *kubo_add_args(chunk), path)
    bench.drop("kubo")
    return {"rate": path.stat().st_size / seconds, "cpu": cpu, "mib": peak}


def add(bench):
    """add of 1 GiB in chunks of 1 MiB"""
    path = random_file(bench, "file", bench.size(GIB))
    samples = bench.rounds({
        "one core": lambda: limit_add(bench, path, CHUNK),
        "xmbl": lambda: our_add(bench, path),
        "kubo": lambda: kubo_add(bench, path, CHUNK),
        "daemon": lambda: our_daemon_add(bench, path),
    })
    bench.report(samples, [
        Row("add / one core's limit", "xmbl", "rate", "one core", 1.0),
        Row("add / kubo", "xmbl", "rate", "kubo", 1.5),
        Row("add, CPU / kubo", "xmbl", "cpu", "kubo", 0.6, False),
        Row("add with daemon / without", "daemon", "rate", "xmbl", 0.8),
        Row("add, peak memory", "xmbl", "mib", None, 64, False),
        Row("add with daemon, peak memory", "daemon", "mib", None, 64, False),
    ])


def add_256k(bench):
    """add of 1 GiB in chunks of 256 KiB"""
    path = random_file(bench, "file", bench.size(GIB))
    samples = bench.rounds({
        "one core": lambda: limit_add(bench, path, KUBO_CHUNK),
        "xmbl": lambda: our_add(bench, path, "--profile", "kubo-v1"),
        "kubo": lambda: kubo_add(bench, path, KUBO_CHUNK),
    })
    bench.report(samples, [
        Row("add kubo-v1 / kubo", "xmbl", "rate", "kubo", 2.5),
        Row("add kubo-v1 / one core's limit", "xmbl", "rate", "one core"),
        Row("add kubo-v1, CPU / kubo", "xmbl", "cpu", "kubo"),
    ])


# Getting.

def limit_get(bench, path, how):
    """Two processes that do the least of it."""
    out = bench.folder / "limit-out"
    bench.before(path)
    told = bench.program("limit_get", path, out, CHUNK, how)
    out.unlink()
    return {"rate": told["bytes"] / told["seconds"], "cpu": told["cpu"]}


def best_limit_get(bench, path):
    """The better of one and of two threads at the receiver."""
    both = [limit_get(bench, path, how) for how in ("alone", "hasher")]
    return max(both, key=lambda sample: sample["rate"])


def between(bench, path, source, target, cid):
    """The file from one daemon to the other, both started here."""
    out = target.home / "out"
    try:
        source.start()
        target.start()
        target.connect(source)
        bench.before(source.home)
        pids = source.daemon.pid, target.daemon.pid
        cpu = sum(map(machine.cpu_seconds, pids))
        seconds, client, _, _ = command(target.ok, "get", "-o", out, cid)
        cpu = sum(map(machine.cpu_seconds, pids)) - cpu + client
        peak = max(source.daemon.peak_bytes(), target.daemon.peak_bytes())
        time.sleep(IDLE_S)
        left = max(source.daemon.resident_bytes(),
                   target.daemon.resident_bytes())
    finally:
        target.stop()
        source.stop()
    same_file(path, out)
    return {"rate": path.stat().st_size / seconds, "cpu": cpu, "mib": peak,
            "left": left}


def once(function):
    """A source is filled at its first use, and used again."""
    return functools.lru_cache(maxsize=None)(function)


def get_between(bench, path, source, fresh_target):
    """A contestant; source() gives a node with the file, and its CID."""
    def contestant():
        node, cid = source()
        sample = between(bench, path, node, fresh_target(bench, "target"), cid)
        bench.drop("target")
        return sample
    return contestant


def sources(bench, path):
    """Functions that give a node of ours and one of kubo's with the file."""
    @once
    def ours():
        node = fresh(bench, "source")
        return node, node.add(path, timeout=TIMEOUT_S)

    @once
    def kubos():
        kubo = fresh_kubo(bench, "kubo-source")
        return kubo, kubo.text(*kubo_add_args(CHUNK), path, timeout=TIMEOUT_S)

    return ours, kubos


def free_port():
    """A TCP port that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def torrent_get(bench, path):
    """libtorrent to libtorrent, unencrypted."""
    python = DEBIAN_PYTHON if os.path.exists(DEBIAN_PYTHON) else sys.executable
    script = nodes.ROOT / "bench/torrent.py"
    probe = subprocess.run([python, "-c", "import libtorrent"], check=False,
                           capture_output=True)
    if probe.returncode != 0:
        raise Skip("python3-libtorrent is not installed")
    torrent = bench.folder / "file.torrent"
    if not torrent.exists():
        subprocess.run([python, script, "create", path, torrent], check=True)
    port = str(free_port())
    out = bench.empty("torrent-out")
    seed = subprocess.Popen([python, script, "seed", torrent, path.parent,
                             port], stdout=subprocess.PIPE, text=True)
    try:
        if seed.stdout.readline() != "ready\n":
            raise processes.Failure("the seed ended")
        bench.before(path)
        cpu = machine.cpu_seconds(seed.pid)
        _, client, peak, text = command(
            processes.run, [python, script, "leech", torrent, out,
                            str(free_port()), port])
        cpu = machine.cpu_seconds(seed.pid) - cpu + client
    finally:
        seed.kill()
        seed.wait()
    same_file(path, out / path.name)
    bench.drop("torrent-out")
    return {"rate": path.stat().st_size / float(text), "cpu": cpu, "mib": peak}


def get(bench):
    """get of 1 GiB from one daemon to another, on loopback"""
    path = random_file(bench, "file", bench.size(GIB))
    ours, kubos = sources(bench, path)
    samples = bench.rounds({
        "limit": lambda: best_limit_get(bench, path),
        "xmbl": get_between(bench, path, ours, fresh),
        "kubo": get_between(bench, path, kubos, fresh_kubo),
        "libtorrent": lambda: torrent_get(bench, path),
        "from kubo": get_between(bench, path, kubos, fresh),
        "to kubo": get_between(bench, path, ours, fresh_kubo),
    })
    for name in ("source", "kubo-source"):
        bench.drop(name)
    bench.report(samples, [
        Row("get / the limit", "xmbl", "rate", "limit", 0.8),
        Row("get / kubo", "xmbl", "rate", "kubo", 4),
        Row("get / libtorrent", "xmbl", "rate", "libtorrent", 1.3),
        Row("get, CPU of both / the limit", "xmbl", "cpu", "limit", 1.4,
            False),
        Row("get, CPU of both / kubo", "xmbl", "cpu", "kubo"),
        Row("get of kubo's / kubo to kubo", "from kubo", "rate", "kubo", 1),
        Row("kubo's get of ours / kubo to kubo", "to kubo", "rate", "kubo",
            1),
        Row("get, peak memory of a daemon", "xmbl", "mib", None, 64, False),
        Row("get, memory 5 s later", "xmbl", "left", None, 64, False),
    ])


# Starting and being idle.

def start_once(node):
    """Start a daemon, let it be, stop it."""
    node.start()
    sample = {"ms": node.start_seconds * 1000}
    time.sleep(IDLE_S)
    sample["mib"] = node.daemon.resident_bytes()
    node.stop()
    return sample


def kubo_start_once(node):
    """The same with kubo."""
    begin = time.monotonic()
    node.start()
    sample = {"ms": (time.monotonic() - begin) * 1000}
    time.sleep(IDLE_S)
    sample["mib"] = node.daemon.resident_bytes()
    node.stop()
    return sample


def start(bench):
    """start of the daemon, and its memory when idle"""
    empty = fresh(bench, "empty")
    full = fresh(bench, "full")
    blocks = bench.size(MANY, 1000)
    path = bench.folder / "blocks"
    with open(path, "wb") as file:
        for _ in range(blocks // 1000):
            file.write(os.urandom(1000 * 1024))
    full.ok("add", "-Q", "--chunker", "size-1024", path, timeout=TIMEOUT_S)
    kubo = once(lambda: fresh_kubo(bench, "kubo"))
    samples = bench.rounds({
        "xmbl": lambda: start_once(empty),
        "full": lambda: start_once(full),
        "kubo": lambda: kubo_start_once(kubo()),
    })
    bench.report(samples, [
        Row("start to ready, empty", "xmbl", "ms", None, 25, False),
        Row(f"start to ready, {blocks} blocks", "full", "ms", None, 100,
            False),
        Row("start to ready / kubo", "xmbl", "ms", "kubo"),
        Row("idle daemon, memory", "xmbl", "mib", None, 16, False),
        Row(f"idle daemon, {blocks} blocks", "full", "mib", None, 16, False),
        Row("idle daemon, memory / kubo", "xmbl", "mib", "kubo"),
    ])
    for name in ("empty", "full", "kubo"):
        bench.drop(name)
    path.unlink()


# Large and many.

def pattern_file(path, size):
    """A file whose blocks all differ, made fast: a GiB of random bytes again
    and again, each MiB with its number in front."""
    part = os.urandom(64 * MIB)
    with open(path, "wb") as file:
        for number in range(size // MIB):
            at = number % 64 * MIB
            file.write(number.to_bytes(8, "big"))
            file.write(part[at + 8:at + MIB])
    return path


def memory_run(bench, size):
    """add on its own, then get between two daemons."""
    path = pattern_file(bench.folder / "large", size)
    source = fresh(bench, "source")
    _, _, peak, cid = command(source.ok, "add", "-Q", path)
    path.unlink()
    target = fresh(bench, "target")
    try:
        source.start()
        target.start()
        target.connect(source)
        command(target.ok, "get", "-o", target.home / "out", cid)
        sample = {"adds": peak, "sends": source.daemon.peak_bytes(),
                  "receives": target.daemon.peak_bytes()}
    finally:
        target.stop()
        source.stop()
    for name in ("source", "target"):
        bench.drop(name)
    return sample


def memory(bench):
    """memory during add and get of 10 GiB"""
    size = bench.size(10 * GIB)

    def contestant():
        if machine.free_disk(bench.folder) < (
                DISK_FOR_MEMORY * bench.options.scale):
            raise Skip("needs 40 GiB of disk")
        return memory_run(bench, size)

    samples = bench.rounds({"xmbl": contestant}, 1)
    bench.report(samples, [
        Row("memory, add of 10 GiB", "xmbl", "adds", None, 64, False),
        Row("memory, sender of 10 GiB", "xmbl", "sends", None, 64, False),
        Row("memory, receiver of 10 GiB", "xmbl", "receives", None, 64,
            False),
    ])


def store(bench):
    """a store of 1,000,000 blocks of 1 KiB"""
    count = bench.size(1_000_000, 1000)

    def contestant():
        told = bench.program("store_million", bench.empty("blocks"), count)
        bench.drop("blocks")
        return {"puts": count / told["put"], "ms": told["open"] * 1000,
                "us": told["has"] * 1e6, "usage": told["usage"] * 1e6}

    samples = bench.rounds({"xmbl": contestant}, min(bench.options.n, FEW))
    bench.report(samples, [
        Row("has() of 1,000,000 blocks", "xmbl", "us", None, 10, False),
        Row("usage of them", "xmbl", "usage", None, 10, False),
        Row("start with them", "xmbl", "ms", None, 500, False),
        Row("put of them", "xmbl", "puts"),
    ])


def files(bench):
    """add and get of 10,000 files of 4 KiB"""
    count = bench.size(10_000, 100)
    folder = small_files(bench, count, 4096)

    def ours():
        source, target = fresh(bench, "source"), fresh(bench, "target")
        bench.before(folder)
        seconds, cpu, _, cid = command(source.ok, "add", "-Q", folder)
        return files_get(bench, source, target, cid,
                         {"files": count / seconds, "cpu": cpu}, count)

    def kubos():
        source = fresh_kubo(bench, "source")
        target = fresh_kubo(bench, "target")
        bench.before(folder)
        seconds, cpu, _, cid = command(source.ok, "add", "-Q", "-r",
                                       "--cid-version=1", folder)
        return files_get(bench, source, target, cid,
                         {"files": count / seconds, "cpu": cpu}, count)

    samples = bench.rounds({"xmbl": ours, "kubo": kubos},
                           min(bench.options.n, FEW))
    bench.report(samples, [
        Row("add of 10,000 files / kubo", "xmbl", "files", "kubo"),
        Row("get of 10,000 files / kubo", "xmbl", "got", "kubo"),
        Row("get of 10,000 files, CPU / kubo", "xmbl", "got_cpu", "kubo"),
    ])


def files_get(bench, source, target, cid, sample, count):
    """The second half: between two daemons."""
    try:
        source.start()
        target.start()
        target.connect(source)
        bench.before(source.home)
        pids = source.daemon.pid, target.daemon.pid
        cpu = sum(map(machine.cpu_seconds, pids))
        seconds, client, _, _ = command(target.ok, "get", "-o",
                                        target.home / "out", cid)
        sample["got"] = count / seconds
        sample["got_cpu"] = (sum(map(machine.cpu_seconds, pids)) - cpu +
                             client)
    finally:
        target.stop()
        source.stop()
    for name in ("source", "target"):
        bench.drop(name)
    return sample


GROUPS = {"add": add, "add-256k": add_256k, "get": get, "start": start,
          "store": store, "files": files, "memory": memory}
