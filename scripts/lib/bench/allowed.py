"""What the figures cannot pass on the machine of this run, whatever hushfs does: from what it is compared with."""


def allowed(medians, cores):
    """Rows of (figure, limit, why); a limit whose parts were not measured is left out."""
    return [*streams(medians, cores), *requests(medians), *listing(medians)]


def streams(medians, cores):
    """A stream passes through the server and its client, through FUSE, and through the cipher. They run side by side at
    best, and each needs its processor time."""
    for figure, fuse, verb in (("sequential write", "sequential write", "seal"),
                               ("sequential read, cold", "sequential read, from its own memory", "open")):
        def each(workload, system, what=lambda r: r.busy):
            return medians.value(workload, 0, system, lambda r: what(r) / r.amount if r.amount else 0)
        parts = (each(figure, "SDK alone"), each(fuse, "memory"),
                 each(f"AEAD, {verb}, one thread", "AEAD alone", lambda r: r.returned))
        sdk = medians.value(figure, 0, "SDK alone", lambda r: r.rate)
        if all(parts) and sdk:
            sdk_alone, in_memory, cipher = (1024 * part for part in parts)
            rate = cores * 1024 / (sdk_alone + in_memory + cipher)
            yield [f"{figure}, of the SDK alone", f"{min(rate / sdk, 1):.2f}",
                   f"processor time for a GiB: {sdk_alone:.2f} s server and SDK, {in_memory:.2f} s FUSE in memory and its reader or "
                   f"writer, {cipher:.2f} s cipher; on {cores} cores {rate:,.0f} MiB/s"]


def requests(medians):
    """A filesystem that answers from a map has nothing but FUSE to pay."""
    for figure in ("create files of 4 KiB, 1 thread", "rm -rf of files of 4 KiB"):
        floor, other = (medians.value(figure, 0, system, lambda r: r.rate) for system in ("memory", "gocryptfs"))
        if floor and other:
            yield [f"{figure}, of gocryptfs on the disk", f"{floor / other:.2f}", f"FUSE in memory reaches {floor:,.0f} a second"]


def listing(medians):
    """The kernel asks for each file's access control list, whoever serves it."""
    figure = "ls -lR, cold"
    floor = medians.value(figure, 30, "memory", lambda r: r.rate)
    entries = medians.value(figure, 30, "hushfs", lambda r: r.amount)
    if floor and entries:
        yield [f"{figure}, 30 ms", f"{entries / floor:.2f} s",
               f"FUSE in memory, of which the kernel has forgotten every name, lists {floor:,.0f} entries a second"]
