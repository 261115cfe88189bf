"""One watched file: its source, its format as soon as that is known, and how it fares."""

import asyncio
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed, UsageError
from heeler.formats import Format, members_of, severity
from heeler.formats.access import ACCESS_FORMATS
from heeler.formats.choose import PLAIN, Formats, is_binary
from heeler.formats.lines import split
from heeler.formats.section import sections
from heeler.formats.timestamps import Receipt
from heeler.formats.zones import Zone
from heeler.ingest.days import Days
from heeler.ingest.recognition import Recognition
from heeler.model import Chunk
from heeler.sources.file import FileSource
from heeler.views.escape import printable
from heeler.views.snapshot import FileStatus
from heeler.views.traffic import COLUMNS

CHUNK_BYTES = 4 << 20
"""Half of what other sources read at once: a few of them are in memory together, and a watch should stay small."""

_SHAPE: dict[str, pl.DataType | type[pl.DataType]] = {
    "time": pl.Datetime("us"),
    "zone": pl.Int16,
    "status": pl.UInt16,
    "bytes": pl.UInt64,
}
_LOG_COLUMNS = {"program", "host", "severity"}
"""What is read of records that are no requests."""

_SAMPLE_BYTES = 256 << 10
_ANY_US = 1 << 61


@dataclass(frozen=True, slots=True)
class Read:
    """A chunk that was read: by which format, with what was known of it, and what is counted of its lines."""

    format: Format
    receipt: Receipt
    records: pl.DataFrame


class WatchedFile:
    """A file while it is watched. ``path`` may be ``-`` for standard input."""

    def __init__(
        self,
        path: str,
        given: Format | None,
        clock: Clock,
        *,
        known: Formats | None = None,
        zone: Zone | None = None,
        replay: bool,
        from_start: bool = True,
        look: bool = True,
    ) -> None:
        """``look`` at what is there, which is not read later unless it is read ``from_start``.

        ``zone`` is that of stamps that name none. Raises `UsageError` for what cannot be watched (a directory, a
        device, a binary file, under ``replay`` also a missing file), `EnvironmentFailed` for what may not be read.
        """
        self.path = path
        self.state: Literal["waiting", "following", "ended"] = "following" if replay else "waiting"
        self.lines = self.parsed = self.bytes = 0
        self.message = ""
        self.beginning = ""
        """What the first lines of a file that exists already tell of its format, in a sentence."""
        self._given = given is not None
        self._recognition = Recognition(given, known, fewest=0.0)  # what has no times is nothing to watch
        self._zone = zone
        self._replay = replay
        self._from_start = from_start
        self._written_us: int | None = None
        self._days = Days(self.read_once if replay and path != "-" else None)
        self._clock = clock
        if path != "-" and look:
            self._look(Path(path))

    @property
    def shown_path(self) -> str:
        """The path as it may be shown."""
        return "standard input" if self.path == "-" else printable(os.fsencode(self.path))

    def read_once(self) -> FileSource:
        """Return a source that reads the file to its end, or standard input."""
        return FileSource(self.path, clock=self._clock, follow=False, chunk_bytes=CHUNK_BYTES)

    def _look(self, path: Path) -> None:
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise UsageError(f"{self.shown_path} is a directory; name the log files in it.")
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(
                    f"{self.shown_path} is no regular file; only files can be watched, or - for standard input."
                )
            with path.open("rb") as file:
                sample = file.read(_SAMPLE_BYTES)
                before = b"" if self._from_start else _end_of(file, status.st_size)
            self._written_us = status.st_mtime_ns // 1000 if self._replay else None
        except FileNotFoundError:
            if self._replay:
                raise UsageError(
                    f"There is no file {self.shown_path}; check the path, or leave out --replay to wait for it."
                ) from None
            self.message = f"waiting for {self.shown_path}"
        except PermissionError as error:
            raise EnvironmentFailed(
                f"{self.shown_path} may not be read by this user; run as one who may, or change its permissions."
            ) from error
        except OSError as error:
            kind = UsageError if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR) else EnvironmentFailed
            raise kind(f"{self.shown_path} cannot be read: {error.strerror}.") from error
        else:
            chosen = self._recognition.format_for(sample, before)
            self._refuse_binary(chosen, sample)
            if lines := split(sample[: sample.rfind(b"\n") + 1]):
                parsed = int(_timed(chosen).parse(lines, ())["parsed"].sum())
                self.beginning = self._told(parsed, len(lines), "the first ")

    @property
    def format(self) -> Format | None:
        """The format of the newest chunk; None where none fits, as of plain text, which has no times."""
        found = self._recognition.format
        return None if found is PLAIN else found

    def _refuse_binary(self, chosen: Format, sample: bytes) -> None:
        whole = sample[: sample.rfind(b"\n") + 1] or sample
        if is_binary(whole) and not _timed(chosen).parse(split(whole), ())["parsed"].any():
            raise UsageError(f"{self.shown_path} is a binary file: it begins with NUL bytes and no line of it parses.")

    async def prepare(self, chunk: Chunk) -> Callable[[Chunk], Read]:
        """Return the parser for ``chunk``; the format is looked for again where it fits no longer."""
        waits = any(event.what == "waiting" for event in chunk.events)
        self.state = "waiting" if waits and not chunk.data else "following"
        self.message = printable(chunk.events[-1].message) if chunk.events else ""
        is_first = self._recognition.format is None
        chosen = self._recognition.format or PLAIN
        if chunk.data:
            chosen = await asyncio.to_thread(self._recognition.format_for, chunk.data, chunk.data)
            # A file that is followed may get a hole of NULs at any time; that must not end the watch.
            if is_first and self.path == "-":
                self._refuse_binary(chosen, chunk.data[:_SAMPLE_BYTES])
        receipt = Receipt(chunk.received_us, self._written_us, self._zone)
        return partial(_read, chosen, await self._days.known_for(chunk, chosen, receipt))

    def count(self, chunk: Chunk, records: pl.DataFrame) -> None:
        """Take note of what was read."""
        parsed = int(records["parsed"].sum())
        self._recognition.count(records.height, parsed)
        self.lines += records.height
        self.parsed += parsed
        self.bytes += len(chunk.data)

    def sentence(self) -> str:
        """Return what is known of the format in a sentence."""
        if not self.lines:
            return self.message or f"{self.shown_path}: no line yet"
        return self._told(self.parsed, self.lines, "")

    def _told(self, parsed: int, lines: int, of: str) -> str:
        name = self.format.name if self.format else "no access log format fits"
        told = f"{self.shown_path}: {name}, {parsed / lines * 100:.2f} % of {of}{lines:,} lines parsed"
        return f"{told}; name the format with --format" if parsed * 2 < lines and not self._given else told

    def status(self) -> FileStatus:
        """Return how the file fares."""
        name = self.format.name if self.format else None
        return FileStatus(self.shown_path, self.state, name, self.lines, self.parsed, self.bytes, self.message)


def _timed(chosen: Format) -> Format:
    """Return the format to count by: where none fits the likeliest one, which then says so of each line."""
    return next(iter(ACCESS_FORMATS.values())) if chosen is PLAIN else chosen


def _read(chosen: Format, receipt: Receipt, chunk: Chunk) -> Read:
    counted_by = _timed(chosen)
    needed = COLUMNS | _LOG_COLUMNS if counted_by.table == "log" else COLUMNS
    needed = needed if "section" in counted_by.offers else needed | {"path"}
    # Times that lie ahead are judged by those of other lines, whatever the clock of this machine says.
    records = counted_by.parse(split(chunk.data), needed, replace(receipt, ahead_us=_ANY_US))
    return Read(chosen, receipt, _complete(_requests(counted_by, records)))


def _end_of(file: BinaryIO, size: int) -> bytes:
    """Return what stands before the lines that are to come."""
    file.seek(max(0, size - _SAMPLE_BYTES))
    return file.read(_SAMPLE_BYTES)


def _requests(chosen: Format, records: pl.DataFrame) -> pl.DataFrame:
    """Return what is counted: requests, and of a format that has none each record, by its program and severity."""
    if "continues" in records.columns:
        records = records.filter(~pl.col("continues"))
    tables = [member.table for member in members_of(chosen)]
    if "access" in tables:
        if "member" not in records.columns:
            return records
        others = [number for number, table in enumerate(tables) if table != "access"]
        return records.filter(~(pl.col("member").is_in(others) & pl.col("parsed")))
    made = {"section": "program", "client": "host"}
    found = {name: pl.col(column) for name, column in made.items() if column in records.columns}
    if "severity" in records.columns:
        found["method"] = severity.name_of(pl.col("severity"))
    return records.with_columns(**found)


def _complete(records: pl.DataFrame) -> pl.DataFrame:
    """Put the columns in one order, with nulls for those that a format of somebody's own leaves out."""
    if "section" not in records.columns and "path" in records.columns:
        method = pl.col("method") if "method" in records.columns else pl.lit("")
        records = records.with_columns(section=sections(records.select("path", method=method)))
    if missing := [name for name in COLUMNS if name not in records.columns]:
        records = records.with_columns(pl.lit(None, _SHAPE.get(name, pl.String)).alias(name) for name in missing)
    return records.select(*sorted(COLUMNS), "ending", "parsed", "raw")
