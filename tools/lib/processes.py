"""Child processes with deadlines, measured, and none left behind.

Every process that is started here is ended by its id: by whoever started it, or
by end_all() when the program ends.  Output goes to files, so that no process
waits for a reader.
"""
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import threading
import time

_live = set()
_live_lock = threading.Lock()


class Failure(Exception):
    """What a test expected and did not see."""


def tail(text, lines=12):
    """The last lines of a text, for messages."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def wait_for(condition, seconds, what):
    """Ask condition() again and again until it is true; return its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def wait_random(rng, process, longest):
    """Wait a random time, or until the process has ended."""
    end = time.monotonic() + rng.random() * longest
    wait_for(lambda: time.monotonic() > end or not process.running(),
             longest + 5, "a random moment")


def cpu_seconds(pid):
    """Processor time of a process and all its threads."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resting(pids, share, window_s):
    """A condition for wait_for(): over some such time the processes together
    took less than that share of a processor."""
    def taken():
        return sum(map(cpu_seconds, pids)), time.monotonic()
    last = taken()

    def condition():
        nonlocal last
        if time.monotonic() - last[1] < window_s:
            return False
        (cpu, start), last = last, taken()
        return last[0] - cpu < share * (last[1] - start)
    return condition


class Result:
    """How a process ended, what it printed, and what it took."""

    def __init__(self, argv, code, out, err, seconds, peak_bytes):
        self.argv, self.code = argv, code
        self.out, self.err = out, err
        self.seconds, self.peak_bytes = seconds, peak_bytes

    def __str__(self):
        words = " ".join(map(str, self.argv[1:]))
        text = f"{os.path.basename(self.argv[0])} {words}: exit {self.code}"
        text += f" after {self.seconds:.1f} s"
        out = self.out.decode(errors="replace")
        for name, stream in (("stdout", out), ("stderr", self.err)):
            if stream.strip():
                text += f"\n  {name}: " + tail(stream)[-1500:]
        return text

    @property
    def text(self):
        """Standard output without the line end."""
        return self.out.decode(errors="replace").rstrip("\n")

    def json(self):
        """The one JSON value on standard output."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Failure(f"not one JSON value ({error}): {self}") from None

    def json_lines(self):
        """The JSON values on standard output, one a line."""
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError as error:
            raise Failure(f"not JSON lines ({error}): {self}") from None

    def error(self):
        """The error that --json prints on standard error."""
        for line in self.err.splitlines():
            if line.startswith('{"error":'):
                return json.loads(line)["error"]
        raise Failure(f"no JSON error on stderr: {self}")


class Process:
    """A process under way, with its output in files."""

    def __init__(self, argv, env=None, cwd=None, stdin=None, out=None):
        self.argv = [str(word) for word in argv]
        self._in = self._input(stdin)
        self._out = tempfile.TemporaryFile() if out is None else None
        self._err = tempfile.TemporaryFile()
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            self.argv, env=env, cwd=cwd, stdin=self._in,
            stdout=out if out is not None else self._out, stderr=self._err)
        self.pid = self.child.pid
        self._fd = os.pidfd_open(self.pid)
        self.result = None
        self._peak = 0
        with _live_lock:
            _live.add(self)

    @staticmethod
    def _input(stdin):
        if stdin is None:
            return subprocess.DEVNULL
        if not isinstance(stdin, bytes):
            return stdin
        file = tempfile.TemporaryFile()
        file.write(stdin)
        file.seek(0)
        return file

    def running(self):
        """Whether it has not ended."""
        return self.result is None and not select.select(
            [self._fd], [], [], 0)[0]

    def signal(self, number):
        """Send a signal, unless it has ended."""
        if self.running():
            signal.pidfd_send_signal(self._fd, number)

    def stderr(self):
        """What it wrote to standard error so far."""
        if self.result is not None:
            return self.result.err
        size = os.fstat(self._err.fileno()).st_size
        return os.pread(self._err.fileno(), size, 0).decode(errors="replace")

    def peak_bytes(self):
        """Most memory that it has had in RAM so far."""
        return status_bytes(self.pid, "VmHWM")

    def resident_bytes(self):
        """Memory that it has in RAM."""
        return status_bytes(self.pid, "VmRSS")

    def wait(self, seconds):
        """Wait for its end; a process that takes longer is killed and a
        Failure."""
        if self.result is not None:
            return self.result
        in_time = self._await_end(time.monotonic() + max(seconds, 0))
        if not in_time:
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)
        result = self._reap()
        if not in_time:
            raise Failure(f"still running after {seconds} s: {result}")
        return result

    def _await_end(self, end):
        """Wait, and look at its memory meanwhile: what the kernel tells at
        the end counts the memory of the program that started it too."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while not poll.poll(20):
            self._peak = max(self._peak, status_bytes(self.pid, "VmHWM"))
            if time.monotonic() > end:
                return False
        return True

    def _reap(self):
        _, status = os.waitpid(self.pid, 0)
        took = time.monotonic() - self.started
        self.child.returncode = os.waitstatus_to_exitcode(status)
        with _live_lock:
            _live.discard(self)
        out = b""
        if self._out is not None:
            self._out.seek(0)
            out = self._out.read()
            self._out.close()
        self._err.seek(0)
        err = self._err.read().decode(errors="replace")
        self._err.close()
        if hasattr(self._in, "close"):
            self._in.close()
        os.close(self._fd)
        self.result = Result(self.argv, self.child.returncode, out, err, took,
                             self._peak)
        return self.result

    def kill(self):
        """End it at once and wait for that."""
        if self.result is None:
            self.signal(signal.SIGKILL)
            self.wait(10)


def status_bytes(pid, key):
    """A size from /proc/PID/status; 0 for a process that has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(argv, timeout=60, **how):
    """Run a command to its end."""
    return Process(argv, **how).wait(timeout)


def end_all():
    """End what still runs; for the end of the program."""
    with _live_lock:
        left = list(_live)
    for process in left:
        try:
            process.signal(signal.SIGKILL)
        except (OSError, ValueError):
            pass  # it ended, or its test reaps it right now
