#!/usr/bin/env python3
"""Fail if a file in src/ includes or calls what its folder may not use.

LAYERS is the architecture and the only list of it: each folder, the folders it
may include from, the system libraries it links, and how much of the C library
it may see.  CMake and check_symbols.py read it from here.  A new arrow between
folders is a reviewed change to this table.

Usage: check_layers.py            check the tree in the current directory
       check_layers.py --cmake    print the table as CMake variables
"""
import pathlib
import re
import sys
from dataclasses import dataclass

PURE = "pure"      # bytes and time in, bytes and events out: no C library
CLOSED = "closed"  # sees the world through env/ only
OPEN = "open"      # talks to the system


@dataclass(frozen=True)
class Layer:
    """One folder of src/."""
    kind: str
    uses: str = ""              # folders it may include from
    libraries: str = ""         # pkg-config modules it links
    # System headers beyond PURE_HEADERS; "name/" stands for all below it.
    headers: frozenset = frozenset()


CORE = "base crypto multiformats ipld"
NODE = (CORE + " env unixfs libp2p kad gossip bitswap discovery consensus"
        " store chain storage compute market wallet monitor config")
API = NODE + " node"

LAYERS = {  # lowest first; a folder that does not exist yet is fine
    "base": Layer(PURE),
    "crypto": Layer(PURE, "base", "libcrypto libsodium libisal",
                    frozenset({"openssl/", "sodium.h", "sodium/", "isa-l.h",
                               "isa-l/crc.h"})),
    "env": Layer(CLOSED, "base"),
    "multiformats": Layer(PURE, "base crypto"),
    "ipld": Layer(PURE, "base crypto multiformats"),
    "unixfs": Layer(PURE, "base multiformats ipld"),
    "libp2p": Layer(PURE, "base crypto multiformats"),
    "kad": Layer(PURE, CORE),
    "gossip": Layer(PURE, "base crypto multiformats"),
    "bitswap": Layer(PURE, "base multiformats ipld"),
    "discovery": Layer(PURE, CORE),
    "consensus": Layer(PURE, CORE),
    "store": Layer(CLOSED, CORE + " env"),
    "chain": Layer(CLOSED, CORE + " env consensus"),
    "storage": Layer(CLOSED, CORE + " env unixfs discovery store", "libisal",
                     frozenset({"isa-l.h", "isa-l/erasure_code.h"})),
    "compute": Layer(CLOSED, CORE + " env discovery"),
    "market": Layer(CLOSED, CORE + " env unixfs discovery consensus store"
                    " chain storage compute"),
    "wallet": Layer(CLOSED, "base crypto consensus"),
    "monitor": Layer(CLOSED, "base env"),
    "config": Layer(CLOSED, "base", "yaml-0.1", frozenset({"yaml.h"})),
    "node": Layer(CLOSED, NODE),
    "api": Layer(CLOSED, API, "jansson", frozenset({"jansson.h"})),
    "os": Layer(OPEN, "base crypto env",
                "libuv lmdb libmicrohttpd libcurl libcares"),
    "sim": Layer(CLOSED, API + " api"),
    "wasm": Layer(OPEN, "base compute"),
    "app": Layer(OPEN, API + " api os sim", "jansson libedit"),
}

# Programs: src/app/NAME.c holds main(); each may use more than src/app does.
PROGRAMS = {
    "xmbl": "",
    "xmbl_sim": "",
    "xmbl_worker": "wasm",
}

PURE_HEADERS = {"assert.h", "inttypes.h", "limits.h", "stdalign.h",
                "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "string.h"}
MEMORY_FILE = "src/base/mem.c"
FILE_HEADERS = {MEMORY_FILE: {"stdlib.h"}}
AMOUNT_FILES = {"src/base/amount.h", "src/base/amount.c"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                      r"|'(?:\\.|[^'\\\n])*'", re.S)
ALLOCATES = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|free"
                       r"|aligned_alloc|posix_memalign|strdup|strndup"
                       r"|v?asprintf)\s*\(")
FLOATS = re.compile(r"\b(float|double|_Complex)\b")
ATOMS = re.compile(r"(?:\.|->)\s*atoms\b")


def closure(folder):
    """The folder and all that it may use, directly or not."""
    seen, todo = set(), [folder]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += LAYERS[name].uses.split()
    return seen


def libraries(folder):
    """The system libraries that the folder itself links."""
    return LAYERS[folder].libraries.split()


def code_only(text):
    """The text with comments, strings and characters blanked in place."""
    return NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def allowed_folders(path, folder):
    allowed = {folder, *LAYERS[folder].uses.split()}
    if folder == "app":
        allowed |= set(PROGRAMS.get(path.stem, "").split())
    return allowed


def allowed_header(path, folder, header):
    layer = LAYERS[folder]
    if layer.kind == OPEN or header in PURE_HEADERS:
        return True
    parent = header.split("/")[0] + "/"
    return (header in layer.headers or parent in layer.headers
            or header in FILE_HEADERS.get(path.as_posix(), ()))


def include_fault(path, folder, quote, target):
    """Why the include is wrong, or None."""
    if quote == "<":
        if allowed_header(path, folder, target):
            return None
        return f"a {LAYERS[folder].kind} folder may not include <{target}>"
    owner = target.split("/")[0]
    if "/" not in target:
        return f'write "{target}" as "folder/file.h"'
    if owner not in allowed_folders(path, folder):
        return f"{folder}/ may not use {owner}/ ({target})"
    if target.endswith("_priv.h") and owner != folder:
        return f"{target} is private to {owner}/"
    return None


def include_faults(path, folder, text):
    """Yield (position, why) for each include that is wrong."""
    for match in INCLUDE.finditer(text):
        why = include_fault(path, folder, *match.groups())
        if why:
            yield match.start(), why


def code_faults(path, folder, code):
    """Yield (position, why) for what the code's place forbids it to do."""
    name = path.as_posix()
    if name != MEMORY_FILE:
        for match in ALLOCATES.finditer(code):
            yield match.start(), f"{match.group(1)}() is for {MEMORY_FILE} only"
    if LAYERS[folder].kind == PURE:
        for match in FLOATS.finditer(code):
            yield match.start(), f"{match.group()} in a pure folder"
    if name not in AMOUNT_FILES:
        for match in ATOMS.finditer(code):
            yield match.start(), \
                "atoms of an amount are for src/base/amount.[ch]"


def file_faults(path):
    """Yield 'path:line: why' for each fault of one file."""
    folder = path.parts[1]
    text = path.read_text()
    for position, why in (*include_faults(path, folder, text),
                          *code_faults(path, folder, code_only(text))):
        line = text.count("\n", 0, position) + 1
        yield f"{path}:{line}: {why}"


def tree_faults():
    """Yield every fault of src/."""
    source = pathlib.Path("src")
    for entry in sorted(source.iterdir()):
        if entry.name not in LAYERS:
            yield f"{entry}: not a row of LAYERS"
    for path in sorted(source.rglob("*.[ch]")):
        if path.parts[1] not in LAYERS:
            continue
        if len(path.parts) != 3:
            yield f"{path}: folders of src/ have no folders"
        yield from file_faults(path)


def table_faults():
    """Yield rows that use a folder which does not stand above them."""
    above = set()
    for folder, layer in LAYERS.items():
        for name in layer.uses.split():
            if name not in above:
                yield f"LAYERS: {folder} uses {name}, which is not below it"
        above.add(folder)


def print_cmake():
    print(f"set(XMBL_FOLDERS {' '.join(LAYERS)})")
    for folder, layer in LAYERS.items():
        print(f"set(XMBL_USES_{folder} {layer.uses})")
        print(f"set(XMBL_LIBRARIES_{folder} {layer.libraries})")
        print(f"set(XMBL_KIND_{folder} {layer.kind})")
    print(f"set(XMBL_PROGRAMS {' '.join(PROGRAMS)})")
    for program, uses in PROGRAMS.items():
        print(f"set(XMBL_PROGRAM_USES_{program} {uses})")


def main():
    if sys.argv[1:] == ["--cmake"]:
        print_cmake()
        return 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    faults = [*table_faults(), *tree_faults()]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
