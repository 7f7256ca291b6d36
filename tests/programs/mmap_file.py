"""mmap_file.py write|check FILE: shared maps, with writes beside them and a second process."""
import mmap
import os
import sys

SIZE = 3 * 1024 * 1024 + 777
PLACES = [0, 4095, 65535, 65536, 1_000_000, SIZE - 5]


def expected():
    wanted = bytearray(b"." * SIZE)
    for number, place in enumerate(PLACES):
        wanted[place : place + 5] = b"map%02d" % number
    wanted[2_000_000:2_000_005] = b"write"
    wanted[2_500_000:2_500_005] = b"child"
    return bytes(wanted) + b"\0" * 100_000 + b"grown"


order, path = sys.argv[1:]
if order == "write":
    with open(path, "w+b") as file:
        file.write(b"." * SIZE)
        file.flush()
        view = mmap.mmap(file.fileno(), SIZE)
        for number, place in enumerate(PLACES):
            view[place : place + 5] = b"map%02d" % number
        os.pwrite(file.fileno(), b"write", 2_000_000)
        assert view[2_000_000:2_000_005] == b"write", "a write is not seen in the map"
        assert os.pread(file.fileno(), 5, 65536) == b"map03", "the map is not seen by a read"
        if (child := os.fork()) == 0:
            with open(path, "r+b") as other:
                theirs = mmap.mmap(other.fileno(), 0)
                theirs[2_500_000:2_500_005] = b"child"
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert view[2_500_000:2_500_005] == b"child", "another process's map is not seen"
        before = os.stat(path).st_mtime_ns
        view[0:5] = b"map00"
        view.flush()
        assert os.stat(path).st_mtime_ns >= before
        os.ftruncate(file.fileno(), SIZE + 100_005)
        larger = mmap.mmap(file.fileno(), SIZE + 100_005)
        larger[-5:] = b"grown"
with open(path, "rb") as file:
    assert file.read() == expected(), "contents differ"
