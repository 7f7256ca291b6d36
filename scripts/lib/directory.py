"""A directory of many entries, for scripts/directory.

directory.py make|list|look FOLDER ENTRIES
"""

import multiprocessing
import os
import sys

MAKERS = 4
ROUNDS = 3
# So many others exist at a time.
PASSING = 20


def make_part(folder, part, entries):
    for number in range(part, entries, MAKERS):
        os.close(os.open(f"{folder}/stays {number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def make(folder, entries):
    os.mkdir(folder)
    with multiprocessing.Pool(MAKERS) as pool:
        pool.starmap(make_part, [(folder, part, entries) for part in range(MAKERS)])


def come_and_go(folder, done, count):
    number = 0
    while not done.is_set():
        os.mkdir(f"{folder}/passes {number}")
        if number >= PASSING:
            os.rmdir(f"{folder}/passes {number - PASSING}")
        number += 1
    count.value = number
    for left in range(max(0, number - PASSING), number):
        os.rmdir(f"{folder}/passes {left}")


def look(folder, entries):
    """Every entry that stays is listed exactly once, and nothing else but those that pass."""
    seen = bytearray(entries)
    with os.scandir(folder) as listing:
        for entry in listing:
            kind, number = entry.name.split(" ")
            if kind == "stays":
                seen[int(number)] += 1
                assert entry.is_file(follow_symlinks=False), entry.name
            else:
                assert kind == "passes", entry.name
    missing, twice = seen.count(0), entries - seen.count(0) - seen.count(1)
    assert not missing and not twice, f"{missing} are missing, {twice} were listed more than once"


def list_while_others_move(folder, entries):
    done, count = multiprocessing.Event(), multiprocessing.Value("q", 0)
    mover = multiprocessing.Process(target=come_and_go, args=(folder, done, count))
    mover.start()
    try:
        for _ in range(ROUNDS):
            look(folder, entries)
    finally:
        done.set()
        mover.join()
    assert mover.exitcode == 0 and count.value > 0
    print(f"{ROUNDS} listings while {count.value} others came and went")


def main():
    command, folder, entries = sys.argv[1], sys.argv[2], int(sys.argv[3])
    {"make": make, "list": list_while_others_move, "look": look}[command](folder, entries)


main()
