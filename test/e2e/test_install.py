"""Manual pages, completion and the installed tree.

Goal: `cmake --install` gives the program, a manual page for every command, and
scripts for the Tab key, each where its reader looks; no page makes a formatter
complain.
Method: install the build that is tested under a folder of the test's; read the
pages with man(1) and mandoc(1), the scripts with their shells, where they are.
"""
import os
import pathlib
import re
import shutil
import subprocess

from nodes import program
from xmbltest import Skip, check, equal, test


def run(*argv, **how):
    """A command that must end with 0; what it printed, and its messages."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60,
                          check=False, **how)
    equal(done.returncode, 0, f"{argv}: {done.stderr}")
    return done.stdout, done.stderr


def first_words(node):
    """The first words of all commands, as the help page has them."""
    return {line.split()[0] for line in node.text("--help").splitlines()
            if line.startswith("  ")}


@test
def pages_are_clean(t):
    """man and mandoc read every page without a warning."""
    node = t.node("node", init=False)
    folder = t.path("man1")
    node.ok("man", "--output", folder)
    pages = sorted(folder.iterdir())
    names = {page.name for page in pages}
    missing = {f"xmbl-{word}.1" for word in first_words(node)} - names
    equal(missing, set(), "words without a page")
    check("xmbl.1" in names, names)
    equal(node.text("man", "pin") + "\n", (folder / "xmbl-pin.1").read_text(),
          "one page")
    node.fails(2, "BAD_USAGE", "man", "nonsense")
    readers = [reader for reader in ("man", "mandoc") if shutil.which(reader)]
    if not readers:
        raise Skip("neither man nor mandoc is here")
    for page in pages:
        if "man" in readers:
            text, said = run("man", "--warnings", "-E", "UTF-8", "-l", page,
                             env={**os.environ, "MANWIDTH": "80"})
            equal(said, "", page)
            check("SEE ALSO" in text, text)
    if "mandoc" in readers:
        said = subprocess.run(["mandoc", "-Tlint", "-W", "warning", *pages],
                              capture_output=True, text=True, check=False)
        faults = [line for line in said.stdout.splitlines()
                  if "missing date" not in line]
        equal(faults, [], "mandoc")


@test
def what_is_installed(t):
    """Program, pages and scripts, each in its usual place."""
    build = pathlib.Path(program()).parent
    if not (build / "share/stamp").exists() or not shutil.which("cmake"):
        raise Skip("the build has not made the pages, or there is no cmake")
    run("cmake", "--install", build, "--prefix", t.path("usr"))
    root = t.path("usr")
    text, _ = run(root / "bin/xmbl", "version")
    check(text.startswith("xmbl "), text)
    help_text, _ = run(root / "bin/xmbl", "--help")
    words = set(re.findall(r"^  (\S+)", help_text, re.M))
    for word in words:
        check((root / f"share/man/man1/xmbl-{word}.1").exists(), word)
    check((root / "share/man/man1/xmbl.1").exists(), "xmbl.1")
    for shell, path in (("bash", "bash-completion/completions/xmbl"),
                        ("zsh", "zsh/site-functions/_xmbl"),
                        ("fish", "fish/vendor_completions.d/xmbl.fish")):
        script = root / "share" / path
        check("xmbl" in script.read_text(), script)
        if shutil.which(shell):
            run(shell, "-n", script)


@test
def bash_completes(t):
    """First and second words, options and their values, in a real bash."""
    node = t.node("node", init=False)
    script = t.write("xmbl.bash", node.text("completion", "bash").encode())
    ask = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
           '_xmbl; printf "%s\\n" "${COMPREPLY[@]}"')

    def offers(*words):
        text, _ = run("bash", "--norc", "-c", ask, "-", script, "xmbl", *words)
        return set(text.split())

    check({"add", "pin", "peers"} <= offers(""), offers(""))
    equal(offers("objects", "l"), {"ls", "leave"}, "second words")
    check("trace" in offers("peers", ""), offers("peers", ""))
    check({"--copies", "--chunker", "--json"} <= offers("add", "--"), "options")
    equal(offers("add", "--wait", "s"), {"stored", "safe"}, "values")
    equal(offers("stats", "b"), {"bandwidth", "bitswap"}, "arguments")
    check("--watch" in offers("stats", "store", "--"), "options behind them")
