"""Many processes at once, all operations, one tree: many.py FOLDER PROCESSES SECONDS SEED

Each process does random operations on names that all of them use. What the others did meanwhile may make an
operation fail, in the ways named in EXPECTED; any other failure ends the run. What is left is for the caller to
look at.
"""

import errno
import mmap
import multiprocessing
import os
import random
import stat
import sys
import time

EXPECTED = {
    errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.EINVAL,
    errno.ENODATA, errno.EPERM, errno.ENXIO, errno.EFBIG,
}
NAMES = [f"n{number}" for number in range(40)]
CHUNK = 65536


class Worker:
    def __init__(self, root, seed):
        self.root = root
        self.dice = random.Random(seed)
        self.done = 0

    def path(self):
        """A path of up to four names that exists as far as the dice know; most do."""
        return os.path.join(self.root, *(self.dice.choice(NAMES) for _ in range(self.dice.randint(1, 4))))

    def place(self):
        return self.dice.choice([0, 1, CHUNK - 1, CHUNK, self.dice.randrange(6 * CHUNK)])

    def file(self, flags):
        return os.open(self.path(), flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)

    def with_file(self, flags, use):
        descriptor = self.file(flags)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                use(descriptor)
        finally:
            os.close(descriptor)

    def write(self):
        data = self.dice.randbytes(self.dice.choice([1, 100, 4096, CHUNK, CHUNK + 7]))
        self.with_file(os.O_RDWR | os.O_CREAT, lambda fd: os.pwrite(fd, data, self.place()))

    def append(self):
        data = self.dice.randbytes(self.dice.randint(1, 9000))
        self.with_file(os.O_WRONLY | os.O_APPEND | os.O_CREAT, lambda fd: os.write(fd, data))

    def read(self):
        def whole(fd):
            # Others write and cut meanwhile: a reader gets no more than the size it could have seen.
            data = os.pread(fd, 8 * CHUNK, 0)
            assert len(data) <= 8 * CHUNK
        self.with_file(os.O_RDONLY, whole)

    def mapped(self):
        def scribble(fd):
            os.ftruncate(fd, 2 * CHUNK)
            with mmap.mmap(fd, CHUNK) as memory:
                memory[10:20] = self.dice.randbytes(10)
        descriptor = os.open(os.path.join(self.root, f"mapped-{os.getpid()}"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            scribble(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self):
        self.with_file(os.O_RDWR, lambda fd: os.ftruncate(fd, self.place()))

    def allocate(self):
        self.with_file(os.O_RDWR, lambda fd: os.posix_fallocate(fd, self.place(), CHUNK))

    def sync(self):
        if self.dice.random() < 0.05:
            self.with_file(os.O_RDWR, os.fsync)

    def copy(self):
        source = self.file(os.O_RDONLY)
        try:
            self.with_file(os.O_RDWR | os.O_CREAT, lambda fd: os.copy_file_range(source, fd, 3 * CHUNK, 0, 0))
        except OSError as error:
            # A folder or a FIFO cannot be copied from.
            if error.errno not in EXPECTED:
                raise
        finally:
            os.close(source)

    def unlinked(self):
        """A file that goes on after its name is gone."""
        name = os.path.join(self.root, f"gone-{os.getpid()}-{self.done}")
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"before")
            os.unlink(name)
            os.pwrite(descriptor, b"after", 6)
            assert os.pread(descriptor, 100, 0) == b"beforeafter"
        finally:
            os.close(descriptor)

    def attributes(self):
        path = self.path()
        self.dice.choice([
            lambda: os.chmod(path, self.dice.randrange(0o1000) | 0o600),
            lambda: os.utime(path, ns=(self.dice.randrange(2**60), self.dice.randrange(2**60)), follow_symlinks=False),
            lambda: os.chown(path, self.dice.randrange(3), self.dice.randrange(3), follow_symlinks=False),
            lambda: os.setxattr(path, f"user.{self.dice.randrange(5)}", self.dice.randbytes(self.dice.randrange(300))),
            lambda: os.removexattr(path, f"user.{self.dice.randrange(5)}"),
            lambda: os.lstat(path),
        ])()

    def listing(self):
        names = os.listdir(os.path.dirname(self.path()))
        assert len(names) == len(set(names)), "a name was listed twice"

    def step(self):
        kinds = [
            (self.write, 12), (self.append, 6), (self.read, 8), (self.truncate, 4), (self.allocate, 2),
            (self.copy, 4), (self.mapped, 2), (self.unlinked, 2), (self.attributes, 10), (self.listing, 4),
            (self.sync, 2),
            (lambda: os.mkdir(self.path(), 0o750), 10),
            (lambda: os.rmdir(self.path()), 3),
            (lambda: os.unlink(self.path()), 6),
            (lambda: os.rename(self.path(), self.path()), 10),
            (lambda: os.link(self.path(), self.path(), follow_symlinks=False), 5),
            (lambda: os.symlink(self.dice.choice(NAMES), self.path()), 3),
            (lambda: os.mkfifo(self.path(), 0o600), 1),
        ]
        operation = self.dice.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        try:
            operation()
        except OSError as error:
            if error.errno not in EXPECTED:
                raise
        self.done += 1


def work(root, seed, seconds, results):
    worker = Worker(root, seed)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            worker.step()
        results.put((worker.done, None))
    except (OSError, AssertionError) as error:
        results.put((worker.done, f"seed {seed}, operation {worker.done}: {error!r}"))


def main():
    root, processes, seconds, seed = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    results = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=work, args=(root, seed * 1000 + number, seconds, results))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    outcomes = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    failures = [failure for _, failure in outcomes if failure]
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{sum(done for done, _ in outcomes)} operations by {processes} processes")
    sys.exit(1 if failures else 0)


main()
