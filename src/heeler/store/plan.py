"""What a tick changes: worked out before anything is written, so that writing it is short and can be done again."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from heeler.formats.section import sections
from heeler.store import Batch
from heeler.store.records import hits_of, numbered, rollup_of
from heeler.store.schema import RECORD_TABLES
from heeler.store.segment import WrittenSegment, from_blob, to_blob

if TYPE_CHECKING:
    from heeler.store.lake import Completed

FEWEST_SEGMENT_ROWS = 2_000
"""Fewer rows of a table than this go into the catalog as a blob, and become a segment in upkeep."""

FEWEST_ROLLUP_ROWS = 50_000
"""The same for what is counted: a file of its own for each tick would cost more than it holds."""

METADATA_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Stream:
    """A stream while a tick is worked out; ``id`` and ``next_seq`` are as they will be stored."""

    id: int
    group: str
    name: str
    next_seq: int
    is_new: bool
    first_us: int | None = None
    last_us: int | None = None
    lines: int = 0
    bytes: int = 0
    seq_before: int = 1
    lines_before: int = 0
    bytes_before: int = 0

    def state(self) -> tuple[str, str, int, int, int | None, int | None, int, int]:
        """Return what the metadata of a segment says of a stream: next seq before and after, times, totals."""
        lines, size = self.lines_before + self.lines, self.bytes_before + self.bytes
        return self.group, self.name, self.seq_before, self.next_seq, self.first_us, self.last_us, lines, size


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

    @property
    def is_large(self) -> bool:
        """Whether the rows become a segment at once."""
        fewest = FEWEST_SEGMENT_ROWS if self.table in RECORD_TABLES else FEWEST_ROLLUP_ROWS
        return self.unfinished is None and self.rows.height >= fewest

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


class Plan:
    """The parts, streams and positions of one tick. Reads the catalog, changes nothing."""

    def __init__(self, catalog: sqlite3.Connection, ready: Sequence["Completed"]) -> None:
        self._catalog = catalog
        self._streams: dict[tuple[str, str], Stream] = {}
        self._new_streams = 0
        self._ready = ready
        # By source and part: the seq of a line that the next batch joins, and of the first piece of a long line.
        self._unfinished: dict[tuple[str, str], Part] = {}
        self._heads: dict[tuple[str, str], int | None] = {}
        self.joined: list[str] = []
        self.parts: list[Part] = []
        rows: dict[str, list[pl.DataFrame]] = {}
        extents: dict[str, list[Extent]] = {}
        for one in ready:
            self._add(one, rows, extents)
        for table, frames in rows.items():
            frame = pl.concat(frames)
            if frame.height:
                self.parts.append(
                    Part(table, frame, _merged(extents.get(table, [])), received_us=_received(table, ready))
                )
        self.parts += self._unfinished.values()

    def _add(self, one: "Completed", rows: dict[str, list[pl.DataFrame]], extents: dict[str, list[Extent]]) -> None:
        batch, key = one.batch, (one.batch.source, one.batch.part)
        if key not in self._heads:
            self._heads[key] = self._stored_head(key)
        if not one.rows.height:
            return
        stream = self._stream(batch.group, batch.stream)
        joins, taken_back = self._take_unfinished(key)
        first = stream.next_seq if joins is None else joins
        second = first + 1 if joins is None else stream.next_seq
        stream.next_seq = second + one.rows.height - 1
        before_us = stream.last_us if stream.last_us is not None else batch.received_us
        frame = self._with_heads(key, batch, numbered(one.rows, [first, second], before_us))
        stream.lines += frame.height - (joins is not None)
        stream.bytes += batch.bytes
        times = frame["time"].to_physical()
        stream.first_us = min(filter(lambda us: us is not None, (stream.first_us, times[0])))
        stream.last_us = times[-1]
        table = batch.format.table
        counted = [("hits", one.hits), ("rollup", one.rollup), *taken_back]
        for name, deltas in counted:
            rows.setdefault(name, []).append(deltas)
        if batch.unfinished_bytes:
            last = frame.tail(1)
            seq = int(last["seq"][0])
            self._unfinished[key] = Part(
                table, last, [Extent(stream, seq, seq, 1)], "\0".join(key), batch.unfinished_bytes
            )
            frame = frame.head(-1)
        if frame.height:
            rows.setdefault(table, []).append(frame)
            seqs = frame["seq"]
            extents.setdefault(table, []).append(Extent(stream, int(seqs[0]), int(seqs[-1]), frame.height))

    def _take_unfinished(self, key: tuple[str, str]) -> tuple[int | None, list[tuple[str, pl.DataFrame]]]:
        """Return the seq of the unfinished line of a part, and what takes back that it was counted."""
        part = self._unfinished.pop(key, None)
        if part is None:
            name = "\0".join(key)
            stored = self._catalog.execute(
                'select recent.id, "table", unfinished_bytes, data from recent where unfinished = ?', (name,)
            ).fetchone()
            if stored is None or name in self.joined:
                return None, []
            self.joined.append(name)
            _, table, size, blob = stored
            part = Part(table, from_blob(blob), unfinished_bytes=size)
        group, stream = part.rows.select("log_group", "log_stream").row(0)
        self._stream(group, stream).bytes -= part.unfinished_bytes or 0
        if part.table != "access":
            return int(part.rows["seq"][0]), []
        records = part.rows.with_columns(section=sections(part.rows))
        back = [("hits", hits_of(group, records)), ("rollup", rollup_of(group, records))]
        negative = [
            (name, deltas.with_columns(-pl.col([column for column in ("hits", "bytes") if column in deltas.columns])))
            for name, deltas in back
        ]
        return int(part.rows["seq"][0]), negative

    def _with_heads(self, key: tuple[str, str], batch: Batch, frame: pl.DataFrame) -> pl.DataFrame:
        """Give pieces of a long line the seq of its first piece."""
        head = self._heads[key]
        at = pl.int_range(pl.len())
        if head is not None:
            frame = frame.with_columns(head=pl.when(at == 0).then(pl.lit(head, pl.Int64)).otherwise("head"))
        if not batch.piece:
            self._heads[key] = None
        elif head is None or frame.height > 1:
            self._heads[key] = int(frame["seq"][-1])
            frame = frame.with_columns(head=pl.when(at == pl.len() - 1).then("seq").otherwise("head"))
        return frame

    def _stored_head(self, key: tuple[str, str]) -> int | None:
        row = self._catalog.execute("select head from position where source = ? and part = ?", key).fetchone()
        return row[0] if row else None

    def _stream(self, group: str, name: str) -> Stream:
        if (group, name) not in self._streams:
            row = self._catalog.execute(
                "select log_stream.id, next_seq, first_time, last_time, lines, bytes from log_stream "
                "join log_group on log_group.id = log_group where log_group.name = ? and log_stream.name = ?",
                (group, name),
            ).fetchone()
            if row:
                stream = Stream(row[0], group, name, row[1], is_new=False, first_us=row[2], last_us=row[3])
                stream.seq_before, stream.lines_before, stream.bytes_before = row[1], row[4], row[5]
            else:
                last = self._catalog.execute("select coalesce(max(id), 0) from log_stream").fetchone()[0]
                self._new_streams += 1
                stream = Stream(last + self._new_streams, group, name, 1, is_new=True)
            self._streams[group, name] = stream
        return self._streams[group, name]

    def positions(self, number: int) -> list[tuple[str, str, str, int | None, int]]:
        """Return source, part, position, head and tick of each part after this tick, the one of this number."""
        last = {(one.batch.source, one.batch.part): one.batch.position for one in self._ready}
        return [(*key, json.dumps(dict(position)), self._heads[key], number) for key, position in last.items()]

    def metadata(self, number: int, formats: Mapping[tuple[str, str, str], int]) -> dict[str, object]:
        """Return what each segment of this tick says of it, so that it can be taken in again without the catalog."""
        used = {(one.batch.format.name, one.batch.format.table, one.batch.format.text) for one in self._ready}
        return {
            "version": METADATA_VERSION,
            "tick": number,
            "tables": [(part.table, part.rows.height, part.place) for part in self.parts],
            "positions": self.positions(number),
            "states": [stream.state() for stream in self._streams.values()],
            "formats": [(formats[key], *key) for key in sorted(used)],
        }

    def update_streams(self, catalog: sqlite3.Connection) -> None:
        """Store the streams as they are after this tick, and forget the unfinished lines that were joined."""
        catalog.executemany("delete from recent where unfinished = ?", [(name,) for name in self.joined])
        for stream in self._streams.values():
            if stream.is_new:
                catalog.execute("insert or ignore into log_group (name) values (?)", (stream.group,))
                catalog.execute(
                    "insert into log_stream select ?, id, ?, ?, ?, ?, ?, ? from log_group where name = ?",
                    (
                        stream.id,
                        stream.name,
                        stream.next_seq,
                        stream.first_us,
                        stream.last_us,
                        stream.lines,
                        stream.bytes,
                        stream.group,
                    ),
                )
            else:
                catalog.execute(
                    "update log_stream set next_seq = ?, first_time = ?, last_time = ?, lines = lines + ?, "
                    "bytes = bytes + ? where id = ?",
                    (stream.next_seq, stream.first_us, stream.last_us, stream.lines, stream.bytes, stream.id),
                )


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


def _received(table: str, ready: Sequence["Completed"]) -> tuple[int, int] | None:
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
