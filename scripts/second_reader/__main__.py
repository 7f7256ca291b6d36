#!/usr/bin/env python3
"""A second reader of hushfs volumes, written from docs/format.md alone.

    python3 scripts/second_reader FOLDER PASSPHRASE-FILE [PATH]

Opens the volume in a folder bucket with nothing of hushfs's own code, and prints a line for each path (as in
tests/fixtures/volume-v1/README.md), or the content of PATH. Whatever it cannot read, or reads otherwise than hushfs, is
an error of the document, of this reader or of hushfs. Only `cryptography` is needed (44 or newer, with OpenSSL 3.2).
It trusts one listing and keeps no witness: it is no tool for a store that is hostile.
"""
import hashlib
import os
import sys

from records import DIRECTORY, ROOT, SYMLINK, State, Tree, read_frame
from replay import Entry, replay
from sealing import Header, Refused, check

KINDS = {1: 0o100000, 2: 0o040000, 3: 0o120000, 4: 0o010000, 5: 0o140000, 6: 0o020000, 7: 0o060000}


class Volume:
    """A volume in a folder, at its newest state."""

    def __init__(self, folder, passphrase):
        self.folder = folder
        self.header = Header(self.fetch("volume"), passphrase)
        self.state = self.newest()

    def fetch(self, key):
        with open(os.path.join(self.folder, key), "rb") as file:
            return file.read()

    def entry(self, position):
        return Entry(self.header.volume, position, self.fetch(f"log/{position:016x}"), self.header.epochs)

    def newest(self):
        """The checkpoint that the newest entry names, and the entries after it, each with the hash of the one before."""
        tail = max(int(name, 16) for name in os.listdir(os.path.join(self.folder, "log")))
        newest = self.entry(tail)
        tree = Tree(self.header.volume, self.fetch, self.header.epochs)
        state = State(tree.records(newest.root) if newest.root else {})
        state.chunk_size = self.header.chunk_size
        before = newest.checkpoint_hash
        for position in range(newest.checkpoint + 1, tail + 1):
            entry = self.entry(position)
            check(entry.before == before, f"the entry {position} does not follow the one before")
            replay(state, entry.payload)
            before = entry.hash
        return state

    def content(self, ino):
        def read(record, place):
            return read_frame(self.header.volume, self.fetch, self.header.epochs, record, place)

        return self.state.content(ino, read, self.header.chunk_size)

    def walk(self, ino=ROOT, path=b""):
        for name, child in self.state.list(ino):
            inner = path + name
            yield inner, child
            if self.state.inodes[child].kind == DIRECTORY:
                yield from self.walk(child, inner + b"/")

    def line(self, path, ino):
        it = self.state.inodes[ino]
        shown = {1: self.content, SYMLINK: lambda _: it.target}.get(it.kind)
        digest = hashlib.sha256(shown(ino)).hexdigest() if shown else "-"
        xattrs = sorted((name, value) for (owner, name), value in self.state.xattrs.items() if owner == ino)
        users = [name + b"=" + value for name, value in xattrs if name.startswith(b"user.")]
        xattr = users[0].decode() if users else "-"
        mode = KINDS[it.kind] | it.mode
        who = f"{it.uid}:{it.gid} {it.size} {decimal(*it.mtime)}"
        return f"{mode:x} {it.links} {who} {digest} {xattr} {os.fsdecode(path)}"


def decimal(seconds, nanoseconds):
    """A time in seconds, as stat(1) writes it."""
    total = seconds * 10**9 + nanoseconds
    return f"{'-' if total < 0 else ''}{abs(total) // 10**9}.{abs(total) % 10**9:09}"


def main(folder, passphrase_file, wanted=None):
    with open(passphrase_file, "rb") as file:
        volume = Volume(folder, file.read().rstrip(b"\n"))
    found = dict(volume.walk())
    if wanted is not None:
        sys.stdout.buffer.write(volume.content(found[os.fsencode(wanted)]))
        return
    sys.stdout.reconfigure(errors="surrogateescape")
    for path, ino in sorted(found.items()):
        print(volume.line(path, ino))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Refused as why:
        sys.exit(f"second_reader: {why}")
