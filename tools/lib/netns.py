"""Two network namespaces, joined by a wire, with a node in each."""
import itertools
import os
import pathlib
import shutil

import nodes
import processes
from xmbltest import Skip


_numbers = itertools.count()


class _Inside(nodes.Node):
    """A node whose daemon runs in a namespace."""

    def __init__(self, folder, name, prefix):
        super().__init__(folder, name)
        self._prefix = prefix

    def begin(self, *args, **how):
        if args[0] != "daemon":
            return super().begin(*args, **how)
        return processes.Process([*self._prefix, nodes.program(), *args],
                                 env=self.env, cwd=self.home, **how)


class Pair:
    """Two namespaces, undone at the end of a with; Skip where the kernel does
    not let us."""

    def __init__(self):
        self._ip = shutil.which("ip", path=os.environ["PATH"] +
                                ":/usr/sbin:/sbin")
        if self._ip is None:
            raise Skip("there is no program ip (iproute2)")
        number = next(_numbers)
        self.names = [f"xmbl-{os.getpid()}-{number}-{side}"
                      for side in (0, 1)]
        self.wires = [f"xm{os.getpid() & 0xffff:x}n{number}s{side}"
                      for side in (0, 1)]

    def _run(self, *args):
        result = processes.run([self._ip, *args])
        if result.code != 0:
            raise Skip(f"no network namespaces here: {result}")

    def __enter__(self):
        try:
            for name in self.names:
                self._run("netns", "add", name)
            self._run("link", "add", self.wires[0], "type", "veth", "peer",
                      "name", self.wires[1])
            for side, name in enumerate(self.names):
                wire = self.wires[side]
                self._run("link", "set", wire, "netns", name)
                self._run("-n", name, "address", "add", self.address(side),
                          "dev", wire)
                self._run("-n", name, "link", "set", "lo", "up")
                self._run("-n", name, "link", "set", wire, "up")
        except Skip:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_why):
        for name in self.names:
            if pathlib.Path("/run/netns", name).exists():
                processes.run([self._ip, "netns", "delete", name])

    @staticmethod
    def address(side):
        """The address of a side, with its prefix."""
        return f"10.73.{os.getpid() % 250}.{side + 1}/24"

    def run(self, side, *args):
        """Run ip on one side."""
        self._run("-n", self.names[side], *args)

    def command(self, side, *argv):
        """The words that run a program on one side."""
        return [self._ip, "netns", "exec", self.names[side], *argv]

    def node(self, t, name, side):
        """A node with a new data folder, whose daemon runs on a side."""
        node = _Inside(t.dir, name, self.command(side))
        t.defer(node.kill)
        node.ok("init")
        return node
