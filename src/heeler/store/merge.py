"""Merging: many small pieces of a table become one segment that replaces them.

Each merge is a generator that pauses after every bit of work, so that whoever runs it can commit ticks in between.
First the new segments are made durable, then one transaction lists them in place of what they replace; killed
anywhere before that, it leaves a file that nobody knows, and the pieces as they were.
"""

import hashlib
import io
import json
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from heeler.store.catalog import transaction
from heeler.store.lake import Lake
from heeler.store.ordered import joined, metadata_of, write_ordered
from heeler.store.plan import METADATA_VERSION, day_of, times_of
from heeler.store.schema import RECORD_TABLES
from heeler.store.segment import WrittenSegment, from_blob
from heeler.store.setting import number_of, set_number

_BLOBS_A_SLICE = 100
"""How many blobs are read before a pause: about 20 ms."""

NamedExtent = tuple[int, str, str, int, int, int]
"""Of one stream: its id, group, name, first seq, last seq and number of rows."""


@dataclass(frozen=True, slots=True)
class Input:
    """A segment (with a path) or a recent blob (without) that is to be merged."""

    id: int
    table: str
    path: str | None
    rows: int
    min_received: int
    max_received: int
    tick: int
    sha256: str = ""
    ordered: int = 0  # 1 for one that upkeep wrote

    @property
    def day(self) -> str:
        """The day it was received: pieces of one day are kept together, and dropped together."""
        return day_of(self.min_received)


@dataclass(frozen=True, slots=True)
class _Output:
    """What replaces some pieces of one table and day."""

    table: str
    rows: pl.DataFrame
    times: tuple[int, int, int, int]
    extents: list[NamedExtent]
    written: WrittenSegment


def segments(catalog: sqlite3.Connection) -> list[Input]:
    """Return the undamaged segments, in the order in which their rows came."""
    rows = catalog.execute(
        'select id, "table", path, rows, min_received, max_received, tick, sha256, ordered from segment '
        "where damage is null order by tick, id"
    )
    return [Input(*row) for row in rows]


def finished_recent(catalog: sqlite3.Connection) -> list[Input]:
    """Return the recent blobs but those of unfinished lines, which stay where they can be replaced."""
    rows = catalog.execute(
        'select id, "table", null, rows, min_received, max_received, tick from recent where unfinished is null '
        "order by tick, id"
    )
    return [Input(*row) for row in rows]


def flush(lake: Lake, now_us: int) -> Iterator[None]:
    """Make segments of all recent blobs at once, so that whatever was committed before is in segments."""
    catalog = lake.catalog
    with transaction(catalog, writing=False):
        chosen = finished_recent(catalog)
        tick, flushed = number_of(catalog, "tick"), number_of(catalog, "flush")
        inherited = {
            "positions": catalog.execute(
                "select source, part, position, head, tick from position where tick > ?", (flushed,)
            ).fetchall(),
            "states": _states(catalog, chosen, tick),
        }
    groups = _by_table_and_day(chosen)
    ready: list[tuple[list[Input], pl.DataFrame]] = []
    for group in groups:
        frames = []
        for start in range(0, len(group), _BLOBS_A_SLICE):
            frames += [_blob(catalog, one.id) for one in group[start : start + _BLOBS_A_SLICE]]
            yield
        rows = joined(group[0].table, frames)
        if rows.height:
            ready.append((group, rows))
    common = inherited | {"flush": tick, "files": len(ready), "whole_to": tick, "tick": tick}
    yield from _replace(lake, ready, chosen, common, now_us)


def merge(lake: Lake, chosen: Sequence[Input], now_us: int) -> Generator[None, None, Input | None]:
    """Make one segment of several of a table and day; return the first whose file is not as it was written, if any.

    Only segments of ticks up to the last flush may be chosen: of those no record lives in the catalog alone. So what
    a merged segment holds is whole when the catalog is lost, and the positions it names are right.
    """
    frames, inherited = [], _Inherited()
    for one in chosen:
        data = _bytes_of(lake, one)
        if data is None or hashlib.sha256(data).hexdigest() != one.sha256:
            return one
        frames.append(pl.read_parquet(io.BytesIO(data)))
        inherited.add(one, metadata_of(io.BytesIO(data)))
        yield
    rows = joined(chosen[0].table, frames)
    del frames
    yield
    common = inherited.metadata(lake) | {
        "whole_to": number_of(lake.catalog, "flush"),
        "tick": max(one.tick for one in chosen),
    }
    yield from _replace(lake, [(list(chosen), rows)] if rows.height else [], chosen, common, now_us)
    return None


def to_garbage(catalog: sqlite3.Connection, paths: Sequence[str], now_us: int) -> None:
    """List files that nothing refers to any more, inside the caller's transaction that forgets them."""
    tick = number_of(catalog, "tick")
    catalog.executemany(
        "insert or ignore into garbage (path, since, replaced_tick) values (?, ?, ?)",
        [(path, now_us, tick) for path in paths],
    )


class _Inherited:
    """What the metadata of several segments says, joined: of each part and stream what is newest."""

    def __init__(self) -> None:
        self._positions: dict[tuple[str, str], list[Any]] = {}
        self._states: dict[tuple[str, str], list[Any]] = {}
        self._replaced: list[str] = []
        self._flushes: dict[str, list[int]] = {}

    def add(self, one: Input, metadata: dict[str, Any]) -> None:
        for known, rows in ((self._positions, metadata["positions"]), (self._states, metadata["states"])):
            for row in rows:
                before = known.get((row[0], row[1]))
                if before is None or before[-1] <= row[-1]:
                    known[row[0], row[1]] = row
        self._flushes |= metadata.get("flushes", {})
        self._replaced += [*([one.path] if one.path else []), *metadata["replaces"]]

    def metadata(self, lake: Lake) -> dict[str, Any]:
        # A file that is gone cannot be taken in by mistake, so it need not be named for ever.
        return {
            "positions": list(self._positions.values()),
            "states": list(self._states.values()),
            "flushes": self._flushes,
            "replaces": [path for path in self._replaced if (lake.folder / path).exists()],
        }


def _replace(
    lake: Lake,
    ready: Sequence[tuple[list[Input], pl.DataFrame]],
    chosen: Sequence[Input],
    common: dict[str, Any],
    now_us: int,
) -> Iterator[None]:
    outputs = []
    number = number_of(lake.catalog, "merge") + 1
    # Stored before anything is written under it, so that what a killed merge leaves is never taken for a later one's.
    set_number(lake.catalog, "merge", number)
    if "flush" in common:
        common = common | {"flushes": {str(number): [number_of(lake.catalog, "flush"), common["flush"]]}}
    for index, (group, rows) in enumerate(ready):
        table = group[0].table
        path = f"segments/{table}/{group[0].day}/m{number:010d}-{index}.parquet"
        extents = _extents(lake.catalog, group)
        received = min(one.min_received for one in group), max(one.max_received for one in group)
        own = {
            "version": METADATA_VERSION,
            "merge": number,
            "received": received,
            "table": table,
            "rows": rows.height,
            "formats": _formats(lake.catalog, table, rows),
            "streams": [extent[1:] for extent in extents],
        }
        lake.at_step("upkeep segment begins")
        written = yield from write_ordered(lake.folder, path, rows, {"replaces": []} | common | own)
        lake.at_step("upkeep segment written")
        outputs.append(_Output(table, rows, times_of(rows, received), extents, written))
        yield
    with transaction(lake.catalog):
        lake.at_step("upkeep transaction begins")
        if not _all_there(lake.catalog, chosen):
            _drop_unlisted(lake, outputs)
            return
        for output in outputs:
            _list(lake.catalog, output, common["tick"])
        _forget(lake.catalog, chosen)
        to_garbage(lake.catalog, [one.path for one in chosen if one.path], now_us)
        if "flush" in common:
            set_number(lake.catalog, "flush", common["flush"])
        lake.at_step("upkeep transaction ends")
    lake.at_step("upkeep merged")


def _drop_unlisted(lake: Lake, outputs: Sequence[_Output]) -> None:
    """Remove what was just written in vain: what it was made of has been changed meanwhile."""
    for output in outputs:
        (lake.folder / output.written.path).unlink()


def _by_table_and_day(chosen: Sequence[Input]) -> list[list[Input]]:
    groups: dict[tuple[str, str], list[Input]] = {}
    for one in chosen:
        groups.setdefault((one.table, one.day), []).append(one)
    return list(groups.values())


def _blob(catalog: sqlite3.Connection, recent: int) -> pl.DataFrame:
    row = catalog.execute("select data from recent where id = ?", (recent,)).fetchone()
    # One that was joined or deleted meanwhile is missed when the transaction looks whether all are there.
    return from_blob(row[0]) if row else pl.DataFrame()


def _bytes_of(lake: Lake, one: Input) -> bytes | None:
    try:
        return (lake.folder / (one.path or "")).read_bytes()
    except OSError:
        return None  # whoever asked has it looked at, which says what is wrong


def _states(catalog: sqlite3.Connection, chosen: Sequence[Input], tick: int) -> list[list[Any]]:
    rows = catalog.execute(
        "select log_group.name, log_stream.name, 0, next_seq, first_time, last_time, lines, bytes, source "
        "from log_stream join log_group on log_group.id = log_group where log_stream.id in "
        "(select stream from extent where recent in (select value from json_each(?)))",
        (_ids(chosen),),
    )
    return [[*row, tick] for row in rows]


def _extents(catalog: sqlite3.Connection, chosen: Sequence[Input]) -> list[NamedExtent]:
    column = "segment" if chosen[0].path else "recent"
    return catalog.execute(
        f"select stream, log_group.name, log_stream.name, min(first_seq), max(last_seq), sum(rows) from extent "  # noqa: S608 - one of two words above
        f"join log_stream on log_stream.id = stream join log_group on log_group.id = log_group "
        f"where {column} in (select value from json_each(?)) group by stream",
        (_ids(chosen),),
    ).fetchall()


def _formats(catalog: sqlite3.Connection, table: str, rows: pl.DataFrame) -> list[tuple[int, str, str, str]]:
    if table not in RECORD_TABLES:
        return []
    used = json.dumps(rows["format"].unique().sort().to_list())
    return catalog.execute(
        'select id, name, "table", definition from format where id in (select value from json_each(?))', (used,)
    ).fetchall()


def _all_there(catalog: sqlite3.Connection, chosen: Sequence[Input]) -> bool:
    """Tell whether all still are what they were when they were chosen.

    An id alone would not do: one that was forgotten meanwhile is given again, and rows that nobody read would be taken
    for those that were.
    """
    alive = "segment where damage is null and" if chosen and chosen[0].path else "recent where"
    path = "path" if chosen and chosen[0].path else "null"
    found = catalog.execute(
        f"select id, {path}, tick from {alive} id in (select value from json_each(?))",  # noqa: S608 - texts above
        (_ids(chosen),),
    ).fetchall()
    return set(found) == {(one.id, one.path, one.tick) for one in chosen}


def _list(catalog: sqlite3.Connection, output: _Output, tick: int) -> None:
    written = output.written
    row = catalog.execute(
        'insert into segment (path, "table", rows, min_time, max_time, min_received, max_received, bytes, sha256, '
        "tick, ordered) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) returning id",
        (written.path, output.table, output.rows.height, *output.times, written.bytes, written.sha256, tick),
    ).fetchone()
    catalog.executemany(
        "insert into extent (segment, stream, first_seq, last_seq, rows) values (?, ?, ?, ?, ?)",
        [(row[0], stream, first, last, rows) for stream, _, _, first, last, rows in output.extents],
    )


def _forget(catalog: sqlite3.Connection, chosen: Sequence[Input]) -> None:
    catalog.execute("delete from recent where id in (select value from json_each(?))", (_ids(chosen, of_blobs=True),))
    catalog.execute("delete from segment where id in (select value from json_each(?))", (_ids(chosen, of_blobs=False),))


def _ids(chosen: Sequence[Input], *, of_blobs: bool | None = None) -> str:
    return json.dumps([one.id for one in chosen if of_blobs is None or of_blobs == (one.path is None)])
