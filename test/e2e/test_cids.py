"""The same content has the same CID as with kubo: published vectors.

Goal: `add` in its three profiles gives the CIDs that others publish.
Method: content is made from its recipe, added with -n (hash only) and really,
and the CID compared with the vector.
"""
import json
import pathlib
import shutil
import subprocess

import trees
from xmbltest import Skip, check, equal, test

VECTORS = json.loads(
    (pathlib.Path(__file__).parent / "cid_vectors.json").read_text())
PROFILES = ("kubo-v1", "kubo-v0", "unixfs-v1-2025")


def keystream(seed, size):
    """kubo's deterministic test content: a ChaCha20 key stream."""
    if shutil.which("openssl") is None:
        raise Skip("there is no openssl")
    import hashlib
    key = hashlib.sha256(seed.encode()).hexdigest()
    made = subprocess.run(
        ["openssl", "enc", "-chacha20", "-K", key, "-iv", "0" * 32],
        input=bytes(size), stdout=subprocess.PIPE, check=True)
    return made.stdout


@test
def cids_of_patterns(t):
    """Files of byte i mod 251, in three profiles, around the chunk sizes."""
    node = t.node()
    for size, wants in VECTORS["patterns"].items():
        path = t.write(f"pattern-{size}", trees.pattern(int(size)))
        for profile, want in zip(PROFILES, wants):
            equal(node.add(path, "-n", "--profile", profile), want,
                  f"{size} bytes, {profile}")
            equal(node.add(path, "--profile", profile), want,
                  f"{size} bytes, {profile}, stored")
            equal(node.ok("cat", want).out, path.read_bytes(), "bytes")


@test
def cids_of_small_things(t):
    """Empty and short files, an empty folder, a symlink, other options."""
    node = t.node()
    for row in VECTORS["small"]:
        path = t.path("thing")
        trees.remove(path)
        if row["kind"] == "file":
            t.write("thing", row["content"].encode())
        elif row["kind"] == "folder":
            trees.write_tree(path, {name.encode(): content.encode()
                                    for name, content in
                                    row["content"].items()})
        else:
            path.symlink_to(row["content"])
        equal(node.add(path, *row["options"]), row["cid"], row)


@test
def cids_of_standard_input(t):
    """`add -` has the CID of the file."""
    node = t.node()
    for size, wants in VECTORS["patterns"].items():
        equal(node.add("-", stdin=trees.pattern(int(size)), *()), wants[2],
              f"{size} bytes of stdin")


@test
def cids_of_zeros(t):
    """Full and overfull inner nodes, where every leaf is the same."""
    node = t.node()
    for size, want in VECTORS["zeros_kubo_v1"].items():
        path = t.path("zeros")
        with open(path, "wb") as file:
            file.truncate(int(size))
        equal(node.add(path, "-n", "--profile", "kubo-v1"), want, size)


@test
def cids_of_three_levels(t):
    """174 * 174 chunks of 256 bytes, and one byte more."""
    node = t.node()
    chunk = bytes(range(251)) + bytes(range(5))
    for extra, (v1, v0) in VECTORS["three_levels"].items():
        path = t.write("deep", chunk * 174 * 174 + extra.encode())
        for profile, want in (("kubo-v1", v1), ("kubo-v0", v0)):
            equal(node.add(path, "--profile", profile, "--chunker",
                           "size-256"), want, f"{profile} with {extra!r}")
        check(node.ok("cat", v0).out == path.read_bytes(), "other bytes")


@test
def cids_of_kubo_test_files(t):
    """The files of kubo's own profile tests (ChaCha20 key streams)."""
    node = t.node()
    for row in VECTORS["keystreams"]:
        path = t.write("stream", keystream(row["seed"], row["size"]))
        equal(node.add(path, "-n", "--profile", row["profile"]), row["cid"],
              row)


@test
def cids_of_hamt_thresholds(t):
    """Folders right below and above the size where a HAMT begins."""
    letters = b"abcdefghijklmnopqrstuvwxyz01234567890-_"
    node = t.node()
    for row in VECTORS["hamt_thresholds"]:
        lengths = [row["length"]] * row["count"]
        lengths[-1] = row.get("last_length", row["length"])
        stream = keystream(row["seed"], sum(lengths))
        tree, at = {}, 0
        for length in lengths:
            name = bytes(letters[byte % 39] for byte in stream[at:at + length])
            tree[name] = b"x"
            at += length
        path = t.path("folder")
        trees.remove(path)
        trees.write_tree(path, tree)
        equal(node.add(path, "--profile", row["profile"]), row["cid"], row)
