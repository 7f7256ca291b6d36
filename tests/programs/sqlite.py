"""sqlite.py write|check MODE DATABASE: concurrent writers and a reader, then the integrity check."""
import multiprocessing
import sqlite3
import sys

WRITERS, TRANSACTIONS, ROWS = 4, 15, 20


def connect(path, mode):
    connection = sqlite3.connect(path, timeout=120, isolation_level=None)
    assert connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0] == mode
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def write(path, mode, writer, start):
    connection = connect(path, mode)
    for number in range(start, start + TRANSACTIONS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, randomblob(500))",
            [(writer, number, row) for row in range(ROWS)],
        )
        connection.execute("UPDATE total SET rows = rows + ?", (ROWS,))
        connection.execute("COMMIT")


def read(path, mode, done):
    connection = connect(path, mode)
    while not done.is_set():
        counted, total = connection.execute("SELECT (SELECT count(*) FROM rows), (SELECT rows FROM total)").fetchone()
        assert counted == total, f"{counted} rows, but {total} in total"
        done.wait(0.02)


def check(path, mode):
    connection = connect(path, mode)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    counted, total = connection.execute("SELECT (SELECT count(*) FROM rows), (SELECT rows FROM total)").fetchone()
    assert counted == total and counted % (WRITERS * TRANSACTIONS * ROWS) == 0 and counted > 0, (counted, total)


def main():
    order, mode, path = sys.argv[1:]
    if order == "write":
        connection = connect(path, mode)
        connection.execute("CREATE TABLE IF NOT EXISTS rows (writer, number, row, filling, PRIMARY KEY (writer, number, row))")
        connection.execute("CREATE TABLE IF NOT EXISTS total (rows)")
        connection.execute("INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total)")
        start = connection.execute("SELECT coalesce(max(number) + 1, 0) FROM rows").fetchone()[0]
        connection.close()
        done = multiprocessing.Event()
        reader = multiprocessing.Process(target=read, args=(path, mode, done))
        writers = [multiprocessing.Process(target=write, args=(path, mode, w, start)) for w in range(WRITERS)]
        for process in [reader, *writers]:
            process.start()
        for process in writers:
            process.join()
        done.set()
        reader.join()
        assert all(process.exitcode == 0 for process in [reader, *writers])
    check(path, mode)


main()
