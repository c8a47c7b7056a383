"""The programs of others that xmbl talks to: kubo and helia, on loopback only.

XMBL_KUBO is the path of the ipfs program, XMBL_HELIA that of the folder whose
node_modules hold helia.
"""
import json
import os
import pathlib
import select
import shutil
import signal
import time

import processes
from nodes import ROOT, clean_environment
from processes import Failure

KUBO_READY_S = 60
HELIA_READY_S = 60
KUBO_CONFIG = {
    "Bootstrap": [],
    "Addresses.Swarm": ["/ip4/127.0.0.1/tcp/0"],
    "Addresses.API": "/ip4/127.0.0.1/tcp/0",
    "Addresses.Gateway": [],
    "Routing.Type": "none",
    "Routing.DelegatedRouters": [],
    "Ipns.DelegatedPublishers": [],
    "Discovery.MDNS.Enabled": False,
    "AutoConf.Enabled": False,
    "DNS.Resolvers": {},
    "Swarm.Transports.Network.QUIC": False,
    "Swarm.Transports.Network.WebTransport": False,
    "Swarm.Transports.Network.Websocket": False,
    "Swarm.Transports.Network.WebRTCDirect": False,
    "Swarm.DisableNatPortMap": True,
}


class _LineReader:
    """Lines from a pipe, each with a deadline."""

    def __init__(self, fd):
        self._fd, self._text = fd, b""

    def line(self, seconds, what):
        end = time.monotonic() + seconds
        while b"\n" not in self._text:
            left = max(end - time.monotonic(), 0)
            if not select.select([self._fd], [], [], left)[0]:
                raise Failure(f"not within {seconds} s: {what}")
            data = os.read(self._fd, 65536)
            if not data:
                raise Failure(f"ended before: {what}")
            self._text += data
        line, self._text = self._text.split(b"\n", 1)
        return line.decode(errors="replace")

    def close(self):
        os.close(self._fd)


class Kubo:
    """A kubo repository, its commands and its daemon."""

    def __init__(self, folder, name, profile=None):
        self.name = name
        self.home = pathlib.Path(folder)
        self.env = clean_environment(self.home)
        self.env |= {"IPFS_PATH": str(self.home / name),
                     "IPFS_TELEMETRY": "off"}
        self.daemon = None
        self.address = self.peer_id = None
        self.ok("init", "--profile=test")
        self._configure()
        if profile:
            self.ok("config", "profile", "apply", profile)

    def _config(self):
        path = pathlib.Path(self.env["IPFS_PATH"]) / "config"
        return path, json.loads(path.read_text(encoding="utf-8"))

    def private_key(self):
        """Its private key, a libp2p protobuf in base64."""
        return self._config()[1]["Identity"]["PrivKey"]

    def _configure(self):
        path, config = self._config()
        for key, value in KUBO_CONFIG.items():
            *above, last = key.split(".")
            table = config
            for word in above:
                table[word] = table.get(word) or {}
                table = table[word]
            table[last] = value
        self.peer_id = config["Identity"]["PeerID"]
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")

    def begin(self, *args, **how):
        """Start a command; return the Process."""
        return processes.Process([os.environ["XMBL_KUBO"], *args],
                                 env=self.env, cwd=how.pop("cwd", self.home),
                                 **how)

    def run(self, *args, timeout=60, **how):
        """Run a command, whatever its exit code."""
        return self.begin(*args, **how).wait(timeout)

    def ok(self, *args, **how):
        """Run a command that must end with 0."""
        result = self.run(*args, **how)
        if result.code != 0:
            raise Failure(f"expected exit 0: {result}")
        return result

    def text(self, *args, **how):
        """Standard output of a command that must end with 0."""
        return self.ok(*args, **how).text

    def add(self, path, *args, **how):
        """Add a file or folder; return the CID."""
        return self.text("add", "-Q", "-r", *args, path, **how)

    def start(self):
        """Start the daemon and wait until it is ready."""
        reader, writer = os.pipe()
        self.daemon = self.begin("daemon", out=writer)
        os.close(writer)
        lines, line = _LineReader(reader), ""
        try:
            while not line.startswith("Daemon is ready"):
                line = lines.line(KUBO_READY_S, "kubo's daemon is ready")
        finally:
            lines.close()
        listening = self.text("swarm", "addrs", "listen").splitlines()
        self.address = f"{listening[0]}/p2p/{self.peer_id}"
        return self

    def connect(self, other):
        """Connect to another node."""
        self.ok("swarm", "connect", other.address)

    def stop(self, seconds=30):
        """End the daemon."""
        if self.daemon is not None and self.daemon.result is None:
            self.daemon.signal(signal.SIGTERM)
            self.daemon.wait(seconds)

    def kill(self):
        """End the daemon at once."""
        if self.daemon is not None:
            self.daemon.kill()

    def log(self):
        """The last of the daemon's log, for messages."""
        if self.daemon is None:
            return ""
        return "\n  log: " + processes.tail(self.daemon.stderr(), 5)


class Helia:
    """A helia node in a process of its own, told what to do line by line."""

    def __init__(self, folder, name):
        self.name = name
        self.home = pathlib.Path(folder)
        self.daemon = None
        self.address = self.peer_id = None
        self._commands = self._answers = None

    def _script(self):
        """node.mjs beside helia's modules, where its imports find them."""
        folder = self.home / f"{self.name}-program"
        folder.mkdir(exist_ok=True)
        script = folder / "node.mjs"
        shutil.copy(ROOT / "test/interop/helia/node.mjs", script)
        modules = folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(
                pathlib.Path(os.environ["XMBL_HELIA"]) / "node_modules")
        return script

    def start(self):
        """Start it and wait until it listens."""
        reader, writer = os.pipe()
        stdin, self._commands = os.pipe()
        env = clean_environment(self.home)
        self.daemon = processes.Process(["node", self._script()], env=env,
                                        cwd=self.home, stdin=stdin, out=writer)
        os.close(stdin)
        os.close(writer)
        self._answers = _LineReader(reader)
        ready = self._answer(HELIA_READY_S, "helia is ready")
        self.address, self.peer_id = ready["address"], ready["peer_id"]
        return self

    def _answer(self, seconds, what):
        try:
            answer = json.loads(self._answers.line(seconds, what))
        except Failure as error:
            raise Failure(f"{error}{self.log()}") from None
        if "error" in answer:
            raise Failure(f"helia: {what}: {answer['error']}")
        return answer

    def ask(self, command, seconds=60, **fields):
        """Have it do something; return its answer."""
        text = json.dumps({"command": command} | fields)
        os.write(self._commands, text.encode() + b"\n")
        return self._answer(seconds, command)

    def add(self, path):
        """Add a file or folder; return the CID."""
        return self.ask("add", path=str(path))["cid"]

    def connect(self, other):
        """Connect to another node."""
        self.ask("dial", address=other.address)

    def kill(self):
        """End it at once."""
        if self.daemon is not None:
            self.daemon.kill()
            os.close(self._commands)
            self._answers.close()
            self.daemon = None

    def log(self):
        """The last that it wrote, for messages."""
        if self.daemon is None:
            return ""
        return "\n  log: " + processes.tail(self.daemon.stderr(), 8)
