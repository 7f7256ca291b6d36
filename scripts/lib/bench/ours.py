"""hushfs itself, and the floors beneath it."""

import os
import shutil

from .process import run
from .system import System, forget_pages


class Hushfs(System):
    name = "hushfs"
    remote = True
    is_ours = True
    drained_by = "hushfs sync"
    flavour = "release"

    @property
    def program(self):
        return self.bench.programs[self.flavour]

    @property
    def private(self):
        """Keyring, caches and sockets of its own."""
        names = {"DATA": "data", "CACHE": "cache", "STATE": "state", "RUNTIME": "run"}
        return {f"XDG_{name}_{'DIR' if name == 'RUNTIME' else 'HOME'}": str(self.home / place)
                for name, place in names.items()}

    @property
    def volume(self):
        return ["--key-file", self.home / "key", "--endpoint-url", self.store.endpoint, "--path-style",
                f"s3://{self.bucket}/v"]

    def command(self, *words):
        return run([self.program, *words], env={**self.environment, **self.private})

    def create(self):
        (self.home / "run").mkdir(mode=0o700)
        self.command("init", *self.volume)

    def mount(self):
        self.start([self.program, "mount", "-f", *self.volume, self.mountpoint], **self.private)

    def drain(self):
        self.command("sync", self.mountpoint)

    def unmount(self):
        self.command("unmount", self.mountpoint)
        self.ended()

    def drop_caches(self):
        shutil.rmtree(self.home / "cache", ignore_errors=True)


class Null(Hushfs):
    """The same build with a cipher that does nothing: what encrypting costs."""

    name = "hushfs, null cipher"
    flavour = "null"

    def missing(self):
        return None if "null" in self.bench.programs else "not built (see --null)"

    @property
    def private(self):
        return {**super().private, "HUSHFS_NULL_CIPHER": "nothing-is-encrypted"}


class Memory(System):
    """The floor of FUSE: every answer from a map."""

    name = "memory"
    volatile = True
    drained_by = "nothing to drain"

    def mount(self):
        self.start([self.bench.tools / "bench-memory", self.mountpoint])

    def drain(self):
        pass

    def can_be_cold(self, workload):
        return workload.floor and os.geteuid() == 0

    def cold(self):
        """Only the kernel forgets (proc_sys_vm(5)): names and inodes, of all that is mounted."""
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as caches:
            caches.write("2")


class Disk(System):
    """The local disk, as it is."""

    name = "disk"

    def ready(self):
        self.mountpoint.mkdir(parents=True, exist_ok=True)

    def mount(self):
        pass

    def unmount(self):
        pass

    def drop_caches(self):
        forget_pages(self.mountpoint)
