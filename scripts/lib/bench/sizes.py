"""How much of everything, by form of the bench."""

# MiB of the large file and of the one that fits the caches, 4 KiB requests, fsyncs, small files, empty files of the tree
# and of the large volume, entries of the source tree, inserts, MiB through the cipher, seconds of idling, and the MiB of memory that a mount
# may take: 64 and the caches as set (128).
QUICK = {"sequential": 512, "warm": 24, "random": 100, "fsync": 100, "files": 10_000, "tree": 100_000, "volume": 100_000,
         "source": 2_000, "inserts": 200, "aead": 512, "idle": 60, "memory": 192}
FULL = {"sequential": 4096, "warm": 24, "random": 2_000, "fsync": 500, "files": 10_000, "tree": 100_000, "volume": 1_000_000,
        "source": 20_000, "inserts": 1_000, "aead": 4096, "idle": 60, "memory": 192}
# Only proves that everything works.
SMOKE = {"sequential": 16, "warm": 4, "random": 20, "fsync": 3, "files": 50, "tree": 200, "volume": 200,
         "source": 100, "inserts": 5, "aead": 16, "idle": 1, "memory": 192}
