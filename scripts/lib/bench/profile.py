"""Where the processor's time goes: perf on the mount's processes while a workload runs."""

import re
import shutil
import signal
import subprocess

from .process import Failure, run

# Samples a second of processor time, in each thread.
FREQUENCY = 499
SHOWN = 16
# The workloads in which a mount works hardest.
HOTTEST = ("sequential write", "sequential read, cold", "create files of 4 KiB, 1 thread")


class Profile:
    """A recording, from its making to `stop`."""

    def __init__(self, pids, place):
        if shutil.which("perf") is None:
            raise Failure("perf is not installed (Debian: linux-perf)")
        self.place = place
        command = ["perf", "record", "-q", "-F", str(FREQUENCY), "-p", ",".join(map(str, pids)), "-o", str(place)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def stop(self):
        """Rows for two tables: shares by kind of thread, and by function."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate()
        if not self.place.exists():
            raise Failure(f"perf: {said.strip()}")
        return self._shares("comm"), self._shares("dso,symbol")

    def _shares(self, by):
        said = run(["perf", "report", "-i", self.place, "--stdio", "--no-children", "--percent-limit", "0.5",
                    "--sort", by])
        rows = [line.strip() for line in said.splitlines() if re.match(r"\s+\d+\.\d+%", line)]
        return [self._split(row) for row in rows[:SHOWN]]

    @staticmethod
    def _split(row):
        share, _, what = row.partition("%")
        # Newer versions end the line with a column for the instructions per cycle, which is empty here.
        what = re.sub(r"(\s+-)+$", "", what.strip())
        return [f"{float(share):.1f}%", re.sub(r"\s+", " ", what).replace("|", "\\|")]
