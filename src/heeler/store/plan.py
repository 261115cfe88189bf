"""What a tick changes: worked out before anything is written, so that writing it is short and can be done again."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl

from heeler.formats import render
from heeler.store import Batch, Completed
from heeler.store.catalog import stored_format
from heeler.store.events import EVENT_FORMAT, event_rows
from heeler.store.records import by_table, joined, line_of, numbered
from heeler.store.schema import FROM_RECEIVED, RECORD_TABLES
from heeler.store.segment import WrittenSegment, from_blob, to_blob
from heeler.store.streams import Stream, Streams

FEWEST_SEGMENT_ROWS = 2_000
"""Fewer rows of a table than this go into the catalog as a blob, and become a segment in upkeep."""

MOST_BLOB_BYTES = 1 << 20
"""Lines of more bytes than this become a segment however few they are: the catalog would write them twice, and stay
large for a while after they have left it."""

FEWEST_ROLLUP_ROWS = 50_000
"""The same for what is counted: a file of its own for each tick would cost more than it holds."""

METADATA_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Extent:
    """Which records of one stream some rows hold."""

    stream: Stream
    first_seq: int
    last_seq: int
    rows: int


@dataclass(slots=True)
class Part:
    """The rows of a tick that are stored in one place: a segment, or a blob in the catalog."""

    table: str
    rows: pl.DataFrame
    extents: list[Extent] = field(default_factory=list)
    unfinished: str | None = None
    unfinished_bytes: int | None = None
    received_us: tuple[int, int] | None = None  # of what was counted, which has no column for it
    bytes: int = 0  # of the lines, where the rows are records

    @property
    def is_large(self) -> bool:
        """Whether the rows become a segment at once."""
        fewest = FEWEST_SEGMENT_ROWS if self.table in RECORD_TABLES else FEWEST_ROLLUP_ROWS
        return self.unfinished is None and (self.rows.height >= fewest or self.bytes > MOST_BLOB_BYTES)

    @property
    def day(self) -> str:
        """The folder for a segment of these rows: the day they were received, never one that a line claims."""
        return day_of(self.times()[2])

    @property
    def place(self) -> str:
        """Where the rows are stored: ``segment``, ``recent``, or in ``recent`` as a line that is ``unfinished``."""
        return "unfinished" if self.unfinished is not None else "segment" if self.is_large else "recent"

    def named_extents(self) -> list[tuple[str, str, int, int, int]]:
        """Return the extents as the metadata of a segment has them."""
        return [(one.stream.group, one.stream.name, one.first_seq, one.last_seq, one.rows) for one in self.extents]

    def times(self) -> tuple[int, int, int, int]:
        """Return the first and last time and the first and last time of receiving, in microseconds."""
        return times_of(self.rows, self.received_us)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The last line of a part while it has no newline: its bytes, and its parts unless those are stored already."""

    stream: Stream
    seq: int
    line: bytes
    bytes: int
    parts: list[Part]


class Plan:
    """The parts, streams and positions of one tick. Reads the catalog, changes nothing."""

    def __init__(
        self,
        catalog: sqlite3.Connection,
        ready: Sequence[Completed],
        line_time_of: Callable[[int], int | None] = lambda _: None,
        event_format: int = 0,
        record_head_of: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        """Work out the tick of the batches in ``ready``.

        ``line_time_of`` is asked for the time that the newest line of a stream told, and only where a batch begins
        with a line that tells none; ``record_head_of`` for the seq of the line that its newest record begins with, and
        only where a batch begins with a line that goes on with it. ``event_format`` is the id of the format of events,
        where there are any.
        """
        self._catalog = catalog
        self._line_time_of = line_time_of
        self._event_format = event_format
        self.line_times: dict[int, int | None] = {}
        """By stream that was touched: the time that its newest line told, None where it told none."""
        self._record_head_of = record_head_of
        self.record_heads: dict[int, int] = {}
        """By stream that was touched: the seq of the line that the record of its newest finished line begins with."""
        self._streams = Streams(catalog)
        self._ready = ready
        # By source and part: the line that the next batch may join, and the seq of the first piece of a long line.
        self._unfinished: dict[tuple[str, str], Unfinished | None] = {}
        self._heads: dict[tuple[str, str], int | None] = {}
        self._joined: list[str] = []
        self._standing: list[str] = []
        self._rows: dict[str, list[pl.DataFrame]] = {}
        self._extents: dict[str, list[Extent]] = {}
        self._bytes: dict[str, int] = {}
        for one in ready:
            self._add(one)
        self.parts: list[Part] = []
        for table, frames in self._rows.items():
            frame = pl.concat(frames)
            if frame.height:
                part = Part(table, frame, _merged(self._extents.get(table, [])), bytes=self._bytes.get(table, 0))
                part.received_us = _received(table, ready)
                self.parts.append(part)
        for last in self._unfinished.values():
            self.parts += last.parts if last else []

    def _add(self, one: Completed) -> None:
        batch, key = one.batch, (one.batch.source, one.batch.part)
        if key not in self._heads:
            self._heads[key] = self._stored_head(key)
        if not one.rows.height and not batch.events:
            return
        stream = self._streams.get(batch.group, batch.stream)
        stream.source = batch.source
        self._tell(stream, batch)
        if not one.rows.height:
            return
        joins = self._join(key, stream, one)
        first = stream.next_seq if joins is None else joins
        second = first + 1 if joins is None else stream.next_seq
        stream.next_seq = second + one.rows.height - 1
        before_us = self._time_before(stream, one)
        numbers = numbered(one.rows, (first, second), before_us)
        frame = self._with_heads(key, batch, joined(numbers, self._head_before(stream, one)))
        stream.add(frame, batch.bytes)
        self._unfinished[key] = None
        if batch.unfinished_bytes:
            self._unfinished[key] = _unfinished(stream, one, frame.tail(1))
            frame = frame.head(-1)
        self._remember(stream, frame)
        self._count(one.counted)
        for table, rows in by_table(one.formats, frame).items():
            self._place(table, stream, rows)
            self._bytes[table] = self._bytes.get(table, 0) + batch.bytes - batch.unfinished_bytes

    def _tell(self, stream: Stream, batch: Batch) -> None:
        """Give what happened before the rows of a batch its place; the lines and times of the stream stay."""
        if batch.events:
            first, count = stream.next_seq, len(batch.events)
            rows = event_rows(batch.events, self._event_format, batch.received_us, stream)
            self._rows.setdefault("log", []).append(rows)
            self._extents.setdefault("log", []).append(Extent(stream, first, first + count - 1, count))
            stream.next_seq += count

    def _count(self, counted: Mapping[str, pl.DataFrame]) -> None:
        """Give what was counted of finished rows its place among the parts."""
        for name, deltas in counted.items():
            self._rows.setdefault(name, []).append(deltas)

    def _place(self, table: str, stream: Stream, frame: pl.DataFrame) -> None:
        """Give finished rows of a table their place among the parts."""
        if frame.height:
            self._rows.setdefault(table, []).append(frame)
            seqs = frame["seq"]
            self._extents.setdefault(table, []).append(Extent(stream, int(seqs[0]), int(seqs[-1]), frame.height))

    def _remember(self, stream: Stream, frame: pl.DataFrame) -> None:
        """Take note of the time that the newest of some finished rows told, and of where its record begins."""
        if frame.height:
            seq, head = frame["seq"][-1], frame["head"][-1]
            self.record_heads[stream.id] = seq if head is None else head
            told = frame["time_from"][-1] != FROM_RECEIVED
            self.line_times[stream.id] = int(frame["time"].to_physical()[-1]) if told else None

    def _time_before(self, stream: Stream, one: Completed) -> int | None:
        """Return the time for lines at the start of a batch that tell none."""
        if one.rows["time"][0] is not None or "time" not in one.batch.records.columns:
            return None
        if stream.id not in self.line_times:
            self.line_times[stream.id] = None if stream.is_new else self._line_time_of(stream.id)
        return self.line_times[stream.id]

    def _head_before(self, stream: Stream, one: Completed) -> int | None:
        """Return where the record begins that lines at the start of a batch go on with."""
        if stream.id in self.record_heads or stream.is_new or not one.rows["continues"][0]:
            return self.record_heads.get(stream.id)
        return self._record_head_of(stream.id)

    def _join(self, key: tuple[str, str], stream: Stream, one: Completed) -> int | None:
        """Take away the unfinished line of a part if the first row is the same line; return the seq for that row.

        Another line than that comes when the file was replaced or rewritten meanwhile. What was seen of the old one
        was in the log, and stays.
        """
        if key not in self._unfinished:
            self._unfinished[key] = self._stored_unfinished(key)
        last = self._unfinished[key]
        if last is None:
            return None
        name = _mark(key)
        if not line_of(one.formats, one.rows).startswith(last.line):
            if last.parts:
                line, *counts = last.parts
                self._count({part.table: part.rows for part in counts})
                self._place(line.table, last.stream, line.rows)
                self._remember(last.stream, line.rows)
            else:
                self._standing.append(name)
            return None
        if not last.parts:
            self._joined.append(name)
        last.stream.lines -= 1
        last.stream.bytes -= last.bytes
        return last.seq if last.stream is stream else None

    def _stored_unfinished(self, key: tuple[str, str]) -> "Unfinished | None":
        # What was counted of the line has the same mark, and goes with it.
        stored = self._catalog.execute(
            "select data, unfinished_bytes from recent join extent on extent.recent = recent.id where unfinished = ?",
            (_mark(key),),
        ).fetchone()
        if stored is None:
            return None
        row = from_blob(stored[0])
        of_format = 'select name, "table", definition from format where id = ?'
        written = stored_format(*self._catalog.execute(of_format, (row["format"][0],)).fetchone())
        stream = self._streams.get(row["log_group"][0], row["log_stream"][0])
        return Unfinished(stream, row["seq"][0], render(written, row)[0], stored[1], [])

    def _with_heads(self, key: tuple[str, str], batch: Batch, frame: pl.DataFrame) -> pl.DataFrame:
        """Give pieces of a long line the seq of its first piece."""
        head = self._heads[key]
        at = pl.int_range(pl.len())
        if head is not None:
            frame = frame.with_columns(head=pl.when(at == 0).then(pl.lit(head, pl.Int64)).otherwise("head"))
        if batch.piece and (head is None or frame.height > 1):
            self._heads[key] = int(frame["seq"][-1])
            frame = frame.with_columns(head=pl.when(at == pl.len() - 1).then("seq").otherwise("head"))
        elif not batch.piece and not (batch.unfinished_bytes and frame.height == 1):
            # A row that comes again is the same piece then, of the same line.
            self._heads[key] = None
        return frame

    def _stored_head(self, key: tuple[str, str]) -> int | None:
        row = self._catalog.execute("select head from position where source = ? and part = ?", key).fetchone()
        return row[0] if row else None

    def positions(self, number: int) -> list[tuple[str, str, str, int | None, int]]:
        """Return source, part, position, head and tick of each part after this tick, the one of this number."""
        last = {(one.batch.source, one.batch.part): one.batch.position for one in self._ready}
        return [(*key, json.dumps(dict(position)), self._heads[key], number) for key, position in last.items()]

    def seen(self) -> list[tuple[str, str, int]]:
        """Return source, key and time of receiving of what the rows were sent as."""
        return [(one.batch.source, key, one.batch.received_us) for one in self._ready for key in one.batch.keys]

    def metadata(self, number: int, formats: Mapping[tuple[str, str, str], int]) -> dict[str, object]:
        """Return what each segment of this tick says of it, so that it can be taken in again without the catalog."""
        used = {(known.name, known.table, known.text) for one in self._ready for known in one.formats.values()}
        used |= {EVENT_FORMAT} if any(one.batch.events for one in self._ready) else set()
        return {
            "version": METADATA_VERSION,
            "tick": number,
            "tables": [
                *((part.table, part.rows.height, part.place) for part in self.parts),
                # An unfinished line of an earlier tick that will not be read again is one more that lives there alone.
                *(("log", 1, "recent") for _ in self._standing),
            ],
            "positions": self.positions(number),
            "states": self._streams.states(number),
            "formats": [(formats[key], *key) for key in sorted(used)],
        }

    def update_streams(self, catalog: sqlite3.Connection) -> None:
        """Store the streams as they are after this tick, and settle the unfinished lines of the ticks before."""
        catalog.executemany("delete from recent where unfinished = ?", [(name,) for name in self._joined])
        catalog.executemany(
            "update recent set unfinished = null, unfinished_bytes = null where unfinished = ?",
            [(name,) for name in self._standing],
        )
        self._streams.store()


def insert_part(catalog: sqlite3.Connection, part: Part, tick: int, written: WrittenSegment | None) -> int:
    """List a part in the catalog, inside the caller's transaction; return the id of its row."""
    times = part.times()
    if written:
        row = catalog.execute(
            'insert into segment (path, "table", rows, min_time, max_time, min_received, max_received, bytes, sha256, '
            "tick, ordered) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) returning id",
            (written.path, part.table, part.rows.height, *times, written.bytes, written.sha256, tick),
        ).fetchone()
    else:
        row = catalog.execute(
            'insert into recent ("table", rows, min_time, max_time, min_received, max_received, tick, unfinished, '
            "unfinished_bytes, data) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
            (part.table, part.rows.height, *times, tick, part.unfinished, part.unfinished_bytes, to_blob(part.rows)),
        ).fetchone()
    catalog.executemany(
        "insert into extent (segment, recent, stream, first_seq, last_seq, rows) values (?, ?, ?, ?, ?, ?)",
        [
            (
                row[0] if written else None,
                None if written else row[0],
                one.stream.id,
                one.first_seq,
                one.last_seq,
                one.rows,
            )
            for one in part.extents
        ],
    )
    return int(row[0])


def times_of(rows: pl.DataFrame, received_us: tuple[int, int] | None = None) -> tuple[int, int, int, int]:
    """Return the first and last time of some rows, and of their being received, in UTC microseconds."""
    time = rows["time"].to_physical()
    first, last = int(time.min()), int(time.max())  # type: ignore[arg-type]  # the same as below
    if received_us is None:
        received = rows["received"].to_physical()
        received_us = int(received.min()), int(received.max())  # type: ignore[arg-type]  # rows have times, never none
    return first, last, *received_us


def day_of(received_us: int) -> str:
    """Return the day, in UTC, by which segments are kept together and dropped: ``2026-11-22``."""
    return str((_EPOCH + timedelta(microseconds=received_us)).date())


def _mark(key: tuple[str, str]) -> str:
    """Return what names a source and part in ``recent.unfinished``."""
    return "\0".join(key)


def _unfinished(stream: Stream, one: Completed, row: pl.DataFrame) -> Unfinished:
    """Keep a line that may still grow apart, with what is counted of it, so that it can be taken away again."""
    batch, seq = one.batch, int(row["seq"][0])
    name, received = _mark((batch.source, batch.part)), (batch.received_us, batch.received_us)
    (table, line), *_ = [(table, rows) for table, rows in by_table(one.formats, row).items() if rows.height]
    parts = [Part(table, line, [Extent(stream, seq, seq, 1)], name, batch.unfinished_bytes)]
    parts += [
        Part(counts, deltas, unfinished=name, received_us=received)
        for counts, deltas in one.counted_unfinished.items()
        if deltas.height
    ]
    return Unfinished(stream, seq, line_of(one.formats, row), batch.unfinished_bytes, parts)


def _received(table: str, ready: Sequence[Completed]) -> tuple[int, int] | None:
    """Return when the batches of a tick came in, for a table that only counts them: it is dropped with them."""
    if table in RECORD_TABLES:
        return None
    received = [one.batch.received_us for one in ready]
    return min(received), max(received)


def _merged(extents: list[Extent]) -> list[Extent]:
    """Join the extents of each stream to one."""
    merged: dict[int, Extent] = {}
    for one in extents:
        before = merged.get(one.stream.id)
        merged[one.stream.id] = (
            one
            if before is None
            else Extent(
                one.stream,
                min(before.first_seq, one.first_seq),
                max(before.last_seq, one.last_seq),
                before.rows + one.rows,
            )
        )
    return list(merged.values())
