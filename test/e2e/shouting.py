"""Shout into the local network as mDNS: a program of test_attack_mdns.py.

Usage: python3 shouting.py HOW SECONDS ADDRESS - ADDRESS is ours; with
"victims" we listen there and tell at the end how many came.
"""
import os
import random
import select
import socket
import struct
import sys
import time

GROUP = ("224.0.0.251", 5353)
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PEERS = 12  # in one packet
PAUSE_S = 0.002
ODD = ["/ip4/169.254.1.1/tcp/4001", "/ip6/fe80::1/tcp/4001",
       "/ip4/127.0.0.1/tcp/22", "/ip4/0.0.0.0/tcp/1", "/ip6/::1/tcp/1",
       "/ip4/224.0.0.251/tcp/5353", "/ip4/255.255.255.255/tcp/9",
       "/ip6/ff02::fb/tcp/5353", "/dns4/localhost/tcp/80", "/ip4/10.0.0.1"]


def made_up_peer():
    """The text of an Ed25519 peer id that nobody has."""
    number = int.from_bytes(bytes.fromhex("002408011220") + os.urandom(32),
                            "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = ALPHABET[digit] + text
    return "1" + text


def name(*labels):
    """A DNS name."""
    return b"".join(bytes([len(one)]) + one for one in labels) + b"\0"


SERVICE = name(b"_p2p", b"_udp", b"local")


def message(records, flags=0x8400, counts=None):
    """A DNS message of answers."""
    counts = counts or (0, len(records), 0, 0)
    return struct.pack(">6H", 0, flags, *counts) + b"".join(records)


def record(owner, kind, data):
    """A resource record."""
    return owner + struct.pack(">HHIH", kind, 1, 120, len(data)) + data


def told(peer, address):
    """What a node would say of itself."""
    instance = name(os.urandom(16).hex().encode(), b"_p2p", b"_udp", b"local")
    text = f"dnsaddr={address}/p2p/{peer}".encode()
    return [record(SERVICE, 12, instance),
            record(instance, 16, bytes([len(text)]) + text)]


def packet(how, address):
    """One packet of a kind."""
    if how == "large":
        return os.urandom(9000)
    if how == "garbage":
        head = struct.pack(">6H", 0, random.choice((0, 0x8400)),
                           *(random.randrange(9) for _ in range(4)))
        return head + os.urandom(random.randrange(1400))
    if how == "names":
        loop = b"\xc0\x0c"  # points to where it is
        many = [record(loop, 12, loop)] * 60
        long = [record(name(*[b"x" * 60] * 4), 12, SERVICE)] * 3
        return random.choice((
            message(many), message(long),
            message(many, counts=(0, 65535, 9, 9)),
            message([SERVICE + b"\0\x0c\0\x01"] * 80, 0, (80, 0, 0, 0))))
    if how == "victims":
        return message(sum((told(made_up_peer(), address)
                            for _ in range(PEERS)), []))
    if how == "odd":
        return message(sum((told(made_up_peer(), one) for one in ODD), []))
    return message([SERVICE + b"\0\x0c\0\x01"], 0, (1, 0, 0, 0))  # queries


def main():
    """Shout for a while."""
    how, seconds, ip = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    listener = socket.create_server((ip, 0), backlog=1000)
    port = listener.getsockname()[1]
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    out.bind((ip, 5353) if how != "queries" else (ip, 0))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                   socket.inet_aton(ip))
    end, sent, callers = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        out.sendto(packet(how, f"/ip4/{ip}/tcp/{port}"), GROUP)
        sent += 1
        while select.select([listener], [], [], PAUSE_S)[0]:
            listener.accept()[0].close()
            callers += 1
    print(f"{sent} {callers}")


if __name__ == "__main__":
    main()
