"""locks.py FOLDER: flock, POSIX and open file description locks between processes."""
import fcntl
import os
import struct
import sys

os.chdir(sys.argv[1])
open("file", "w").close()


def elsewhere(attempt):
    """Whether another process, with a description of its own, gets the lock."""
    child = os.fork()
    if child == 0:
        with open("file", "r+") as file:
            try:
                attempt(file)
            except (BlockingIOError, PermissionError):
                os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def flock(kind):
    return lambda file: fcntl.flock(file, kind | fcntl.LOCK_NB)


def lockf(kind, length=0, start=0):
    # Python knows no lockf that unlocks without waiting.
    wait = 0 if kind == fcntl.LOCK_UN else fcntl.LOCK_NB
    return lambda file: fcntl.lockf(file, kind | wait, length, start)


def ofd(kind, start, length):
    wanted = struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    return lambda file: fcntl.fcntl(file, getattr(fcntl, "F_OFD_SETLK", 37), wanted)


with open("file", "r+") as file:
    flock(fcntl.LOCK_SH)(file)
    assert elsewhere(flock(fcntl.LOCK_SH)) and not elsewhere(flock(fcntl.LOCK_EX))
    flock(fcntl.LOCK_EX)(file)
    assert not elsewhere(flock(fcntl.LOCK_SH))
    flock(fcntl.LOCK_UN)(file)
    assert elsewhere(flock(fcntl.LOCK_EX))

    lockf(fcntl.LOCK_EX, 10, 100)(file)
    assert not elsewhere(lockf(fcntl.LOCK_EX, 1, 109)) and elsewhere(lockf(fcntl.LOCK_EX, 1, 110))
    assert not elsewhere(lockf(fcntl.LOCK_EX))
    lockf(fcntl.LOCK_SH, 5, 100)(file)
    assert elsewhere(lockf(fcntl.LOCK_SH, 5, 100)) and not elsewhere(lockf(fcntl.LOCK_EX, 5, 100))
    lockf(fcntl.LOCK_UN)(file)
    assert elsewhere(lockf(fcntl.LOCK_EX))

    ofd(fcntl.F_WRLCK, 0, 50)(file)
    assert not elsewhere(ofd(fcntl.F_WRLCK, 49, 1)) and elsewhere(ofd(fcntl.F_WRLCK, 50, 1))
    assert not elsewhere(lockf(fcntl.LOCK_EX, 1, 0))
