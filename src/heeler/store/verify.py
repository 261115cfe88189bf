"""Looking after files: whether each is as it was written, which nobody refers to, and which nobody knows."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from heeler.store.catalog import transaction
from heeler.store.lake import Lake
from heeler.store.segment import digest, sync

HOUR_US = 3_600_000_000

CHECK_EVERY_US = 7 * 24 * HOUR_US
"""Each file is read and its hash compared once in this time."""

UNLINK_AFTER_US = HOUR_US
"""A replaced file stays this long, for those who read it; queries are shorter."""

UNKNOWN_AFTER_US = 24 * HOUR_US
"""A file that the catalog does not know is removed only when it is older than this."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment as the catalog has it."""

    id: int
    table: str
    path: str
    rows: int
    sha256: str
    damage: str | None


def to_check(catalog: sqlite3.Connection, before_us: int, most: int = -1) -> list[Listed]:
    """Return the segments, damaged ones too, that were last checked before ``before_us``, the longest ago first."""
    rows = catalog.execute(
        'select id, "table", path, rows, sha256, damage from segment where coalesce(checked, 0) <= ? '
        "order by coalesce(checked, 0), id limit ?",
        (before_us, most),
    )
    return [Listed(*row) for row in rows]


def damage_of(folder: Path, path: str, sha256: str) -> str | None:
    """Return what is wrong with a segment's file, as a sentence; None for a file that is as it was written."""
    try:
        found = digest(folder / path)
    except FileNotFoundError:
        return "The file is missing."
    except OSError as error:
        return f"The file cannot be read: {error.strerror}."
    return None if found == sha256 else "The file is not as it was written: its SHA-256 differs."


def check(lake: Lake, listed: Listed, now_us: int) -> str:
    """Compare a segment with its hash and store what comes out; return a sentence where that is news, else nothing."""
    damage = damage_of(lake.folder, listed.path, listed.sha256)
    with transaction(lake.catalog):
        lake.at_step("upkeep check begins")
        lake.catalog.execute("update segment set checked = ?, damage = ? where id = ?", (now_us, damage, listed.id))
        lake.at_step("upkeep check ends")
    if damage == listed.damage:
        return ""
    named = f"segment {lake.folder / listed.path} ({listed.rows:,} rows of {listed.table})"
    if damage is None:
        return f"The {named} is as it was written again, and is served again."
    return f"The {named} is damaged and set aside, where it is. {damage} Everything else is served."


def collect(lake: Lake, now_us: int, after_us: int = UNLINK_AFTER_US) -> Iterator[int]:
    """Unlink files replaced at least ``after_us`` ago that no copy of the catalog needs; yield the bytes of each."""
    rows = lake.catalog.execute(
        "select path from garbage where copied = 1 and since <= ? order by since", (now_us - after_us,)
    ).fetchall()
    folders = set()
    for (path,) in rows:
        file = lake.folder / path
        lake.at_step("upkeep unlink begins")
        size = file.stat().st_size if file.exists() else 0
        file.unlink(missing_ok=True)
        folders.add(file.parent)
        lake.at_step("upkeep unlinked")
        yield size
    for folder in sorted(folders):
        if folder.is_dir():
            # Forgetting a file that comes back after a power cut would make it an unknown one.
            sync(folder)
    lake.catalog.executemany("delete from garbage where path = ? and copied = 1", rows)
    for folder in sorted(folders):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    lake.at_step("upkeep garbage forgotten")


def unknown(lake: Lake, besides: frozenset[str] = frozenset()) -> list[Path]:
    """Return the files among the segments that the catalog does not know, but for paths that are being written."""
    known = {row[0] for row in lake.catalog.execute("select path from segment union all select path from garbage")}
    found = []
    for file in sorted((lake.folder / "segments").rglob("*")):
        path = file.relative_to(lake.folder).as_posix()
        if path not in known and path not in besides and (file.is_symlink() or not file.is_dir()):
            found.append(file)
    return found


def is_old(file: Path, now_us: int) -> bool:
    """Tell whether an unknown file may be removed: whoever wrote it has been dead for long."""
    return file.lstat().st_mtime_ns // 1000 <= now_us - UNKNOWN_AFTER_US
