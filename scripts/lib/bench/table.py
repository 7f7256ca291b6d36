"""Medians of results, and the tables that show them."""

import statistics
from collections import defaultdict


def human(number):
    if number >= 1000:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.3g}"


def size(count):
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f} B"


class Medians:
    """All results by workload, delay and system."""

    def __init__(self, results):
        self.cells = defaultdict(list)
        for result in results:
            self.cells[result.workload, result.delay, result.system].append(result)

    def good(self, workload, delay, system):
        return [result for result in self.cells.get((workload, delay, system), []) if not result.failure]

    def value(self, workload, delay, system, what):
        """The median of `what(result)`, or None where nothing was measured."""
        found = [what(result) for result in self.good(workload, delay, system)]
        return statistics.median(found) if found else None

    def most(self, workload, delay, system, what):
        found = [what(result) for result in self.good(workload, delay, system)]
        return max(found) if found else None

    def rows(self):
        """(workload, delay) in the order in which they were measured first."""
        return list(dict.fromkeys((workload, delay) for workload, delay, _ in self.cells))

    def systems(self, workload, delay):
        return [s for w, d, s in self.cells if (w, d) == (workload, delay)]


HEAD = ("system", "rate", "in bucket", "returned", "in bucket", "of hushfs", "requests", "up", "down", "CPU", "all CPU",
        "memory")


def lines(medians):
    """One table for each workload, as rows of cells; the first is its title."""
    for workload, delay in medians.rows():
        base = medians.value(workload, delay, "hushfs", lambda result: result.rate)
        yield f"{workload}, {delay} ms", [row(medians, workload, delay, system, base)
                                          for system in medians.systems(workload, delay)]


def row(medians, workload, delay, system, base):
    results = medians.cells[workload, delay, system]
    good = medians.good(workload, delay, system)
    if not good:
        return [system, results[0].failure] + [""] * (len(HEAD) - 2)

    def median(what):
        return medians.value(workload, delay, system, what)
    last = good[-1]
    rate = median(lambda result: result.rate)
    cut = " (cut)" if any(result.cut for result in good) else ""
    return [system, f"{human(rate)} {last.unit}/s{cut}", f"{human(median(lambda r: r.stored_rate))}/s",
            f"{median(lambda r: r.returned):.3f} s", f"{median(lambda r: r.stored):.3f} s",
            f"{rate / base:.2f}" if base else "", requests(last), size(last.up()), size(last.down()),
            f"{median(lambda r: r.cpu):.2f} s", f"{median(lambda r: r.busy):.2f} s",
            size(medians.most(workload, delay, system, lambda r: r.peak))]


def requests(result):
    """`12 put, 3 get`: exact, of the last round."""
    kinds = defaultdict(int)
    for (kind, _), cost in result.cost.items():
        kinds[kind] += cost.requests
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count) or "0"


def text(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def markdown(rows):
    head, *rest = rows
    parts = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(parts + ["| " + " | ".join(row) + " |" for row in rest])
