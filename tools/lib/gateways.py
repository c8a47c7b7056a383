"""A small HTTP gateway of IPFS on loopback, honest or not.

It serves the blocks that it is given, at /ipfs/CID?format=raw, and keeps what
it was asked.  `how` says how it answers a request for a block.
"""
import gzip
import http.server
import threading
import time

import dag

BLOCK = "application/vnd.ipld.raw"
EMPTY = "bafkqaaa"


def blocks_of(node):
    """All blocks of a node, by multihash."""
    rows = node.lines("block", "ls", "--json")
    return {dag.binary(row["cid"])[2:]:
            node.ok("block", "get", row["cid"]).out for row in rows}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format, *args):  # pylint: disable=W0622
        """Say nothing."""

    def do_GET(self):  # pylint: disable=invalid-name
        """A block, or what the gateway does instead."""
        gateway = self.server.gateway
        cid = self.path.split("?")[0].split("/")[-1]
        with gateway.lock:
            gateway.asked.append((self.command, self.path, dict(self.headers),
                                  time.monotonic()))
            how = gateway.how
            if gateway.failures > 0:
                gateway.failures -= 1
            elif gateway.then is not None:
                how = gateway.then
        try:
            if cid == EMPTY:
                self.whole(200, b"", BLOCK)
            else:
                getattr(self, "answer_" + how)(cid)
        except OSError:
            self.close_connection = True

    do_HEAD = do_GET

    def block(self, cid):
        """The block, or None."""
        return self.server.gateway.blocks.get(dag.binary(cid)[2:])

    def head(self, status, **headers):
        """Status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def whole(self, status, body, kind="text/plain", **headers):
        """A whole answer."""
        self.head(status, Content_Type=kind, Content_Length=len(body),
                  **headers)
        if self.command == "GET":
            self.wfile.write(body)
            self.server.gateway.served += len(body)

    def hold(self):
        """Say nothing more until the test is over."""
        self.server.gateway.over.wait()
        self.close_connection = True

    def answer_honest(self, cid):
        """What a gateway does."""
        body = self.block(cid)
        if body is None:
            self.whole(404, b"not found")
        else:
            self.whole(200, body, BLOCK)

    def answer_cold(self, cid):
        """It has to find the block first."""
        time.sleep(6)
        self.answer_honest(cid)

    def answer_slow(self, cid):
        """A block in a second."""
        time.sleep(1)
        self.answer_honest(cid)

    def answer_lies(self, cid):
        """As many bytes, but others."""
        body = bytearray(self.block(cid) or b"no")
        body[len(body) // 2] ^= 1
        self.whole(200, bytes(body), BLOCK)

    def answer_silent(self, _cid):
        """Not even a status."""
        self.hold()

    def answer_stalls(self, _cid):
        """It begins and does not go on."""
        self.head(200, Content_Type=BLOCK, Content_Length=1000)
        self.wfile.write(b"begin")
        self.hold()

    def answer_endless(self, _cid):
        """A body without an end."""
        self.head(200, Content_Type=BLOCK, Transfer_Encoding="chunked")
        piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
        while not self.server.gateway.over.is_set():
            self.wfile.write(piece)
            self.server.gateway.served += len(piece)

    def answer_long(self, _cid):
        """It says that it is going to be long."""
        self.head(200, Content_Type=BLOCK, Content_Length=10 ** 10)
        while not self.server.gateway.over.is_set():
            self.wfile.write(bytes(0x10000))
            self.server.gateway.served += 0x10000

    def answer_headers(self, _cid):
        """Headers without an end."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.server.gateway.over.is_set():
            self.wfile.write(b"X-More: " + b"x" * 1000 + b"\r\n")

    def answer_loop(self, _cid):
        """It is always elsewhere."""
        self.whole(302, b"", Location=self.path + "&again")

    def answer_leads(self, cid):
        """It is elsewhere, once."""
        if "&again" in self.path:
            self.answer_honest(cid)
        else:
            self.answer_loop(cid)

    def answer_out(self, _cid):
        """It leads to another machine, without TLS."""
        self.whole(302, b"", Location=self.server.gateway.elsewhere)

    def answer_404(self, _cid):
        """It has not got it."""
        self.whole(404, b"not found")

    def answer_410(self, _cid):
        """It does not give it."""
        self.whole(410, b"gone")

    def answer_429(self, _cid):
        """It is asked too often."""
        self.whole(429, b"later", Retry_After=2)

    def answer_500(self, _cid):
        """It is broken."""
        self.whole(500, b"broken")

    def answer_cut(self, cid):
        """It breaks off."""
        body = self.block(cid) or bytes(100)
        self.head(200, Content_Type=BLOCK, Content_Length=len(body))
        self.wfile.write(body[:len(body) // 2])
        self.close_connection = True

    def answer_gzip(self, _cid):
        """A small body that is large once decoded."""
        self.whole(200, gzip.compress(bytes(50_000_000)), BLOCK,
                   Content_Encoding="gzip")

    def answer_html(self, cid):
        """A page, as servers of other things have it."""
        self.whole(200, self.block(cid) or b"<p>", "text/html")

    def answer_garbage(self, _cid):
        """No HTTP."""
        self.wfile.write(b"\x00\x01\x02 what?\r\n\r\n")
        self.close_connection = True


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Clients may go."""


class Gateway:
    """One gateway, which serves until close()."""

    def __init__(self, blocks, how="honest", context=None, at="127.0.0.1"):
        self.blocks = blocks
        self.how = how
        self.then = None  # how it answers after so many failures
        self.failures = 0
        self.elsewhere = ""
        self.asked = []
        self.served = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self._server = _Server((at, 0), _Handler)
        self._server.gateway = self
        scheme = "http"
        if context is not None:
            scheme = "https"
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True,
                do_handshake_on_connect=False)
        self.url = f"{scheme}://{at}:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever,
                         daemon=True).start()

    def block_requests(self):
        """Requests for blocks: (method, path, headers, time)."""
        with self.lock:
            return [one for one in self.asked if EMPTY not in one[1]]

    def probes(self):
        """Requests for the empty block."""
        with self.lock:
            return [one for one in self.asked if EMPTY in one[1]]

    def close(self):
        """End."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
