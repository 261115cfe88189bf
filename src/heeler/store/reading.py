"""Reading a lake, from any process, beside whoever writes to it.

The catalog is asked once, briefly, for the segments and blobs that can matter; after that only immutable files are
read, which stay for an hour after they are replaced. So a reader never makes the writer wait.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from heeler.formats import Format, render
from heeler.query.tree import Equal, Query, all_of
from heeler.store import AlertRow
from heeler.store.catalog import open_for_reading, stored_format, transaction
from heeler.store.events import IS_EVENT
from heeler.store.matching import Matcher, taken
from heeler.store.piece import Piece
from heeler.store.schema import FROM_RECEIVED, RECORD_TABLES

_SEGMENTS = (
    (
        'select "table", path, rows, min_time, max_time, 0, 0 from segment '
        'where "table" in (select value from json_each(?)) and damage is null'
    ),
    (
        'select "table", path, segment.rows, min_time, max_time, first_seq, last_seq from segment '
        'join extent on segment.id = extent.segment where "table" in (select value from json_each(?)) '
        "and damage is null and extent.stream = ?"
    ),
)
_RECENT = (
    (
        'select "table", data, rows, min_time, max_time, 0, 0 from recent '
        'where "table" in (select value from json_each(?))'
    ),
    (
        'select "table", data, recent.rows, min_time, max_time, first_seq, last_seq from recent '
        'join extent on recent.id = extent.recent where "table" in (select value from json_each(?)) '
        "and extent.stream = ?"
    ),
)
_FINISHED = (f"{_RECENT[0]} and unfinished is null", f"{_RECENT[1]} and unfinished is null")
"""What may hold rows of some tables, all or of one stream."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream and what is known of it. Times are UTC microseconds, None where there is no record."""

    id: int
    group: str
    stream: str
    first_time_us: int | None
    last_time_us: int | None
    lines: int
    bytes: int
    source: str | None


class LakeReader:
    """Answers questions about the lake in ``folder``. Belongs to one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._catalog = open_for_reading(folder)
        self._formats: dict[int, Format] = {}

    def close(self) -> None:
        """Let go of the catalog."""
        self._catalog.close()

    def streams(self) -> list[StreamInfo]:
        """Return all streams, by group and name."""
        rows = self._catalog.execute(
            "select log_stream.id, log_group.name, log_stream.name, first_time, last_time, lines, bytes, "
            "source from log_stream join log_group on log_group.id = log_group order by 2, 3"
        )
        return [StreamInfo(*row) for row in rows]

    def alerts(self, since_us: int | None = None, until_us: int | None = None) -> list[AlertRow]:
        """Return the transitions of alerts from one moment on and before another, in the order of their times."""
        rows = self._catalog.execute(
            "select rule, state, hits, time, zone, key, start, details from alert "
            "where (?1 is null or time >= ?1) and (?2 is null or time < ?2) order by time, id",
            (since_us, until_us),
        )
        return [AlertRow(*row) for row in rows]

    def damaged(self) -> list[str]:
        """Return a sentence for each segment that is set aside: its records are in no answer."""
        rows = self._catalog.execute("select path, rows, damage from segment where damage is not null order by path")
        return [
            f"{rows_lost:,} records are missing from every answer: {self.folder / path} is set aside. {damage}"
            for path, rows_lost, damage in rows
        ]

    def formats(self) -> dict[int, Format]:
        """Return every format that records were stored with, by id."""
        newest = max(self._formats, default=0)
        rows = self._catalog.execute('select id, name, "table", definition from format where id > ?', (newest,))
        self._formats |= {row: stored_format(name, table, definition) for row, name, table, definition in rows}
        return self._formats

    def pieces(self, tables: Sequence[str], stream: int | None = None, *, finished: bool = False) -> list[Piece]:
        """Return what may hold rows of these tables, or of one stream in them, as of this instant.

        With ``finished`` alone what has its newline, or will never have one.
        """
        names = json.dumps(list(tables))
        found = []
        with transaction(self._catalog, writing=False):
            for sql_of_all, sql_of_stream in (_SEGMENTS, _FINISHED if finished else _RECENT):
                if stream is None:
                    rows = self._catalog.execute(sql_of_all, (names,))
                else:
                    rows = self._catalog.execute(sql_of_stream, (names, stream))
                for table, stored, count, first_us, last_us, first, last in rows:
                    is_path = isinstance(stored, str)
                    path, blob = (self.folder / stored, None) if is_path else (None, stored)
                    found.append(Piece(table, path, blob, count, (first_us, last_us), first, last))
        return found

    def export(self, query: Query, now_us: int = 0) -> Iterator[bytes]:
        """Yield the lines of all records that match, exactly as they came, by stream and in the order of seq."""
        group, name = query.value_of("group"), query.value_of("stream")
        for stream in self.streams():
            if group in (None, stream.group) and name in (None, stream.stream):
                own = (query.where, Equal("group", stream.group), Equal("stream", stream.stream))
                pieces = self.pieces(list(RECORD_TABLES), stream.id)
                # Asked after the pieces: a tick beside this may have brought a format.
                matcher = Matcher(all_of(own), self.formats(), now_us=now_us)
                for records in _in_order(pieces, matcher):
                    yield b"".join(lines_of(records, self.formats()))


def _in_order(pieces: Sequence[Piece], matcher: Matcher) -> Iterator[pl.DataFrame]:
    """Yield the matching records of a stream in the order of seq.

    Pieces are read one by one, and together only where their seqs overlap, which bounds the memory.
    """
    together: list[Piece] = []
    last_seq = 0
    for piece in sorted(pieces, key=lambda piece: piece.first_seq):
        if together and piece.first_seq > last_seq:
            yield _sorted(together, matcher)
            together = []
        together.append(piece)
        last_seq = max(last_seq, piece.last_seq)
    if together:
        yield _sorted(together, matcher)


def _sorted(pieces: Sequence[Piece], matcher: Matcher) -> pl.DataFrame:
    found = [
        frame
        for piece in pieces
        if matcher.may_hold(piece)
        for frame in taken(piece, matcher.rows(piece), list(RECORD_TABLES[piece.table]))
    ]
    return pl.concat(found, how="diagonal").sort("seq") if found else pl.DataFrame()


def newest_line_time(catalog: sqlite3.Connection, folder: Path, stream: int) -> int | None:
    """Return the time of the newest finished line of a stream, or None if no line told that time."""
    newest = _newest_line(catalog, folder, stream, pl.col("time").to_physical(), "time_from")
    return newest[0] if newest is not None and newest[1] != FROM_RECEIVED else None


def newest_record(catalog: sqlite3.Connection, folder: Path, stream: int) -> int | None:
    """Return the seq of the line that the record of the newest finished line of a stream begins with, None for none."""
    newest = _newest_line(catalog, folder, stream, pl.coalesce("head", "seq").alias("first"))
    return newest[0] if newest is not None else None


def _newest_line(
    catalog: sqlite3.Connection, folder: Path, stream: int, *columns: str | pl.Expr
) -> tuple[int, ...] | None:
    """Return some columns of the newest finished line of a stream; None where there is none, or it cannot be read."""
    found = catalog.execute(
        'select coalesce(segment."table", recent."table"), path, data, last_seq from extent '
        "left join segment on segment.id = extent.segment left join recent on recent.id = extent.recent "
        "where stream = ? and unfinished is null and damage is null order by last_seq desc",
        (stream,),
    )
    name = catalog.execute(
        "select log_group.name, log_stream.name from log_stream join log_group on log_group.id = log_group "
        "where log_stream.id = ?",
        (stream,),
    ).fetchone()
    newest: tuple[int, ...] = (0,)
    for table, path, blob, last_seq in found:
        if last_seq <= newest[0]:
            break  # usually the second piece; the newest records may all be events, or lie in several pieces
        lines = (pl.col("log_group") == name[0]) & (pl.col("log_stream") == name[1]) & ~IS_EVENT
        try:
            piece = Piece(table, path and folder / path, blob).frame().filter(lines)
            rows = piece.select("seq", *columns).top_k(1, by="seq").collect()
        except (OSError, pl.exceptions.ComputeError):
            return None  # damaged: upkeep tells of it, and a tick must not fail for what is only a better guess
        newest = max([newest, *rows.iter_rows()], key=lambda row: row[0])
    return newest[1:] or None


def lines_of(records: pl.DataFrame, formats: Mapping[int, Format]) -> list[bytes]:
    """Render records of one or several formats, in their order, with their endings."""
    if not records.height:
        return []
    ids = records["format"].unique().to_list()
    if len(ids) == 1:
        return render(formats[ids[0]], records).to_list()
    numbered = records.with_row_index("row")
    rendered = [
        part.select("row").with_columns(line=render(formats[key], part))
        for (key,), part in numbered.partition_by("format", as_dict=True).items()
    ]
    return pl.concat(rendered).sort("row")["line"].to_list()
