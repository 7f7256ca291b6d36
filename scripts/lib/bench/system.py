"""What is measured: something that is mounted, or a folder."""

import os
import shutil
import subprocess

from .process import Failure, cpu_seconds, family, is_mounted, run, wait_until

MOUNT_SECONDS = 120
DRAIN_SECONDS = 600


class System:
    """One filesystem with a volume of its own. Subclasses say how it is made, mounted and drained."""

    name = ""
    # In the bucket, or on the local disk only.
    remote = False
    # Loses everything when it is unmounted.
    volatile = False
    # hushfs: does all of every workload, however long it takes.
    is_ours = False
    # How "everything is in the bucket" is known; for the table.
    drained_by = "sync -f (the local disk)"

    def __init__(self, bench):
        self.bench = bench
        self.home = bench.work / self.name.replace(" ", "-")
        self.mountpoint = self.home / "mount"
        self.processes = []
        self.prepared = set()
        self.created = False
        self.generation = 0

    def reset(self):
        """After `remove`: the next run begins with a new volume, in a new bucket."""
        self.generation += 1
        self.created, self.prepared = False, set()

    @property
    def bucket(self):
        plain = "".join(c if c.isalnum() else "-" for c in self.name)
        return f"bench-{plain}-{self.generation}"

    @property
    def store(self):
        return self.bench.store

    @property
    def environment(self):
        return self.store.environment

    def missing(self):
        """Why it cannot be measured here, or None."""
        return None

    def ready(self):
        """Makes the volume if it is not there, and mounts it."""
        if not self.created:
            self.mountpoint.mkdir(parents=True)
            if self.remote:
                self.store.make_bucket(self.bucket)
            self.create()
            self.created = True
        if not self.processes:
            self.mount()

    def create(self):
        pass

    def mount(self):
        raise NotImplementedError

    def start(self, command, mountpoint=None, stdin=None, **environment):
        """Starts a program that serves a mount in front, and waits for the mount."""
        mountpoint = mountpoint or self.mountpoint
        process = self.serve(command, stdin, **environment)
        wait_until(lambda: is_mounted(mountpoint), MOUNT_SECONDS, f"mounting {self.name}", process)

    def serve(self, command, stdin=None, **environment):
        """Starts a program of this system that stays in front."""
        with open(self.home / "log", "ab") as log:
            process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log,
                                       stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                       env={**self.environment, **environment}, start_new_session=True)
        self.processes.append(process)
        if stdin:
            process.stdin.write(stdin)
            process.stdin.close()
        return process

    def drain(self):
        """Returns when everything is in the bucket (on the disk)."""
        run(["sync", "-f", self.mountpoint])

    def unmount(self):
        """Unmounts; the programs have ended when it returns."""
        self.detach(self.mountpoint)
        self.ended()

    def detach(self, mountpoint):
        if is_mounted(mountpoint):
            wait_until(lambda: detached(mountpoint), 30, f"unmounting {self.name}")

    def ended(self):
        for process in self.processes:
            try:
                process.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired as late:
                raise Failure(f"{self.name} did not end within {DRAIN_SECONDS} s of its unmount") from late
        self.processes = []
        if self.volatile:
            self.prepared = set()

    def drop_caches(self):
        """Removes what it keeps on this machine; called while it is not mounted."""

    def cold(self):
        """Mounted again, with nothing cached: neither by the system nor by the kernel for its mount."""
        self.drain()
        self.unmount()
        self.drop_caches()
        self.mount()

    def can_be_cold(self, _workload):
        """Whether a workload finds after `cold` what it prepared before."""
        return not self.volatile

    def pids(self):
        return [pid for process in self.processes for pid in family(process.pid)]

    def cpu(self):
        return cpu_seconds(self.pids())

    def remove(self):
        """Whatever state it is in: nothing of it stays."""
        for process in reversed(self.processes):
            if process.poll() is None:
                subprocess.run(["fusermount3", "-uz", str(self.mountpoint)], capture_output=True, check=False)
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for entry in sorted(self.home.glob("*")) if self.home.exists() else []:
            if is_mounted(entry):
                subprocess.run(["umount", "-l", str(entry)], check=False)
        shutil.rmtree(self.home, ignore_errors=True)
        self.processes = []


def detached(mountpoint):
    """One try to unmount. Busy is no failure: the last close may still be on its way."""
    subprocess.run(["fusermount3", "-u", str(mountpoint)], capture_output=True, check=False)
    return not is_mounted(mountpoint)


def forget_pages(folder):
    """Takes the files below a folder of the local disk out of the page cache (posix_fadvise(2))."""
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                descriptor = os.open(os.path.join(place, name), os.O_RDONLY | os.O_NOFOLLOW)
            except OSError:
                continue  # links and sockets have no pages
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
