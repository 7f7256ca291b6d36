"""direct_aio.py FILE: direct writes by AIO while somebody else reads the file through the page cache.

Each round writes the whole file with a byte of its own and then reads it: nothing older may come back.

direct_aio.py FILE synced: one round with ones, through a descriptor that was opened with O_DSYNC.
"""
import ctypes
import mmap
import os
import platform
import sys
import threading

SIZE = 640 * 1024
PIECE = 64 * 1024
ROUNDS = 200
CALLS = {"x86_64": (206, 209, 208), "aarch64": (0, 2, 4)}
IO_SETUP, IO_SUBMIT, IO_GETEVENTS = CALLS[platform.machine()]
PWRITE = 1


class Request(ctypes.Structure):
    """struct iocb of linux/aio_abi.h, little endian."""

    _fields_ = [
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32),
        ("rw_flags", ctypes.c_uint32),
        ("opcode", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("file", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64),
        ("len", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64),
        ("flags", ctypes.c_uint32),
        ("eventfd", ctypes.c_uint32),
    ]


class Event(ctypes.Structure):
    """struct io_event."""

    _fields_ = [(name, ctypes.c_int64) for name in ("data", "request", "result", "result2")]


libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def write_all(context, file, address):
    """Writes the file in pieces, all under way at once."""
    requests = [
        Request(opcode=PWRITE, file=file, buffer=address + at, len=PIECE, offset=at)
        for at in range(0, SIZE, PIECE)
    ]
    pointers = (ctypes.POINTER(Request) * len(requests))(*map(ctypes.pointer, requests))
    count = ctypes.c_long(len(requests))
    assert call(IO_SUBMIT, context, count, pointers) == len(requests)
    events = (Event * len(requests))()
    assert call(IO_GETEVENTS, context, count, count, events, None) == len(requests)
    assert [event.result for event in events] == [PIECE] * len(requests)


path = sys.argv[1]
synced = sys.argv[2:] == ["synced"]
file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_DIRECT | (os.O_DSYNC if synced else 0), 0o600)
os.ftruncate(file, SIZE)
memory = mmap.mmap(-1, SIZE)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
context = ctypes.c_ulong(0)
call(IO_SETUP, 64, ctypes.byref(context))
if synced:
    memory[:] = b"\1" * SIZE
    write_all(context, file, address)
    sys.exit()
done = threading.Event()


def keep_reading():
    while not done.is_set():
        with open(path, "rb", buffering=0) as other:
            while other.read(SIZE):
                pass


readers = [threading.Thread(target=keep_reading) for _ in range(2)]
for reader in readers:
    reader.start()
try:
    for number in range(ROUNDS):
        byte = bytes([number % 255 + 1])
        memory[:] = byte * SIZE
        write_all(context, file, address)
        with open(path, "rb") as cached:
            content = cached.read()
        assert content == byte * SIZE, f"round {number}: older bytes are read, {content.count(byte)} are new"
finally:
    done.set()
    for reader in readers:
        reader.join()
