"""Lists a tree, so that two listings can be compared: listing.py FOLDER

A line for each entry: path, kind and permissions, owner, links, size, change and modification time, extended
attributes, and a digest of the contents or the link's target. Left out are access times and the number of blocks,
which the kernel remembers from before it wrote back.
"""

import hashlib
import os
import stat
import sys


def contents(path, mode):
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode):
        return "-"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return [(name, os.getxattr(path, name, follow_symlinks=False).hex()) for name in names]


def describe(path, shown):
    about = os.lstat(path)
    fields = [
        shown, oct(about.st_mode), about.st_uid, about.st_gid, about.st_nlink, about.st_size,
        about.st_mtime_ns, about.st_ctime_ns, attributes(path), contents(path, about.st_mode),
    ]
    return "\t".join(map(str, fields))


def main():
    root = sys.argv[1]
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            print(describe(path, os.path.relpath(path, root)))


main()
