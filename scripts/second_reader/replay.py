"""docs/format.md, sections 5 and 6: the commit log, and what its ops do to the state."""
import hashlib

from records import DIRECTORY, ROOT, Inode, chunk, segment, time
from sealing import LOG, Fields, Object, check


class Entry:
    """One entry of the log."""

    def __init__(self, volume, position, data, epochs):
        object_id = bytes(8) + position.to_bytes(8, "big")
        self.hash = hashlib.sha256(data).digest()
        fields = Fields(Object(volume, data, LOG, object_id, epochs).whole(data))
        check(fields.number(1) == 1 and fields.number(8) == position, "another entry's place")
        fields.take(16 + 4 + 8 + 8)
        self.before = fields.take(32)
        self.sealed = time(fields)
        self.checkpoint, self.checkpoint_hash, self.root = fields.number(8), fields.take(32), fields.bytes(256)
        self.payload = fields.bytes(64 << 20)
        fields.end()


def replay(state, payload):
    """Applies one entry's payload."""
    fields = Fields(payload)
    kind = fields.number(1)
    if kind == 1:
        made, uid, gid = time(fields), fields.number(4), fields.number(4)
        state.inodes[ROOT] = directory = inode(DIRECTORY, 0o755, uid, gid, made, ROOT)
        directory.links = 2
        return
    check(kind == 2, "an unknown kind of payload")
    for _ in range(fields.number(4)):
        code = fields.number(1)
        check(code in OPS, f"an unknown op {code}")
        OPS[code](state, fields)
    fields.end()


def inode(kind, mode, uid, gid, made, parent, device=0, target=b""):
    return Inode(
        kind=kind, mode=mode, uid=uid, gid=gid, links=1, size=len(target), device=device,
        mtime=made, ctime=made, parent=parent, version=0, target=target,
    )


def name(fields):
    return fields.bytes(255)


def enter(state, parent, called, ino, when):
    state.dentries[parent, called] = ino
    touch(state, parent, when)
    if state.inodes[ino].kind == DIRECTORY:
        state.inodes[parent].links += 1


def leave(state, parent, called, when):
    ino = state.dentries.pop((parent, called))
    touch(state, parent, when)
    if state.inodes[ino].kind == DIRECTORY:
        state.inodes[parent].links -= 1
    return ino


def touch(state, directory, when):
    it = state.inodes[directory]
    it.mtime = it.ctime = when
    it.size = sum(parent == directory for parent, _ in state.dentries)


def create(state, f):
    parent, called, ino, kind, mode = f.number(8), name(f), f.number(8), f.number(1), f.number(2)
    uid, gid, device, target = f.number(4), f.number(4), f.number(4), f.bytes(4095)
    xattrs = f.list(64, lambda: (name(f), f.bytes(65536)))
    when = time(f)
    state.inodes[ino] = it = inode(kind, mode, uid, gid, when, parent, device, target)
    state.xattrs.update({(ino, xattr): value for xattr, value in xattrs})
    it.links = {DIRECTORY: 2}.get(kind, 1) if called else 0
    if called:
        enter(state, parent, called, ino, when)


def link(state, f):
    ino, parent, called, when = f.number(8), f.number(8), name(f), time(f)
    enter(state, parent, called, ino, when)
    state.inodes[ino].links += 1
    state.inodes[ino].ctime = when


def unlink(state, f):
    parent, called, ino, _last, when = f.number(8), name(f), f.number(8), f.number(4), time(f)
    check(leave(state, parent, called, when) == ino, "another inode's name")
    drop(state, ino, when)


def drop(state, ino, when):
    it = state.inodes[ino]
    it.links, it.ctime = it.links - 1, when


def rmdir(state, f):
    parent, called, ino, when = f.number(8), name(f), f.number(8), time(f)
    check(leave(state, parent, called, when) == ino, "another inode's name")
    state.inodes[ino].links, state.inodes[ino].ctime = 0, when


def rename(state, f):
    parent, called, ino, to, new = f.number(8), name(f), f.number(8), f.number(8), name(f)
    replaced, exchange, _last, when = f.optional(lambda: f.number(8)), f.number(1), f.number(4), time(f)
    if replaced == ino:
        return
    leave(state, parent, called, when)
    if replaced is not None:
        leave(state, to, new, when)
    enter(state, to, new, ino, when)
    state.inodes[ino].ctime, state.inodes[ino].parent = when, to
    if exchange:
        enter(state, parent, called, replaced, when)
        state.inodes[replaced].ctime, state.inodes[replaced].parent = when, parent
    elif replaced is not None:
        if state.inodes[replaced].kind == DIRECTORY:
            state.inodes[replaced].links = 0
        else:
            drop(state, replaced, when)


def set_attributes(state, f):
    it = state.inodes[f.number(8)]
    for field, width in (("mode", 2), ("uid", 4), ("gid", 4)):
        change(it, field, f.optional(lambda width=width: f.number(width)))
    f.optional(lambda: time(f))
    change(it, "mtime", f.optional(lambda: time(f)))
    it.ctime = time(f)


def change(it, field, value):
    if value is not None:
        setattr(it, field, value)


def resize(state, ino, size):
    """Cuts what lies at or past the end."""
    chunk_size = state.chunk_size
    for (owner, index), place in list(state.chunks.items()):
        if owner == ino and (index + 1) * chunk_size > size:
            left = size - index * chunk_size
            if left <= 0:
                del state.chunks[ino, index]
            elif place[0] == "here":
                state.chunks[ino, index] = ("here", place[1][:left])
            else:
                state.chunks[ino, index] = (place[0], place[1], min(place[2], left))
    state.inodes[ino].size = size


def put(state, ino, index, place):
    if place is None:
        state.chunks.pop((ino, index), None)
    else:
        state.chunks[ino, index] = place


def write(state, f):
    ino, _version, size = f.number(8), f.number(8), f.number(8)
    chunks = f.list(65536, lambda: (f.number(8), f.optional(lambda: chunk(f))))
    for index, place in chunks:
        put(state, ino, index, place)
    resize(state, ino, size)
    it = state.inodes[ino]
    it.version += 1
    change(it, "mode", f.optional(lambda: f.number(2)))
    change(it, "mtime", f.optional(lambda: time(f)))
    it.ctime = time(f)


def clone(state, f):
    source, first, ino, to, count = (f.number(8) for _ in range(5))
    _version, size = f.number(8), f.number(8)
    copied = [state.chunks.get((source, first + step)) for step in range(count)]
    for step, place in enumerate(copied):
        put(state, ino, to + step, place)
    settle(state, ino, size, f)


def collapse(state, f):
    ino, first, count, _version, size = (f.number(8) for _ in range(5))
    moved = {index: place for (owner, index), place in state.chunks.items() if owner == ino and index >= first}
    for index in moved:
        del state.chunks[ino, index]
    for index, place in moved.items():
        if index >= first + count:
            state.chunks[ino, index - count] = place
    settle(state, ino, size, f)


def settle(state, ino, size, f):
    resize(state, ino, size)
    it = state.inodes[ino]
    it.version += 1
    it.mtime, it.ctime = time(f), time(f)


def set_xattr(state, f):
    ino, called, value = f.number(8), name(f), f.bytes(65536)
    f.optional(lambda: f.number(1))
    state.xattrs[ino, called] = value
    change(state.inodes[ino], "mode", f.optional(lambda: f.number(2)))
    state.inodes[ino].ctime = time(f)


def remove_xattr(state, f):
    ino, called = f.number(8), name(f)
    state.xattrs.pop((ino, called), None)
    change(state.inodes[ino], "mode", f.optional(lambda: f.number(2)))
    state.inodes[ino].ctime = time(f)


def relocate(state, f):
    ino, index, before, after = f.number(8), f.number(8), chunk(f), chunk(f)
    if state.chunks.get((ino, index)) == before:
        state.chunks[ino, index] = after


def add_segment(state, f):
    segment_id = f.take(16)
    state.segments[segment_id] = segment(f)


def remove_segments(state, f):
    for segment_id in f.list(65536, lambda: f.take(16)):
        state.segments.pop(segment_id, None)


def without_effect(read):
    """Ops about sessions, orphans, gc and quotas change nothing that can be seen in files."""
    return lambda _state, f: read(f)


def keys(f):
    return f.list(65536, lambda: f.bytes(255))


OPS = {
    1: create, 2: link, 3: unlink, 4: rmdir, 5: rename, 6: set_attributes, 7: write, 8: clone, 9: collapse,
    10: set_xattr, 11: remove_xattr, 12: without_effect(lambda f: f.number(8)), 13: add_segment, 14: remove_segments,
    15: relocate, 16: without_effect(lambda f: (f.take(4 + 8 + 16), f.bytes(255), time(f))),
    17: without_effect(lambda f: f.number(4)), 18: without_effect(lambda f: (keys(f), time(f))),
    19: without_effect(keys), 20: without_effect(lambda f: (f.number(8), time(f))),
    21: without_effect(lambda f: f.take(16)),
}
