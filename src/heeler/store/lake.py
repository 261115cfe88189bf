"""The embedded store: a folder with a catalog and segments, written by one process."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from heeler.errors import EnvironmentFailed
from heeler.formats import Format, members_of
from heeler.model import Position
from heeler.store import Batch, Completed, Tick
from heeler.store.alerts import insert_alerts
from heeler.store.catalog import FILE as CATALOG_FILE
from heeler.store.catalog import open_for_writing, transaction
from heeler.store.events import EVENT_FORMAT
from heeler.store.lock import WriterLock
from heeler.store.plan import Plan, insert_part
from heeler.store.reading import newest_line_time, newest_record
from heeler.store.records import complete
from heeler.store.recovery import recover
from heeler.store.segment import WrittenSegment, make_durable_folder, write_segment

FormatKey = tuple[str, str, str]
"""Name, table and definition of a format."""


class Lake:
    """Writes ticks to the lake in ``folder``, and makes it where there is none. Implements `heeler.store.Store`.

    Raises `EnvironmentFailed` at once where the folder cannot be written or another process writes to it. ``at_step``
    is called with the name of each step of a commit; the campaigns kill the process there. ``recovered`` says what
    people must know of a catalog that was lost and made again, a sentence each; it is empty where all is well.
    """

    def __init__(self, folder: Path, at_step: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder
        self.at_step = at_step
        try:
            if not (folder / CATALOG_FILE).exists():
                here = folder.absolute()
                make_durable_folder(next(path for path in here.parents if path.is_dir()), here)
        except OSError as error:
            raise EnvironmentFailed(f"The folder {folder} for the lake cannot be made: {error.strerror}.") from error
        self._lock = WriterLock(folder)
        try:
            self.recovered = recover(folder, at_step)
            self.catalog = open_for_writing(folder)
        except BaseException:
            self._lock.release()
            raise
        self._formats: dict[FormatKey, int] = {
            (name, table, definition): row
            for row, name, table, definition in self.catalog.execute('select id, name, "table", definition from format')
        }
        self._new_formats: dict[int, FormatKey] = {}
        self._line_times: dict[int, int | None] = {}
        self._record_heads: dict[int, int] = {}

    def close(self) -> None:
        """Let go of the lake. May be called more than once."""
        self.catalog.close()
        self._lock.release()

    def positions(self, source: str) -> dict[str, Position]:
        """Return how far each part of ``source`` has been read, by part."""
        rows = self.catalog.execute(
            "select part, position from position where source = ? and position <> '{}'", (source,)
        )
        return {part: json.loads(position) for part, position in rows}

    def seen(self, source: str, keys: Sequence[str]) -> frozenset[str]:
        """Return those of ``keys`` that were committed by ``source``."""
        rows = self.catalog.execute(
            "select key from seen where source = ? and key in (select value from json_each(?))",
            (source, json.dumps(keys)),
        )
        return frozenset(key for (key,) in rows)

    def complete(self, batch: Batch) -> Completed:
        """Do for a batch what needs no order. May run in any thread once `register` knows the format."""
        return complete(batch, [self._formats[_key(member)] for member in members_of(batch.format)])

    def register(self, known: Format) -> int:
        """Return the id of a format; a changed definition gets a new one. One that has members gives each an id.

        The definition is stored for ever, with the first tick that is committed after this.
        """
        ids = [self._register(_key(member)) for member in members_of(known)]
        return ids[0]

    def _register(self, key: FormatKey) -> int:
        if key not in self._formats:
            self._formats[key] = max(self._formats.values(), default=0) + 1
            self._new_formats[self._formats[key]] = key
        return self._formats[key]

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        """Store a tick: all of it, durably, or nothing.

        First the segments are made durable, then one transaction lists them and everything else. When this raises
        `EnvironmentFailed` nothing was stored, and the same tick can be tried again.
        """
        for batch in tick.batches:
            self.register(batch.format)
        ready = [self.complete(batch) for batch in tick.batches] if completed_batches is None else completed_batches
        try:
            self._commit(tick, ready)
        except (OSError, sqlite3.Error, pl.exceptions.ComputeError) as error:
            raise EnvironmentFailed(
                f"The lake in {self.folder} could not be written: {error}. Nothing of this tick was stored; free some "
                "space or mend the disk, then it can go on."
            ) from error

    def _commit(self, tick: Tick, ready: Sequence[Completed]) -> None:
        self.at_step("commit begins")
        number = self._last_tick() + 1
        event_format = self._register(EVENT_FORMAT) if any(one.batch.events for one in ready) else 0
        plan = Plan(self.catalog, ready, self._line_time_of, event_format, self._record_head_of)
        metadata = plan.metadata(number, self._formats)
        written: dict[int, WrittenSegment] = {}
        for index, part in enumerate(plan.parts):
            if part.is_large:
                path = f"segments/{part.table}/{part.day}/{number:010d}-{index}.parquet"
                self.at_step("segment begins")
                own = {"table": part.table, "streams": part.named_extents(), "replaces": []}
                written[index] = write_segment(self.folder, path, part.rows, metadata | own)
                self.at_step("segment written")
        with transaction(self.catalog):
            self.at_step("transaction begins")
            self.catalog.executemany(
                'insert into format (id, name, "table", definition) values (?, ?, ?, ?)',
                [(row, *key) for row, key in self._new_formats.items()],
            )
            plan.update_streams(self.catalog)
            for index, part in enumerate(plan.parts):
                insert_part(self.catalog, part, number, written.get(index))
            self.catalog.executemany(
                "insert into position (source, part, position, head, tick) values (?, ?, ?, ?, ?) "
                "on conflict do update set position = excluded.position, head = excluded.head, tick = excluded.tick",
                plan.positions(number),
            )
            self.catalog.execute("delete from position where position = '{}'")  # what its source has forgotten
            self.catalog.executemany("insert or ignore into seen (source, key, time) values (?, ?, ?)", plan.seen())
            insert_alerts(self.catalog, tick.alerts)
            self.catalog.execute(
                "insert into setting values ('tick', ?) on conflict do update set value = excluded.value",
                (str(number),),
            )
            self.at_step("transaction ends")
        self._new_formats.clear()
        self._line_times |= plan.line_times
        self._record_heads |= plan.record_heads
        self.at_step("commit ended")

    def _line_time_of(self, stream: int) -> int | None:
        if stream not in self._line_times:
            self._line_times[stream] = newest_line_time(self.catalog, self.folder, stream)
        return self._line_times[stream]

    def _record_head_of(self, stream: int) -> int | None:
        if stream not in self._record_heads and (stored := newest_record(self.catalog, self.folder, stream)):
            self._record_heads[stream] = stored
        return self._record_heads.get(stream)

    def _last_tick(self) -> int:
        row = self.catalog.execute("select value from setting where key = 'tick'").fetchone()
        return int(row[0]) if row else 0


def _key(known: Format) -> FormatKey:
    return known.name, known.table, known.text
