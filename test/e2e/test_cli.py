"""The command line as users and scripts rely on it.

Goal: exit codes, code words, JSON fields and messages are those of the
contract, and the same whether a daemon runs or not.
Method: each command with good and bad input, on a folder alone and on a
daemon's.
"""
import os
import pathlib
import re
import signal

import dag
import trees
from processes import Failure
from xmbltest import Skip, check, equal, test

ABSENT = dag.text(dag.cid(b"nobody has this block"))
CODES = ("BAD_CID FOLDER_LOCKED NO_SPACE NOT_FOUND TIMEOUT EXISTS "
         "WRONG_PASSPHRASE BAD_CAR CHANGED_FILE").split()


def fields(value, names, what):
    """The value is an object with at least these fields."""
    check(isinstance(value, dict), f"{what}: {value!r} is no object")
    missing = [name for name in names.split() if name not in value]
    check(not missing, f"{what} lacks {missing}: {value}")
    return value


@test
def init_makes_a_folder_once(t):
    """init makes a key, and never touches a folder that is there."""
    node = t.node(init=False)
    made = node.json("init")
    equal(set(made), {"peer_id", "path"}, "fields")
    equal(made["path"], str(node.path), "path")
    check(made["peer_id"].startswith("12D3KooW"), made)
    key = (node.path / "identity.key").read_bytes()
    equal(oct(os.stat(node.path / "identity.key").st_mode & 0o777), "0o600",
          "mode of the key")
    node.fails(4, "FOLDER_EXISTS", "init")
    equal((node.path / "identity.key").read_bytes(), key, "the key")
    equal(node.json("id")["peer_id"], made["peer_id"], "peer id")
    other = t.write("other/mine.txt", b"mine").parent
    node.fails(4, "FOLDER_EXISTS", "init", "--path", other)
    equal(trees.read_tree(other), {b"mine.txt": b"mine"}, "the other folder")


@test
def without_a_folder(t):
    """Commands say that there is no folder, and make none; add does."""
    node = t.node(init=False)
    for words in (["id"], ["gc"], ["ls", ABSENT], ["pin", "ls"], ["verify"],
                  ["block", "ls"], ["status"]):
        node.fails(3, "NO_FOLDER", *words)
        check(not node.path.exists(), f"{words} made a folder")
    for words in (["cat", ABSENT], ["get", ABSENT, "-o", t.path("out")]):
        node.fails((3, 6, 7), ("NOT_FOUND", "NO_FOLDER", "DAEMON_NEEDED",
                               "TIMEOUT"), *words, "--timeout", "2s")
    check(not node.path.exists(), "cat or get made a folder")
    made = node.ok("add", t.write("a", b"a"))
    check(str(node.path) in made.err, f"it does not say where: {made}")
    check((node.path / "identity.key").exists(), "no key was made")


@test
def daemon_makes_a_folder(t):
    """daemon makes a folder where there is none."""
    node = t.node(init=False).start()
    equal(node.json("id")["peer_id"], node.peer_id, "peer id")
    equal(node.stop().code, 0, "exit code")


@test
def wrong_usage_is_told(t):
    """Exit 2 with a hint, on stderr alone."""
    node = t.node()
    t.write("x")
    for words in (["nonsense"], ["add"], ["add", "--nonsense", "x"], ["cat"],
                  ["get", "a", "b"], ["init", "x"],
                  ["cat", ABSENT, "--timeout", "soon"],
                  ["add", "x", "--copies", "8"],
                  ["add", "x", "--wait", "never"], ["block"],
                  ["cat", ABSENT, "--offset", "-1"]):
        result = node.fails(2, ("BAD_USAGE", "BAD_VALUE"), *words)
        equal(result.out, b"", f"stdout of {words}")
    for words in (["cat", "nonsense"], ["get", "Qmnonsense"],
                  ["ls", ABSENT[:-1]], ["pin", "add", "/ipfs/"],
                  ["stat", "bafybei"], ["block", "get", "1"]):
        node.fails(2, ("BAD_CID", "BAD_PATH"), *words)
    node.fails(2, "BAD_VALUE", "config", "set", "storage.limit", "many")
    equal(node.run().code, 2, "xmbl alone")


@test
def help_fits_and_works(t):
    """--help fits a screen; each command has its own; examples are there."""
    node = t.node(init=False)
    whole = node.text("--help")
    lines = whole.splitlines()
    check(len(lines) <= 50, f"--help has {len(lines)} lines")
    check(max(map(len, lines)) <= 80, "--help is wider than 80 columns")
    for name in ("init", "daemon", "id", "status", "key export", "sign",
                 "verify-signature", "config show", "add", "cat", "get", "ls",
                 "stat", "rm", "pin add", "block put", "car import", "gc",
                 "verify", "fsck", "swarm connect", "ping", "explain",
                 "completion"):
        text = node.text(*name.split(), "--help")
        check(re.search(r"^ +.*\bxmbl " + name, text, re.M),
              f"{name} --help has no example: {text}")
    check(node.text("version"), "version says nothing")
    for shell in ("bash", "zsh", "fish"):
        check("xmbl" in node.text("completion", shell), shell)


@test
def codes_are_explained(t):
    """explain knows each word, and says so when it doesn't."""
    node = t.node(init=False)
    for code in CODES:
        check(len(node.text("explain", code)) > 40, code)
    check(node.run("explain", "NONSENSE").code in (2, 3), "an unknown word")


@test
def errors_have_their_form(t):
    """`xmbl: what: where. What to do. [CODE]`, or one JSON object."""
    node = t.node()
    result = node.fails(2, ("BAD_CID", "BAD_PATH"), "cat", "nonsense")
    check(re.fullmatch(r"xmbl: .+: nonsense\. .+ \[BAD_\w+\]\n", result.err),
          result)
    error = node.fails(2, ("BAD_CID", "BAD_PATH"), "cat", "nonsense",
                       "--json").error()
    fields(error, "code message hint details", "the error")
    result = node.run("cat", "evil\n\x1b[31m\u202ename")
    check("\x1b" not in result.err and result.err.count("\n") == 1,
          f"the message is not escaped: {result.err!r}")


def _each_command(node, t):
    """Results of commands that need no network; the same for a daemon."""
    folder = t.path("folder")
    trees.remove(folder)
    trees.write_tree(folder, {b"a.txt": b"hello\n", b"empty": b"",
                              b"sub/big": trees.pattern(3 << 20),
                              b"sub/link": trees.Symlink(b"../a.txt"),
                              b".hidden": b"h", b"odd\nname": b"o"})
    got = {}

    def keep(*words, **how):
        got[" ".join(map(str, words))] = node.run(*words, **how)

    for words in (["add", folder], ["add", folder, "--json"],
                  ["add", folder, "-Q"], ["add", folder, "-w"],
                  ["add", folder, "--no-hidden", "-n"],
                  ["add", folder, "--profile", "kubo-v0", "--json"],
                  ["add", folder / "a.txt", folder / "sub"],
                  ["add", t.path("missing")]):
        keep(*words)
    keep("add", "-", stdin=b"from stdin")
    root = got[f"add {folder} -Q"].text
    for words in (["ls", root], ["ls", root, "--json"],
                  ["ls", root + "/sub", "--json"], ["stat", root, "--json"],
                  ["stat", root + "/sub/big", "--json"],
                  ["stat", root + "/sub/link", "--json"], ["cat", root],
                  ["cat", root + "/sub/big", "--offset", "1048570",
                   "--length", "12"],
                  ["cat", root + "/a.txt", root + "/.hidden"],
                  ["cat", f"/ipfs/{root}/a.txt"],
                  ["cat", f"ipfs://{root}/a.txt"],
                  ["cat", root + "/none"], ["cat", root + "/a.txt/none"],
                  ["ls", root + "/a.txt"], ["pin", "ls", "--json"],
                  ["block", "get", root], ["block", "stat", root, "--json"],
                  ["block", "stat", ABSENT], ["pin", "rm", ABSENT],
                  ["pin", "rm", root], ["car", "export", root],
                  ["verify", "--json"], ["verify", root, "--json"],
                  ["rm", root], ["gc", "--json"], ["fsck", "--json"],
                  ["block", "ls", "--json"], ["config", "get",
                                              "storage.profile"]):
        keep(*words)
    keep("block", "put", "--json", stdin=b"block")
    keep("block", "put", "--codec", "dag-pb", stdin=b"\x0a\x02\x08\x01")
    keep("block", "put", "--codec", "dag-pb", stdin=b"not dag-pb")
    return got


@test
def the_same_with_and_without_daemon(t):
    """The same outputs and exit codes, served by the command or a daemon."""
    alone, served = t.node("alone"), t.node("served").start()
    one, two = _each_command(alone, t), _each_command(served, t)
    for words, result in one.items():
        equal(two[words].code, result.code, f"exit code of {words}\n"
              f"{result}\n{two[words]}")
        equal(two[words].out, result.out, f"stdout of {words}")
        equal(two[words].err.rpartition("[")[2],
              result.err.rpartition("[")[2], f"code word of {words}")


@test
def json_has_its_fields(t):
    """The fields that the contract names are there, with a daemon."""
    node = t.node().start()
    folder = t.path("folder")
    trees.write_tree(folder, {b"a": b"a", b"d/b": b"b" * 2000000})
    lines = node.lines("add", folder)
    for line in lines:
        fields(line, "path cid bytes", "add")
    fields(lines[-1]["copies"], "wanted stored verified state", "copies")
    root = lines[-1]["cid"]
    equal([line["path"] for line in lines if "copies" in line], ["folder"],
          "lines with copies")
    fields(node.json("id"), "peer_id addresses agent protocols public_key",
           "id")
    fields(node.json("status"), "state uptime_s peers blocks bytes_used",
           "status")
    for line in node.lines("ls", root):
        fields(line, "name cid type", "ls")
    equal([line["type"] for line in node.lines("ls", root)],
          ["raw", "directory"], "types")
    stat = fields(node.json("stat", root), "cid type bytes blocks "
                  "cumulative_bytes local pinned", "stat")
    equal((stat["type"], stat["local"], stat["pinned"]),
          ("directory", True, True), "stat")
    equal(node.json("stat", root + "/d/b")["bytes"], 2000000, "bytes")
    got = fields(node.json("get", root, "-o", t.path("out")),
                 "cid path bytes seconds sources", "get")
    equal(got["cid"], root, "cid of get")
    equal(got["bytes"], 2000001, "bytes of get")
    for line in node.lines("pin", "ls"):
        fields(line, "cid type", "pin ls")
    for line in node.lines("block", "ls"):
        fields(line, "cid bytes", "block ls")
    fields(node.json("block", "stat", root), "cid bytes", "block stat")
    fields(node.json("block", "put", stdin=b"x"), "cid bytes", "block put")
    equal(set(fields(node.json("verify"), "checked bad repaired", "verify")
              ["bad"]), set(), "bad blocks")
    fields(node.json("gc"), "removed bytes", "gc")
    equal(node.json("swarm", "peers"), [], "swarm peers")
    check(isinstance(node.json("config", "show"), (list, dict)), "config show")


@test
def two_nodes_json(t):
    """The fields of swarm peers, connect, ping and get between nodes."""
    one, two = t.nodes("one", "two")
    made = fields(two.json("swarm", "connect", one.address),
                  "peer_id address", "swarm connect")
    equal(made["peer_id"], one.peer_id, "peer id")
    (peer,) = two.json("swarm", "peers")
    fields(peer, "peer_id address direction latency_ms streams agent", "peers")
    equal((peer["peer_id"], peer["direction"]), (one.peer_id, "outbound"),
          "peer")
    check(peer["agent"].startswith("xmbl"), peer)
    (back,) = one.json("swarm", "peers")
    equal((back["peer_id"], back["direction"]), (two.peer_id, "inbound"),
          "peer at the other end")
    pings = two.lines("ping", one.peer_id, "-c", "3")
    equal([line["seq"] for line in pings[:-1]], [1, 2, 3], "seq")
    for line in pings[:-1]:
        fields(line, "seq rtt_ms", "ping")
    fields(pings[-1], "sent received min_ms avg_ms max_ms", "ping's end")
    cid = one.add(t.write("file", trees.pattern(3000000)))
    got = two.json("get", cid, "-o", t.path("out"))
    (source,) = got["sources"]
    equal(source["peer"], one.peer_id, "source")
    check(source["bytes"] >= 3000000, got)
    two.ok("swarm", "disconnect", one.peer_id)
    equal(two.json("swarm", "peers"), [], "peers after disconnect")


@test
def quiet_and_files(t):
    """-q prints less; -Q prints the root alone; stdout has results only."""
    node = t.node()
    path = t.write("folder/a", b"a").parent
    cid = node.add(path)
    check(re.fullmatch("baf[a-z2-7]+", cid), cid)
    equal(node.ok("add", "-q", path).out.split()[-1], cid.encode(), "add -q")
    result = node.ok("add", path)
    check(result.text.splitlines()[-1] == f"added {cid} folder", result)
    check("can read it" in result.err, "no word on who can read it")
    equal(node.ok("get", "-q", cid, "-o", t.path("out")).out, b"", "get -q")


@test
def names_are_escaped_in_output(t):
    """Names with control characters reach no terminal as they are."""
    node = t.node()
    folder = t.path("folder")
    names = [b"new\nline", b"esc\x1b[31m", b"bell\x07", b"tab\t",
             "turn\u202earound".encode(), b"latin-\xe9"]
    trees.write_tree(folder, {name: b"x" for name in names})
    for result in (node.ok("add", folder),
                   node.ok("ls", node.add(folder))):
        text = result.out
        check(b"\x1b" not in text and b"\x07" not in text and
              "\u202e".encode() not in text, f"not escaped: {text!r}")
        equal(len(text.splitlines()), len(names) +
              (1 if b"added" in text else 0), "lines")
    listed = {line["name"] for line in node.lines("ls", node.add(folder))}
    check({"new\nline", "esc\x1b[31m", "bell\x07", "tab\t",
           "turn\u202earound"} <= listed, f"names in JSON: {listed}")


@test
def config_is_kept(t):
    """set changes its own line only; get, show and check agree."""
    node = t.node()
    path = node.path / "config.yaml"
    path.write_text("# my comment\nstorage:\n  limit: 10GiB # mine\n")
    equal(node.text("config", "get", "storage.limit"), "10GiB", "get")
    node.ok("config", "set", "storage.limit", "20GiB")
    text = path.read_text()
    check("# my comment" in text and "# mine" in text and "20GiB" in text,
          text)
    node.ok("config", "check")
    path.write_text("storage:\n  limt: 10GiB\n")
    result = node.fails(2, "BAD_CONFIG", "config", "check")
    check("limt" in result.err and "2" in result.err, result)
    node.fails(2, "BAD_CONFIG", "add", t.write("a"))
    path.write_text("storage:\n  limit: 10GiB\n")
    node.start("--set", "storage.limit=30GiB")
    equal(node.text("config", "get", "storage.limit"), "30GiB", "set")


@test
def keys_and_signatures(t):
    """export, import, sign and verify-signature fit together."""
    node = t.node("one")
    me = node.json("id")
    file = t.write("file", b"to be signed")
    signature = node.text("sign", file)
    result = node.json("sign", file)
    fields(result, "signature", "sign")
    other = t.node("two", init=False)
    for key in (me["peer_id"], me["public_key"]):
        other.ok("verify-signature", "--key", key, "--signature", signature,
                 file)
    file.write_bytes(b"to be Signed")
    other.fails(1, "BAD_SIGNATURE", "verify-signature", "--key",
                me["peer_id"], "--signature", signature, file)
    for form in ("pem", "protobuf"):
        node.ok("key", "export", "--format", form, "-o", t.path(form))
        equal(oct(os.stat(t.path(form)).st_mode & 0o777), "0o600", form)
        twin = t.node(form + "-twin", init=False)
        twin.ok("key", "import", t.path(form))
        equal(twin.json("id")["peer_id"], me["peer_id"], form)
    third = t.node("third")
    third.fails(4, "EXISTS", "key", "import", t.path("pem"))
    third.fails(1, "BAD_KEY_FILE", "key", "import", "--force",
                t.write("bad", b"no key"))


@test
def passphrase_guards_the_key(t):
    """A wrong passphrase is refused and nothing is overwritten."""
    right, wrong = t.write("right", b"right\n"), t.write("wrong", b"wrong\n")
    node = t.node(init=False)
    made = node.json("init", "--passphrase-file", right)
    before = (node.path / "identity.key").read_bytes()
    node.fails(4, "WRONG_PASSPHRASE", "add", t.write("a"),
               "--passphrase-file", wrong)
    node.fails(4, "PASSPHRASE_NEEDED", "add", t.write("a"))
    for words in ([], ["--passphrase-file", wrong]):
        try:
            node.start(*words)
        except Failure:
            equal(node.daemon.result.code, 4, "exit code of the daemon")
        else:
            raise Failure("the daemon started with a locked key")
    equal((node.path / "identity.key").read_bytes(), before, "the key")
    node.start("--passphrase-file", right)
    equal(node.peer_id, made["peer_id"], "peer id")
    node.stop()
    node.ok("key", "passphrase", "--passphrase-file", right,
            "--new-passphrase-file", wrong)
    node.fails(4, "WRONG_PASSPHRASE", "key", "export", "--passphrase-file",
               right)
    node.ok("key", "passphrase", "--passphrase-file", wrong, "--remove")
    equal(node.json("id")["peer_id"], made["peer_id"], "peer id at the end")


@test
def damaged_key_is_told(t):
    """A cut or altered key file: a clear error, nothing overwritten."""
    node = t.node()
    path = node.path / "identity.key"
    whole = path.read_bytes()
    damaged = [whole[:size] for size in (0, 1, len(whole) // 2,
                                         len(whole) - 1)]
    damaged.append(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    for content in damaged:
        path.write_bytes(content)
        node.fails((1, 4), ("BAD_KEY_FILE", "CORRUPT_STORE"), "add",
                   t.write("a"))
        equal(path.read_bytes(), content, "the key file")
    path.write_bytes(whole)
    node.ok("id")


@test
def newer_folder_is_refused(t):
    """A folder of a newer version stays as it is."""
    node = t.node()
    node.add(t.write("a", b"a"))
    path = node.path / "version"
    if not path.exists():
        raise Skip("the data folder has no version file")
    path.write_bytes(re.sub(rb"\d+", b"999", path.read_bytes(), count=1))
    node.fails(4, "NEWER_FOLDER", "add", t.path("a"))


@test
def path_is_taken_from_everywhere(t):
    """--path, $XMBL_PATH, $XDG_DATA_HOME, the home folder, in that order."""
    node = t.node(init=False)
    for env, args, want in (
            ({}, ["--path", t.path("p")], "p"),
            ({"XMBL_PATH": str(t.path("e"))}, [], "e"),
            ({"XMBL_PATH": "", "XDG_DATA_HOME": str(t.path("x"))}, [],
             "x/xmbl"),
            ({"XMBL_PATH": ""}, [], ".local/share/xmbl")):
        node.ok("init", *args, env=env)
        check((t.path(want) / "identity.key").is_file(), f"no {want}")


@test
def closed_stdout_is_no_crash(t):
    """A reader that goes away ends `cat`, without a message."""
    node = t.node()
    cid = node.add(t.write("big", bytes(32 << 20)))
    reader, writer = os.pipe()
    process = node.begin("cat", cid, out=writer)
    os.close(writer)
    os.read(reader, 10)
    os.close(reader)
    result = process.wait(10)
    check(result.code in (0, 1, -signal.SIGPIPE), result)
    check("INTERNAL" not in result.err, result)


@test
def contract_of_rm_and_pins(t):
    """rm ends what add began; gc then takes the blocks, and not before."""
    node = t.node()
    cid = node.add(t.write("a", trees.pattern(2000000)))
    node.fails(4, "PINNED", "block", "rm", cid)
    equal(node.json("gc")["removed"], 0, "what gc removed")
    node.ok("rm", cid)
    check(node.json("gc")["removed"] >= 3, "gc left the blocks")
    node.fails((3, 7), ("NOT_FOUND", "TIMEOUT", "DAEMON_NEEDED"), "cat", cid,
               "--timeout", "2s")
    kept = node.add(t.path("a"), "--pin=false")
    node.ok("pin", "add", kept, "--name", "mine")
    equal([(pin["cid"], pin["type"]) for pin in node.lines("pin", "ls")],
          [(kept, "recursive")], "pins")
    node.ok("pin", "rm", kept)
    node.fails(3, "NOT_PINNED", "pin", "rm", kept)


@test
def sizes_are_understood(t):
    """`10G`, `10GiB` and `500MB` are sizes."""
    node = t.node()
    for text in ("10G", "10GiB", "500MB", "1TiB", "2000000"):
        node.ok("config", "set", "storage.limit", text)
    for text in ("10X", "-1", "", "1e9", "99999999999999999999"):
        node.fails(2, ("BAD_VALUE", "BAD_USAGE"), "config", "set",
                   "storage.limit", text)


@test
def paths_may_be_relative_and_odd(t):
    """add and get with relative paths, dashes, names that look like CIDs."""
    node = t.node()
    t.write("-dash", b"dash")
    t.write(ABSENT, b"looks like a CID")
    cid = node.text("add", "-Q", "--", "-dash")
    equal(node.ok("cat", cid).out, b"dash", "a name with a dash")
    equal(node.ok("cat", node.add("./" + ABSENT)).out, b"looks like a CID",
          "a name like a CID")
    node.ok("get", cid)
    equal(t.path(cid).read_bytes(), b"dash", "get without -o")
    t.path("into").mkdir()
    node.ok("get", cid, "-o", "into/")
    equal((t.path("into") / cid).read_bytes(), b"dash", "get -o into/")
    node.fails(4, "EXISTS", "get", cid)
    t.path(cid).write_bytes(b"other")
    node.ok("get", cid, "--force")
    equal(t.path(cid).read_bytes(), b"dash", "get --force")
    folder = pathlib.Path(t.path("deep/er"))
    folder.mkdir(parents=True)
    equal(node.add("../../-dash", cwd=folder), cid, "a relative path")
