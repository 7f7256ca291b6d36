"""A maildir and those who deliver into it (https://cr.yp.to/proto/maildir.html).

mail.py make FOLDER; mail.py deliver FOLDER AGENT COUNT; mail.py check FOLDER LIST
"""

import hashlib
import os
import sys


def sync_folder(path):
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def contents(name):
    """From 60 bytes to 20 KiB, and one in eight larger than a chunk; any loss shows."""
    seed = hashlib.sha256(name.encode()).hexdigest()
    times = 1 + int(seed[:2], 16) + (1500 if seed[3] in "01" else 0)
    return (f"{name} {seed}\n" * times).encode()


def deliver(folder, agent, count):
    for number in range(int(count)):
        name = f"{number}.{agent}.host"
        temporary, final = f"{folder}/tmp/{name}", f"{folder}/new/{name}"
        with open(temporary, "xb") as file:
            file.write(contents(name))
            file.flush()
            os.fsync(file.fileno())
        # Either is in use: rename, and link with unlink where a name must never be replaced.
        if number % 2:
            os.rename(temporary, final)
        else:
            os.link(temporary, final)
            os.unlink(temporary)
        sync_folder(f"{folder}/new")
        print(name, flush=True)


def check(folder, list_):
    wanted = set(open(list_).read().split())
    found = set(os.listdir(f"{folder}/new"))
    missing = wanted - found
    assert not missing, f"{len(missing)} of {len(wanted)} are missing: {sorted(missing)[:5]}"
    for name in found:
        assert open(f"{folder}/new/{name}", "rb").read() == contents(name), f"{name} is torn"


def main():
    command, folder = sys.argv[1:3]
    if command == "make":
        os.makedirs(folder)
        for name in ("tmp", "new", "cur"):
            os.mkdir(f"{folder}/{name}")
    elif command == "deliver":
        deliver(folder, *sys.argv[3:5])
    else:
        check(folder, sys.argv[3])


main()
