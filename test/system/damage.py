"""Damages the files of a process that does not run, and says what it did.

SQLite's format is in sqlite.org/fileformat2.html; pages are told by it, so that
every kind of them can be hit.
"""

import collections
import contextlib
import os
import sqlite3

INTERIORS = {0x02: "index interior", 0x05: "table interior"}
LEAVES = {0x0A: "index leaf", 0x0D: "table leaf"}
KINDS = [
    "header",
    "table leaf",
    "table interior",
    "index leaf",
    "index interior",
    "overflow",
    "freelist",
]
WAL_HEADER, FRAME_HEADER = 32, 24


def number(data, at, size=4):
    return int.from_bytes(data[at : at + size], "big")


def copy_wal(path):
    """What the WAL holds is in the file afterwards: a page of the file itself
    would be replaced by the WAL's."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def pages_of(path):
    """{kind: [page numbers]} of a database without a WAL; page 1 is `header`."""
    data = path.read_bytes()
    size = number(data, 16, 2)
    count = len(data) // size
    res = collections.defaultdict(list)
    seen = {1}
    res["header"] = [1]

    def body(page):
        return data[(page - 1) * size : page * size]

    def note(kind, page):
        if 1 <= page <= count and page not in seen:
            seen.add(page)
            res[kind].append(page)
            return True
        return False

    def walk(page):
        at = 100 if page == 1 else 0
        kind = body(page)[at]
        if page != 1 and not note((INTERIORS | LEAVES)[kind], page):
            return
        if kind in INTERIORS:
            cells = number(body(page), at + 3, 2)
            for i in range(cells):
                walk(number(body(page), number(body(page), at + 12 + 2 * i, 2)))
            walk(number(body(page), at + 8))

    trunk = number(data, 32)
    while trunk:
        note("freelist", trunk)
        for i in range(number(body(trunk), 4)):
            note("freelist", number(body(trunk), 8 + 4 * i))
        trunk = number(body(trunk), 0)
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        roots = db.execute("SELECT rootpage FROM sqlite_master WHERE rootpage > 0")
        roots = [x for (x,) in roots]
    for root in [1, *roots]:
        walk(root)
    for page in range(2, count + 1):
        note("overflow", page)
    return dict(res), size


def flip(path, kind, random, at=None):
    """Flips a bit in each of some bytes of a page of that kind, which begin
    `at`, or anywhere. What was done, or None where there is no such page."""
    copy_wal(path)
    pages, size = pages_of(path)
    if not pages.get(kind):
        return None
    page = random.choice(pages[kind])
    if at is None:
        at = random.randrange(size - 8)
    with open(path, "r+b") as file:
        file.seek((page - 1) * size + at)
        old = file.read(8)
        file.seek((page - 1) * size + at)
        file.write(bytes(x ^ (1 << random.randrange(8)) for x in old))
    return f"flipped bits {at} bytes into page {page} of {path.name}, {kind}"


def spoil_row(path, random, shard=None):
    """Another block in a row of the journal: SQLite can't know. The shard."""
    copy_wal(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT rowid, shard, block FROM entry WHERE length(block) > 0"
            " AND shard = coalesce(?, shard) ORDER BY idx DESC LIMIT 20",
            (shard,),
        ).fetchall()
        row, shard, block = random.choice(rows)
        block = bytearray(block)
        block[random.randrange(len(block))] ^= 1 << random.randrange(8)
        db.execute("UPDATE entry SET block = ? WHERE rowid = ?", (bytes(block), row))
        db.commit()
    copy_wal(path)
    return shard


def restore_rows(path, copy, shard):
    """The blocks of a shard are as they are in a copy of the database."""
    copy_wal(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("ATTACH ? AS copy", (str(copy),))
        db.execute(
            "UPDATE main.entry SET block = (SELECT block FROM copy.entry AS x"
            " WHERE x.rowid = entry.rowid) WHERE shard = ?",
            (shard,),
        )
        db.commit()


def shards_in(path):
    """Shards with entries, and how many."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return dict(db.execute("SELECT shard, count(*) FROM entry GROUP BY shard"))


def cut_wal(path, random, where):
    """Cuts the WAL of a database: in the middle of its header, between frames
    or within one. What was done, or None where it has none."""
    wal = path.with_name(path.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    frame = FRAME_HEADER + 4096
    frames = (size - WAL_HEADER) // frame
    if frames < 2:
        return None
    at = {
        "header": WAL_HEADER // 2,
        "no frame": WAL_HEADER,
        "between": WAL_HEADER + frame * random.randrange(1, frames),
        "within": WAL_HEADER + frame * random.randrange(frames) + 777,
        "last": size - 1,
    }[where]
    os.truncate(wal, at)
    return f"cut {wal.name} of {size} bytes after {at} ({where})"


def remove(path):
    """A database with all that belongs to it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
