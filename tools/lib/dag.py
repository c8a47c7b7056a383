"""Blocks made by hand: CIDs, dag-pb, UnixFS and CAR files, right and wrong.

Nothing here checks what it encodes: tests use it to build what no honest
program would.
"""
import base64
import hashlib

RAW, DAG_PB, DAG_CBOR = 0x55, 0x70, 0x71
DIRECTORY, FILE, SYMLINK, HAMT = 1, 2, 4, 5
MURMUR3 = 0x22


def varint(number):
    """Unsigned varint."""
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value):
    """A protobuf field: bytes, or an integer as varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def cid(block, codec=RAW):
    """Binary CIDv1 with sha2-256."""
    digest = hashlib.sha256(block).digest()
    return b"\x01" + varint(codec) + b"\x12\x20" + digest


def text(binary):
    """A binary CIDv1 as people write it."""
    return "b" + base64.b32encode(binary).decode().lower().rstrip("=")


def binary(cid_text):
    """A CIDv1 in base32 as bytes."""
    body = cid_text[1:].upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def link(target, name=b"", tsize=0):
    """A link of a dag-pb node."""
    return field(1, target) + field(2, name) + field(3, tsize)


def node(links, data):
    """A dag-pb block."""
    return b"".join(field(2, one) for one in links) + field(1, data)


def unixfs(kind, data=None, filesize=None, blocksizes=(), rest=b""):
    """The Data field of a UnixFS block."""
    out = field(1, kind)
    if data is not None:
        out += field(2, data)
    if filesize is not None:
        out += field(3, filesize)
    return out + b"".join(field(4, size) for size in blocksizes) + rest


def directory(entries):
    """A folder of (name, cid, tsize), in the order given."""
    return node([link(target, name, tsize) for name, target, tsize in entries],
                unixfs(DIRECTORY))


def file(children):
    """An inner file node of (cid, size)."""
    sizes = [size for _, size in children]
    return node([link(target, b"", size) for target, size in children],
                unixfs(FILE, filesize=sum(sizes), blocksizes=sizes))


def symlink(target):
    """A symbolic link."""
    return node([], unixfs(SYMLINK, data=target))


def shard(entries, fanout=256):
    """A HAMT shard of (bucket, name, cid, tsize); name empty: a sub-shard."""
    bits = 0
    for bucket, _, _, _ in entries:
        bits |= 1 << bucket
    bitfield = bits.to_bytes(fanout // 8, "big").lstrip(b"\0")
    rest = field(5, MURMUR3) + field(6, fanout)
    return node([link(target, b"%02X" % bucket + name, tsize)
                 for bucket, name, target, tsize in entries],
                unixfs(HAMT, data=bitfield, rest=rest))


class Dag:
    """Blocks that belong together, to be imported as a CAR file."""

    def __init__(self):
        self.blocks = {}

    def put(self, block, codec=DAG_PB):
        """Take a block in; return its binary CID."""
        key = cid(block, codec)
        self.blocks[key] = block
        return key

    def raw(self, data):
        """Take in a raw block."""
        return self.put(data, RAW)

    def car(self, *roots):
        """A CARv1 with all blocks."""
        return car(roots, self.blocks.items())


def _cbor_head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + number.to_bytes(2, "big")


def car_header(roots, version=1):
    """The header of a CARv1, with its length."""
    body = b"\xa2\x65roots" + _cbor_head(4, len(roots))
    for root in roots:
        body += b"\xd8\x2a" + _cbor_head(2, len(root) + 1) + b"\0" + root
    body += b"\x67version" + _cbor_head(0, version)
    return varint(len(body)) + body


def car_section(key, block):
    """A block of a CARv1, with its length."""
    return varint(len(key) + len(block)) + key + block


def car(roots, blocks):
    """A CARv1 of (cid, block), true or not."""
    return car_header(roots) + b"".join(car_section(key, block)
                                        for key, block in blocks)
