"""Small files by the thousand."""

import shutil

from .registry import workload

SIZE = 4096


def clear(run, name):
    """Nothing of that name is there."""
    shutil.rmtree(run.root / name, ignore_errors=True)
    run.system.prepared.discard(name)
    run.system.drain()


def create(run, threads):
    name = f"small-{threads}"
    clear(run, name)
    run.timed(lambda: run.files("create", run.root / name, run.sizes["files"], SIZE, threads))
    run.system.prepared.add(name)


@workload("create files of 4 KiB, 1 thread", "files", quick_peers=True, figure=True)
def create_1(run):
    create(run, 1)


@workload("create files of 4 KiB, 8 threads", "files")
def create_8(run):
    create(run, 8)


@workload("read files of 4 KiB, cold", "files", delays=(30, 0), cold=True, quick_peers=True)
def read_cold(run):
    place = run.prepare("small-1", lambda place: run.load("create", place, run.sizes["files"], SIZE, 1))
    run.cold()
    run.timed(lambda: run.files("read-all", place, 1))


@workload("rm -rf of files of 4 KiB", "files", quick_peers=True, figure=True)
def remove(run):
    clear(run, "doomed")
    place = run.root / "doomed"
    made = run.files("create", place, run.sizes["files"], SIZE, 1)
    run.system.drain()

    def work():
        run.command("rm", "-rf", place)
        return made - sum(1 for _ in place.rglob("file-*"))
    run.timed(work)


@workload("fsync of one small new file", "files", delays=(30, 0), ours=True)
def fsync_small(run):
    """Exactly what one fsync costs in requests."""
    place = run.root / "fsync-small"
    place.write_bytes(b"x" * SIZE)
    run.system.drain()
    run.timed(lambda: run.files("random-write", place, 1, "fsync"))


@workload("fsync of a large dirty chunk", "files", delays=(30, 0), ours=True)
def fsync_large(run):
    # A new one in each round: one that is removed is freed a moment later, with a commit of its own.
    place = run.root / f"fsync-large-{sum(1 for _ in run.root.glob('fsync-large-*'))}"
    run.system.drain()

    def work():
        run.command("dd", "if=/dev/urandom", f"of={place}", "bs=64K", "count=1", "conv=fsync")
        return 1
    run.timed(work)
