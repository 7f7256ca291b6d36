"""Processes: what they cost, and whether a mount is there."""

import os
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something that ends the measurement of one system, with a reason for the table."""


def run(command, **options):
    """Runs a command to its end and returns its output; what it says goes into the failure."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failure(f"{os.path.basename(str(command[0]))} failed: {said[-1] if said else done.returncode}")
    return done.stdout


def wait_until(true, seconds, what, process=None):
    """Waits for an outside condition. It is looked at often: nobody tells us of it."""
    end = time.monotonic() + seconds
    while not true():
        if process is not None and process.poll() is not None:
            raise Failure(f"{what}: the program ended with {process.returncode}")
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return any(line.split()[4] == str(path) for line in mounts)


def family(pid):
    """The process and all that came from it."""
    found, next_ones = [], [pid]
    while next_ones:
        one = next_ones.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children", encoding="utf-8") as children:
                    next_ones += [int(child) for child in children.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    return found


def cpu_seconds(pids):
    """User and system time of processes that run, with that of children they have waited for."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICK


def busy_seconds():
    """Time that all processors of the machine have worked, for whomever (proc_stat(5))."""
    with open("/proc/stat", encoding="utf-8") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def forget_peak(pids):
    """From now on the peak of memory is counted anew (proc(5), clear_refs)."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/clear_refs", "w", encoding="utf-8") as file:
                file.write("5")
        except (FileNotFoundError, ProcessLookupError):
            pass


def peak_bytes(pids):
    """Sum of the peaks of resident memory."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as status:
                total += sum(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total
