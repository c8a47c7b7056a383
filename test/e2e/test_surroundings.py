"""Odd surroundings: closed descriptors, places without a name, long names.

Goal: what a shell, a service manager or a file system does to a command can't
make it write into a wrong file, hang, or make what can't be read again.
Method: real commands under such conditions; what they print is compared with
what they print otherwise.
"""
import fcntl
import json
import os
import signal
import socket
import subprocess

import processes
import trees
from nodes import program
from processes import wait_for
from xmbltest import Skip, check, equal, same_tree, test

PARTS = (".xmbl-part", ".xmbl-part.d")


def closed(node, descriptors, *args):
    """A command whose descriptors of these numbers are closed."""
    shut = "".join(f" {fd}>&-" for fd in descriptors)
    return subprocess.run(
        ["sh", "-c", f'exec "$@"{shut}', "sh", program(), *map(str, args)],
        env=node.env, cwd=node.home, capture_output=True, timeout=30,
        check=False)


@test
def closed_descriptors(t):
    """No other file is taken for stdin, stdout or stderr; none hangs."""
    node = t.node()
    cid = node.add(t.write("file", b"content" * 100))
    for args in (["cat", cid], ["block", "get", cid], ["car", "export", cid],
                 ["add", t.path("file")], ["ls", node.add(t.dir / "file", "-w")],
                 ["get", cid, "-o", t.path("out"), "--force"], ["status"]):
        result = closed(node, [1], *args)
        equal(result.returncode, 1, f"{args} without stdout: {result}")
        check(b"[IO]" in result.stderr, result)
        check(b"stdout" in result.stderr, result)
        equal(closed(node, [0, 1, 2], *args).returncode, 1,
              f"{args} without any")
    result = closed(node, [0], "add", "-")
    equal(result.returncode, 1, f"add without stdin: {result}")
    equal(closed(node, [0], "shell").returncode, 1, "a shell without stdin")
    result = closed(node, [0, 2], "cat", cid)
    equal(result.stdout, b"content" * 100, "the file")
    equal(node.json("fsck")["bad"], [], "bad after all")


@test
def daemon_without_descriptors(t):
    """A daemon that nobody listens to runs, and its files are whole."""
    node = t.node()
    process = subprocess.Popen(
        ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", program(), "daemon",
         "--listen", "/ip4/127.0.0.1/tcp/0", "--no-bootstrap"], env=node.env)
    t.defer(process.kill)
    for _ in range(200):
        if node.run("swarm", "peers").code == 0:
            break
    cid = node.add(t.write("file", b"content"))
    taken = {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)}
    equal(taken, {"/dev/null"}, "descriptors 0, 1 and 2")
    process.terminate()
    check(process.wait(10) in (0, 1), "it was killed")
    equal(node.ok("cat", cid).out, b"content", "the file")


@test
def places_without_a_name(t):
    """A folder named by . or .. is wrapped under the name that it has."""
    node = t.node()
    trees.write_tree(t.path("tree"), {b"inner": None, b"inner/file": b"x",
                                      b"other": b"y"})
    want = node.add("tree", "-w")
    inner = node.add("tree/inner", "-w")
    for cwd, path, cid in (
            ("tree", ".", want), ("tree", "./", want), ("tree/inner", "..", want),
            (".", "tree/inner/..", want), (".", "tree/inner/../", want),
            ("tree/inner", ".", inner), (".", "tree/inner/.", inner)):
        equal(node.text("add", "-Qw", path, cwd=t.path(cwd)), cid,
              f"{path} in {cwd}")
    lines = node.text("add", "-n", ".", cwd=t.path("tree")).splitlines()
    equal([line.split()[2] for line in lines],
          ["tree/inner/file", "tree/inner", "tree/other", "tree"], "paths")
    node.fails(2, "BAD_NAME", "add", "-nw", "/")
    node.start()
    for path in ("/", f"{t.dir}/.", f"{t.dir}/..", f"{t.dir}/tree/../"):
        body = json.dumps({"paths": [path], "wrap": True, "only_hash": True})
        answer = subprocess.run(
            ["curl", "-s", "--unix-socket", node.path / "api.sock",
             "http://xmbl/api/v1/local/add", "-H",
             "Content-Type: application/json", "-d", body],
            capture_output=True, timeout=60, check=True)
        equal(json.loads(answer.stdout)["code"], "BAD_NAME", path)


@test
def names_of_255_bytes(t):
    """The longest names there are leave room for what is made beside them."""
    node = t.node()
    for name in ("n" * 255, "n" * 246, "n" * 245, "\u20ac" * 85,
                 "n" + "\u00e9" * 127):
        equal(len(name.encode()) <= 255, True, "bytes of the name")
        trees.remove(t.path("tree"))
        trees.write_tree(t.path("tree"), {name.encode(): b"content"})
        root = node.add("tree")
        for words in (["get", f"{root}/{name}"],
                      ["get", root, "-o", name, "--force"],
                      ["get", f"{root}/{name}", "-o", name, "--force"],
                      ["car", "export", root, "-o", t.path("car") / name]):
            t.path("car").mkdir(exist_ok=True)
            node.ok(*words)
        equal(t.path(name).read_bytes(), b"content", "the file")
        left = [path for path in os.listdir(t.dir) if path.endswith(PARTS)]
        equal(left, [], "parts that are left")
    long = "n" * 256
    node.fails(1, "LIMIT", "get", root, "-o", long)
    node.fails(1, "LIMIT", "car", "export", root, "-o", long)


@test
def long_names_at_once(t):
    """Two names whose parts have one name don't get into each other's way."""
    node = t.node()
    tree = {b"n" * 254 + end: trees.random_bytes(ord(end), 3 << 20)
            for end in (b"a", b"b", b"c")}
    trees.write_tree(t.path("tree"), tree)
    root = node.add("tree")
    node.start()
    t.path("out").mkdir()
    got = [node.begin("get", f"{root}/{name.decode()}", cwd=t.path("out"))
           for name in tree]
    for process in got:
        equal(process.wait(60).code, 0, process.result)
    same_tree(t.path("out"), tree)


@test
def switches_take_truths_only(t):
    """A word that is neither true nor false is not taken for true."""
    node = t.node()
    file = t.write("file", b"x")
    for option in ("--pin=maybe", "--raw-leaves=", "--pin=2"):
        node.fails(2, "BAD_USAGE", "add", option, file)
    equal(node.text("pin", "ls"), "", "pins")
    for option in ("--pin=false", "--pin=0", "--pin=no"):
        node.ok("add", option, file)
    equal(node.text("pin", "ls"), "", "pins")
    node.ok("add", "--pin=true", file)


@test
def hashing_leaves_no_trace(t):
    """add -n makes no data folder, and needs none."""
    node = t.node(init=False)
    file = t.write("file", b"content")
    cid = node.add(file, "-n")
    check(not node.path.exists(), "-n made a data folder")
    node.fails(3, "NOT_FOUND", "add", "-n", t.path("absent"))
    equal(node.run("add", "-Qn", "-", stdin=b"content").text, cid, "of stdin")
    check(not node.path.exists(), "-n made a data folder")
    equal(node.add(file), cid, "the CID")
    # Who holds the folder is not waited for; its settings count.
    node.ok("config", "set", "storage.profile", "kubo-v0")
    old = node.add(file, "-n")
    check(old.startswith("Qm"), old)
    with open(node.path / "lock", "r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = node.ok("add", "-nQ", file)
        equal(result.text, old, "beside another command")
        check(result.seconds < 4, result)
    equal(node.text("add", "-nQ", file, env={"TMPDIR": "/nonexistent"}), old,
          "without a place for temporary files")


@test
def names_need_a_key(t):
    """Without a data folder there is no own name to resolve."""
    node = t.node(init=False)
    node.fails(3, "NO_FOLDER", "ipns", "resolve")


@test
def no_folder_can_be_there(t):
    """A data folder that is a file or a device is told as what it is."""
    node = t.node(init=False)
    t.write("file", b"content")
    for path in (t.path("file"), "/dev/null", t.path("file") / "below"):
        result = node.fails(4, "PERMISSION", "add", t.path("file"),
                            "--path", path)
        check("made a new" not in result.err, result)
        check("token" not in result.err, result)
    equal(t.path("file").read_bytes(), b"content", "the file")


@test
def hints_fit_what_was_done(t):
    """What is wrong with a path to add is told with what helps there."""
    node = t.node()
    os.mkfifo(t.path("pipe"))
    t.write("a/same")
    t.write("b/same")
    result = node.fails(1, "NOT_A_FILE", "add", t.path("pipe"))
    check("xmbl get" not in result.err, result)
    result = node.fails(4, "EXISTS", "add", "-w", "a/same", "b/same")
    check("--force" not in result.err, result)


@test
def interrupted_hashing_kept_nothing(t):
    """Ctrl-C during add -n does not say that something was stored."""
    node = t.node(init=False)
    os.truncate(t.write("large"), 64 << 30)
    process = node.begin("add", "-n", "large")
    wait_for(lambda: processes.cpu_seconds(process.pid) > 0.05, 20, "work")
    process.signal(signal.SIGINT)
    result = process.wait(20)
    equal(result.code, 130, result)
    check("Nothing was stored" in result.err, result)
    check("until the next gc" not in result.err, result)


@test
def ping_goes_to_an_address(t):
    """ping of an address connects; of one where nobody is, says so in time."""
    one, other = t.nodes("one", "other")
    one.fails(1, "PEER_UNREACHABLE", "ping", other.peer_id, "-c", "1")
    last = one.lines("ping", other.address, "-c", "2")[-1]
    equal((last["sent"], last["received"]), (2, 2), "pings")
    other.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        one.fails((1, 7), ("PEER_UNREACHABLE", "TIMEOUT"), "ping",
                  f"/ip4/127.0.0.1/tcp/{port}/p2p/{other.peer_id}",
                  "--timeout", "1s", timeout=10)


@test
def verify_waits_no_longer_than_told(t):
    """verify --timeout bounds the wait for peers that have nothing to give."""
    node, other = t.nodes("node", "other")
    node.add(t.write("file", os.urandom(100_000)))
    node.stop()
    segment = node.segments()[0]
    data = bytearray(segment.read_bytes())
    data[50_000] ^= 1
    segment.write_bytes(data)
    node.start()
    node.connect(other)
    result = node.run("verify", "--timeout", "1s", "--json", timeout=15)
    check(result.seconds < 10, result)
    equal(len(result.json_lines()[-1]["bad"]), 1, "bad blocks")


@test
def a_daemon_of_another_user(t):
    """What the daemon may not read or write, who may sends or receives."""
    if os.geteuid() != 0:
        raise Skip("only root may start a daemon of another user")
    nobody = 65534
    t.dir.chmod(0o755)
    t.path("theirs").mkdir()
    os.chown(t.path("theirs"), nobody, nobody)
    node = t.node("theirs/node", init=False)
    other = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}",
             "--clear-groups", program()]
    daemon = subprocess.Popen(
        [*other, "daemon", "--no-bootstrap", "--listen",
         "/ip4/127.0.0.1/tcp/0"], env=node.env, stdout=subprocess.PIPE)
    t.defer(daemon.kill)
    while daemon.stdout.readline() not in (b"ready\n", b""):
        pass
    t.path("mine").mkdir(mode=0o700)
    file = t.write("mine/file", b"content" * 1000)
    cid = node.add(file)
    line = node.json("get", cid, "-o", t.path("mine/out"))
    equal(set(line), {"cid", "path", "bytes", "seconds", "sources"}, "fields")
    equal(t.path("mine/out").read_bytes(), b"content" * 1000, "the file")
    check(not t.path("mine/out.xmbl-part").exists(), "a part is left")
    # A folder is not sent so far: the first reason is told.
    node.fails(4, "PERMISSION", "add", t.path("mine"))
    node.fails(4, "PERMISSION", "get", node.add(file, "-w"),
               "-o", t.path("mine/folder"))


@test
def names_that_are_no_utf8(t):
    """A file whose name is no UTF-8 is fetched by that name."""
    node = t.node()
    name = os.fsdecode(b"odd\xff\xfe")
    trees.write_tree(t.path("tree"), {os.fsencode(name): b"content"})
    root = node.add("tree")
    for start in (False, True):
        if start:
            node.start()
        path = f"{root}/{name}"
        equal(node.ok("cat", path).out, b"content", "cat")
        for words in ([], ["-o", name + "2"], ["--json", "-o", "3" + name]):
            node.ok("get", path, "--force", *words)
        for out in (name, name + "2", "3" + name):
            equal((t.dir / out).read_bytes(), b"content", ascii(out))
            (t.dir / out).unlink()


@test
def few_addresses(t):
    """A limit of the address space (ulimit -v) leaves room for the maps."""
    node = t.node()
    file = t.write("file", os.urandom(3_000_000))

    def limited(*args):
        return subprocess.run(
            ["sh", "-c", 'ulimit -v 1500000; exec "$@"', "sh", program(),
             *map(str, args)], env=node.env, cwd=node.home,
            capture_output=True, timeout=60, check=False)

    if limited("version").returncode != 0:
        raise Skip("this build needs more addresses than that")
    result = limited("add", "-Q", file)
    equal(result.returncode, 0, result)
    cid = result.stdout.decode().strip()
    equal(node.ok("cat", cid).out, file.read_bytes(), "the file, without")
    equal(limited("cat", cid).stdout, file.read_bytes(), "the file, with")


@test
def a_passphrase_file_that_is_not_there(t):
    """Its absence is told as that, not as a lack of permission."""
    node = t.node(init=False)
    result = node.fails(3, "NOT_FOUND", "init", "--passphrase-file",
                        t.path("absent"))
    check("absent" in result.err, result)
    check(not node.path.exists(), "a folder was made")
    # What an init that was killed leaves is no folder of somebody.
    node.path.mkdir()
    (node.path / "lock").write_bytes(b"")
    node.ok("init")
    node.fails(4, "FOLDER_EXISTS", "init")


def example(node, name):
    """What a shell would be given of the example in a command's help."""
    lines = node.text(*name.split(), "--help").splitlines()
    first = next(at for at, line in enumerate(lines) if line[:2] == "  ")
    last = first
    while lines[last].startswith("  ") and lines[last].strip():
        last += 1
    return "\n".join(line.strip() for line in lines[first:last])


@test
def examples_work_when_pasted(t):
    """The example in each command's help does what it says, in a shell."""
    node, other = t.node("node"), t.node("other").start()
    tools = t.path("tools")
    tools.mkdir()
    (tools / "xmbl").symlink_to(program())
    env = node.env | {"PATH": f"{tools}:{node.env['PATH']}"}
    # Left out: what names somebody in particular, or does not end by itself.
    alone = {"init", "key export", "key import", "key passphrase"}
    for name in ("add cat get ls stat rm why gc verify fsck id status sign "
                 "verify-signature explain version init completion ping "
                 "objects_ls objects_status objects_set-copies pin_add pin_rm "
                 "pin_ls block_get block_put block_stat block_ls block_rm "
                 "car_export car_import config_show config_get config_set "
                 "config_check config_reload key_export key_import "
                 "swarm_peers peers_ls peers_ban peers_unban dht_findprovs "
                 "dht_provide dht_query ipns_publish ipns_resolve "
                 "key_passphrase").split():
        name = name.replace("_", " ")
        if name in alone:
            node.stop()
        elif node.daemon is None or not node.daemon.running():
            node.start()
            node.connect(other)
        cwd = t.path(name.replace(" ", "-"))
        cwd.mkdir()
        line = example(node, name)
        result = subprocess.run(["bash", "-c", line], env=env, cwd=cwd,
                                capture_output=True, timeout=60, check=False)
        equal(result.returncode, 0, f"{line}: {result.stderr}")
