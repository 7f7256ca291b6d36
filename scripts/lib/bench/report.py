"""What the bench prints, and what it writes into a document."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import subprocess

from . import table
from .allowed import allowed
from .figures import judge

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


def line(number, result, took):
    """One run, while it goes on."""
    what = f"{number}  {result.workload}, {result.delay} ms  {result.system}:"
    if result.failure:
        return f"{what} FAILED: {result.failure}"
    return (f"{what} {table.human(result.rate)} {result.unit}/s, returned {result.returned:.2f} s, in bucket "
            f"{result.stored:.2f} s, {table.requests(result)} ({took:.1f} s in all)")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        model = next((row.split(":")[1].strip() for row in cpuinfo if row.startswith("model name")), "unknown")
    with open("/proc/meminfo", encoding="utf-8") as meminfo:
        memory = int(next(row for row in meminfo if row.startswith("MemTotal")).split()[1]) / (1 << 20)
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def version(root):
    done = subprocess.run(["git", "-C", str(root), "describe", "--always", "--dirty"], capture_output=True, text=True,
                          check=False)
    return done.stdout.strip() or "no git"


def sections(bench, seconds):
    """(title, rows) of everything; the first is the figures."""
    medians = table.Medians(bench.results)
    figures = judge(medians, bench.sizes)
    rounds = max((len(found) for found in medians.cells.values()), default=0)
    form = "smoke" if bench.options.smoke else "quick" if bench.options.quick else "full"
    head = (f"{datetime.date.today()}, {machine()}; commit {version(bench.root)}, form {form}, {rounds} rounds, "
            f"{seconds / 60:.1f} minutes. Load average at the end: {os.getloadavg()[0]:.1f}.")
    yield head, [["figure", "target", "measured", ""], *(figure.cells() for figure in figures)]
    yield "What these cores allow", [["figure", "limit", "because"], *allowed(medians, os.cpu_count())]
    for title, rows in table.lines(medians):
        yield title, [list(table.HEAD), *rows]
    for title, (threads, functions) in bench.profiles.items():
        yield f"Profile by thread: {title}", [["share", "thread"], *threads]
        yield f"Profile by function: {title}", [["share", "where"], *functions]
    drained = [["system", "everything is in the bucket when"], *([s.name, s.drained_by] for s in bench.systems)]
    yield "How it is known that everything is in the bucket", drained


def write(bench, seconds):
    found = list(sections(bench, seconds))
    for title, rows in found[1:] + found[:1]:
        print(f"\n{title}\n{table.text(rows)}")
    if bench.options.json:
        bench.options.json.write_text(json.dumps([plain(result) for result in bench.results], indent=1), encoding="utf-8")
    if bench.options.markdown:
        body = "\n\n".join(f"{head(title, number)}\n\n{table.markdown(rows)}" for number, (title, rows) in enumerate(found))
        insert(bench.options.markdown, body)


def head(title, number):
    return title if number == 0 else f"### {title}"


def plain(result):
    cost = {f"{kind} {area}".strip(): dataclasses.asdict(cost) for (kind, area), cost in result.cost.items()}
    return {**{f.name: getattr(result, f.name) for f in dataclasses.fields(result)}, "cost": cost}


def insert(path, body):
    """Puts the tables between the marks of a document, or at its end."""
    text = pathlib.Path(path).read_text(encoding="utf-8") if path.exists() else ""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2] if rest else "\n"
    path.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}", encoding="utf-8")
