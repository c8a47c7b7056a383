"""Files and folders to test with: made from a seed, and compared.

A tree is a dictionary of what is below a folder: path (bytes) -> None for a
folder, bytes for a file, or a Symlink.
"""
import os
import pathlib
import random
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Symlink:
    """A symbolic link."""
    target: bytes


ODD_NAMES = (b"with space", b"new\nline", b"tab\there", b"esc\x1b[31mred",
             b"quote'\"`$()", b"-dash", b"back\\slash", b"%2e%2e", b"...",
             "größe 文件 🎉".encode(), b".hidden", b"a" * 255,
             b"~", b"*?[x]", b"CON", b"trailing.", b"#frag?query=1&x",
             "e\u0301".encode(), "\u00e9".encode(), b"bell\x07\x7f")
NOT_UTF8 = (b"latin-\xe9", b"\xff\xfe", b"cut-\xe2\x82")


def pattern(size):
    """The bytes of the vectors: byte i is i mod 251."""
    block = bytes(range(251))
    return (block * (size // 251 + 1))[:size]


def random_bytes(seed, size):
    """Bytes that look random and are the same for the same seed."""
    return random.Random(seed).randbytes(size)


def random_file(path, seed, size):
    """Write a file of random_bytes, in parts, so that it can be large."""
    rng = random.Random(seed)
    with open(path, "wb") as file:
        while size > 0:
            part = min(size, 1 << 20)
            file.write(rng.randbytes(part))
            size -= part
    return pathlib.Path(path)


def write_tree(root, tree):
    """Make the folder root with what the tree has in it."""
    root = os.fsencode(root)
    os.makedirs(root, exist_ok=True)
    for name, value in tree.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if value is None:
            os.makedirs(path, exist_ok=True)
        elif isinstance(value, Symlink):
            os.symlink(value.target, path)
        else:
            with open(path, "wb") as file:
                file.write(value)


def read_tree(root):
    """The tree of a folder, as it is on the disk; links are not followed."""
    tree, left = {}, [(os.fsencode(root), b"")]
    while left:
        path, prefix = left.pop()
        for entry in os.scandir(path):
            name = prefix + entry.name
            if entry.is_symlink():
                tree[name] = Symlink(os.readlink(entry.path))
            elif entry.is_dir():
                tree[name] = None
                left.append((entry.path, name + b"/"))
            else:
                with open(entry.path, "rb") as file:
                    tree[name] = file.read()
    return tree


def _describe(value):
    if isinstance(value, bytes):
        return f"file of {len(value)} bytes"
    return "folder" if value is None else str(value)


def difference(got, want):
    """A few lines that say how two trees differ; empty when they don't."""
    lines = []
    for name in sorted(set(got) | set(want)):
        if name not in got:
            lines.append(f"{name!r} is missing")
        elif name not in want:
            lines.append(f"{name!r} is too much")
        elif got[name] != want[name]:
            lines.append(f"{name!r} is a {_describe(got[name])}, not a "
                         f"{_describe(want[name])}")
    if len(lines) > 8:
        lines[8:] = [f"and {len(lines) - 8} more"]
    return "; ".join(lines)


def _random_name(rng, taken):
    while True:
        if rng.random() < 0.3:
            name = rng.choice(ODD_NAMES)
        else:
            letters = "abcdefghijklmnopqrstuvwxyz0123456789._-AB"
            name = "".join(rng.choices(letters, k=rng.randint(1, 20))).encode()
        if name not in taken and name not in (b".", b".."):
            taken.add(name)
            return name


def _random_size(rng, chunk):
    return max(0, rng.choice((0, 1, rng.randint(2, 300), chunk - 1, chunk,
                              chunk + 1, rng.randint(1, 4 * chunk),
                              rng.randint(1, 3 * chunk), 174 * 256 + 1)))


def random_tree(seed, entries=25, chunk=4096, depth=4):
    """A tree of about so many entries: odd names, sizes around a multiple of
    the chunk, empty files and folders, symlinks, the same content twice."""
    rng = random.Random(seed)
    tree, folders, taken, contents = {}, [(b"", 0)], {b"": set()}, []
    for _ in range(entries):
        prefix, level = rng.choice(folders)
        name = prefix + _random_name(rng, taken[prefix])
        kind = rng.random()
        if kind < 0.2 and level < depth and len(name) < 1000:
            tree[name] = None
            folders.append((name + b"/", level + 1))
            taken[name + b"/"] = set()
        elif kind < 0.3:
            tree[name] = Symlink(rng.choice(
                (b"target", b"../up", b"/absolute/path", b"x" * 300,
                 b"odd\nname")))
        elif kind < 0.4 and contents:
            tree[name] = rng.choice(contents)
        else:
            tree[name] = rng.randbytes(_random_size(rng, chunk))
            contents.append(tree[name])
    return tree


def remove(path):
    """Remove a folder however deep it is."""
    subprocess.run(["rm", "-rf", "--", os.fspath(path)], check=False)


def same_files(left, right):
    """Whether two files have the same bytes."""
    with open(left, "rb") as one, open(right, "rb") as two:
        while True:
            a, b = one.read(1 << 20), two.read(1 << 20)
            if a != b:
                return False
            if not a:
                return True
