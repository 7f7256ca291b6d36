"""What people run: tar, git, rsync, SQLite."""

import shutil

from ..process import run as run_command
from .registry import workload


def fresh(run, name):
    place = run.root / name
    shutil.rmtree(place, ignore_errors=True)
    run.system.drain()
    return place


def copied(run, place, *command):
    """Times a command that puts the source tree into `place`; counts what is there if it was stopped."""
    entries = run.bench.source.entries

    def work():
        run.command(*command)
    run.timed(work)
    run.result.amount = sum(1 for _ in place.rglob("*")) if run.result.cut else entries


@workload("untar of a source tree", "entries", delays=(30, 0), quick_peers=True, figure=True)
def untar(run):
    place = fresh(run, "untar")
    place.mkdir()
    copied(run, place, "tar", "-xf", run.bench.source.tar, "-C", place)


@workload("git clone", "entries", delays=(30, 0), figure=True)
def git_clone(run):
    place = fresh(run, "clone")
    copied(run, place, "git", "clone", "-q", f"file://{run.bench.source.repository}", place)


@workload("rsync, first copy", "entries", delays=(30, 0), figure=True)
def rsync_first(run):
    place = fresh(run, "rsync")
    copied(run, place, "rsync", "-a", f"{run.bench.source.tree}/", place)


@workload("git status, cold", "entries", delays=(30, 0), cold=True)
def git_status(run):
    source = run.bench.source
    place = run.prepare("status", lambda place: run.command(
        "git", "clone", "-q", f"file://{source.repository}", place))
    run.cold()

    def work():
        run.command("git", "-C", place, "status", "--short")
        return 0 if run.result.cut else source.entries
    run.timed(work)


@workload("SQLite, a commit for each insert", "inserts", delays=(0, 30))
def sqlite(run):
    place = run.root / "test.db"
    for name in (place, run.root / "test.db-journal"):
        name.unlink(missing_ok=True)
    run_command(["sqlite3", place, "create table t (a integer primary key, b text)"])
    run.system.drain()
    count = run.sizes["inserts"]
    script = "".join(f"insert into t (b) values ('row {number}');\n" for number in range(count))
    queries = run.bench.work / "inserts.sql"
    queries.write_text(script, encoding="utf-8")

    def work():
        run.command("sqlite3", place, f".read {queries}")
        return None if run.result.cut else count
    run.timed(work)
    if run.result.cut:
        # The journal that a stopped program left is rolled back by whoever opens it next.
        run.result.amount = int(run_command(["sqlite3", place, "select count(*) from t"]))
