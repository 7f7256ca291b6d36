"""What nobody can be faster than, measured in the same run."""

from .measure import Result
from .process import busy_seconds

OBJECT_MIB = 8
PARALLEL = 4
BUCKET = "bench-raw"


def measure(bench):
    """One round of all limits, as results of the systems "SDK" and "AEAD"."""
    store = bench.store
    objects = max(bench.sizes["sequential"] // OBJECT_MIB, 1)
    mib = bench.sizes["aead"]
    found = []
    store.delay(0)
    for delay in (0, 30):
        store.delay(delay)
        for verb, workload in (("put", "sequential write"), ("get", "sequential read, cold")):
            busy = busy_seconds()
            done = bench.tool("bench-limits", verb, store.endpoint, BUCKET, objects, OBJECT_MIB, PARALLEL)
            found.append(result(workload, "SDK alone", delay, done, busy_seconds() - busy))
    store.delay(0)
    for verb in ("seal", "open"):
        found.append(result(f"AEAD, {verb}, one thread", "AEAD alone", 0, bench.tool("bench-limits", verb, mib)))
    return found


def result(workload, system, delay, done, busy=0):
    seconds = done["seconds"]
    return Result(workload, system, delay, done["bytes"] / (1 << 20), "MiB", seconds, seconds, busy=busy)
