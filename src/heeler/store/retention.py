"""How long and how much a lake keeps, and when it must not take more."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from heeler.store.catalog import transaction
from heeler.store.lake import Lake
from heeler.store.merge import to_garbage
from heeler.store.plan import day_of
from heeler.store.schema import RECORD_TABLES

DAY_US = 86_400_000_000

KEEP_AGE_US = 30 * DAY_US
"""Whole days of receiving older than this are dropped."""

KEEP_BYTES = 10_000_000_000
KEEP_DISK_SHARE = 5
"""At most so many bytes, or the so-manieth part of the disk, whichever is less; the oldest days go first."""

FLOOR_BYTES = 1_000_000_000
FLOOR_DISK_SHARE = 20
"""With less free than this, or the so-manieth part of the disk, whichever is less, nothing more is taken in."""


class Disk(NamedTuple):
    """The bytes of the disk that holds a lake."""

    total: int
    used: int
    free: int


SEEN_US = 7 * DAY_US
MOST_SEEN = 1_000_000
"""What was sent is known again for so long, and so many of each source."""

FORGOTTEN_AT_ONCE = 10_000

Usage = Callable[[Path], tuple[int, int, int]]
"""Tells total, used and free bytes, as `shutil.disk_usage` does."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept. ``bytes`` None is the default for the disk, 0 keeps any amount; ``age_us`` 0 any age."""

    age_us: int = KEEP_AGE_US
    bytes: int | None = None


def pause_reason(folder: Path, usage: Usage) -> str:
    """Return why no more may be taken in, as a sentence; empty where there is room."""
    disk = Disk(*usage(folder))
    floor = min(FLOOR_BYTES, disk.total // FLOOR_DISK_SHARE)
    if disk.free >= floor:
        return ""
    return (
        f"The disk of the lake in {folder} has {_megabytes(disk.free)} free and {_megabytes(floor)} must stay so; "
        "nothing is taken in until there is room again, and sources keep their positions."
    )


def retain(lake: Lake, keep: Keep, now_us: int, usage: Usage) -> Iterator[str]:
    """Drop what is too old or too much, by day of receiving, a day a transaction; yield a sentence for each."""
    while dropped := _too_old(lake.catalog, keep, now_us) or _too_much(lake, keep, usage):
        ids, paths, why = dropped
        with transaction(lake.catalog):
            lake.at_step("upkeep retention begins")
            lake.catalog.executemany("delete from segment where id = ?", [(one,) for one in ids])
            to_garbage(lake.catalog, paths, now_us)
            lake.at_step("upkeep retention ends")
        yield why


def forget_seen(lake: Lake, now_us: int) -> Iterator[None]:
    """Forget the keys of what was sent long ago, or before many others; a bit at a time."""
    catalog = lake.catalog
    for (source,) in catalog.execute("select distinct source from seen").fetchall():
        newest = catalog.execute(
            "select time from seen where source = ? order by time desc limit 1 offset ?", (source, MOST_SEEN)
        ).fetchone()
        before_us = max(now_us - SEEN_US, newest[0] + 1 if newest else 0)
        while True:
            with transaction(catalog):
                gone = catalog.execute(
                    "delete from seen where rowid in (select rowid from seen where source = ? and time < ? limit ?)",
                    (source, before_us, FORGOTTEN_AT_ONCE),
                ).rowcount
            yield
            if gone <= 0:
                break


_Dropped = tuple[list[int], list[str], str]


def _too_old(catalog: sqlite3.Connection, keep: Keep, now_us: int) -> _Dropped | None:
    if not keep.age_us:
        return None
    last_day = (now_us - keep.age_us) // DAY_US * DAY_US  # a day is dropped when its last record is old enough
    rows = catalog.execute("select id, path from segment where max_received < ?", (last_day,)).fetchall()
    why = f"What was received before {day_of(last_day)} was dropped ({len(rows)} segments): it is older than is kept."
    return ([row[0] for row in rows], [row[1] for row in rows], why) if rows else None


def _too_much(lake: Lake, keep: Keep, usage: Usage) -> _Dropped | None:
    cap = keep.bytes
    if cap is None:
        cap = min(KEEP_BYTES, Disk(*usage(lake.folder)).total // KEEP_DISK_SHARE)
    rows = lake.catalog.execute(
        'select id, path, bytes, min_received, "table" from segment order by min_received, id'
    ).fetchall()
    total = sum(row[2] for row in rows)
    if not cap or total <= cap:
        return None
    oldest, newest = (rows[at][3] // DAY_US for at in (0, -1))
    chosen = [row for row in rows if row[3] // DAY_US == oldest]
    what = f"What was received on {day_of(oldest * DAY_US)}"
    if oldest == newest:
        # A day that is too much by itself loses what came first, not all. Its counts stay: they are small.
        chosen = [row for row in rows if row[4] in RECORD_TABLES][:1]
        what = f"The oldest segment of {day_of(oldest * DAY_US)}"
    why = f"{what} was dropped: the lake had {_megabytes(total)}, and at most {_megabytes(cap)} are kept."
    return ([row[0] for row in chosen], [row[1] for row in chosen], why) if chosen else None


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
