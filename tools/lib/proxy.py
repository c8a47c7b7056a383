"""A wire between two nodes that a test can hold, cut, count and garble."""
import selectors
import socket
import threading
import time


class Proxy:
    """Listens on a free port and forwards each connection to another port.

    hold_after: bytes from the server to the clients, all connections together,
    after which nothing more passes until release().
    flip_at: offset of a byte from the client whose lowest bit is turned, in
    each connection; flip_back_at: the same for bytes from the server.
    """

    def __init__(self, port):
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.hold_after = self.flip_at = self.flip_back_at = None
        self.from_server = self.from_client = 0
        self.held = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._wake, wake = socket.socketpair()
        self._selector.register(wake, selectors.EVENT_READ, None)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._other, self._seen = {}, {}
        self._ended = False
        self._cut_asked, self._cut_done = False, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def address(self, node):
        """The node's address through this wire."""
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{node.peer_id}"

    def release(self):
        """Let everything pass again."""
        self.hold_after = None
        self.held.clear()
        self._wake.send(b"x")

    def slow_to(self, rate):
        """Let so many bytes a second pass from the server, from now on."""
        def feed():
            while not self._ended:
                self.hold_after = self.from_server + rate // 20
                self.held.clear()
                self._wake.send(b"x")
                time.sleep(0.05)
        self.hold_after = self.from_server
        threading.Thread(target=feed, daemon=True).start()

    def cut(self):
        """Close all connections."""
        self._cut_done.clear()
        self._cut_asked = True
        self._wake.send(b"x")
        self._cut_done.wait(5)

    def close(self):
        """End it."""
        self._ended = True
        self._wake.send(b"x")
        self._thread.join(5)

    def _run(self):
        while not self._ended:
            for key, _ in self._selector.select(1):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data is None:
                    key.fileobj.recv(100)
                    self._obey()
                else:
                    self._forward(key.fileobj, key.data)
        self._close_all()
        self._listener.close()

    def _accept(self):
        client = self._listener.accept()[0]
        try:
            server = socket.create_connection(("127.0.0.1", self._target), 5)
        except OSError:
            client.close()
            return
        for end, other, side in ((client, server, "client"),
                                 (server, client, "server")):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._other[end], self._seen[end] = other, 0
            self._selector.register(end, selectors.EVENT_READ, side)

    def _room(self):
        if self.hold_after is None:
            return 1 << 18
        return min(self.hold_after - self.from_server, 1 << 18)

    def _obey(self):
        """Do what another thread has asked for."""
        if self._cut_asked:
            self._cut_asked = False
            self._close_all()
            self._cut_done.set()
        for end in self._other:
            try:
                self._selector.get_key(end)
            except KeyError:
                self._selector.register(end, selectors.EVENT_READ, "server")

    def _close_all(self):
        for end in list(self._other):
            self._close(end)

    def _forward(self, end, side):
        most = self._room() if side == "server" else 1 << 18
        if most <= 0:
            self._selector.unregister(end)
            self.held.set()  # until _obey() registers it again
            return
        try:
            data = end.recv(most)
            if not data:
                self._close(end)
                return
            self._other[end].sendall(self._garbled(end, side, data))
        except (OSError, KeyError):
            self._close(end)
            return
        if side == "server":
            self.from_server += len(data)
        else:
            self.from_client += len(data)

    def _garbled(self, end, side, data):
        at = self.flip_at if side == "client" else self.flip_back_at
        seen = self._seen[end]
        self._seen[end] = seen + len(data)
        if at is None or not seen <= at < seen + len(data):
            return data
        data = bytearray(data)
        data[at - seen] ^= 1
        return bytes(data)

    def _close(self, end):
        for one in (end, self._other.pop(end, None)):
            if one is None:
                continue
            self._other.pop(one, None)
            self._seen.pop(one, None)
            try:
                self._selector.unregister(one)
            except (KeyError, ValueError):
                pass
            one.close()
