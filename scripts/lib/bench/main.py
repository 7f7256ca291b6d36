"""Arguments, order of the runs, and the end of everything that was started."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import limits, peers, report, sizes
from .measure import Run
from .ours import Disk, Hushfs, Memory, Null
from .process import Failure, run
from .profile import HOTTEST, Profile
from .source import Source
from .store import Store
from .workloads import WORKLOADS

OURS = [Hushfs, Null, Memory, Disk]
# Those that the figures are ratios to, besides the SDK: they take part in every round.
REFERENCES = {"memory", "gocryptfs"}
# Where the null cipher is compared.
COMPARED = {"sequential write", "sequential read, cold"}


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--quick", action="store_true", help="smaller sizes, under 10 minutes")
    forms.add_argument("--smoke", action="store_true", help="seconds: only proves that the bench works")
    parser.add_argument("--rounds", type=int, help="how often (3; 1 for --smoke)")
    parser.add_argument("--budget", type=float, help="minutes after which only hushfs and what it is compared with go on, "
                        "and after the first round nothing does")
    parser.add_argument("--systems", help="only these, with commas")
    parser.add_argument("--peers", help="only these peers, with commas; none for none")
    parser.add_argument("--only", action="append", default=[], help="only workloads whose name holds this; repeatable")
    parser.add_argument("--delay", type=int, help="only with this many milliseconds for each request")
    parser.add_argument("--null", action="store_true", help="builds with the null cipher too, and compares (always in the full form)")
    parser.add_argument("--perf", action="store_true", help="one more round of the three hottest workloads, under perf")
    parser.add_argument("--install-peers", action="store_true", help="installs what is missing of the peers")
    parser.add_argument("--profile", default="release", help="cargo profile of hushfs and the programs")
    parser.add_argument("--built", type=pathlib.Path, help="takes hushfs and the programs from this folder, and builds nothing")
    parser.add_argument("--markdown", type=pathlib.Path, help="writes the tables into this file too")
    parser.add_argument("--json", type=pathlib.Path, help="writes every single result into this file")
    parser.add_argument("--list", action="store_true", help="names workloads and systems, and measures nothing")
    return parser.parse_args()


class Bench:
    """One run of the bench and what belongs to it."""

    def __init__(self, root, options):
        self.root, self.options = root, options
        self.sizes = sizes.SMOKE if options.smoke else sizes.QUICK if options.quick else sizes.FULL
        # Seconds after which one workload is stopped, and after which no further round is begun.
        self.limit = 3 if options.quick else 5 if options.smoke else 60
        self.budget = 60 * options.budget if options.budget else 450 if options.quick else float("inf")
        self.rounds = options.rounds or (1 if options.smoke else 3)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="hushfs-bench."))
        self.store, self.systems, self.results = None, [], []
        self.start = time.monotonic()
        self.programs, self.tools = {}, None
        self.profiling, self.profiles = False, {}

    def say(self, *words):
        print(*words, file=sys.stderr, flush=True)

    def build(self):
        """hushfs and the programs, as users get them."""
        options = self.options
        if options.built:
            self.tools, self.programs["release"] = options.built.resolve(), options.built.resolve() / "hushfs"
            null = self.tools / "hushfs-null-cipher"
            if null.exists():
                self.programs["null"] = null
            return
        self.say(f"building hushfs and the programs ({options.profile})")
        cargo = ["cargo", "build", "--locked", "--profile", options.profile, "--manifest-path", self.root / "Cargo.toml"]
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", self.root / "target"))
        folder = "debug" if options.profile == "dev" else options.profile
        self.tools = target / folder
        # First the other one: what stays in the folder is the ordinary build. Dependencies are the same for both.
        if options.null or not (options.quick or options.smoke):
            run([*cargo, "-p", "hushfs", "--features", "null-cipher"])
            self.programs["null"] = self.kept("hushfs", "hushfs-null-cipher")
        run([*cargo, "-p", "hushfs", "-p", "hushfs-bench"])
        self.programs["release"] = self.kept("hushfs", "hushfs")

    def kept(self, program, name):
        """A copy of a program that was just built: the next build replaces it."""
        folder = self.work / "programs"
        folder.mkdir(exist_ok=True)
        return pathlib.Path(shutil.copy(self.tools / program, folder / name))

    def installed(self, name):
        """Where pip puts a peer: an environment of its own, as for the test servers."""
        cache = os.environ.get("HUSHFS_SERVER_CACHE") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "hushfs-test-servers")
        return pathlib.Path(cache) / f"{name}-{VERSIONS[name]}"

    def install_peers(self):
        wanted = " && ".join(f'venv "{name}-{version}" "{name}-bin=={version}"' for name, version in VERSIONS.items())
        debian = "need gocryptfs gocryptfs && need cryfs cryfs && need s3fs s3fs && "
        run(["bash", "-c", f'. "$0" && {debian}{wanted}', self.root / "scripts" / "servers" / "common.sh"])

    def tool(self, name, *words, **environment):
        """One of the programs; what it printed, as a value."""
        known = {**os.environ, **(self.store.environment if self.store else {}), **environment}
        return json.loads(run([self.tools / name, *words], env=known))

    def choose(self):
        """The systems of this run, in order, and a line for each that is not here."""
        options = self.options
        named = options.peers.split(",") if options.peers else None
        chosen = OURS + [peer for peer in peers.PEERS if not options.smoke and (named is None or peer.name in named)]
        if options.systems:
            chosen = [system for system in OURS + peers.PEERS if system.name in options.systems.split(",")]
        for system in (kind(self) for kind in chosen):
            why = system.missing()
            if why:
                self.say(f"not measured: {system.name}: {why}")
            else:
                self.systems.append(system)

    def workloads(self):
        only = self.options.only
        return [one for one in WORKLOADS if not only or any(part in one.name for part in only)]

    def delays(self, one):
        if self.options.delay is not None:
            return [delay for delay in one.delays if delay == self.options.delay]
        return one.delays[:1] if self.options.quick or self.options.smoke else one.delays

    def takes_part(self, system, one, number):
        """Whether a system runs a workload in round `number`; see --quick and --budget."""
        ours = one.ours or (one.alone_in_full and not (self.options.quick or self.options.smoke))
        if (ours and system.name != "hushfs") or (one.cold and not system.can_be_cold(one)):
            return False
        late = time.monotonic() - self.start > self.budget
        if number and late:
            return False
        if system.is_ours:
            return system.name == "hushfs" or one.name in COMPARED
        if system.name in REFERENCES:
            return one.figure or (not self.options.quick and number == 0)
        return number == 0 and not late and (one.quick_peers or not self.options.quick)

    def measure(self):
        self.start = time.monotonic()
        for number in range(self.rounds):
            if number and time.monotonic() - self.start > self.budget:
                self.say(f"out of time after {number} rounds")
                break
            if self.options.systems is None:
                self.results += limits.measure(self)
            for one in self.workloads():
                if one.name == "idle for a minute" and number:
                    continue  # once is enough: it waits
                for delay in self.delays(one):
                    for system in self.systems:
                        if self.takes_part(system, one, number):
                            self.one(system, one, delay, number)
            for system in self.systems:
                if system.volatile and system.processes:
                    system.unmount()

    def measure_profiles(self):
        """Apart from the rounds: perf costs something itself, so these times are not counted."""
        self.profiling = True
        system = next(system for system in self.systems if system.name == "hushfs")
        for one in WORKLOADS:
            if one.name in HOTTEST:
                self.one(system, one, 0, self.rounds, counted=False)
        self.profiling = False

    def profile(self, measured):
        """A recording of the system that is being measured."""
        return Profile(measured.system.pids(), self.work / "perf.data")

    def one(self, system, one, delay, number, counted=True):
        """One run. A system that fails is noted, made anew, and goes on with the next workload."""
        measured = Run(self, system, one, delay)
        start = time.monotonic()
        try:
            self.store.delay(0)
            system.ready()
            one.work(measured)
            self.store.delay(0)
            if not system.volatile:
                system.unmount()
        except (Failure, OSError, subprocess.SubprocessError) as error:
            measured.result.failure = str(error).replace("\n", " ")[:120]
            self.store.delay(0)
            system.remove()
            system.reset()
        if counted:
            self.results.append(measured.result)
        took = time.monotonic() - start
        self.say(report.line(number + 1, measured.result, took))

    def end(self):
        for system in self.systems:
            system.remove()
        if self.store:
            self.store.stop()
        shutil.rmtree(self.work, ignore_errors=True)


VERSIONS = {"rclone": "1.75.2", "juicefs": "1.4.2"}


def main(root):
    options = arguments()
    if options.list:
        print("\n".join([one.name for one in WORKLOADS] + ["", *(s.name for s in OURS + peers.PEERS)]))
        return 0
    # A stop from outside ends what was started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(root, options)
    try:
        if options.install_peers:
            bench.install_peers()
        bench.build()
        bench.store = Store(root / "scripts", bench.tools, bench.work)
        bench.store.make_bucket(limits.BUCKET)
        bench.source = Source(root, bench.work, bench.sizes["source"])
        bench.choose()
        bench.measure()
        if options.perf:
            bench.measure_profiles()
        report.write(bench, time.monotonic() - bench.start)
    finally:
        bench.end()
    failed = [r for r in bench.results if r.failure and r.system == "hushfs"]
    return 1 if failed else 0
