"""inotify.py FOLDER: changes made in the folder are announced, in their order."""
import ctypes
import os
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, MODIFY = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200, 0x2

os.chdir(sys.argv[1])
watcher = libc.inotify_init1(os.O_NONBLOCK)
mask = ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | MODIFY
assert watcher >= 0 and libc.inotify_add_watch(watcher, b".", mask) >= 0, os.strerror(ctypes.get_errno())


def events():
    found, buffer, at = [], os.read(watcher, 65536), 0
    while at < len(buffer):
        _, what, _, length = struct.unpack_from("iIII", buffer, at)
        name = buffer[at + 16 : at + 16 + length].rstrip(b"\0").decode()
        found.append((what & mask, name))
        at += 16 + length
    return found


with open("file", "w") as file:
    file.write("x")
assert events() == [(CREATE, "file"), (MODIFY, "file"), (CLOSE_WRITE, "file")]
os.chmod("file", 0o600)
os.rename("file", "renamed")
assert events() == [(ATTRIB, "file"), (MOVED_FROM, "file"), (MOVED_TO, "renamed")]
os.mkdir("folder")
os.symlink("target", "link")
os.unlink("renamed")
assert events() == [(CREATE, "folder"), (CREATE, "link"), (DELETE, "renamed")]
