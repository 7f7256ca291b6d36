"""Contents of large files."""

import os

from .registry import workload

REPEATS = 10


def large(run):
    """The file that the others read."""
    mib = run.sizes["sequential"]
    return run.prepare("large", lambda place: run.load("write", place, mib, unlimited=run.system.volatile))


@workload("sequential write", "MiB", quick_peers=True, figure=True)
def write(run):
    run.timed(lambda: run.mebibytes("write", run.root / "large", run.sizes["sequential"]))
    run.system.prepared.add("large")


@workload("sequential read, cold", "MiB", delays=(0, 30), cold=True, quick_peers=True, figure=True)
def read_cold(run):
    place = large(run)
    run.cold()
    run.timed(lambda: run.mebibytes("read", place))


@workload("sequential read, warm", "MiB", figure=True)
def read_warm(run):
    """Once more, as a user would: mostly the kernel's page cache answers."""
    place = large(run)
    run.load("read", place, unlimited=True)
    run.timed(lambda: run.mebibytes("read", place))


@workload("sequential read, from its own memory", "MiB", figure=True)
def read_memory(run):
    """Read before, but the kernel has forgotten the pages: the filesystem answers. The file fits the memory that hushfs has
    for opened chunks by default."""
    mib = run.sizes["warm"]
    place = run.prepare("warm", lambda place: run.load("write", place, mib, unlimited=True))
    run.load("read", place, unlimited=True)

    def work():
        moved = 0
        for _ in range(REPEATS):
            forget(place)
            moved += run.mebibytes("read", place, unlimited=True)
        return moved
    run.timed(work)


def forget(place):
    """Takes one file out of the page cache (posix_fadvise(2))."""
    descriptor = os.open(place, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


@workload("first byte of a cold file", "files", delays=(30, 0), cold=True)
def first_byte(run):
    place = large(run)
    run.cold()
    run.timed(lambda: run.files("first-byte", place))


@workload("4 KiB random reads, cold, 1 thread", "reads", delays=(30, 0), cold=True)
def random_read(run):
    place = large(run)
    run.cold()
    run.timed(lambda: run.files("random-read", place, run.sizes["random"], 1))


@workload("4 KiB random reads, cold, 16 threads", "reads", delays=(30, 0), cold=True)
def random_read_parallel(run):
    place = large(run)
    run.cold()
    run.timed(lambda: run.files("random-read", place, run.sizes["random"] * 4, 16))


@workload("4 KiB random writes", "writes")
def random_write(run):
    place = large(run)
    run.timed(lambda: run.files("random-write", place, run.sizes["random"]))


@workload("4 KiB random writes, fsync each", "writes", delays=(0, 30), quick_peers=True)
def random_write_fsync(run):
    place = large(run)
    run.timed(lambda: run.files("random-write", place, run.sizes["fsync"], "fsync"))


@workload("cp of a large file within the mount", "MiB")
def copy(run):
    place = large(run)
    target = run.root / "copy"
    target.unlink(missing_ok=True)
    run.system.drain()

    def work():
        run.command("cp", place, target)
        return target.stat().st_size / (1 << 20)
    run.timed(work)
    target.unlink()
