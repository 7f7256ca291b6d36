"""Random operations on one file, every way the kernel has of reaching it, against a model in memory:

    exercise.py FILE OPERATIONS SEED MODEL

The same seed does the same operations. Cached, direct, appending and mapped access are mixed, and one shared map
stays over truncations and holes. FILE begins as what MODEL, a local file, holds (nothing if there is none), and MODEL
is left as what FILE must be, so that rounds can have an unmount and a mount between them. The first difference ends
the run: what differs and the operations that led there are printed.
"""

import collections
import ctypes
import errno
import mmap
import os
import random
import sys

LARGEST = 600_000  # bytes: over nine chunks of 64 KiB
LONGEST = 140_000  # bytes in one operation: over two chunks
PAGE = mmap.PAGESIZE
SHOWN = 60  # operations printed when something is wrong
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE, INSERT_RANGE = 1, 2, 8, 16, 32
MS_SYNC = 4

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]
libc.mmap.restype = ctypes.c_void_p
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


class Different(Exception):
    pass


def call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Map:
    """A shared map of LARGEST bytes. Only pages that lie in the file may be touched: others are SIGBUS."""

    def __init__(self, descriptor):
        self.at = libc.mmap(None, LARGEST, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, descriptor, 0)
        assert self.at not in (None, ctypes.c_void_p(-1).value), "mmap failed"

    def read(self, offset, length):
        return ctypes.string_at(self.at + offset, length)

    def write(self, offset, data):
        ctypes.memmove(self.at + offset, data, len(data))

    def sync(self, offset, length):
        start = offset // PAGE * PAGE
        call(libc.msync(self.at + start, offset + length - start, MS_SYNC))

    def close(self):
        call(libc.munmap(self.at, LARGEST))


class Exerciser:
    def __init__(self, path, seed, model):
        self.path = path
        self.dice = random.Random(seed)
        self.model = bytearray(model)
        self.log = collections.deque(maxlen=SHOWN)
        self.counts = collections.Counter()
        self.aligned = mmap.mmap(-1, LONGEST + 2 * PAGE)
        self.cached = self.direct = self.appending = self.map = None
        self.open(0)
        self.whole()

    # What the file is reached by.

    def open(self, flags):
        self.cached = os.open(self.path, os.O_RDWR | os.O_CREAT | flags, 0o600)
        self.direct = os.open(self.path, os.O_RDWR | os.O_DIRECT)
        self.appending = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.map = Map(self.cached)

    def close(self):
        self.map.close()
        for descriptor in (self.cached, self.direct, self.appending):
            os.close(descriptor)

    # What the dice say.

    def range(self, limit=LARGEST):
        """A place and a length, both often at a page or a chunk."""
        length = self.dice.choice([1, 7, 512, PAGE, 65536, self.dice.randint(1, LONGEST), self.dice.randint(1, 9000)])
        offset = self.dice.randrange(limit)
        if self.dice.random() < 0.4:
            offset -= offset % self.dice.choice([512, PAGE, 65536])
        if self.dice.random() < 0.15:
            offset = min(len(self.model), limit - 1)
        return offset, max(1, min(length, limit - offset))

    def inside(self):
        """A range that lies in the file, or None for an empty one."""
        return self.range(len(self.model)) if self.model else None

    def bytes(self, length):
        return self.dice.randbytes(length)

    # What must be true.

    def same(self, what, found, offset):
        wanted = self.model[offset:offset + len(found)]
        if found != wanted:
            at = next((i for i, (a, b) in enumerate(zip(found, wanted)) if a != b), len(wanted))
            raise Different(f"{what}: byte {offset + at} of {len(self.model)} is {found[at:at + 8].hex()}, "
                            f"not {bytes(wanted[at:at + 8]).hex()}")

    def whole(self):
        status = os.fstat(self.cached)
        if status.st_size != len(self.model):
            raise Different(f"the size is {status.st_size}, not {len(self.model)}")
        self.same("all of it", os.pread(self.cached, LARGEST + 1, 0), 0)

    # Operations. Each notes itself before it begins.

    def note(self, *what):
        self.counts[what[0]] += 1
        self.log.append(" ".join(map(str, what)))

    def put(self, offset, data):
        if offset > len(self.model):
            self.model.extend(bytes(offset - len(self.model)))
        self.model[offset:offset + len(data)] = data

    def read(self):
        offset, length = self.range()
        self.note("read", offset, length)
        found = os.pread(self.cached, length, offset)
        self.exact("read", found, offset, length)

    def exact(self, what, found, offset, length):
        wanted = max(0, min(length, len(self.model) - offset))
        if len(found) != wanted:
            raise Different(f"{what}: {len(found)} bytes came, not {wanted}")
        self.same(what, found, offset)

    def direct_read(self):
        offset, length = self.aligned_range()
        self.note("direct_read", offset, length)
        view = memoryview(self.aligned)[:length]
        count = os.preadv(self.direct, [view], offset)
        self.exact("direct_read", bytes(view[:count]), offset, length)

    def aligned_range(self):
        offset, length = self.range(LARGEST - PAGE)
        if self.dice.random() < 0.2:
            return offset, length  # FUSE does not insist
        offset -= offset % 512
        return offset, max(512, length - length % 512)

    def write(self):
        offset, length = self.range()
        self.note("write", offset, length)
        data = self.bytes(length)
        if self.dice.random() < 0.1:
            half = length // 2
            written = os.pwritev(self.cached, [data[:half], data[half:]], offset)
        else:
            written = os.pwrite(self.cached, data, offset)
        assert written == length, "a short write"
        self.put(offset, data)

    def direct_write(self):
        offset, length = self.aligned_range()
        self.note("direct_write", offset, length)
        data = self.bytes(length)
        view = memoryview(self.aligned)[:length]
        view[:] = data
        assert os.pwritev(self.direct, [view], offset) == length, "a short write"
        self.put(offset, data)

    def append(self):
        length = min(self.range()[1], LARGEST - len(self.model))
        if length:
            self.note("append", length)
            data = self.bytes(length)
            assert os.write(self.appending, data) == length, "a short write"
            self.put(len(self.model), data)

    def map_read(self):
        if place := self.inside():
            self.note("map_read", *place)
            self.same("map_read", self.map.read(*place), place[0])

    def map_write(self):
        if place := self.inside():
            self.note("map_write", *place)
            data = self.bytes(place[1])
            self.map.write(place[0], data)
            self.put(place[0], data)
            if self.dice.random() < 0.1:
                self.note("msync", *place)
                self.map.sync(*place)

    def truncate(self):
        size = self.dice.choice([0, len(self.model), self.range()[0], self.range()[0]])
        if self.dice.random() < 0.5:
            self.note("ftruncate", size)
            os.ftruncate(self.cached, size)
        else:
            self.note("truncate", size)
            os.truncate(self.path, size)
        self.resize(size)

    def resize(self, size):
        if size < len(self.model):
            del self.model[size:]
        else:
            self.model.extend(bytes(size - len(self.model)))

    def allocate(self):
        offset, length = self.range()
        mode = self.dice.choice([0, KEEP_SIZE])
        self.note("fallocate", mode, offset, length)
        call(libc.fallocate(self.cached, mode, offset, length))
        if mode == 0:
            self.resize(max(len(self.model), offset + length))

    def zero(self):
        offset, length = self.range()
        mode = self.dice.choice([PUNCH_HOLE | KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE])
        self.note("zero", mode, offset, length)
        call(libc.fallocate(self.cached, mode, offset, length))
        stop = offset + length
        if mode == ZERO_RANGE:
            self.resize(max(len(self.model), stop))
        stop = min(stop, len(self.model))
        if offset < stop:
            self.model[offset:stop] = bytes(stop - offset)

    def copy(self):
        source, length = self.range()
        target = self.range()[0]
        if self.dice.random() < 0.4:
            target += (source - target) % 65536  # the same place in a chunk: whole chunks are shared
        length = min(length, LARGEST - target, max(0, len(self.model) - source))
        if length <= 0 or (source < target + length and target < source + length):
            return
        self.note("copy", source, target, length)
        data = bytes(self.model[source:source + length])
        copied = os.copy_file_range(self.cached, self.cached, length, source, target)
        if not 0 < copied <= length:
            raise Different(f"copy_file_range: {copied} of {length} bytes")
        self.put(target, data[:copied])

    def refused(self):
        """What FUSE or hushfs does not have is refused, and changes nothing."""
        offset, length = 65536 * self.dice.randrange(4), 65536
        for mode in (COLLAPSE_RANGE, INSERT_RANGE, 64):
            self.note("refused", mode, offset, length)
            ctypes.set_errno(0)
            if libc.fallocate(self.cached, mode, offset, length) == 0 or ctypes.get_errno() != errno.EOPNOTSUPP:
                raise Different(f"fallocate of mode {mode} is not EOPNOTSUPP but {ctypes.get_errno()}")

    def seek(self):
        """Data and holes alternate to the end, and no hole has bytes in it."""
        self.note("seek")
        place = 0
        while place < len(self.model):
            try:
                data = os.lseek(self.cached, place, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                data = len(self.model)
            if data < place or any(self.model[place:data]):
                raise Different(f"seek: a hole from {place} to {data}")
            if data >= len(self.model):
                break
            if data > place and os.lseek(self.cached, place, os.SEEK_HOLE) != place:
                raise Different(f"seek: {place} is in a hole and no hole")
            hole = os.lseek(self.cached, data, os.SEEK_HOLE)
            if not data < hole <= len(self.model):
                raise Different(f"seek: data at {data} ends at {hole}")
            place = hole

    def sync(self):
        which = self.dice.choice([os.fsync, os.fdatasync])
        self.note(which.__name__)
        which(self.dice.choice([self.cached, self.direct, self.appending]))

    def write_out(self):
        """Starts or waits for write-back without a commit, and lets clean pages go."""
        offset, length = self.range()
        self.note("write_out", offset, length)
        call(libc.sync_file_range(self.cached, offset, length, self.dice.choice([2, 7])))
        os.posix_fadvise(self.cached, offset, length, os.POSIX_FADV_DONTNEED)

    def reopen(self):
        self.note("reopen")
        self.close()
        self.open(0)
        self.whole()

    def open_truncating(self):
        self.note("open_truncating")
        self.close()
        self.open(os.O_TRUNC)
        self.model.clear()

    def status(self):
        self.note("status")
        status = os.fstat(self.cached)
        if status.st_size != len(self.model):
            raise Different(f"the size is {status.st_size}, not {len(self.model)}")
        if status.st_blocks * 512 > -(-len(self.model) // 65536) * 65536:
            raise Different(f"{status.st_blocks} blocks for {len(self.model)} bytes")

    def run(self, operations):
        weighted = [
            (self.read, 10), (self.direct_read, 8), (self.write, 12), (self.direct_write, 10), (self.append, 4),
            (self.map_read, 10), (self.map_write, 10), (self.truncate, 5), (self.allocate, 4), (self.zero, 9),
            (self.copy, 8), (self.seek, 3), (self.status, 4), (self.write_out, 3), (self.sync, 0.3),
            (self.reopen, 0.5), (self.open_truncating, 0.1), (self.refused, 0.3), (self.whole, 1),
        ]
        kinds = [kind for kind, _ in weighted]
        weights = [weight for _, weight in weighted]
        for kind in self.dice.choices(kinds, weights, k=operations):
            kind()
        self.whole()
        self.close()
        self.cached = os.open(self.path, os.O_RDONLY)
        self.whole()
        os.close(self.cached)


def main():
    path, operations, seed, kept = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    model = b""
    if os.path.exists(kept):
        with open(kept, "rb") as file:
            model = file.read()
    exerciser = None
    try:
        exerciser = Exerciser(path, seed, model)
        exerciser.run(operations)
    except (Different, OSError, AssertionError) as error:
        for line in exerciser.log if exerciser else []:
            print(line, file=sys.stderr)
        done = sum(exerciser.counts.values()) if exerciser else 0
        sys.exit(f"exercise.py: seed {seed}, operation {done}: {error}")
    with open(kept, "wb") as file:
        file.write(exerciser.model)


main()
