"""docs/format.md, sections 6 and 7: records, ops, and the tree that holds them."""
import hashlib
import struct

from sealing import HEADER_LEN, PACK, SEGMENT, Fields, Object, check

DIRECTORY, SYMLINK = 2, 3
ROOT = 1


def big(number):
    return struct.pack(">Q", number)


def inode_key(ino):
    return b"\1" + big(ino)


def dentry_key(parent, name):
    return b"\2" + big(parent) + hashlib.sha256(name).digest()[:7] + name


def chunk_key(ino, index):
    return b"\3" + big(ino) + big(index)


def xattr_key(ino, name):
    return b"\4" + big(ino) + name


def time(fields):
    return fields.number(8, signed=True), fields.number(4)


def chunk(fields):
    """None of a hole's; ("here", content) or (segment, frame, length)."""
    form = fields.number(1)
    if form == 1:
        return ("here", fields.bytes(4096))
    check(form == 2, "an unknown form of chunk")
    return (fields.take(16), fields.number(4), fields.number(4))


def segment(fields):
    epoch, header = fields.number(4), fields.take(HEADER_LEN)
    return epoch, header, fields.list(4096, lambda: fields.number(4))


class Inode:
    """An inode record's fields."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    @classmethod
    def read(cls, value):
        f = Fields(value)
        check(f.number(1) == 1, "an unknown version of inodes")
        it = cls(
            kind=f.number(1), mode=f.number(2), uid=f.number(4), gid=f.number(4), links=f.number(4),
            size=f.number(8), allocated=f.number(8), device=f.number(4),
            atime=time(f), mtime=time(f), ctime=time(f), btime=time(f), parent=f.number(8), version=f.number(8),
        )
        f.number(1)
        it.target = f.bytes(4095)
        f.end()
        return it


class Tree:
    """A checkpoint: every record below a root, each node compared with its reference."""

    def __init__(self, volume, fetch, epochs):
        self.volume, self.fetch, self.epochs, self.packs = volume, fetch, epochs, {}

    def records(self, root):
        height = root[0]
        check(len(root) == (1 if height == 0 else 65) and height <= 16, "no root")
        return dict(self.below(root[1:], height - 1)) if height else {}

    def node(self, reference):
        epoch, pack_id, frame, offset, length = struct.unpack_from("<I16sIII", reference)
        if pack_id not in self.packs:
            data = self.fetch("tree/" + pack_id.hex())
            self.packs[pack_id] = Object(self.volume, data, PACK, pack_id, self.epochs), data
        opener, data = self.packs[pack_id]
        check(opener.epoch == epoch, "a pack of another epoch")
        plain, taken, final = opener.frame(data[offset : offset + length], frame)
        check(taken == length and not final, "another frame than was referred to")
        check(hashlib.sha256(plain).digest() == reference[32:], "another node than was referred to")
        return plain

    def below(self, reference, level):
        fields = Fields(self.node(reference))
        check((fields.number(1), fields.number(1)) == (1, level), "a node of another level")
        count = fields.number(2)
        shared = [fields.number(2) for _ in range(count)]
        own = [fields.number(2) for _ in range(count)]
        lengths = [fields.number(4) for _ in range(count)] if level == 0 else [64] * count
        keys, key = [], b""
        for share, rest in zip(shared, own):
            before, key = key, key[:share] + fields.take(rest)
            check(before < key, "keys do not ascend")
            keys.append(key)
        values = [fields.take(length) for length in lengths]
        fields.end()
        if level == 0:
            return list(zip(keys, values))
        return [entry for child in values for entry in self.below(child, level - 1)]


class State:
    """What names, attributes and contents need of the records. Times and link counts are kept as ops change them."""

    def __init__(self, records):
        self.inodes, self.dentries, self.chunks, self.xattrs, self.segments = {}, {}, {}, {}, {}
        for key, value in records.items():
            kind, ino = key[0], int.from_bytes(key[1:9], "big")
            fields = Fields(value)
            check(fields.number(1) == 1, "an unknown version of a record")
            if kind == 1:
                self.inodes[ino] = Inode.read(value)
            elif kind == 2:
                self.dentries[ino, key[16:]] = fields.number(8)
            elif kind == 3:
                self.chunks[ino, int.from_bytes(key[9:], "big")] = chunk(fields)
            elif kind == 4:
                self.xattrs[ino, key[9:]] = fields.bytes(65536)
            elif kind == 6:
                self.segments[key[1:]] = segment(fields)

    def list(self, ino):
        return sorted((name, child) for (parent, name), child in self.dentries.items() if parent == ino)

    def content(self, ino, read_frame, chunk_size):
        size = self.inodes[ino].size
        out = bytearray(size)
        for (owner, index), place in self.chunks.items():
            if owner == ino:
                data = place[1] if place[0] == "here" else read_frame(self.segments[place[0]], place)
                at = index * chunk_size
                out[at : at + len(data)] = data
        check(len(out) == size, "content past the end of the file")
        return bytes(out)


def read_frame(volume, fetch, epochs, record, place):
    """The bytes of a file's chunk, out of its segment."""
    epoch, header, frames = record
    segment_id, number, length = place
    opener = Object(volume, header, SEGMENT, segment_id, epochs)
    check(opener.epoch == epoch, "a segment of another epoch")
    data = fetch(f"data/{epoch}/{segment_id.hex()[:2]}/{segment_id.hex()}")
    start = HEADER_LEN + sum(frames[:number])
    plain, taken, final = opener.frame(data[start : start + frames[number]], number)
    check(taken == frames[number] and final == (number == len(frames) - 1), "another frame than was referred to")
    return plain[:length]
