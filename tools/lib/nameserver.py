"""A small name server on loopback, for tests of names that lead to peers.

It answers TXT, A and AAAA over UDP, from a table {(name, type): [value, ...]};
names that are not in it do not exist.  Without a table it never answers.
"""
import ipaddress
import socket
import struct
import threading

_TYPES = {"A": 1, "TXT": 16, "AAAA": 28}
_TTL_S = 1
_PART = 255  # bytes of a string of a TXT record
_NO_SUCH_NAME = 3
_RESPONSE = 0x8580  # authoritative, recursion desired and available


def _question(packet):
    """Name, type, and the bytes of the first question."""
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    kind = struct.unpack_from(">H", packet, at + 1)[0]
    return b".".join(labels).decode().lower(), kind, packet[12:at + 5]


def _data(kind, value):
    """The data of a record."""
    if kind != "TXT":
        return ipaddress.ip_address(value).packed
    text = value.encode()
    parts = [text[at:at + _PART] for at in range(0, len(text), _PART)] or [b""]
    return b"".join(bytes([len(part)]) + part for part in parts)


class NameServer:
    """A server for a table; it runs until close()."""

    def __init__(self, zone):
        self._zone = zone
        self.asked = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._ends = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            packet, sender = self._socket.recvfrom(4096)
            if self._ends:
                return
            name, kind, question = _question(packet)
            self.asked.append(name)
            if self._zone is not None:
                self._socket.sendto(self._answer(packet, name, kind, question),
                                    sender)

    def _answer(self, packet, name, kind, question):
        found, known = [], False
        for (owner, word), values in self._zone.items():
            known |= owner == name
            if owner == name and _TYPES[word] == kind:
                found += [_data(word, value) for value in values]
        code = 0 if known else _NO_SUCH_NAME
        head = packet[:2] + struct.pack(">HHHHH", _RESPONSE | code, 1,
                                        len(found), 0, 0)
        rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, _TTL_S,
                                                  len(data)) + data
                        for data in found)
        return head + question + rows

    def close(self):
        """End it."""
        self._ends = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()
