"""The peers, each as its own documentation sets it up: encryption on, everything else by default."""

import json
import os
import pathlib
import shutil
import socket
import urllib.request

from .process import is_mounted, run, wait_until
from .system import DRAIN_SECONDS, System, forget_pages


def find(name, *elsewhere):
    """The path of a program, or None."""
    return next((path for path in [shutil.which(name), *map(str, elsewhere)] if path and os.path.exists(path)), None)


class Gocryptfs(System):
    name = "gocryptfs"

    def missing(self):
        return None if find("gocryptfs") else "not installed"

    def create(self, cipher=None):
        (self.home / "passphrase").write_text("of the bench\n", encoding="utf-8")
        cipher = cipher or self.home / "cipher"
        cipher.mkdir(exist_ok=True)
        # Only the time to mount depends on the cost of scrypt.
        run(["gocryptfs", "-init", "-q", "-scryptn", "10", "-passfile", self.home / "passphrase", cipher])

    def mount(self, cipher=None):
        cipher = cipher or self.home / "cipher"
        self.start(["gocryptfs", "-fg", "-q", "-passfile", self.home / "passphrase", cipher, self.mountpoint])

    def drop_caches(self):
        forget_pages(self.home / "cipher")


class Cryfs(System):
    name = "cryfs"

    def missing(self):
        return None if find("cryfs") else "not installed"

    def mount(self):
        (self.home / "cipher").mkdir(exist_ok=True)
        quiet = {"CRYFS_FRONTEND": "noninteractive", "CRYFS_NO_UPDATE_CHECK": "true",
                 "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}
        # The file system is made with the first mount. Deriving its key takes seconds and a GiB of memory each time.
        self.start(["cryfs", "-f", self.home / "cipher", self.mountpoint], stdin=b"of the bench\n", **quiet)

    def drop_caches(self):
        forget_pages(self.home / "cipher")


class S3fsGocryptfs(Gocryptfs):
    """gocryptfs on a folder that s3fs keeps in the bucket."""

    name = "s3fs+gocryptfs"
    remote = True
    drained_by = "close(2): s3fs uploads within it"

    @property
    def below(self):
        return self.home / "below"

    def missing(self):
        return None if find("gocryptfs") and find("s3fs") else "not installed"

    def create(self, cipher=None):
        self.below.mkdir()
        passwords = self.home / "s3fs-password"
        passwords.touch(mode=0o600)
        passwords.write_text(":".join(self.store.account), encoding="utf-8")
        self.mount_below()
        super().create(self.below / "cipher")
        self.unmount()

    def mount_below(self):
        if not is_mounted(self.below):
            options = f"url={self.store.endpoint},use_path_request_style,passwd_file={self.home}/s3fs-password"
            self.start(["s3fs", self.bucket, self.below, "-f", "-o", options], self.below)

    def mount(self, cipher=None):
        self.mount_below()
        super().mount(self.below / "cipher")

    def drain(self):
        pass

    def unmount(self):
        self.detach(self.mountpoint)
        self.detach(self.below)
        self.ended()

    def drop_caches(self):
        pass


class Rclone(System):
    """rclone mount with crypt and vfs cache full."""

    name = "rclone crypt"
    remote = True
    drained_by = "its upload queue is empty (vfs/stats)"

    @property
    def program(self):
        return find("rclone", self.bench.installed("rclone") / "bin" / "rclone")

    def missing(self):
        return None if self.program else "not installed"

    def create(self):
        key, secret = self.store.account
        hidden = run([self.program, "obscure", "of the bench"]).strip()
        (self.home / "rclone.conf").write_text(
            f"[store]\ntype = s3\nprovider = Other\naccess_key_id = {key}\nsecret_access_key = {secret}\n"
            f"endpoint = {self.store.endpoint}\nforce_path_style = true\n"
            f"[sealed]\ntype = crypt\nremote = store:{self.bucket}/v\npassword = {hidden}\n", encoding="utf-8")

    def mount(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.control = f"127.0.0.1:{probe.getsockname()[1]}"
        self.start([self.program, "mount", "sealed:", self.mountpoint, "--config", self.home / "rclone.conf",
                    "--cache-dir", self.home / "cache", "--vfs-cache-mode", "full", "--rc", "--rc-no-auth",
                    "--rc-addr", self.control])

    def drain(self):
        wait_until(self.is_drained, DRAIN_SECONDS, "rclone's uploads")

    def is_drained(self):
        request = urllib.request.Request(f"http://{self.control}/vfs/stats", data=b"{}", method="POST",
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            cache = json.load(answer)["diskCache"]
        return cache["uploadsInProgress"] == 0 and cache["uploadsQueued"] == 0

    def drop_caches(self):
        shutil.rmtree(self.home / "cache", ignore_errors=True)


class Juicefs(System):
    """JuiceFS with SQLite metadata (on the local disk) and encryption on."""

    name = "juicefs"
    remote = True
    drained_by = "close(2) and flush at unmount; its metadata stay on the local disk"
    extra = ()

    @property
    def program(self):
        return find("juicefs", self.bench.installed("juicefs") / "bin" / "juicefs")

    def missing(self):
        return None if self.program else "not installed"

    @property
    def meta(self):
        return f"sqlite3://{self.home}/meta.db"

    def create(self):
        run(["openssl", "genrsa", "-out", self.home / "key.pem", "2048"])
        key, secret = self.store.account
        run([self.program, "format", "--storage", "s3", "--bucket", f"{self.store.endpoint}/{self.bucket}",
             "--access-key", key, "--secret-key", secret, "--encrypt-rsa-key", self.home / "key.pem",
             "--trash-days", "0", self.meta, "bench"], env=self.environment)

    def mount(self):
        self.start([self.program, "mount", "--no-usage-report", "--cache-dir", self.home / "cache", *self.extra,
                    self.meta, self.mountpoint])

    def drain(self):
        run(["sync", "-f", self.mountpoint])

    def drop_caches(self):
        shutil.rmtree(self.home / "cache", ignore_errors=True)


class JuicefsWriteback(Juicefs):
    name = "juicefs writeback"
    drained_by = "its staging folder is empty"
    extra = ("--writeback",)

    def drain(self):
        super().drain()
        wait_until(self.is_drained, DRAIN_SECONDS, "JuiceFS's staged blocks")

    def is_drained(self):
        staged = (self.home / "cache").glob("*/rawstaging")
        return not any(files for place in staged for _, _, files in os.walk(place))


class Zerofs(System):
    """ZeroFS over NFS, when ZEROFS names its program. Mounting needs root and nfs-common."""

    name = "zerofs"
    remote = True
    drained_by = "sync -f over NFS, then its own flush at the end"

    @property
    def program(self):
        return os.environ.get("ZEROFS")

    def missing(self):
        return None if self.program else "ZEROFS does not name its program"

    def create(self):
        key, secret = self.store.account
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.home / "zerofs.toml").write_text(
            f'[cache]\ndir = "{self.home}/cache"\ndisk_size_gb = 5.0\nmemory_size_gb = 0.5\n'
            f'[storage]\nurl = "s3://{self.bucket}/v"\nencryption_password = "of the bench"\n'
            f'[servers.nfs]\naddresses = ["127.0.0.1:{self.port}"]\n'
            f'[aws]\naccess_key_id = "{key}"\nsecret_access_key = "{secret}"\ndefault_region = "us-east-1"\n'
            f'endpoint = "{self.store.endpoint}"\nallow_http = "true"\n', encoding="utf-8")

    def mount(self):
        options = f"nolock,vers=3,tcp,port={self.port},mountport={self.port},hard"

        def listening():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        self.serve([self.program, "run", "-c", self.home / "zerofs.toml"])
        wait_until(listening, 60, "starting zerofs", self.processes[0])
        run(["mount", "-t", "nfs", "-o", options, "127.0.0.1:/", self.mountpoint])

    def unmount(self):
        run(["umount", self.mountpoint])
        for process in self.processes:
            process.terminate()
        self.ended()

    def drop_caches(self):
        shutil.rmtree(self.home / "cache", ignore_errors=True)


PEERS = [Gocryptfs, Cryfs, S3fsGocryptfs, Rclone, Juicefs, JuicefsWriteback, Zerofs]
