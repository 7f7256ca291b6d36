"""The figures to reach: target, measured, met or missed."""

from dataclasses import dataclass

from .workloads.small import SIZE


@dataclass
class Figure:
    what: str
    target: str
    measured: str
    # None: not measured in this run.
    met: bool | None

    def cells(self):
        return [self.what, self.target, self.measured, {True: "met", False: "MISSED", None: "not measured"}[self.met]]


class Judge:
    """Compares medians of one run with each other and with exact counts."""

    def __init__(self, medians, sizes):
        self.medians, self.sizes, self.figures = medians, sizes, []

    def median(self, workload, delay, what, system="hushfs"):
        return self.medians.value(workload, delay, system, what)

    def most(self, workload, delay, what):
        return self.medians.most(workload, delay, "hushfs", what)

    def add(self, what, target, measured, met):
        self.figures.append(Figure(what, target, measured, met))

    def at_least(self, what, ours, theirs, factor, of):
        target = f"{factor:g} of {of}"
        if ours is None or not theirs:
            return self.add(what, target, "", None)
        return self.add(what, target, f"{ours / theirs:.2f} ({ours:,.0f} to {theirs:,.0f})", ours >= factor * theirs)

    def at_most(self, what, measured, bound, unit):
        met = None if measured is None else measured <= bound
        self.add(what, f"at most {bound:g} {unit}", "" if measured is None else f"{measured:,.2f} {unit}", met)

    def exactly(self, what, measured, wanted, unit):
        met = None if measured is None else measured == wanted
        self.add(what, f"exactly {wanted} {unit}", "" if measured is None else f"{measured:g} {unit}", met)


def judge(medians, sizes):
    judge_ = Judge(medians, sizes)
    for part in (sequential, small, programs, listings, durability, volume, processor):
        part(judge_)
    return judge_.figures


def sequential(judge):
    def rate(result):
        return result.rate

    def stored(result):
        return result.stored_rate
    write, read = "sequential write", "sequential read, cold"
    judge.at_least("sequential write, in the bucket", judge.median(write, 0, stored),
                   judge.median(write, 0, rate, "SDK alone"), 0.8, "the SDK alone")
    judge.at_least("sequential read, cold", judge.median(read, 0, rate),
                   judge.median(read, 0, rate, "SDK alone"), 0.8, "the SDK alone")
    for warm in ("sequential read, warm", "sequential read, from its own memory"):
        judge.at_least(warm, judge.median(warm, 0, rate), judge.median(warm, 0, rate, "memory"), 0.8,
                       "FUSE in memory")
    for name, delay in ((write, 0), (read, 0)):
        judge.at_least(f"{name}: of the null cipher", judge.median(name, delay, stored),
                       judge.median(name, delay, stored, "hushfs, null cipher"), 0.85, "the null cipher")


def small(judge):
    def rate(result):
        return result.rate
    create, remove = "create files of 4 KiB, 1 thread", "rm -rf of files of 4 KiB"
    for name, factor in ((create, 5), (remove, 2)):
        ours = judge.median(name, 0, rate)
        judge.at_least(name, ours, judge.median(name, 0, rate, "memory"), 0.6, "FUSE in memory")
        judge.at_least(name, ours, judge.median(name, 0, rate, "gocryptfs"), factor, "gocryptfs on the disk")
    files = judge.sizes["files"]
    judge.at_most(f"{files:,} files of 4 KiB", judge.most(create, 0, lambda r: r.puts()), 20, "PUTs")

    def metadata(result):
        data = result.amount * SIZE
        return (result.up() - data) / data
    judge.at_most("metadata to data, in bytes", judge.most(create, 0, metadata), 0.1, "")


def programs(judge):
    for name in ("untar of a source tree", "git clone", "rsync, first copy"):
        returned = judge.median(name, 30, lambda r: r.rate)
        judge.at_least(f"{name}, 30 ms", returned, judge.median(name, 30, lambda r: r.rate, "gocryptfs"), 1,
                       "gocryptfs on the disk")
        judge.at_most(f"{name}, in the bucket after it returned",
                      judge.most(name, 30, lambda r: r.stored - r.returned), 10, "s")
    name = "rsync with nothing to do"
    judge.exactly(f"{name}, of data", judge.most(name, 0, lambda r: sum(
        cost.requests for (_, area), cost in r.cost.items() if area == "data")), 0, "requests")
    judge.at_least(name, judge.median(name, 0, lambda r: r.rate),
                   judge.median(name, 0, lambda r: r.rate, "gocryptfs"), 0.7, "gocryptfs on the disk")


def listings(judge):
    name, count = "ls -lR, cold", judge.sizes["tree"]
    judge.at_most(f"ls -lR of {count:,} files, cold, 30 ms", judge.most(name, 30, lambda r: r.requests()), 39, "requests")
    judge.at_most(f"ls -lR of {count:,} files, cold, 30 ms", judge.median(name, 30, lambda r: r.returned), 3, "s")
    # No figure to reach: what FUSE leaves of the one above, with everything known.
    warm = "ls -lR, warm"
    judge.at_least(warm, judge.median(warm, 0, lambda r: r.rate), judge.median(warm, 0, lambda r: r.rate, "memory"), 0.8,
                   "FUSE in memory")


def durability(judge):
    for name, puts in (("fsync of one small new file", 1), ("fsync of a large dirty chunk", 2)):
        for delay in (0, 30):
            measured = judge.most(name, delay, lambda r: r.puts())
            if measured is not None:
                judge.exactly(f"{name}, {delay} ms", measured, puts, "PUTs")
    name = "4 KiB random writes"
    judge.at_most(f"{name}, bytes up for each byte", judge.most(name, 0, lambda r: r.up() / (r.amount * 4096)), 20, "")


def volume(judge):
    # Where there is no data but a commit, it is the log's.
    def commits(result):
        return sum(cost.requests for (kind, area), cost in result.cost.items() if kind == "put" and area == "log")

    def data(result):
        return sum(cost.up for (_, area), cost in result.cost.items() if area == "data")
    for name in ("rename of a large directory", "cp of a large file within the mount"):
        judge.exactly(name, judge.most(name, 0, commits), 1, "commits")
        judge.exactly(f"{name}, data moved", judge.most(name, 0, data), 0, "bytes")
    name, count = "mount of a large volume", judge.sizes["volume"]
    judge.at_most(f"mount, {count:,} files, 30 ms", judge.median(name, 30, lambda r: r.returned), 1, "s")
    judge.at_most(f"mount, {count:,} files, 30 ms", judge.most(name, 30, lambda r: r.requests()), 10, "requests")
    name, minutes = "idle for a minute", judge.sizes["idle"] / 60
    judge.exactly("idle", judge.most(name, 0, lambda r: r.puts()), 0, "PUTs")
    judge.at_most("idle", judge.most(name, 0, lambda r: r.requests("get", "list", "head") / minutes), 1,
                  "GETs a minute")


def processor(judge):
    # Sealing and opening what was moved, at the speed of the cipher alone, in the processor time of all programs of the
    # mount. The profiles in docs/performance.md count instructions.
    for name, verb in (("sequential write", "seal"), ("sequential read, cold", "open")):
        speed = judge.median(f"AEAD, {verb}, one thread", 0, lambda r: r.rate, "AEAD alone")
        spent = judge.median(name, 0, lambda r: r.cpu / r.amount if r.amount else 0)
        share = None if not speed or not spent else 1 / speed / spent
        judge.at_most(f"{name}: share of the cipher in the mount's CPU", share, 0.35, "")
    for name in ("sequential write", "sequential read, cold", "ls -lR, cold", "create files of 4 KiB, 1 thread"):
        delay = 30 if name == "ls -lR, cold" else 0
        peak = judge.most(name, delay, lambda r: r.peak / (1 << 20))
        judge.at_most(f"{name}: memory at its peak", peak, judge.sizes["memory"], "MiB")
