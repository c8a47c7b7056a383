"""The machine that is measured on: what else it does, and its memory.

Two things spoil measurements on a shared virtual machine.  What other processes
do meanwhile: that is waited for, and measured.  And free memory, which such a
machine gives back to its host: the first touch of a page then costs several
times what a program does with it, and who writes two files looks much worse than
who writes one.  So most of the free memory is held as long as the bench runs, and
just before something is measured all that is left is touched and freed.
"""
import os
import platform
import shutil
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
KTHREADD = 2
MIB = 1 << 20
LEFT_BYTES = 7000 * MIB  # not held: more than any measurement of a GiB uses
FREE_BYTES = 512 * MIB   # not touched


def _stat(pid):
    """(parent, CPU seconds with ended children) of a process."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return int(words[1]), sum(map(int, words[11:15])) / TICKS


def _others_cpu():
    """CPU seconds of all processes but ours, our callers and the kernel's."""
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                table[int(name)] = _stat(name)
            except (OSError, IndexError):
                pass  # it ended just now
    me, above = os.getpid(), set()
    at = me
    while at in table:
        above.add(at)
        at = table[at][0]

    def is_ours(pid):
        while pid in table:
            if pid in (me, KTHREADD):
                return True
            pid = table[pid][0]
        return False

    return sum(cpu for pid, (_, cpu) in table.items()
               if pid not in above and not is_ours(pid))


def _stolen():
    """CPU seconds that the host gave to others."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[8]) / TICKS


class Noise:
    """Share of the machine's CPU time, in percent, that others took."""

    def __enter__(self):
        self._others, self._steal = _others_cpu(), _stolen()
        self._begin = time.monotonic()
        self.percent = 0.0
        return self

    def __exit__(self, *_):
        seconds = (time.monotonic() - self._begin) * os.cpu_count()
        taken = max(_others_cpu() - self._others, 0) + _stolen() - self._steal
        self.percent = 100 * taken / max(seconds, 0.001)


def wait_quiet(percent, seconds):
    """Wait for half a second in which others take less than that; return
    whether there was one in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Noise() as noise:
            time.sleep(0.5)
        if noise.percent < percent:
            return True
    return False


def cpu_seconds(pid):
    """CPU seconds of a process that runs, with all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        words = file.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def free_memory():
    """Bytes of memory that nothing uses, not even as page cache."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemFree:"):
                return int(line.split()[1]) * 1024
    return 0


def free_disk(folder):
    """Bytes that can be written below a folder."""
    return shutil.disk_usage(folder).free


def touch_memory(program):
    """Write out what is dirty, then touch and free memory."""
    os.sync()
    size = min(free_memory() - FREE_BYTES, LEFT_BYTES)
    if size > 0:
        subprocess.run([program, str(size)], check=True)


def hold_memory(program):
    """Start a process that holds the free memory but LEFT_BYTES until its
    standard input is closed; None where there is less."""
    size = free_memory() - LEFT_BYTES
    if size <= 0:
        return None
    holder = subprocess.Popen([program, str(size), "hold"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdout.readline()
    return holder


def read_file(path):
    """Read a file, so that it is in the page cache."""
    with open(path, "rb", buffering=0) as file:
        while file.read(MIB):
            pass


def read_tree(folder):
    """Read all files below a folder."""
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                read_file(os.path.join(base, name))
            except OSError:
                pass  # a socket, or gone


def _first(path, key):
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "?"


def describe():
    """The machine in one line."""
    memory = int(_first("/proc/meminfo", "MemTotal").split()[0]) // 1024
    return (f"{os.cpu_count()} x {_first('/proc/cpuinfo', 'model name')}, "
            f"{memory} MiB, Linux {platform.release()}")
