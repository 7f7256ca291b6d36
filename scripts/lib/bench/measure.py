"""One workload on one system, once: times, counts, memory, processor."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field

from .process import Failure, busy_seconds, forget_peak, peak_bytes
from .store import difference


# hushfs does everything in full; a run that takes longer than this, in seconds, is broken.
OURS_LIMIT = 300


@dataclass
class Result:
    """What one run has shown. Times are in seconds."""

    workload: str
    system: str
    delay: int
    # Files, entries, requests or MiB, and which of them.
    amount: float = 0
    unit: str = ""
    returned: float = 0
    stored: float = 0
    # It was stopped at the limit; the rate is that of what was done.
    cut: bool = False
    cost: dict = field(default_factory=dict)
    # Processor time of the programs of the mount, and of everything on the machine.
    cpu: float = 0
    busy: float = 0
    peak: int = 0
    failure: str = ""

    @property
    def rate(self):
        return self.amount / self.returned if self.returned else 0

    @property
    def stored_rate(self):
        return self.amount / self.stored if self.stored else 0

    def requests(self, *kinds):
        return sum(cost.requests for (kind, _), cost in self.cost.items() if not kinds or kind in kinds)

    def puts(self):
        return self.requests("put", "put-part", "copy")

    def up(self):
        return sum(cost.up for cost in self.cost.values())

    def down(self):
        return sum(cost.down for cost in self.cost.values())


class Run:
    """What a workload is given. It prepares, then calls `timed` once."""

    def __init__(self, bench, system, workload, delay):
        self.bench, self.system, self.sizes = bench, system, bench.sizes
        self.result = Result(workload.name, system.name, delay, unit=workload.unit)
        self.delay = delay
        self.limit = max(bench.limit, OURS_LIMIT) if system.is_ours else bench.limit

    @property
    def root(self):
        return self.system.mountpoint

    def prepare(self, name, make):
        """Has `make(place)` done once for a system; the place is the same afterwards. Never delayed."""
        place = self.root / name
        if name not in self.system.prepared:
            self.bench.store.delay(0)
            make(place)
            self.system.drain()
            self.system.prepared.add(name)
        return place

    def cold(self):
        self.bench.store.delay(0)
        self.system.cold()

    def timed(self, work, drained=True):
        """Measures `work`, which returns an amount, and then, if it is to be `drained`, until everything is in the
        bucket: for hushfs that is a look into the bucket, which counts."""
        system, store, result = self.system, self.bench.store, self.result
        store.delay(self.delay)
        forget_peak(system.pids())
        profile = self.bench.profile(self) if self.bench.profiling else None
        before, cpu, busy = store.groups(system.bucket), system.cpu(), busy_seconds()
        start = time.monotonic()
        amount = work()
        result.returned = time.monotonic() - start
        if drained:
            system.drain()
        result.stored = time.monotonic() - start
        if profile:
            self.bench.profiles[f"{result.workload}, {self.delay} ms"] = profile.stop()
        result.busy = busy_seconds() - busy
        result.cost = difference(before, store.groups(system.bucket))
        result.cpu, result.peak = system.cpu() - cpu, peak_bytes(system.pids())
        result.amount = result.amount if amount is None else amount

    def load(self, *words, unlimited=False):
        """bench-load; returns what it did."""
        limit = {} if unlimited else {"LIMIT": str(self.limit)}
        return self.bench.tool("bench-load", *words, **limit)

    def files(self, *words, **options):
        return self.load(*words, **options)["count"]

    def mebibytes(self, *words, **options):
        return self.load(*words, **options)["bytes"] / (1 << 20)

    def command(self, *words, cwd=None, limited=True, **environment):
        """A program that is the workload. At the limit it is stopped, and the result says so."""
        process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   cwd=cwd, env={**os.environ, **environment}, start_new_session=True)
        try:
            said, _ = process.communicate(timeout=self.limit if limited else None)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            self.result.cut = True
            return b""
        if process.returncode != 0:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise Failure(f"{words[0]}: {''.join(last) or process.returncode}")
        return said
