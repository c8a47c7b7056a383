#!/usr/bin/env python3
"""Fail if the objects of a folder call more of the system than it may.

check_layers.py looks at includes; this looks at what the linker will see, so
that no hand-written prototype or macro smuggles in time(), open() or malloc().
A pure folder calls memory functions only, a closed one string functions too;
each may call the libraries that its row of LAYERS names.  No folder has a
mutable global, and malloc() is called by base/ only.

Usage: check_symbols.py BUILD_DIR      a built tree without sanitizers
"""
import functools
import pathlib
import re
import subprocess
import sys

import check_layers
from check_layers import CLOSED, LAYERS, OPEN

MEMORY = {"memcpy", "memmove", "memset", "memcmp", "memchr", "strlen"}
STRINGS = {"strcmp", "strncmp", "strchr", "strrchr", "strstr", "strnlen",
           "strspn", "strcspn", "strpbrk", "memrchr", "bcmp"}
COMPILER = {"__assert_fail", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_",
            "__tls_get_addr", "__popcountdi2"}
HEAP = {"malloc", "calloc", "realloc", "reallocarray", "free", "strdup",
        "strndup", "aligned_alloc", "posix_memalign", "asprintf", "vasprintf"}
BASE_HEAP = {"malloc", "calloc", "realloc", "free", "abort"}  # base/mem.c

# Keys, salts and nonces come from struct rng, so that a seed gives one run.
CHANCE = re.compile(r"rand|keygen|_generate|(?<!seed)_keypair$", re.I)

# Sections of data that changes; constants that hold addresses go to
# .data.rel.ro and are read-only once the program has started.
MUTABLE = re.compile(r"\.(data(?!\.rel\.ro)|bss|tdata|tbss)|\*COM\*")


def nm(*arguments):
    return subprocess.run(["nm", *arguments], check=True, text=True,
                          capture_output=True).stdout.splitlines()


@functools.cache
def symbols(library):
    """The (name, kind, section) of each symbol of an archive."""
    found = []
    for line in nm("--format=sysv", str(library)):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            found.append((fields[0], fields[2], fields[6]))
    return found


def defined(library):
    return {name for name, kind, _ in symbols(library) if kind not in "Uwv"}


def called(library):
    return {name for name, kind, _ in symbols(library) if kind in "Uwv"}


@functools.cache
def system_symbols(module):
    """All that the shared libraries of a pkg-config module define."""
    flags = subprocess.run(["pkg-config", "--libs-only-l", module], check=True,
                           text=True, capture_output=True).stdout.split()
    names = set()
    for flag in flags:
        path = subprocess.run(
            ["gcc", f"-print-file-name=lib{flag[2:]}.so"], check=True,
            text=True, capture_output=True).stdout.strip()
        for line in nm("-D", "--defined-only", "-P", path):
            names.add(line.split()[0].split("@")[0])
    return names


def archive(build, folder):
    return pathlib.Path(build) / f"libxmbl_{folder}.a"


def may_call(build, folder):
    """All that a pure or closed folder may call."""
    allowed = MEMORY | COMPILER
    if LAYERS[folder].kind == CLOSED:
        allowed |= STRINGS
    if folder == "base":
        allowed |= BASE_HEAP
    for used in check_layers.closure(folder):
        if archive(build, used).exists():
            allowed |= defined(archive(build, used))
    for module in check_layers.libraries(folder):
        allowed |= system_symbols(module)
    return allowed


def plain(name):
    """memcpy for __memcpy_chk, its variant under _FORTIFY_SOURCE."""
    match = re.fullmatch(r"__(\w+)_chk", name)
    return match.group(1) if match else name


def call_faults(build, folder):
    library = archive(build, folder)
    calls = {plain(name) for name in called(library)} - defined(library)
    if folder != "base":
        for name in sorted(calls & HEAP):
            yield f"{folder}/ calls {name}(): use base/mem.h"
    if LAYERS[folder].kind == OPEN:
        return
    allowed = may_call(build, folder)
    for name in sorted(calls - allowed - HEAP):
        yield f"{folder}/ calls {name}(), which a " \
              f"{LAYERS[folder].kind} folder may not"
    for name in sorted(filter(CHANCE.search, calls)):
        if name not in COMPILER and not is_ours(build, folder, name):
            yield f"{folder}/ calls {name}(): chance comes from struct rng"


def is_ours(build, folder, name):
    return any(name in defined(archive(build, used))
               for used in check_layers.closure(folder)
               if archive(build, used).exists())


def global_faults(build, folder):
    for name, kind, section in symbols(archive(build, folder)):
        if kind.lower() in "dbcs" and MUTABLE.match(section):
            yield f"{folder}/ has the mutable global {name}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    build, faults = sys.argv[1], []
    present = [folder for folder in LAYERS if archive(build, folder).exists()]
    if not present:
        faults.append(f"{build}: no library to look at")
    for folder in present:
        faults += call_faults(build, folder)
        faults += global_faults(build, folder)
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
