"""The S3 server and the proxy before it."""

import json
import subprocess
import urllib.request
from dataclasses import dataclass

from .process import run


@dataclass
class Cost:
    """What requests have cost; a sum over groups of the proxy."""

    requests: int = 0
    up: int = 0
    down: int = 0


class Store:
    """A SeaweedFS of its own and bench-proxy before it. Every system has a bucket of its own there."""

    def __init__(self, scripts, programs, work):
        self.script = scripts / "servers" / "seaweedfs"
        self.dir = work / "server"
        self.environment = self._start()
        self.server = self.environment["HUSHFS_TEST_S3_ENDPOINT"]
        self.proxy = subprocess.Popen([programs / "bench-proxy", self.server], stdout=subprocess.PIPE, text=True)
        line = json.loads(self.proxy.stdout.readline())
        self.endpoint, self.control = line["endpoint"], line["control"]

    def _start(self):
        wanted = 'eval "$("$0" up "$1")" && env -0'
        said = run(["bash", "-c", wanted, self.script, self.dir])
        return dict(part.split("=", 1) for part in said.split("\0") if "=" in part)

    def stop(self):
        self.proxy.terminate()
        self.proxy.wait()
        run([self.script, "down", self.dir])

    @property
    def account(self):
        return self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"]

    def make_bucket(self, name):
        key, secret = self.account
        run(["curl", "-sf", "-X", "PUT", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{key}:{secret}",
             f"{self.server}/{name}"])

    def delay(self, milliseconds):
        self._ask("POST", f"/delay/{milliseconds}")

    def groups(self, bucket):
        """The proxy's counts of a bucket: {(kind, area): group}."""
        groups = json.loads(self._ask("GET", "/counts"))
        return {(group["kind"], group["area"]): group for group in groups if group["bucket"] == bucket}

    def _ask(self, method, path):
        request = urllib.request.Request(self.control + path, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()


def difference(before, after):
    """{(kind, area): Cost} of what came between two looks at the counts."""
    spent = {}
    for place, group in after.items():
        old = before.get(place, {})
        cost = Cost(*(group[field] - old.get(field, 0) for field in ("requests", "up", "down")))
        if cost.requests or cost.up or cost.down:
            spent[place] = cost
    return spent
