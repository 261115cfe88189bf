"""Opening a lake whose catalog is missing or damaged.

The damaged one is set aside under another name, never deleted. A new one is made beside it of the newest good copy
and of what the segments say of themselves, and gets its name only when it is whole and on the disk; so recovery may
be killed anywhere, and is done again.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from heeler.errors import EnvironmentFailed
from heeler.model import SourceEvent
from heeler.store.catalog import FILE, make, migrate, transaction, version_of
from heeler.store.events import EVENT_FORMAT, event_rows
from heeler.store.plan import Extent, Part, insert_part
from heeler.store.schema import VERSION
from heeler.store.segment import make_durable_folder, sync
from heeler.store.setting import number_of, set_number
from heeler.store.streams import Streams
from heeler.store.taking_in import take_in

COPIES = "backup"
"""The folder of the catalog's copies within a lake."""

GAP_GROUP, GAP_STREAM = "heeler", "lake"
"""Where the record of a gap is found."""

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def recover(folder: Path, at_step: Callable[[str], None] = lambda _: None) -> tuple[str, ...]:
    """Make the catalog in ``folder`` again if it is lost; return what people must know of it, empty where all is well.

    Must be called by who holds the writer's lock. Raises `EnvironmentFailed` where the disk fails; what is there is
    as it was then.
    """
    try:
        return _recover(folder, at_step)
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentFailed(
            f"The catalog of the lake in {folder} is lost and could not be made again: {error}. Free some space or "
            "mend the disk, then open it again; nothing was removed."
        ) from error


def copy_name(now_us: int) -> str:
    """Return the name of a copy of the catalog that is made now; a later one sorts behind it."""
    return f"catalog-{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us):%Y%m%dT%H%M%S%f}.sqlite"


def _recover(folder: Path, at_step: Callable[[str], None]) -> tuple[str, ...]:
    why = _problem(folder)
    if not why:
        return ()
    told = [why]
    copy = _newest_good_copy(folder, told)
    made = folder / "catalog.recovering"
    _forget(made)
    if copy is not None:
        shutil.copyfile(copy, made)
        told.append(f"The copy {copy} of the catalog is used.")
    at_step("recovery begins")
    with closing(sqlite3.connect(made, isolation_level=None)) as catalog:
        catalog.execute("pragma foreign_keys = on")
        if copy is None:
            catalog.execute("pragma auto_vacuum = incremental")
            make(catalog)
            told.append("There is no good copy of the catalog; it is made of what the segments say of themselves.")
        with transaction(catalog):
            migrate(catalog)
            told += take_in(folder, catalog)
            _write_gap(catalog, " ".join(told))
            # The next copy must know of all this before any file is unlinked.
            set_number(catalog, "copied", 0)
            catalog.execute("update garbage set copied = 0")
    at_step("recovery written")
    sync(made)
    _keep_copy(folder, made)
    told += _set_aside(folder)
    at_step("recovery set aside")
    made.replace(folder / FILE)
    sync(folder)
    at_step("recovery ended")
    return tuple(told)


def damage_of_catalog(file: Path) -> str:
    """Return what is wrong with a catalog as half a sentence, empty for one that is whole.

    Only damage counts: a catalog that cannot be opened for another reason is left to who opens it. Nothing is written,
    not even what its log holds: a damaged one is kept as it was found.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as catalog:
            found = str(catalog.execute("pragma quick_check(1)").fetchone()[0])
            if found == "ok" and version_of(catalog) == 0:
                return "it is empty"
    except sqlite3.DatabaseError as error:
        is_damage = error.sqlite_errorcode & 0xFF in _DAMAGE if hasattr(error, "sqlite_errorcode") else False
        return str(error) if is_damage else ""
    return "" if found == "ok" else found.splitlines()[0]


def _problem(folder: Path) -> str:
    file = folder / FILE
    is_old = any((folder / COPIES).glob("catalog-*.sqlite")) or any((folder / "segments").rglob("*.parquet"))
    if not file.exists():
        return f"The catalog {file} is missing." if is_old else ""
    damage = damage_of_catalog(file)
    if not damage or (damage == "it is empty" and not is_old):
        return ""
    return f"The catalog {file} is damaged: {damage}."


def _newest_good_copy(folder: Path, told: list[str]) -> Path | None:
    """Return the copy that knows most; a clock that went back makes no old one new."""
    known: list[tuple[int, int, str, Path]] = []
    for copy in (folder / COPIES).glob("catalog-*.sqlite"):
        if damage := damage_of_catalog(copy):
            told.append(f"The copy {copy} of the catalog is damaged: {damage}.")
            continue
        with closing(sqlite3.connect(copy, isolation_level=None)) as catalog:
            if 0 < version_of(catalog) <= VERSION:
                known.append((number_of(catalog, "tick"), number_of(catalog, "merge"), copy.name, copy))
    return max(known)[-1] if known else None


def _set_aside(folder: Path) -> list[str]:
    """Rename the lost catalog and its log, the log last: alone it would be taken for that of the new one."""
    number = 1
    while (folder / f"{FILE}.damaged-{number}").exists() or (folder / f"{FILE}.damaged-{number}-wal").exists():
        number += 1
    kept = []
    for ending in ("", "-wal", "-shm"):
        if (folder / (FILE + ending)).exists():
            aside = folder / f"{FILE}.damaged-{number}{ending}"
            (folder / (FILE + ending)).rename(aside)
            kept.append(aside)
    sync(folder)
    return [f"The damaged catalog is kept as {kept[0]}."] if kept else []


def _keep_copy(folder: Path, made: Path) -> None:
    """Keep a copy at once: were the new catalog lost too, the older copies would know less than it."""
    with closing(sqlite3.connect(made, isolation_level=None)) as catalog:
        newest = _newest_received(catalog)
    make_durable_folder(folder, folder / COPIES)
    partial = folder / COPIES / "catalog.partial"
    shutil.copyfile(made, partial)
    sync(partial)
    partial.replace(folder / COPIES / copy_name(newest or 0))
    sync(folder / COPIES)


def _newest_received(catalog: sqlite3.Connection) -> int | None:
    row = catalog.execute(
        "select max(newest) from (select max(max_received) as newest from segment union all "
        "select max(max_received) from recent)"
    ).fetchone()
    return row[0] if row else None


def _forget(made: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        made.with_name(made.name + ending).unlink(missing_ok=True)


def _write_gap(catalog: sqlite3.Connection, message: str) -> None:
    """Store a record that says what happened. It renders to no bytes, so that every export stays exact."""
    newest = _newest_received(catalog)
    if newest is None:
        return  # a lake without any record has no gap
    tick = number_of(catalog, "tick") + 1
    streams = Streams(catalog)
    stream = streams.get(GAP_GROUP, GAP_STREAM)
    event = SourceEvent("recovered", message, lost_bytes=-1)
    rows = event_rows([event], _event_format(catalog), newest, stream)
    part = Part("log", rows, [Extent(stream, stream.next_seq, stream.next_seq, 1)])
    stream.next_seq += 1
    streams.store()
    insert_part(catalog, part, tick, None)
    set_number(catalog, "tick", tick)


def _event_format(catalog: sqlite3.Connection) -> int:
    key = EVENT_FORMAT
    catalog.execute('insert or ignore into format (name, "table", definition) values (?, ?, ?)', key)
    row = catalog.execute('select id from format where name = ? and "table" = ? and definition = ?', key).fetchone()
    return int(row[0])
