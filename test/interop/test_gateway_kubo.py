"""xmbl fetches from kubo's HTTP gateway.

Goal: blocks come from a real trustless gateway, by its address and by its
name, where it sends us to a subdomain; what it has not got is not waited for.
Method: kubo's released program with a gateway on loopback; our command knows
nobody, so that there is no other way.
"""
import pathlib

import nodes
import processes
import trees
from xmbltest import check, equal, same_tree, test


def gateway_of(t):
    """A kubo that serves a gateway; with the gateway's port."""
    kubo = t.kubo()
    kubo.ok("config", "Addresses.Gateway", "/ip4/127.0.0.1/tcp/0")
    kubo.start()
    url = (pathlib.Path(kubo.env["IPFS_PATH"]) / "gateway").read_text("utf-8")
    return kubo, int(url.strip().strip("/").rpartition(":")[2])


def lone(t, url, *args):
    """A command without a daemon that knows the gateway and nobody else."""
    home = t.path("home")
    home.mkdir(exist_ok=True)
    env = nodes.clean_environment(home) | {
        "XMBL_NETWORK_MDNS": "false", "XMBL_NETWORK_DISCOVERY": "false",
        "XMBL_NETWORK_GATEWAYS": url}
    return processes.Process([nodes.program(), *args], env=env,
                             cwd=home).wait(60)


@test(needs=["kubo"])
def kubos_gateway(t):
    """Files and folders of kubo's profiles."""
    kubo, port = gateway_of(t)
    file = trees.random_file(t.path("file"), 1, 30_000_000)
    folder = t.path("folder")
    trees.write_tree(folder, trees.random_tree(11))
    for path in (file, folder):
        for options in ([], ["--cid-version=1"]):
            cid = kubo.add(path, "-H", *options)
            for host in ("127.0.0.1", "localhost"):
                out = t.path("out")
                trees.remove(out)
                url = f"http://{host}:{port}"
                got = lone(t, url, "get", cid, "-o", out, "--json")
                equal(got.code, 0, got)
                equal([one["peer"] for one in got.json()["sources"]], [url],
                      got)
                if path.is_dir():
                    same_tree(out, path)
                else:
                    check(trees.same_files(out, path), "the file differs")


@test(needs=["kubo"])
def kubos_gateway_without_it(t):
    """kubo has no peers to look at: it says that it has not got it."""
    _, port = gateway_of(t)
    cid = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"
    got = lone(t, f"http://127.0.0.1:{port}", "get", cid, "-o", t.path("out"),
               "--timeout", "5s")
    check(got.code in (3, 7), got)
    check("gateway" in got.err, got)
