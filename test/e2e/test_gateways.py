"""Blocks from HTTP gateways.

Goal: a gateway is a source beside the peers: what no peer gives comes from
there, verified; a bad one harms nobody, and is told of.
Method: small gateways on loopback, in this process, honest and not, with the
blocks of a node.
"""
import socket
import ssl
import subprocess
import time

import gateways
import nodes
import processes
import proxy
import trees
from processes import wait_for
from test_lone import ABSENT, Lone
from xmbltest import Skip, check, equal, same_tree, test

# What a gateway can do instead of giving a block.
BAD = ("lies", "silent", "stalls", "endless", "long", "headers", "loop", "out",
       "404", "410", "429", "500", "cut", "gzip", "html", "garbage")
QUIET = ("--set", "network.discovery=false", "--set", "network.mdns=false")


def gateway(t, blocks, how="honest", **options):
    """A gateway that ends with the test."""
    one = gateways.Gateway(blocks, how, **options)
    t.defer(one.close)
    return one


def content(t, size=9_000_000):
    """A file, its CID, and the blocks of a node that has it."""
    file = trees.random_file(t.path("file"), 1, size)
    node = t.node("holder")
    cid = node.add(file)
    return file, cid, gateways.blocks_of(node)


def sources(result):
    """Who gave how much, as a command told."""
    return {one["peer"]: one["bytes"] for one in result.json()["sources"]}


def setting(*urls):
    """The gateways as a variable."""
    return {"XMBL_NETWORK_GATEWAYS": ",".join(one.url for one in urls)}


@test
def alone_by_a_gateway(t):
    """A file, a folder and a range come without a peer or a folder."""
    file = trees.random_file(t.path("file"), 1, 9_000_000)
    folder = t.path("folder")
    trees.write_tree(folder, {b"%d/%03d" % (at % 5, at):
                              trees.random_bytes(at, at * 37)
                              for at in range(60)})
    holder = t.node("holder")
    cids = [holder.add(file), holder.add(folder)]
    good = gateway(t, gateways.blocks_of(holder))
    lone = Lone(t)
    got = lone.ok("get", cids[0], "-o", t.path("f"), "--json",
                  env=setting(good))
    check(trees.same_files(file, t.path("f")), "the file differs")
    equal(list(sources(got)), [good.url], got)
    check(sources(got)[good.url] >= 9_000_000, got)
    check(got.seconds < 15, f"it waits too long: {got}")
    lone.ok("get", cids[1], "--gateway", good.url + "/", "-o", t.path("d"))
    same_tree(t.path("d"), folder)
    equal(lone.ok("cat", cids[0], "--gateway", good.url, "--offset", "5000000",
                  "--length", "1000").out, file.read_bytes()[5000000:5001000],
          "a range")
    equal(lone.files(), {}, "left behind")
    for method, path, headers, _ in good.block_requests():
        equal(method, "GET", "method")
        check(path.endswith("?format=raw"), path)
        equal(headers.get("Accept"), gateways.BLOCK, headers)
        check("Accept-Encoding" not in headers, headers)
    # Each block once, and not by many connections at a time.
    paths = [one[1] for one in good.block_requests()]
    check(len(paths) <= len(set(paths)) * 3, f"{len(paths)} requests")


@test
def bad_gateways_alone(t):
    """One that is all there is gives nothing, and the command says so."""
    _, cid, blocks = content(t, 3_000_000)
    runs = []
    for how in BAD:
        bad = gateway(t, blocks, how)
        bad.elsewhere = "http://198.51.100.1/"
        lone = Lone(t, f"lone-{how}")
        out = t.path(f"out-{how}")
        runs.append((how, bad, out, lone.begin(
            "get", cid, "-o", out, "--timeout", "4s", "--gateway", bad.url)))
    for how, bad, out, process in runs:
        result = process.wait(40)
        check(result.code in (3, 7), f"{how}: {result}")
        check("gateway" in result.err, f"{how}: {result}")
        check(not out.exists(), f"{how}: there is a file")
        check(result.seconds < 20, f"{how}: {result}")
        # The body is not kept, and little of it is taken.
        check(result.peak_bytes < 300_000_000, f"{how}: {result.peak_bytes}")
        check(bad.served < 200_000_000, f"{how}: {bad.served} bytes taken")
        check(len(bad.asked) < 40, f"{how}: asked {len(bad.asked)} times")
        check(len(bad.block_requests()) > 0, f"{how}: it was not asked")


@test
def bad_gateways_beside_a_good_one(t):
    """A bad one costs some time, and nothing comes from it."""
    file, cid, blocks = content(t, 5_000_000)
    for how in BAD:
        bad = gateway(t, blocks, how)
        bad.elsewhere = "http://198.51.100.1/"
        good = gateway(t, blocks)
        lone = Lone(t, f"lone-{how}")
        out = t.path(f"out-{how}")
        got = lone.ok("get", cid, "-o", out, "--json",
                      env=setting(bad, good))
        check(trees.same_files(file, out), f"{how}: the file differs")
        equal(list(sources(got)), [good.url], f"{how}: {got}")
        check(got.seconds < 15, f"{how}: {got}")


@test
def many_liars(t):
    """Liars are dropped at the first wrong bytes; nothing of them is kept."""
    file, cid, blocks = content(t, 5_000_000)
    bad = [gateway(t, blocks, "lies") for _ in range(7)]
    good = gateway(t, blocks)
    lone = Lone(t)
    lone.ok("get", cid, "-o", t.path("out"), env=setting(*bad, good))
    check(trees.same_files(file, t.path("out")), "the file differs")
    for one in bad:
        check(len(one.block_requests()) <= 4, f"{len(one.asked)} requests")


@test
def redirects_are_followed(t):
    """A few, to the same machine."""
    file, cid, blocks = content(t, 3_000_000)
    good = gateway(t, blocks, "leads")
    lone = Lone(t)
    lone.ok("get", cid, "-o", t.path("out"), env=setting(good))
    check(trees.same_files(file, t.path("out")), "the file differs")


def own_address():
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
            return probe.getsockname()[0]
        except OSError as error:
            raise Skip("this machine has no address but loopback") from error


@test
def redirects_to_others_are_not_followed(t):
    """A gateway cannot make us ask what only this machine reaches."""
    _, cid, blocks = content(t, 900_000)
    outside = own_address()
    for here, there in ((outside, "127.0.0.1"), ("127.0.0.1", outside)):
        bad = gateway(t, blocks, "out", at=here)
        victim = gateway(t, blocks, at=there)
        bad.elsewhere = f"{victim.url}/ipfs/{cid}?format=raw"
        lone = Lone(t, f"lone-{here}")
        result = lone.run("get", cid, "-o", t.path("out"), "--timeout", "4s",
                          "--gateway", bad.url)
        check(result.code in (3, 7), result)
        check(len(bad.block_requests()) > 0, "it was not asked")
        equal(victim.asked, [], "the other was asked")


@test
def a_gateway_that_has_to_look(t):
    """What takes it longer than peers may take comes all the same."""
    file, cid, blocks = content(t, 900_000)
    good = gateway(t, blocks, "cold")
    lone = Lone(t)
    lone.ok("get", cid, "-o", t.path("out"), env=setting(good))
    check(trees.same_files(file, t.path("out")), "the file differs")
    equal(len(good.block_requests()), len({one[1] for one in good.asked}),
          "asked twice")


@test
def a_gateway_that_is_busy(t):
    """It is left alone for as long as it says, and asked again."""
    file, cid, blocks = content(t, 900_000)
    for how, rest_s in (("500", 0.9), ("429", 1.9)):
        busy = gateway(t, blocks, how)
        busy.failures, busy.then = 1, "honest"
        lone = Lone(t, f"lone-{how}")
        out = t.path(f"out-{how}")
        lone.ok("get", cid, "-o", out, "--timeout", "20s", env=setting(busy))
        check(trees.same_files(file, out), f"{how}: the file differs")
        times = [one[3] for one in busy.asked]
        check(times[1] - times[0] >= rest_s, f"{how}: {times}")
        equal(len(busy.probes()), 1, f"{how}: probes")
        check(gateways.EMPTY in busy.asked[1][1], f"{how}: {busy.asked[1]}")


@test
def peers_go_first(t):
    """A node asks its peers, and the gateway for what they have not got."""
    file = trees.random_file(t.path("file"), 1, 9_000_000)
    other = trees.random_file(t.path("other"), 2, 9_000_000)
    source = t.node("source")
    theirs = source.add(other)
    good = gateway(t, gateways.blocks_of(source))
    holder, asking = t.node("holder"), t.node("asking")
    cid = holder.add(file)
    holder.start(*QUIET)
    asking.start(*QUIET, "--set", f"network.gateways={good.url}")
    asking.connect(holder)
    got = asking.ok("get", cid, "-o", t.path("f"), "--json")
    equal(list(sources(got)), [holder.peer_id], got)
    equal(good.asked, [], "the gateway was asked")
    got = asking.ok("get", theirs, "-o", t.path("o"), "--json")
    equal(list(sources(got)), [good.url], got)
    check(trees.same_files(other, t.path("o")), "the file differs")
    check(got.seconds < 15, f"it waits too long: {got}")


def beside_a_peer(t, size):
    """A file of a node, who asks for it by a wire, and a gateway with it."""
    file = trees.random_file(t.path("file"), 1, size)
    holder, asking = t.node("holder"), t.node("asking")
    cid = holder.add(file)
    good = gateway(t, gateways.blocks_of(holder))
    holder.start(*QUIET)
    asking.start(*QUIET, "--set", f"network.gateways={good.url}")
    wire = proxy.Proxy(holder.port)
    t.defer(wire.close)
    return file, cid, holder, asking, good, wire


@test
def a_gateway_takes_over(t):
    """A download goes on by the gateway when the peer says no more."""
    file, cid, holder, asking, good, wire = beside_a_peer(t, 30_000_000)
    wire.hold_after = 8_000_000
    asking.connect(wire.address(holder))
    got = asking.ok("get", cid, "-o", t.path("out"), "--json")
    check(trees.same_files(file, t.path("out")), "the file differs")
    equal(set(sources(got)), {good.url, holder.peer_id}, got)
    check(sources(got)[good.url] > 15_000_000, got)
    check(got.seconds < 15, f"it waits too long: {got}")


@test
def a_gateway_beside_a_slow_peer(t):
    """A download that lasts tries the gateway, which then does most of it."""
    file, cid, holder, asking, good, wire = beside_a_peer(t, 60_000_000)
    asking.connect(wire.address(holder))
    wire.slow_to(1_000_000)
    got = asking.ok("get", cid, "-o", t.path("out"), "--json")
    check(trees.same_files(file, t.path("out")), "the file differs")
    check(sources(got)[good.url] > 40_000_000, got)
    check(got.seconds < 40, f"it waits too long: {got}")


@test
def why_asks_gateways(t):
    """The step says who has it, and that none is configured."""
    _, cid, blocks = content(t, 900_000)
    good, bad = gateway(t, blocks), gateway(t, blocks, "500")
    node = t.node("asking").start(
        *QUIET, "--set", f"network.gateways={bad.url},{good.url}")

    def step(result):
        """The step about gateways."""
        return [line for line in result.json_lines()
                if line.get("step") == "gateways"][0]
    result = node.ok("why", cid, "--json")
    equal(step(result)["result"], "ok", result)
    check(good.url in step(result)["detail"], result)
    result = node.run("why", ABSENT, "--json", "--timeout", "3s")
    equal(step(result)["result"], "failed", result)
    check(bad.url in step(result)["detail"] or
          good.url in step(result)["detail"], result)
    plain = t.node("plain").start(*QUIET)
    result = plain.run("why", ABSENT, "--json", "--timeout", "3s")
    equal(step(result)["result"], "not_tried", result)


BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def tls_gateway(t, blocks):
    """A gateway with a certificate of its own; and the certificate's path."""
    key, cert = t.path("key.pem"), t.path("cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", cert, "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return gateway(t, blocks, context=context), cert


@test
def tls_is_verified(t):
    """A server that nobody vouches for is not asked for anything."""
    _, cid, blocks = content(t, 900_000)
    unknown, _ = tls_gateway(t, blocks)
    lone = Lone(t)
    result = lone.run("get", cid, "-o", t.path("out"), "--timeout", "4s",
                      "--gateway", unknown.url)
    check(result.code in (3, 7), result)
    equal(unknown.asked, [], "it was asked")


@test
def tls_of_a_known_server(t):
    """One that the system vouches for is."""
    file, cid, blocks = content(t, 3_000_000)
    known, cert = tls_gateway(t, blocks)
    bundle = t.path("bundle.pem")
    bundle.write_bytes(cert.read_bytes())
    inside = ["unshare", "-m", "sh", "-c",
              f'mount --bind "$0" {BUNDLE} && exec "$@"', str(bundle)]
    if processes.run([*inside, "true"]).code != 0:
        raise Skip("no mount namespaces here")
    lone = Lone(t)
    result = processes.run([*inside, nodes.program(), "get", cid, "-o",
                            t.path("out"), "--gateway", known.url],
                           env=lone.env, cwd=lone.home)
    equal(result.code, 0, result)
    check(trees.same_files(file, t.path("out")), "the file differs")


@test
def the_setting_is_checked(t):
    """What is no URL of a server is refused, with its name."""
    node = t.node("node")
    for value in ("gateway.example", "ftp://gateway.example", "https://",
                  "https://gateway.example/ipfs", "https://u:p@g.example",
                  "https://g.example?x", "http:///x"):
        result = node.run("config", "set", "network.gateways", value)
        check(result.code != 0, f"{value}: {result}")
        check("network.gateways" in result.err, result)
    node.ok("config", "set", "network.gateways",
            "https://gateway.example,http://127.0.0.1:8080/,http://[::1]:1")


@test
def a_stalling_gateway_is_left(t):
    """It ends the daemon no later, and a request that ends is ended there."""
    _, cid, blocks = content(t, 900_000)
    bad = gateway(t, blocks, "silent")
    node = t.node("asking").start(*QUIET, "--set",
                                  f"network.gateways={bad.url}")
    waiting = [node.begin("get", cid, "-o", t.path("out")),
               node.begin("why", cid)]
    wait_for(lambda: {one[0] for one in bad.block_requests()} ==
             {"GET", "HEAD"}, 10, "it is asked by both")
    begun = time.monotonic()
    node.stop()
    check(time.monotonic() - begun < 5, "the daemon ends late")
    for process in waiting:
        check(process.wait(10).code != 0, "it did not fail")
