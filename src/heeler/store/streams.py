"""The streams that a tick touches: looked up as they are stored, changed while the tick is worked out, stored again."""

import sqlite3
from dataclasses import dataclass

import polars as pl


@dataclass(slots=True)
class Stream:
    """A stream while a tick is worked out; ``id`` and ``next_seq`` are as they will be stored.

    ``first_us`` and ``last_us`` are the earliest and the latest time of its records, ``lines`` and ``bytes`` what the
    tick adds to those before, ``source`` where its lines came from last.
    """

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
    source: str | None = None

    def add(self, rows: pl.DataFrame, size: int) -> None:
        """Count rows of so many bytes."""
        self.lines += rows.height
        self.bytes += size
        times = rows.select(first=pl.col("time").to_physical().min(), last=pl.col("time").to_physical().max())
        first, last = times.row(0)
        self.first_us = first if self.first_us is None else min(first, self.first_us)
        self.last_us = last if self.last_us is None else max(last, self.last_us)

    def state(self, tick: int) -> tuple[object, ...]:
        """Return what the metadata of a segment says of a stream.

        Group, name, next seq before and after, first and last time, lines, bytes, source, tick.
        """
        lines, size = self.lines_before + self.lines, self.bytes_before + self.bytes
        named, seqs = (self.group, self.name), (self.seq_before, self.next_seq)
        return *named, *seqs, self.first_us, self.last_us, lines, size, self.source, tick


class Streams:
    """The streams of one tick. Reads the catalog when asked for one, and changes it only in `store`."""

    def __init__(self, catalog: sqlite3.Connection) -> None:
        self._catalog = catalog
        self._streams: dict[tuple[str, str], Stream] = {}

    def get(self, group: str, name: str) -> Stream:
        """Return a stream as it is now, or a new one."""
        if (group, name) not in self._streams:
            row = self._catalog.execute(
                "select log_stream.id, next_seq, first_time, last_time, lines, bytes, source from log_stream "
                "join log_group on log_group.id = log_group where log_group.name = ? and log_stream.name = ?",
                (group, name),
            ).fetchone()
            if row:
                stream = Stream(row[0], group, name, row[1], is_new=False, first_us=row[2], last_us=row[3])
                stream.seq_before = row[1]
                stream.lines_before, stream.bytes_before, stream.source = row[4:]
            else:
                last = self._catalog.execute("select coalesce(max(id), 0) from log_stream").fetchone()[0]
                new = sum(one.is_new for one in self._streams.values())
                stream = Stream(last + new + 1, group, name, 1, is_new=True)
            self._streams[group, name] = stream
        return self._streams[group, name]

    def states(self, tick: int) -> list[tuple[object, ...]]:
        """Return what the metadata of a segment says of all of them."""
        return [stream.state(tick) for stream in self._streams.values()]

    def store(self) -> None:
        """Store the streams as they are after the tick, inside the caller's transaction."""
        for one in self._streams.values():
            if one.is_new:
                self._catalog.execute("insert or ignore into log_group (name) values (?)", (one.group,))
                self._catalog.execute(
                    "insert into log_stream "
                    "(id, log_group, name, next_seq, first_time, last_time, lines, bytes, source) "
                    "select ?, id, ?, ?, ?, ?, ?, ?, ? from log_group where name = ?",
                    (
                        *(one.id, one.name, one.next_seq, one.first_us, one.last_us, one.lines, one.bytes),
                        *(one.source, one.group),
                    ),
                )
            else:
                self._catalog.execute(
                    "update log_stream set next_seq = ?, first_time = ?, last_time = ?, lines = lines + ?, "
                    "bytes = bytes + ?, source = ? where id = ?",
                    (one.next_seq, one.first_us, one.last_us, one.lines, one.bytes, one.source, one.id),
                )
