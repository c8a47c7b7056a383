"""The API between command and node: what it refuses, and how it ends.

Goal: requests of the wrong kind are refused with a code and change nothing;
a client that reads slowly, goes away or asks for the same at once costs little
and breaks nothing; a daemon that is told to end does so, whatever is under way.
Method: raw HTTP through the Unix socket, commands at once, signals at moments
drawn from the seed.
"""
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import trees
from processes import resting, wait_for, wait_random
from xmbltest import check, equal, same_tree, test

MIB = 1 << 20


def connect(node, method, path, body=None, headers=()):
    """A request that was sent; its answer is not read yet."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60)
    client.connect(str(node.path / "api.sock"))
    lines = [f"{method} {path} HTTP/1.1", "Host: xmbl", "Connection: close",
             *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))
    return client


def read_all(client):
    """Everything up to the end of the connection."""
    parts = []
    while part := client.recv(MIB):
        parts.append(part)
    client.close()
    return b"".join(parts)


def unchunked(answer):
    """The body of an answer whose length was not known."""
    rest, body = answer.partition(b"\r\n\r\n")[2], b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        size = int(size, 16)
        body, rest = body + rest[:size], rest[size + 2:]
    return body


def ask(node, method, path, body=None, headers=()):
    """Status, headers as text, and body."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    head, _, rest = read_all(
        connect(node, method, path, body, headers)).partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1"), rest


def refused(node, method, path, body, word):
    """400 or 422, with a text that has @word in it."""
    status, _, rest = ask(node, method, path, body)
    check(status in (400, 422), f"{method} {path} {body}: {status} {rest}")
    check(word in json.loads(rest)["detail"], f"{word} is not in {rest}")


@test
def requests_of_the_wrong_kind(t):
    """Numbers, types, names of fields: each is looked at before it is used."""
    node = t.node()
    file = t.write("file", b"0123456789")
    cid = node.add(file)
    node.start()
    for version in ("2", "5", "", "-1", "18446744073709551617"):
        refused(node, "POST", f"/api/v1/blocks?cid_version={version}", b"x",
                "cid_version")
    for field, value in (("copies", "3"), ("copies", 1.5), ("wrap", "yes"),
                         ("pin", None), ("cid_version", "1"), ("profile", 1),
                         ("chunker", 5), ("name", []), ("paths", "x"),
                         ("other", 1)):
        body = {"paths": [str(file)], field: value}
        refused(node, "POST", "/api/v1/local/add", body, field)
    out = str(t.path("out"))
    for field, value in (("force", "x"), ("timeout_s", "5"),
                         ("timeout_s", -5), ("out", 7)):
        body = {"path": cid, "out": out, field: value}
        status, _, rest = ask(node, "POST", "/api/v1/local/get", body)
        check(status in (400, 422), f"{body}: {status} {rest}")
    for place in ("rel", "/", out + "/", out + "/.", str(t.path("..")), ""):
        body = {"path": cid, "out": place, "force": True}
        refused(node, "POST", "/api/v1/local/get", body, "path")
    refused(node, "POST", "/api/v1/local/get",
            {"path": cid, "out": out, "more": 1}, "more")
    refused(node, "POST", "/api/v1/connections", {"address": 5}, "address")
    refused(node, "POST", "/api/v1/node/sign", {"data": "aGk=", "a": 1}, "a")
    check(not os.path.lexists(out), "a refused get made something")
    node.ok("id")


@test
def unknown_parameters_are_refused(t):
    """A parameter that nobody looks at is named, and those that are known."""
    node = t.node()
    cid = node.add(t.write("file", b"0123456789"))
    node.start()
    for method, path, word in (
            ("GET", "/api/v1/node?verbose=1", "no parameters: verbose"),
            ("GET", f"/api/v1/content/{cid}?lenght=3", "offset, length"),
            ("GET", f"/api/v1/content/{cid}?length=3&lenght=3", "lenght"),
            ("GET", "/api/v1/pins?limit=1&befor=x", "limit, after"),
            ("POST", "/api/v1/gc?dry", "dry"),
            ("POST", "/api/v1/blocks?codek=raw", "codec, cid_version, pin"),
            ("DELETE", f"/api/v1/pins/{cid}?%00=1", "no parameters")):
        refused(node, method, path, None, word)
    equal(ask(node, "GET", f"/api/v1/pins/{cid}")[0], 200, "still pinned")
    equal(ask(node, "GET", f"/api/v1/content/{cid}?length=3&offset=2")[2],
          b"234", "known ones")


@test
def connecting_ends_in_time(t):
    """A peer that accepts and says nothing: timeout_s is how long it may; ping
    ends in time too."""
    node, other = t.node("node"), t.node("other")
    node.start()
    peer = other.json("id")["peer_id"]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"/ip4/127.0.0.1/tcp/{mute.getsockname()[1]}/p2p/{peer}"
        began = time.monotonic()
        status, _, body = ask(node, "POST", "/api/v1/connections",
                              {"address": address, "timeout_s": 1})
        seconds = time.monotonic() - began
    equal(json.loads(body)["code"], "TIMEOUT", f"{status}")
    check(0.9 < seconds < 4, f"{seconds} s")
    third = t.node("third").start()
    node.connect(third)
    began = time.monotonic()
    result = node.ok("ping", third.peer_id, "-n", "100", "--timeout", "2s",
                     "--json")
    seconds = time.monotonic() - began
    check(1.9 < seconds < 6, f"{seconds} s")
    check(0 < result.json_lines()[-1]["sent"] < 10, result)
    for number in (-1, 7 * 24 * 3600 + 1):
        refused(node, "POST", "/api/v1/connections",
                json.dumps({"address": address,
                            "timeout_s": number}).encode(), "timeout_s")


@test
def ranges(t):
    """Range of GET: 206 with the bytes, 416 past the end; HEAD has none."""
    node = t.node()
    path = "/api/v1/content/" + node.add(t.write("file", b"0123456789"))
    node.start()
    for text, want, where in (("0-1", b"01", "0-1/10"), ("9-", b"9", "9-9/10"),
                              ("3-99", b"3456789", "3-9/10"),
                              ("-2", b"89", "8-9/10"),
                              ("0-18446744073709551615", b"0123456789",
                               "0-9/10")):
        status, head, body = ask(node, "GET", path,
                                 headers=(f"Range: bytes={text}",))
        equal((status, body), (206, want), text)
        check(f"Content-Range: bytes {where}\r\n" in head + "\r\n", head)
    status, head, _ = ask(node, "GET", path, headers=("Range: bytes=10-",))
    equal(status, 416, "past the end")
    check("bytes */10" in head, head)
    for text in ("3-1", "0-0,2-2", "x"):
        status, _, body = ask(node, "GET", path,
                              headers=(f"Range: bytes={text}",))
        equal((status, body), (200, b"0123456789"), text)
    status, head, body = ask(node, "HEAD", path, headers=("Range: bytes=0-1",))
    equal((status, body), (200, b""), "HEAD")
    check("Content-Length: 10\r\n" in head + "\r\n", head)


@test
def get_to_one_place_at_once(t):
    """Gets to the same OUT take turns: one wins, and its result is whole."""
    node = t.node()
    tree = t.path("tree")
    trees.write_tree(tree, {
        f"d{i % 10}/f{i}".encode(): trees.random_bytes(f"{t.seed}/{i}", 3000)
        for i in range(200)})
    file = trees.random_file(t.path("file"), t.seed, 8 * MIB)
    node.start()
    for source in (tree, file):
        cid = node.add(source)
        out = t.path(f"out-{source.name}")
        gets = [node.begin("get", cid, "-o", out) for _ in range(4)]
        codes = sorted(get.wait(60).code for get in gets)
        equal(codes, [0, 4, 4, 4], "one makes it, the others find it there")
        gets = [node.begin("get", cid, "-o", out, "--force") for _ in range(4)]
        equal([get.wait(60).code for get in gets], [0] * 4, "--force")
        if source is tree:
            same_tree(out, tree)
        else:
            check(trees.same_files(out, file), "other bytes")
    left = [name for name in os.listdir(t.path("tree").parent)
            if ".xmbl-" in name]
    equal(left, [], "left over")


@test
def force_keeps_what_it_cannot_replace(t):
    """A folder in the way is replaced whole, and a link never followed."""
    node = t.node()
    cid = node.add(t.write("file", b"new"))
    node.start()
    victim = t.path("victim")
    kept = {b"keep": b"kept", b"sub/more": b"kept"}
    trees.write_tree(victim, kept)
    out = t.path("out")
    trees.write_tree(out, {b"a": b"1", b"b/c": b"2"})
    (out / "b" / "link").symlink_to(victim)
    part = t.path("out.xmbl-part")
    trees.write_tree(part, {b"p": b"3"})
    (part / "link").symlink_to(victim)
    node.fails(4, "EXISTS", "get", cid, "-o", out)
    node.ok("get", cid, "-o", out, "--force")
    equal(out.read_bytes(), b"new", "OUT")
    out.unlink()
    out.symlink_to(victim)
    part.symlink_to(victim)
    node.ok("get", cid, "-o", out, "--force")
    check(not out.is_symlink() and out.read_bytes() == b"new", "OUT")
    for name, content in kept.items():
        equal((victim / os.fsdecode(name)).read_bytes(), content,
              "behind the links")
    node.fails(3, "NOT_FOUND", "get", cid, "-o",
               t.path("none/out"))


@test
def clients_that_do_not_read(t):
    """Who asks for much and reads nothing costs a bounded amount."""
    node = t.node()
    many = t.path("many")
    many.mkdir()
    for i in range(20000):
        (many / f"{'n' * 80}-{i}").touch()
    node.start()
    file = node.add(trees.random_file(t.path("file"), t.seed, 64 * MIB))
    folder = node.add(many)
    body = json.dumps({"paths": [str(many)]}).encode()
    before = node.daemon.resident_bytes()
    clients = [connect(node, "GET", f"/api/v1/content/{file}"),
               connect(node, "GET", f"/api/v1/car/{file}"),
               connect(node, "GET", f"/api/v1/ls/{folder}?types=0"),
               connect(node, "POST", "/api/v1/local/add", body)]
    wait_for(resting([node.daemon.pid], 0.02, 0.5), 20,
             "nothing is done for clients that don't read")
    grown = node.daemon.resident_bytes() - before
    check(grown < 300 * MIB, f"{grown} bytes more")
    lines = unchunked(read_all(clients.pop())).count(b'{"path":')
    equal(lines, 20001, "add goes on when its client reads")
    for client in clients:
        client.close()
    node.ok("id")


@test
def told_to_end_in_the_midst(t):
    """SIGTERM while everything is under way: exit 0, nothing left undone."""
    node, other = t.node("node"), t.node("other")
    other.start()
    files = [trees.random_file(t.path(f"file-{i}"), f"{t.seed}/{i}", 24 * MIB)
             for i in range(2)]
    remote = other.add(files[0])
    missing = "bafkreib3ifzzh2xgyvkp4lqkdxrkxqgi5vvcwdw6ulpdwb7yxgmtbt6ocm"
    for i in range(20 if t.long else 5):
        node.start()
        node.connect(other)
        under_way = [node.begin(*args) for args in (
            ("add", files[1]), ("get", remote, "-o", t.path(f"out{i}")),
            ("cat", remote), ("cat", missing), ("pin", "add", remote),
            ("gc",), ("verify",), ("pin", "add", missing))]
        wait_random(t.rng, node.daemon, 0.6)
        equal(node.stop().code, 0, f"exit code{node.log()}")
        for process in under_way:
            process.wait(20)
    equal(node.json("verify")["bad"], [], "bad blocks")


@test
def fsck_beside_other_work(t):
    """fsck while blocks come and go: what is under way is no damage."""
    node = t.node()
    node.start()
    for i in range(12):
        file = trees.random_file(t.path("file"), f"{t.seed}/{i}", 12 * MIB)
        under_way = [node.begin("add", "--pin=false", file),
                     node.begin("gc"), node.begin("gc")]
        for _ in range(3):
            result = node.ok("fsck", "--json").json()
            equal((result["bad"], result["missing"]), ([], 0), "fsck")
        for process in under_way:
            process.wait(30)


@test
def interrupted_while_the_folder_is_held(t):
    """Ctrl-C while another process holds the folder: exit 130, at once."""
    node = t.node()
    holder = node.begin("add", "-", stdin=subprocess.PIPE)
    lock = node.path / "lock"
    wait_for(lambda: not free(lock), 10, "the folder to be held")
    waits = node.begin("pin", "ls")
    wait_for(lambda: awaits(waits.pid, signal.SIGINT), 10, "one that waits")
    began = time.monotonic()
    waits.signal(signal.SIGINT)
    equal(waits.wait(20).code, 130, "exit code")
    check(time.monotonic() - began < 2, "it took too long")
    holder.kill()


def awaits(pid, number):
    """Whether a process has blocked a signal, for a thread that waits for it."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigBlk:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def free(lock):
    """Whether nobody holds that file."""
    with open(lock, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def whole(head, rest):
    """The body, whether its length was known or not."""
    return unchunked(head.encode("latin-1") + b"\r\n\r\n" + rest) \
        if "Transfer-Encoding: chunked" in head else rest


@test
def conditions_of_content(t):
    """Ranges from both ends, what is unchanged, and what lies outside."""
    node = t.node()
    body = bytes(range(256)) * 5000
    t.write("tree/file", body)
    root = node.add(t.path("tree"))
    cid = node.text("stat", f"{root}/file", "--json").split('"')[3]
    node.start()
    size = len(body)
    for path in (f"/api/v1/content/{cid}", f"/api/v1/content/{root}/file"):
        for headers, want, part in (
                (["Range: bytes=5-9"], 206, body[5:10]),
                (["Range: bytes=-7"], 206, body[-7:]),
                ([f"Range: bytes=-{2 * size}"], 206, body),
                (["Range: bytes=9-99999999999999999999999"], 206, body[9:]),
                (["Range: bytes=5-2"], 200, body),
                (["Range: bytes=0-1,5-6"], 200, body),
                (["Range: bytes=5-9", f'If-Range: "{cid}"'], 206, body[5:10]),
                (["Range: bytes=5-9", 'If-Range: "other"'], 200, body),
                ([f'If-None-Match: "{cid}"'], 304, b""),
                ([f'If-None-Match: W/"x", W/"{cid}"'], 304, b""),
                ([f'If-None-Match: "{cid}"', "Range: bytes=1-"], 304, b""),
                (['If-None-Match: "x"'], 200, body),
                (['If-None-Match: "x"', "Range: bytes=-1"], 206, body[-1:])):
            status, head, rest = ask(node, "GET", path, headers=headers)
            equal((status, whole(head, rest) == part), (want, True),
                  f"{headers}: {head}")
            check(f'ETag: "{cid}"' in head, head)
        for headers in ([f"Range: bytes={size}-"], ["Range: bytes=-0"]):
            status, head, rest = ask(node, "GET", path, headers=headers)
            equal((status, json.loads(rest)["code"]), (416, "BAD_RANGE"), head)
            check(f"Content-Range: bytes */{size}" in head, head)
        status, head, _ = ask(node, "HEAD", path,
                              headers=[f'If-None-Match: "{cid}"'])
        equal(status, 304, head)


@test
def methods_are_told(t):
    """A method that a path does not know is answered with those it knows."""
    node = t.node().start()
    for method, path, want in (
            ("PUT", "/api/v1/node", {"GET"}),
            ("PATCH", "/api/v1/pins/bafkqaaa", {"GET", "PUT", "DELETE"}),
            ("GET", "/api/v1/gc", {"POST"})):
        status, head, rest = ask(node, method, path)
        equal((status, json.loads(rest)["code"]), (405, "BAD_METHOD"), head)
        line = [line for line in head.splitlines() if line[:6] == "Allow:"]
        equal(set(line[0][6:].replace(",", " ").split()), want, line)


@test
def streamed_names_are_checked(t):
    """No folder is made with an entry that would lead out of it."""
    node = t.node().start()
    for name in (".", "..", "%2e%2e", "a%2Fb"):
        status, _, rest = ask(node, "POST",
                              f"/api/v1/add?name={name}&wrap=true", b"x")
        equal((status, json.loads(rest)["code"]), (422, "BAD_NAME"), name)
    equal(node.text("pin", "ls"), "", "pins")
