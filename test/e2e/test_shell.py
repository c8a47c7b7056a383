"""`xmbl shell`: lines from a terminal and from a script.

Goal: each line is the command of the same words; a command ends by Ctrl-C and
the shell goes on; a script stops at its first failure; what is kept of the
lines is a user's own and no secret.
Method: a pipe; a pseudo-terminal on which keys are typed.
"""
import os
import pty
import re
import select
import signal
import time

from nodes import program
from xmbltest import check, equal, test

SECONDS = 20


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, t, node, *words):
        self.screen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = node.env | {"TERM": "xterm"}
            os.chdir(node.home)
            os.execve(program(), [program(), *words, "shell"], env)
        self.code = None
        t.defer(self.close)

    def type(self, text):
        os.write(self.fd, text.encode())

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # it has gone
            return False
        self.screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "",
                              data.decode(errors="replace"))
        return data != b""

    def shows(self, pattern, seconds=SECONDS):
        """Wait until that is shown behind what was waited for before."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.screen)
            if found:
                self.screen = self.screen[found.end():]
                return found
            left = end - time.monotonic()
            check(left > 0, f"{pattern} is not shown: {self.screen!r}")
            self._read(min(left, 0.5))

    def prompt(self):
        return self.shows(r"xmbl [^>\n]*> ")

    def ends(self, code=0):
        """It ends by itself."""
        end = time.monotonic() + SECONDS
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                break
            check(time.monotonic() < end, f"it runs on: {self.screen!r}")
            self._read(0.1)
        equal(self.code, code, "exit status")

    def close(self):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def script(node, text, *words, **how):
    """Run lines."""
    return node.run(*words, "shell", stdin=text.encode(), **how)


def history(node):
    return node.home / ".local/state/xmbl/history"


@test
def a_script_runs_line_by_line(t):
    """Words as of a shell, comments and empty lines, options for all."""
    node = t.node()
    t.write("a file's name", b"hello shell\n")
    path = str(t.path("a file's name"))
    quoted = "'" + path.replace("'", "'\\''") + "'"
    result = script(node, f"# a script\n\nadd -Q {quoted}\n"
                          f'xmbl add -Q "{path}"   # once more\nversion\n')
    equal(result.code, 0, result)
    lines = result.text.splitlines()
    equal(lines[0], lines[1], "the CIDs")
    check(lines[2].startswith("xmbl "), lines)
    equal(script(node, f"cat {lines[0]}").text, "hello shell", "cat")
    result = script(node, "version\nversion\n", "--json")
    equal([set(value) for value in result.json_lines()],
          [{"version"}, {"version"}], "json")
    other = t.path("other")
    script(node, "init\n", "--path", other)
    check((other / "identity.key").exists(), "--path is passed on")
    check(not history(node).exists(), "a script is not kept")


@test
def a_script_stops_at_a_failure(t):
    """The exit status is that of the line that failed, which is named."""
    node = t.node()
    result = script(node, "version\nid --path absent\nversion\n")
    equal(result.code, 3, result)
    equal(len(result.text.splitlines()), 1, result)
    check("NO_FOLDER" in result.err and "line 2" in result.err, result)
    for line in ("version > file", "cat 'x", "cat $(version)", "a | b"):
        result = script(node, f"{line}\nversion\n")
        equal((result.code, result.text), (2, ""), result)
        check("[BAD_USAGE]" in result.err, result)
    equal(script(node, "nonsense\n").code, 2, "no such command")
    equal(script(node, "explain " + "IO " * 30000).code, 2, "a long line")
    equal(script(node, "explain IO" + " " * 60000).code, 0, "not too long")
    equal(script(node, "version\nexit\nnonsense\n").code, 0, "exit")
    equal(script(node, "").code, 0, "nothing")
    equal(script(node, "version").text[:5], "xmbl ", "no end of line")
    result = script(node, "add -Q -\nversion\n")
    equal(result.code, 0, result)
    check("version" not in result.text, "a command has read the script")


@test
def a_terminal_has_a_prompt(t):
    """Prompt without and with a daemon, Tab, recalled lines, the end."""
    node = t.node()
    term = Terminal(t, node)
    term.shows(r"xmbl \(no daemon\)> ")
    term.type("vers\t\r")
    term.shows(r"xmbl \d+\.\d+\.\d+")
    term.prompt()
    node.start()
    term.type("\r")
    term.shows(f"xmbl {node.peer_id[-8:]}> ")
    term.type("objects l\t")
    term.shows("ls  leave")
    term.type("\x15id --j\t\r")
    term.shows(f'"peer_id": ?"{node.peer_id}"')
    term.prompt()
    term.type("\x1b[A\x1b[A\r")  # up, up: the line before the last
    term.shows(r"xmbl \d+\.\d+\.\d+")
    term.prompt()
    term.type("exit\r")
    term.ends()
    again = Terminal(t, node)
    again.prompt()
    again.type("\x1b[A\r")
    again.shows(r"xmbl \d+\.\d+\.\d+")
    again.prompt()
    again.type("version\rversion\r\x04")  # ahead of the commands
    again.shows(r"xmbl \d+\.\d+\.\d+")
    again.shows(r"xmbl \d+\.\d+\.\d+")
    again.ends()


@test
def ctrl_c_stops_the_command(t):
    """Of a command that runs, and of a line that is being typed."""
    node = t.node()
    term = Terminal(t, node)
    term.prompt()
    term.type("daemon --listen /ip4/127.0.0.1/tcp/0 --no-bootstrap\r")
    term.shows(r"\nready")
    term.type("\x03")
    term.prompt()
    term.type("nonsense\x03")
    term.prompt()
    term.type("version\r")
    term.shows(r"xmbl \d+\.\d+\.\d+")
    term.prompt()
    term.type("exit\r")
    term.ends()


@test
def what_is_kept_is_private(t):
    """Mode 0600; commands only: neither what was typed by mistake, nor what
    begins with a blank."""
    node = t.node()
    term = Terminal(t, node)
    for line in ("correct horse battery staple", " version", "version",
                 "cat nothing'", "xmbl id"):
        term.prompt()
        term.type(line + "\r")
    term.prompt()
    term.type("exit\r")
    term.ends()
    path = history(node)
    equal(path.stat().st_mode & 0o777, 0o600, "mode")
    equal(path.parent.stat().st_mode & 0o777, 0o700, "mode of the folder")
    equal(path.read_text().splitlines(), ["version", "cat nothing'", "xmbl id"],
          "lines")
    state = t.path("state")
    node.env["XDG_STATE_HOME"] = str(state)
    term = Terminal(t, node)
    term.prompt()
    term.type("version\r")
    term.prompt()
    term.type("exit\r")
    term.ends()
    equal((state / "xmbl/history").read_text(), "version\n", "elsewhere")
