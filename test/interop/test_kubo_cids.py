"""The CID of any tree is the one that kubo gives it.

Goal: `xmbl add` and `ipfs add -r` agree on odd names, sizes, links, chunk
sizes, wrapping and hidden files in the three profiles.
Method: random trees from a seed, hashed by both; kubo-v0 is kubo's default,
kubo-v1 its --cid-version=1, unixfs-v1-2025 its profile of that name.
"""
import trees
from processes import Failure
from xmbltest import equal, test

PROFILES = {"kubo-v0": [], "kubo-v1": ["--cid-version=1"],
            "unixfs-v1-2025": []}


def both(t, profile):
    """A node and a kubo repository of a profile."""
    applied = profile if profile == "unixfs-v1-2025" else None
    return t.node(), t.kubo(profile=applied)


def compare(node, kubo, profile, path, *options):
    """Both hash a path with the same options."""
    # What kubo can't name on its command line is compared by the folder.
    want = kubo.text("add", "-Q", "-r", "-H", "-n", *PROFILES[profile],
                     *options, path)
    got = node.text("add", "-Q", "-n", "--profile", profile, *options, path)
    if got != want:
        where = _first_difference(node, kubo, profile, path, options)
        raise Failure(f"{profile} {options}: {got} here, {want} at kubo; "
                      f"{where}")


def _first_difference(node, kubo, profile, path, options):
    """The first entry of a folder on which the two disagree."""
    if not path.is_dir():
        return path.name
    for entry in sorted(path.iterdir()):
        try:
            compare(node, kubo, profile, entry, *options)
        except Failure as failure:
            return f"{entry.name!r}: {failure}"
    return "its entries agree"


def _random_trees(t, profile):
    node, kubo = both(t, profile)
    folder = t.path("folder")
    for at in range(200 if t.long else 20):
        chunk = t.rng.choice((256, 1000, 4096, 65537, 262144))
        trees.remove(folder)
        trees.write_tree(folder, trees.random_tree(
            t.seed * 1000 + at, entries=t.rng.choice((1, 10, 40)),
            chunk=chunk))
        options = [f"--chunker=size-{chunk}"]
        if t.rng.random() < 0.3:
            options.append("-w")
        if t.rng.random() < 0.3:
            options.append(t.rng.choice(("--raw-leaves",
                                         "--raw-leaves=false")))
        if profile != "kubo-v1" and t.rng.random() < 0.3:
            options.append(t.rng.choice(("--cid-version=0",
                                         "--cid-version=1")))
        compare(node, kubo, profile, folder, *options)


@test(needs=["kubo"])
def random_trees_of_kubo_v0(t):
    """20 random trees with kubo's defaults."""
    _random_trees(t, "kubo-v0")


@test(needs=["kubo"])
def random_trees_of_kubo_v1(t):
    """20 random trees with --cid-version=1."""
    _random_trees(t, "kubo-v1")


@test(needs=["kubo"])
def random_trees_of_2025(t):
    """20 random trees in the profile unixfs-v1-2025."""
    _random_trees(t, "unixfs-v1-2025")


@test(needs=["kubo"])
def odd_chunk_sizes(t):
    """Chunk sizes from 1 byte to the largest, files around them."""
    for profile in PROFILES:
        node, kubo = t.node(profile), t.kubo(
            f"{profile}-kubo", "unixfs-v1-2025" if "2025" in profile else None)
        for chunk in (1, 7, 255, 257, 1023, 123_457, 1 << 20, (2 << 20) - 256):
            for size in {0, 1, chunk - 1, chunk, chunk + 1,
                         min(3 * chunk + 5, 5_000_000)}:
                path = t.write("file", trees.random_bytes(size, size))
                if size // chunk > 3000:
                    continue
                compare(node, kubo, profile, path, f"--chunker=size-{chunk}")


@test(needs=["kubo"])
def folders_around_the_shard(t):
    """Folders that are right at the size where a HAMT begins."""
    for profile in PROFILES:
        node, kubo = t.node(profile), t.kubo(
            f"{profile}-kubo", "unixfs-v1-2025" if "2025" in profile else None)
        # With names of 200 bytes and these CIDs, the estimates cross 256 KiB
        # at these counts: 234 bytes an entry, 236, and the whole block.
        edge = {"kubo-v0": 1120, "kubo-v1": 1110, "unixfs-v1-2025": 1065}
        for count in range(edge[profile] - 2, edge[profile] + 3):
            path = t.path("folder")
            trees.remove(path)
            trees.write_tree(path, {b"%06d" % at + b"n" * 194: b"x"
                                    for at in range(count)})
            compare(node, kubo, profile, path)


@test(needs=["kubo"])
def hamt_of_odd_names(t):
    """A large folder with names of every kind, folders and links in it."""
    for profile in PROFILES:
        node, kubo = t.node(profile), t.kubo(
            f"{profile}-kubo", "unixfs-v1-2025" if "2025" in profile else None)
        tree = {name: name for name in trees.ODD_NAMES}
        for at in range(2500):
            name = b"%x-" % at + trees.random_bytes(at, at % 90).hex().encode()
            tree[name] = (b"", b"content", trees.Symlink(b"target"),
                          None)[at % 4]
        path = t.path("folder")
        trees.remove(path)
        trees.write_tree(path, tree)
        compare(node, kubo, profile, path)


@test(needs=["kubo"])
def files_of_many_levels(t):
    """Files with full and overfull inner nodes of both widths."""
    for profile in PROFILES:
        node, kubo = t.node(profile), t.kubo(
            f"{profile}-kubo", "unixfs-v1-2025" if "2025" in profile else None)
        for leaves in (173, 174, 175, 348, 1023, 1024, 1025, 2048, 2049,
                       174 * 174 + 1):
            path = t.write("file", trees.random_bytes(leaves, leaves * 16))
            compare(node, kubo, profile, path, "--chunker=size-16")


@test(needs=["kubo"])
def links_and_hidden_files(t):
    """A symlink alone, links of all kinds, hidden files, stdin."""
    for profile in PROFILES:
        node, kubo = t.node(profile), t.kubo(
            f"{profile}-kubo", "unixfs-v1-2025" if "2025" in profile else None)
        path = t.path("folder")
        trees.remove(path)
        trees.write_tree(path, {b"empty-folder": None, b".hidden/.x": b"h",
                                b"to-file": trees.Symlink(b"file"),
                                b"to-none": trees.Symlink(b"x" * 1000),
                                b"file": b"f"})
        compare(node, kubo, profile, path)
        compare(node, kubo, profile, path, "-w")
        plain = kubo.text("add", "-Q", "-r", "-n", *PROFILES[profile], path)
        equal(node.text("add", "-Q", "-n", "--no-hidden", "--profile",
                        profile, path), plain, "without hidden files")
        equal(node.text("add", "-Q", "-n", "--profile", profile, "-",
                        stdin=b"from stdin"),
              kubo.text("add", "-Q", "-n", *PROFILES[profile], "-",
                        stdin=b"from stdin"), "stdin")
