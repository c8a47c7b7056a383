"""The API as programs meet it: curl, and the document that describes it.

Goal: the document says what the daemon does: each path that it has is served,
with the methods that it names and no others; what many ask for at once each
of them gets.
Method: curl through the Unix socket; a method that no route has asks each path
what it knows, and changes nothing.
"""
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import api
import trees
from xmbltest import check, equal, test

# What stands for a part of a path: of no kind that is asked for.
NOTHING = "nothing"


def curl(node, method, path, *options):
    """Status, headers by name in lower case, and body."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "-i", "-X", method, *options,
         "--unix-socket", str(node.path / "api.sock"), f"http://xmbl{path}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


def document(node):
    status, headers, body = curl(node, "GET", "/api/openapi.json")
    equal((status, headers["content-type"]), (200, "application/json"), body)
    return json.loads(body)


def filled(path):
    """@path with something for each {name}."""
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + NOTHING + rest.partition("}")[2]
    return path


@test
def the_document_is_what_is_served(t):
    """Each path of the document is there, with its methods."""
    node = t.node().start()
    doc = document(node)
    equal(doc, document(node), "twice the same")
    equal(doc["openapi"], "3.1.0", "version of the form")
    equal(doc["info"]["version"], node.json("version")["version"], "version")
    check(len(doc["paths"]) > 30, len(doc["paths"]))
    check("get" in doc["paths"]["/api/openapi.json"], "itself")
    for path, item in doc["paths"].items():
        status, headers, body = curl(node, "OPTIONS", filled(path))
        equal((status, json.loads(body)["code"]), (405, "BAD_METHOD"), path)
        allowed = {name.strip() for name in headers["allow"].split(",")}
        # A path can have a name that stands for the other's part as well.
        check({name.upper() for name in item} <= {m.upper() for m in allowed},
              f"{path}: {headers['allow']}")


@test
def each_get_of_the_document_answers(t):
    """GET finds its route, whatever it says to what stands in the path."""
    node = t.node().start()
    doc = document(node)
    fields = doc["components"]["schemas"]["Problem"]["required"]
    for path, item in doc["paths"].items():
        if "get" not in item:
            continue
        status, headers, body = curl(node, "GET", filled(path))
        if status < 400:
            check(headers["content-type"].split(";")[0] in
                  item["get"]["responses"][str(status)]["content"],
                  f"{path}: {headers}")
            continue
        problem = json.loads(body)
        check(problem["code"] != "NO_ROUTE", f"{path}: {problem}")
        equal(headers["content-type"], "application/problem+json", path)
        equal(sorted(problem), sorted(fields), f"{path}: fields")


@test
def no_such_route(t):
    """What is not in the table is said to be no route, and where they are."""
    node = t.node().start()
    cid = node.add(t.write("file", b"text"))
    for method, path in (("GET", "/"), ("GET", "/api"), ("GET", "/api/v1"),
                         ("GET", "/api/v1/nodes"), ("GET", "/api/v1/ls/"),
                         ("GET", "/api/openapi.json/"), ("POST", "/x?y=1"),
                         ("POST", f"/api/v1/objects/{cid}/verif")):
        status, _, body = curl(node, method, path)
        problem = json.loads(body)
        equal((status, problem["code"]), (404, "NO_ROUTE"), path)
        check("/api/openapi.json" in problem["hint"], problem)


def page(node, path):
    """Items, and where the next page begins or None."""
    status, _, body = curl(node, "GET", path)
    equal(status, 200, f"{path}: {body}")
    answer = json.loads(body)
    return answer["items"], answer.get("next")


@test
def lists_come_in_pages(t):
    """limit is from 1 to 1000 wherever there is one, and is kept to."""
    node = t.node().start()
    lists = [path for path, item in document(node)["paths"].items()
             for p in item.get("get", {}).get("parameters", ())
             if p["name"] == "after"]
    check({"/api/v1/bans", "/api/v1/peers", "/api/v1/pins", "/api/v1/blocks",
           "/api/v1/objects", "/api/v1/connections"} <= set(lists), lists)
    for path in lists:
        for limit in ("0", "1001", "", "-1", "x"):
            status, _, body = curl(node, "GET", f"{path}?limit={limit}")
            equal((status, json.loads(body)["code"]), (422, "BAD_VALUE"),
                  f"{path} {limit}")
        for limit in (1, 1000):
            page(node, f"{path}?limit={limit}")


@test
def bans_come_in_pages(t):
    """All are there once, whatever the size of a page."""
    node = t.node().start()
    targets = [f"192.0.2.{i}" for i in range(1, 8)] + ["2001:db8::/32"]
    for target in targets:
        node.ok("peers", "ban", target)
    for limit in (1, 3, 4, 7, 8, 9, 1000):
        seen, after = [], ""
        while after is not None:
            items, after = page(node, f"/api/v1/bans?limit={limit}" +
                                (f"&after={after}" if after else ""))
            check(0 < len(items) <= limit, items)
            seen += [item["target"] for item in items]
        equal(sorted(seen), sorted(targets), f"pages of {limit}")
    items, after = page(node, f"/api/v1/bans?after={seen[-1]}")
    equal((items, after), ([], None), "behind the last")
    for after in ("192.0.2.99", "x"):
        status, _, body = curl(node, "GET", f"/api/v1/bans?after={after}")
        equal((status, json.loads(body)["code"]), (422, "BAD_VALUE"), after)


@test
def types_of_bodies(t):
    """JSON is what is called so, or nothing; bytes may be called anything."""
    node = t.node().start()
    paths = document(node)["paths"]
    check("201" in paths["/api/v1/blocks"]["post"]["responses"], "blocks")
    check("204" in paths["/api/v1/bans/{target}"]["put"]["responses"], "bans")
    url = "/api/v1/bans/192.0.2.1"
    body = ("--data-binary", '{"reason": "r"}')
    for kind in ("text/plain", "application/x-www-form-urlencoded",
                 "application/jsonx", "multipart/form-data"):
        status, _, answer = curl(node, "PUT", url, *body, "-H",
                                 f"Content-Type: {kind}")
        problem = json.loads(answer)
        equal((status, problem["code"]), (415, "BAD_TYPE"), kind)
        check(kind in problem["detail"], problem)
    equal(page(node, "/api/v1/bans")[0], [], "nothing was done")
    for header in ("Content-Type: application/json", "Content-Type:",
                   "Content-Type: Application/JSON; charset=utf-8"):
        equal(curl(node, "PUT", url, *body, "-H", header)[0], 204, header)
    for kind in ("text/plain", "application/json", "application/octet-stream"):
        status, _, answer = curl(node, "POST", "/api/v1/blocks?codec=raw",
                                 "--data-binary", kind, "-H",
                                 f"Content-Type: {kind}")
        equal((status, json.loads(answer)["bytes"]), (201, len(kind)), kind)
    equal(curl(node, "POST", "/api/v1/gc", *body, "-H",
               "Content-Type: text/plain")[0], 400, "no body at all")


def at_once(node, path, count):
    """Status and body of @count requests at the same time."""
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(curl, node, "POST", path) for _ in range(count)]
        return [(status, body) for status, _, body in
                (one.result() for one in asked)]


ROUNDS = 20  # until one of many at once has met another


@test
def collections_at_once(t):
    """gc while another runs waits for it; all is removed once."""
    node = t.node().start()
    for turn in range(ROUNDS):
        cids = [api.lines(node, "POST", "/api/v1/local/add", {"paths": [
            str(t.write(f"f{turn}.{i}", trees.random_bytes(turn * 10 + i,
                                                           1_000_000)))]})
                [-1]["cid"] for i in range(3)]
        for cid in cids:
            node.ok("rm", "--local", cid)
        answers = at_once(node, "/api/v1/gc", 8)
        equal({status for status, _ in answers}, {200}, answers)
        values = [json.loads(body) for _, body in answers]
        check(sum(value["removed"] for value in values) >= 3, values)
        if any("waited" in value for value in values):
            return
    check(False, "none has met another")


@test
def checks_at_once(t):
    """verify and fsck wait for each other, tell so, and check all."""
    node = t.node()
    node.add(t.write("file", trees.random_bytes(1, 40_000_000)))
    node.start()
    blocks = json.loads(curl(node, "POST", "/api/v1/verify")[2].splitlines()
                        [-1])["checked"]
    check(blocks > 30, f"{blocks} blocks")
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(1) as pool:
            fsck = pool.submit(curl, node, "POST", "/api/v1/fsck")
            answers = at_once(node, "/api/v1/verify", 4)
            status, _, body = fsck.result()
        equal((status, json.loads(body)["blocks"]), (200, blocks), "fsck")
        lines = [[json.loads(line) for line in body.splitlines()]
                 for _, body in answers]
        equal([(line[-1].get("checked"), line[-1].get("bad"))
               for line in lines], [(blocks, [])] * 4, lines)
        if any("waiting" in line[0] for line in lines):
            return
    check(False, "none has met another")


@test
def too_many_checks_at_once(t):
    """As many wait as are allowed to; the others are told at once, and the
    node is as good as before."""
    node = t.node()
    node.add(t.write("file", trees.random_bytes(1, 20_000_000)))
    node.start()
    answers = at_once(node, "/api/v1/verify", 40)
    busy = [json.loads(body)["code"] for status, body in answers
            if status != 200]
    check(0 < len(busy) <= 40 - 17, f"{len(busy)} were refused")
    equal(set(busy), {"BUSY"}, "how")
    status, _, body = curl(node, "POST", "/api/v1/verify")
    equal((status, json.loads(body.splitlines()[-1])["bad"]), (200, []), "now")


@test
def who_waits_can_go(t):
    """A request that waits for another check and is given up leaves nothing
    behind; the daemon ends while others wait."""
    node = t.node()
    node.add(t.write("file", trees.random_bytes(1, 20_000_000)))
    node.start()
    socket = str(node.path / "api.sock")
    asked = [subprocess.Popen(
        ["curl", "-sN", "-X", "POST", "--unix-socket", socket,
         "http://xmbl/api/v1/verify"], stdout=subprocess.DEVNULL)
             for _ in range(12)]
    for one in asked[::2]:
        one.kill()
        one.wait()
    for one in asked[1::2]:
        one.wait(60)
    equal(node.json("verify")["bad"], [], "after those that went")
    asked = [subprocess.Popen(
        ["curl", "-sN", "-X", "POST", "--unix-socket", socket,
         f"http://xmbl/api/v1/{what}"], stdout=subprocess.DEVNULL)
             for what in ("verify", "fsck", "gc") * 4]
    node.stop()
    for one in asked:
        one.wait(60)
    node.start()
    equal(node.json("verify")["bad"], [], "after the end")
