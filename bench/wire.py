"""A wire between two nodes: it delays what goes through, or lets little
through."""
import asyncio
import threading
import time

PIECE = 16 * 1024


class Wire:
    """Listens on a port of loopback and forwards to another one.

    delay_s: how long each byte takes, one way.  rate: bytes per second in the
    direction of the client, None for any.
    """

    def __init__(self, port, delay_s=0.0, rate=None):
        self._to, self._delay, self._rate = port, delay_s, rate
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(
            asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _accept(self, reader, writer):
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:  # the node is gone
            writer.close()
            return
        try:
            await asyncio.gather(self._pass(reader, back, None),
                                 self._pass(there, writer, self._rate))
        except asyncio.CancelledError:  # closed; asyncio would complain of it
            back.close()
            writer.close()

    async def _pass(self, reader, writer, rate):
        queue = asyncio.Queue(4 if rate else 64)
        await asyncio.gather(self._take(reader, queue),
                             self._give(queue, writer, rate))

    async def _take(self, reader, queue):
        data = b"start"
        while data:
            try:
                data = await reader.read(PIECE)
            except OSError:
                data = b""
            await queue.put((time.monotonic() + self._delay, data))

    async def _give(self, queue, writer, rate):
        try:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(due - time.monotonic(), 0))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
                if rate:
                    await asyncio.sleep(len(data) / rate)
        except OSError:
            pass
        writer.close()

    def address(self, node):
        """The node's address through this wire."""
        return f"/ip4/127.0.0.1/tcp/{self.port}/p2p/{node.peer_id}"

    def close(self):
        """End the connections and forward nothing any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
