"""Deleting records for good: segments that hold some are written anew without them.

First everything is flushed, so that records live in segments alone. Then the new segments, and what takes back that
their records were counted, are made durable; at last one transaction lists them in place of the old. Killed anywhere
before that, nothing is deleted; killed after it, all is. The new segments are those of a merge, and say which files
they replace, so that what was deleted does not come back when the catalog is lost.

The old files stay for an hour, for those who read them, and until a copy of the catalog knows of it.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from heeler.errors import EnvironmentFailed
from heeler.formats import render
from heeler.query.frame import as_expression
from heeler.query.tree import Query
from heeler.store.backup import copy_catalog
from heeler.store.catalog import stored_format, transaction
from heeler.store.events import IS_EVENT
from heeler.store.lake import Lake
from heeler.store.merge import Input, flush, segments, to_garbage
from heeler.store.ordered import metadata_of, write_ordered
from heeler.store.piece import Piece
from heeler.store.plan import METADATA_VERSION, day_of, times_of
from heeler.store.records import hits_of, rollup_of
from heeler.store.schema import RECORD_TABLES, ROLLUP_TABLES, TABLES
from heeler.store.segment import WrittenSegment
from heeler.store.setting import number_of, set_number
from heeler.store.taking_back import taken_back

_STREAM = ("log_group", "log_stream")
_OF_EXTENTS = (*_STREAM, "seq", "time")
_SAYS = ("positions", "states", "formats", "streams", "replaces")
"""What the metadata of a segment says beside numbers; see `heeler.store.taking_in`."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted. ``damaged`` segments could not be searched; what they hold is still there."""

    records: int
    segments: int
    damaged: int


@dataclass(slots=True)
class _Removed:
    """What is taken out of the lake, summed: by stream the lines and bytes, and the requests that were counted."""

    records: int = 0
    streams: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    counted: dict[str, list[pl.DataFrame]] = field(default_factory=lambda: {name: [] for name in ROLLUP_TABLES})
    unfinished: list[str] = field(default_factory=list)

    def add(self, group: str, stream: str, records: int, lines: int, size: int) -> None:
        self.records += records
        before = self.streams.get((group, stream), (0, 0))
        self.streams[group, stream] = before[0] + lines, before[1] + size


@dataclass(frozen=True, slots=True)
class _Written:
    """A segment that takes the place of some, or of none."""

    table: str
    rows: pl.DataFrame
    received: tuple[int, int]
    file: WrittenSegment


class Deletion:
    """Deletes the records that match a query from a lake, on the thread of its writer."""

    def __init__(self, lake: Lake, query: Query, now_us: int = 0) -> None:
        """``now_us`` is what times in the query count from."""
        self._lake = lake
        self._query = query
        self._now_us = now_us

    def count(self) -> int:
        """Return how many records match. Raises `EnvironmentFailed` where a segment cannot be read."""
        return sum(self._matches(piece) for piece in self._pieces())

    def run(self, now_us: int) -> Deleted:
        """Delete them. Raises `EnvironmentFailed`, and then nothing was deleted, unless its sentence says so."""
        try:
            deleted = self._run(now_us)
        except (OSError, sqlite3.Error, ValueError, pl.exceptions.PolarsError) as error:
            raise EnvironmentFailed(
                f"The lake in {self._lake.folder} could not be rewritten: {error}. Nothing was deleted; free some "
                "space or mend the disk, then try again."
            ) from error
        if deleted.records:
            try:
                copy_catalog(self._lake, now_us)  # from now on no copy brings back what was deleted
            except (OSError, sqlite3.Error) as error:
                raise EnvironmentFailed(
                    f"{deleted.records:,} records were deleted, but the copy of the catalog could not be made: "
                    f"{error}. Until the next copy, a lake that loses its catalog may bring them back."
                ) from error
        self._lake.at_step("delete ended")
        return deleted

    def _run(self, now_us: int) -> Deleted:
        lake, removed = self._lake, _Removed()
        for _ in flush(lake, now_us):
            pass
        number = number_of(lake.catalog, "merge") + 1
        # Stored before anything is written under it, so that what a killed one leaves is taken for no other's.
        set_number(lake.catalog, "merge", number)
        lake.at_step("delete begins")
        found = [(one, matches) for one in self._inputs() if (matches := self._matches(self._piece(one)))]
        for one, _ in found:
            self._take_out(one.table, self._rows(one, matching=True), removed)
        self._look_at_unfinished(removed)
        counts = taken_back(lake, {name: pl.concat(some) for name, some in removed.counted.items() if some})
        written = self._write(number, found, counts)
        with transaction(lake.catalog):
            lake.at_step("delete transaction begins")
            for new in written:
                _list(lake.catalog, new, number_of(lake.catalog, "tick"))
            lake.at_step("delete listed")
            lake.catalog.executemany("delete from segment where id = ?", [(one.id,) for one, _ in found])
            lake.catalog.executemany(
                "delete from recent where unfinished = ?", [(name,) for name in removed.unfinished]
            )
            lake.at_step("delete unlisted")
            to_garbage(lake.catalog, [str(one.path) for one, _ in found], now_us)
            _correct_streams(lake.catalog, removed)
            lake.at_step("delete transaction ends")
        damaged = lake.catalog.execute("select count(*) from segment where damage is not null").fetchone()[0]
        return Deleted(removed.records, len(found), damaged)

    def _inputs(self) -> Iterator[Input]:
        """Yield the segments that may hold matching records, by their streams."""
        group, stream = self._query.value_of("group"), self._query.value_of("stream")
        ids = {
            row[0]
            for row in self._lake.catalog.execute(
                "select segment from extent join log_stream on log_stream.id = stream join log_group on log_group.id = "
                "log_group where segment is not null and coalesce(?, log_group.name) = log_group.name "
                "and coalesce(?, log_stream.name) = log_stream.name",
                (group, stream),
            )
        }
        yield from (one for one in segments(self._lake.catalog) if one.table in RECORD_TABLES and one.id in ids)

    def _pieces(self) -> Iterator[Piece]:
        yield from map(self._piece, self._inputs())
        for table, blob in self._lake.catalog.execute('select "table", data from recent').fetchall():
            if table in RECORD_TABLES:
                yield Piece(table, None, blob)

    def _matches(self, piece: Piece) -> int:
        try:
            frame = piece.frame()
            asked = self._asked(piece.table)
            return int(frame.filter(asked).select(pl.len()).collect().item())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise EnvironmentFailed(
                f"{piece.path or 'A blob in the catalog'} cannot be read: {error}. `heeler store upkeep` sets aside "
                "what is damaged; nothing was deleted."
            ) from error

    def _asked(self, table: str) -> pl.Expr:
        rows = self._lake.catalog.execute('select id, name, "table", definition from format')
        formats = {row: stored_format(name, of_table, definition) for row, name, of_table, definition in rows}
        return as_expression(self._query.where, pl.Schema(dict(TABLES[table])), formats, table, self._now_us)

    def _piece(self, one: Input) -> Piece:
        return Piece(one.table, self._lake.folder / str(one.path), None)

    def _rows(self, one: Input, *, matching: bool) -> pl.DataFrame:
        frame = self._piece(one).frame()
        asked = self._asked(one.table)
        return frame.filter(asked if matching else ~asked).collect()

    def _take_out(self, table: str, rows: pl.DataFrame, removed: _Removed) -> None:
        for (row_format, group, stream), some in rows.partition_by("format", *_STREAM, as_dict=True).items():
            of_format = 'select name, "table", definition from format where id = ?'
            known = stored_format(*self._lake.catalog.execute(of_format, (row_format,)).fetchone())
            lines = some.filter(~IS_EVENT).height
            removed.add(str(group), str(stream), some.height, lines, int(render(known, some).bin.size().sum()))
        if table == "access":
            for (group,), some in rows.partition_by("log_group", as_dict=True).items():
                removed.counted["hits"].append(hits_of(str(group), some))
                removed.counted["rollup"].append(rollup_of(str(group), some))

    def _look_at_unfinished(self, removed: _Removed) -> None:
        """Take out lines that still may grow. Their files have them, and may bring them again, longer."""
        rows = self._lake.catalog.execute(
            'select "table", data, unfinished, unfinished_bytes from recent where unfinished is not null'
        ).fetchall()
        for table, blob, name, size in rows:
            if table in RECORD_TABLES and self._matches(Piece(table, None, blob)):
                # What was counted of the line has the same mark, and goes with it.
                group, stream = Piece(table, None, blob).frame().select(_STREAM).collect().row(0)
                removed.add(group, stream, 1, 1, size)
                removed.unfinished.append(name)

    def _write(self, number: int, found: list[tuple[Input, int]], counts: dict[str, pl.DataFrame]) -> list[_Written]:
        """Write what is kept of each segment, and what takes back the counts, and return when it is durable."""
        kept = [one for one, matches in found if matches < one.rows]
        # A segment of which nothing is kept has no file in its place; the first of all says that it is replaced.
        gone = [path for one, matches in found if matches == one.rows for path in self._replaced(one)]
        received = (
            min((one.min_received for one, _ in found), default=0),
            max((one.max_received for one, _ in found), default=0),
        )
        flushed = number_of(self._lake.catalog, "flush")
        common = {
            "version": METADATA_VERSION,
            "merge": number,
            "tick": number_of(self._lake.catalog, "tick"),
            # As a flush that all files of it belong to: a deletion is taken in again whole or not at all.
            "flush": flushed,
            "files": len(kept) + len(counts),
            "flushes": {str(number): [flushed, flushed]},
            "whole_to": flushed,
        }
        written: list[_Written] = []

        def write(table: str, rows: pl.DataFrame, received: tuple[int, int], own: dict[str, list[object]]) -> None:
            path = f"segments/{table}/{day_of(received[0])}/m{number:010d}-{len(written)}.parquet"
            own["replaces"] += [] if written else gone
            self._lake.at_step("delete segment begins")
            says = common | {"table": table, "rows": rows.height, "received": received}
            file = _to_the_end(write_ordered(self._lake.folder, path, rows, says | own))
            self._lake.at_step("delete segment written")
            written.append(
                _Written(table, rows if table in ROLLUP_TABLES else rows.select(*_OF_EXTENTS), received, file)
            )

        for one in kept:
            rows = self._rows(one, matching=False)
            write(one.table, rows, (one.min_received, one.max_received), self._says(one, rows))
        for table, deltas in counts.items():
            nothing: dict[str, list[object]] = {name: [] for name in _SAYS}
            write(table, deltas, received, nothing)
        return written

    def _replaced(self, one: Input) -> list[str]:
        """Return the file of a segment and what it had itself replaced, as far as that is there."""
        path = str(one.path)
        earlier = metadata_of(self._lake.folder / path)["replaces"]
        return [path, *(old for old in earlier if (self._lake.folder / old).exists())]

    def _says(self, one: Input, rows: pl.DataFrame) -> dict[str, list[object]]:
        """Return what the metadata says of the rows that are kept of a segment."""
        before = metadata_of(self._lake.folder / str(one.path))
        used = json.dumps(rows["format"].unique().sort().to_list())
        formats = self._lake.catalog.execute(
            'select id, name, "table", definition from format where id in (select value from json_each(?))', (used,)
        ).fetchall()
        streams = [extent[1:] for extent in _extents(self._lake.catalog, one.table, rows)]
        own = (before["positions"], before["states"], formats, streams, self._replaced(one))
        return {name: list(value) for name, value in zip(_SAYS, own, strict=True)}


def _to_the_end(writing: Iterator[None]) -> WrittenSegment:
    while True:
        try:
            next(writing)
        except StopIteration as end:
            written: WrittenSegment = end.value
            return written


def _extents(catalog: sqlite3.Connection, table: str, rows: pl.DataFrame) -> list[tuple[int, str, str, int, int, int]]:
    """Return the id, group and name of each stream in ``rows``, with its first and last seq and its rows."""
    if table not in RECORD_TABLES:
        return []
    found = rows.group_by(_STREAM).agg(pl.col("seq").min(), last=pl.col("seq").max(), rows=pl.len()).sort(_STREAM)
    of_name = (
        "select log_stream.id from log_stream join log_group on log_group.id = log_group "
        "where log_group.name = ? and log_stream.name = ?"
    )
    return [(catalog.execute(of_name, row[:2]).fetchone()[0], *row) for row in found.iter_rows()]


def _list(catalog: sqlite3.Connection, one: _Written, tick: int) -> None:
    row = catalog.execute(
        'insert into segment (path, "table", rows, min_time, max_time, min_received, max_received, bytes, sha256, '
        "tick, ordered) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) returning id",
        (
            one.file.path,
            one.table,
            one.rows.height,
            *times_of(one.rows, one.received),
            one.file.bytes,
            one.file.sha256,
            tick,
        ),
    ).fetchone()
    catalog.executemany(
        "insert into extent (segment, stream, first_seq, last_seq, rows) values (?, ?, ?, ?, ?)",
        [(row[0], stream, *numbers) for stream, _, _, *numbers in _extents(catalog, one.table, one.rows)],
    )


def _correct_streams(catalog: sqlite3.Connection, removed: _Removed) -> None:
    catalog.executemany(
        "update log_stream set lines = lines - ?, bytes = bytes - ? where name = ? and log_group = "
        "(select id from log_group where name = ?)",
        [(lines, size, stream, group) for (group, stream), (lines, size) in removed.streams.items()],
    )
