"""Reading a lake, from any process, beside whoever writes to it.

The catalog is asked once, briefly, for the segments and blobs that can matter; after that only immutable files are
read, which stay for an hour after they are replaced. So a reader never makes the writer wait.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from heeler.errors import EnvironmentFailed
from heeler.formats import Format, render
from heeler.query.frame import as_expression
from heeler.query.tree import Query
from heeler.store.catalog import open_for_reading, stored_format, transaction
from heeler.store.events import IS_EVENT
from heeler.store.schema import FROM_RECEIVED, RECORD_TABLES, TABLES
from heeler.store.segment import from_blob

_SEGMENTS = (
    'select "table", path, 0, 0 from segment where "table" in (select value from json_each(?)) and damage is null',
    (
        'select "table", path, first_seq, last_seq from segment join extent on segment.id = extent.segment '
        'where "table" in (select value from json_each(?)) and damage is null and extent.stream = ?'
    ),
)
_RECENT = (
    'select "table", data, 0, 0 from recent where "table" in (select value from json_each(?))',
    (
        'select "table", data, first_seq, last_seq from recent join extent on recent.id = extent.recent '
        'where "table" in (select value from json_each(?)) and extent.stream = ?'
    ),
)
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


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment or a blob that may hold what is asked for. ``first_seq`` and ``last_seq`` are those of one stream."""

    table: str
    path: Path | None
    blob: bytes | None
    first_seq: int = 0
    last_seq: int = 0

    def frame(self) -> pl.LazyFrame:
        """Return the rows, with the columns of today's schema."""
        found = pl.scan_parquet(self.path) if self.path is not None else from_blob(self.blob or b"").lazy()
        names = found.collect_schema().names()
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in TABLES[self.table].items() if name not in names]
        return found.with_columns(missing).select(list(TABLES[self.table]))


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
            "select log_stream.id, log_group.name, log_stream.name, first_time, last_time, lines, bytes "
            "from log_stream join log_group on log_group.id = log_group order by 2, 3"
        )
        return [StreamInfo(*row) for row in rows]

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

    def pieces(self, tables: Sequence[str], stream: int | None = None) -> list[Piece]:
        """Return what may hold rows of these tables, or of one stream in them, as of this instant."""
        names = json.dumps(list(tables))
        found = []
        with transaction(self._catalog, writing=False):
            for sql_of_all, sql_of_stream in (_SEGMENTS, _RECENT):
                if stream is None:
                    rows = self._catalog.execute(sql_of_all, (names,))
                else:
                    rows = self._catalog.execute(sql_of_stream, (names, stream))
                for table, stored, first, last in rows:
                    is_path = isinstance(stored, str)
                    path, blob = (self.folder / stored, None) if is_path else (None, stored)
                    found.append(Piece(table, path, blob, first, last))
        return found

    def export(self, query: Query) -> Iterator[bytes]:
        """Yield the lines of all records that match, exactly as they came, by stream and in the order of seq."""
        group, name = query.value_of("group"), query.value_of("stream")
        for stream in self.streams():
            if group in (None, stream.group) and name in (None, stream.stream):
                for records in self._in_order(stream, query):
                    # Asked after the records were found: a tick beside this may have brought a format.
                    yield b"".join(_lines(records, self.formats()))

    def _in_order(self, stream: StreamInfo, query: Query) -> Iterator[pl.DataFrame]:
        """Yield the matching records of a stream in the order of seq.

        Pieces are read one by one, and together only where their seqs overlap, which bounds the memory.
        """
        pieces = sorted(self.pieces(list(RECORD_TABLES), stream.id), key=lambda piece: piece.first_seq)
        together: list[Piece] = []
        last_seq = 0
        for piece in pieces:
            if together and piece.first_seq > last_seq:
                yield self._sorted(together, stream, query)
                together = []
            together.append(piece)
            last_seq = max(last_seq, piece.last_seq)
        if together:
            yield self._sorted(together, stream, query)

    def _sorted(self, pieces: Sequence[Piece], stream: StreamInfo, query: Query) -> pl.DataFrame:
        belongs = (pl.col("log_group") == stream.group) & (pl.col("log_stream") == stream.stream)
        try:
            found = [piece.frame() for piece in pieces]
            frames = [frame.filter(belongs & as_expression(query, frame.collect_schema())) for frame in found]
            return pl.concat(frames, how="diagonal").sort("seq").collect()
        except (OSError, pl.exceptions.ComputeError) as error:
            raise EnvironmentFailed(
                f"A segment of the lake in {self.folder} cannot be read: {error}. `heeler store upkeep` names what is "
                "damaged and serves the rest."
            ) from error


def newest_line_time(catalog: sqlite3.Connection, folder: Path, stream: int) -> int | None:
    """Return the time of the newest finished line of a stream, or None if no line told that time."""
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
    newest: tuple[int, int, int | None] = (0, FROM_RECEIVED, None)
    for table, path, blob, last_seq in found:
        if last_seq <= newest[0]:
            break  # usually the second piece; the newest records may all be events, or lie in several pieces
        lines = (pl.col("log_group") == name[0]) & (pl.col("log_stream") == name[1]) & ~IS_EVENT
        columns = ("seq", "time_from", pl.col("time").to_physical())
        try:
            piece = Piece(table, path and folder / path, blob).frame().filter(lines)
            rows = piece.select(columns).top_k(1, by="seq").collect()
        except (OSError, pl.exceptions.ComputeError):
            return None  # damaged: upkeep tells of it, and a tick must not fail for a time that is only a better guess
        newest = max([newest, *rows.iter_rows()])
    return newest[2] if newest[1] != FROM_RECEIVED else None


def _lines(records: pl.DataFrame, formats: dict[int, Format]) -> list[bytes]:
    """Render records of one or several formats, in their order."""
    ids = records["format"].unique().to_list()
    if len(ids) == 1:
        return render(formats[ids[0]], records).to_list()
    numbered = records.with_row_index("row")
    rendered = [
        part.select("row").with_columns(line=render(formats[key], part))
        for (key,), part in numbered.partition_by("format", as_dict=True).items()
    ]
    return pl.concat(rendered).sort("row")["line"].to_list() if rendered else []
