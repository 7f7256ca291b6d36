"""Directories: listing, walking, renaming."""

import shutil

from .registry import workload


def tree(run):
    """Many empty files, 1,000 to a directory. Others than hushfs make as many as they can within the limit."""
    return populated(run, "tree", run.sizes["tree"])


def populated(run, name, count):
    ours = run.system.is_ours
    return run.prepare(name, lambda place: run.load("create", place, count, 0, 4, unlimited=ours))


def entries(said):
    return sum(1 for line in said.splitlines() if b"file-" in line)


@workload("ls -lR, cold", "entries", delays=(30, 0), cold=True, quick_peers=True, figure=True, floor=True)
def list_cold(run):
    place = tree(run)
    run.cold()
    run.timed(lambda: entries(run.command("ls", "-lR", place)))


@workload("ls -lR, warm", "entries", figure=True)
def list_warm(run):
    place = tree(run)
    run.command("ls", "-lR", place)
    run.timed(lambda: entries(run.command("ls", "-lR", place)))


@workload("find, cold", "entries", delays=(30, 0), cold=True)
def find_cold(run):
    place = tree(run)
    run.cold()
    run.timed(lambda: entries(run.command("find", place, "-name", "file-*")))


@workload("find, warm", "entries")
def find_warm(run):
    place = tree(run)
    run.command("find", place, "-name", "file-*")
    run.timed(lambda: entries(run.command("find", place, "-name", "file-*")))


@workload("rename of a large directory", "directories", delays=(0, 30))
def rename(run):
    place = tree(run)
    other = place.with_name("tree-renamed")

    def work():
        place.rename(other)
        return 1
    try:
        run.timed(work)
    finally:
        if other.exists():
            other.rename(place)


@workload("rsync with nothing to do", "entries", figure=True)
def rsync_nothing(run):
    """Over the tree and a copy of it on the local disk, metadata warm."""
    place = tree(run)
    copy = run.bench.work / "copies" / run.system.bucket
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        run.command("rsync", "-a", f"{place}/", copy, limited=False)

    def again():
        return run.command("rsync", "-a", "--stats", f"{copy}/", place)
    again()

    def work():
        lines = again().decode().splitlines()
        count = next((line for line in lines if line.startswith("Number of files:")), ": 0")
        return int(count.split(":")[1].split()[0].replace(",", ""))
    try:
        run.timed(work)
    finally:
        if run.system.volatile:
            shutil.rmtree(copy)
