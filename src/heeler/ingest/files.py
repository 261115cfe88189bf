"""A run of `heeler ingest`: files one after the other, their chunks side by side."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed, Exit, HeelerError
from heeler.formats import Format
from heeler.formats.choose import PLAIN, Formats
from heeler.formats.timestamps import Receipt
from heeler.formats.zones import Zone
from heeler.ingest.alerts import TrafficAlert
from heeler.ingest.chunk import Destination, ParsedChunk
from heeler.ingest.days import Days
from heeler.ingest.recognition import Recognition
from heeler.ingest.ticks import TICK_BYTES, Ticks
from heeler.model import LONGEST_LINE_BYTES, Chunk
from heeler.pipeline import parsed
from heeler.sources.file_position import prefix_of, storable
from heeler.sources.whole_file import WholeFile
from heeler.store import Store

SOURCE = "file"
"""The name of the source under which positions are stored; the same as that of files that are followed."""

CHUNK_BYTES = 4 << 20
"""Half of what other sources read at once: several are in memory as bytes and as columns, and no line is seen later."""

WORKERS = 2
"""Threads that parse. One more commits; the engines below have their own."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What to take in, and where to.

    ``stream`` empty means the absolute path of each file; ``format`` None that each file's format is detected, among
    those that are ``known``; ``zone`` is that of stamps that name none. The sizes are what a test makes small.
    """

    paths: tuple[str, ...]
    group: str = "default"
    stream: str = ""
    format: Format | None = None
    chunk_bytes: int = CHUNK_BYTES
    longest_line_bytes: int = LONGEST_LINE_BYTES
    tick_bytes: int = TICK_BYTES
    known: Formats | None = None
    zone: Zone | None = None


@dataclass(slots=True)
class Summary:
    """What a run has taken in so far. ``consumed`` and ``size`` are of the files as they lie on the disk.

    ``size`` is None where it cannot be known.
    """

    lines: int = 0
    parsed: int = 0
    bytes: int = 0
    consumed: int = 0
    size: int | None = 0
    failures: list[HeelerError] = field(default_factory=list)

    @property
    def unparsed(self) -> int:
        """Lines that their format does not fit; they are stored as they are."""
        return self.lines - self.parsed

    @property
    def exit_code(self) -> int:
        """The gravest of what went wrong."""
        return max((int(error.exit_code) for error in self.failures), default=int(Exit.DONE))

    def count(self, chunk: ParsedChunk) -> None:
        """Add a chunk."""
        self.lines += chunk.lines
        self.parsed += chunk.parsed
        self.bytes += chunk.bytes


class Ingest:
    """Takes files into a lake. Runs once.

    ``notice`` is called with a sentence for each file and each event, ``changed`` whenever `summary` has changed. A
    file that cannot be read, or only in part, is told and is one of the failures of the summary; the others go on.
    When the store fails, that is raised.
    """

    def __init__(
        self,
        store: Store,
        options: IngestOptions,
        clock: Clock,
        *,
        notice: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.summary = Summary(size=_size_of(options.paths))
        self._store = store
        self.options = options
        self._clock = clock
        self._notice = notice
        self._changed = changed
        self._alert = TrafficAlert()

    async def run(self) -> Summary:
        """Take in all files, and return when everything is durable."""
        self._positions = self._store.positions(SOURCE)
        # Left in this order: what is being committed when the run is cancelled is committed before the lake closes.
        with ThreadPoolExecutor(1, "write") as writer, ThreadPoolExecutor(WORKERS, "parse") as workers:
            self._writer, self._workers = writer, workers
            ticks = Ticks(self._store, writer, self._clock, self._notice, tick_bytes=self.options.tick_bytes)
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(ticks.write())
                    for path in self.options.paths:
                        await self._file(path, ticks)
                    await ticks.put((), self._alert.finish())
                    ticks.end()
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
        return self.summary

    async def _file(self, path: str, ticks: Ticks) -> None:
        group, stream = storable(self.options.group), storable(self.options.stream or _own_stream(path))
        done_before = self.summary.consumed
        own = Summary()
        file: WholeFile | None = None
        try:
            file = self.source(path, group, stream)
            reading = _Reading(self, file, path, group, stream)
            async with aclosing(parsed(file, self._workers, reading.prepare)) as chunks:
                async for chunk, result in chunks:
                    self._tell(chunk)
                    if result is not None:
                        own.count(result)
                        reading.recognition.count(result.lines, result.parsed)
                        await self._hand_over(chunk, result, ticks, is_first=own.lines == result.lines)
                    self.summary.consumed = done_before + file.consumed
                    self._changed()
        except HeelerError as error:
            self._fail(error)
        if file is not None:
            self._notice(_sentence(file.name, own, reading.format))
            self.summary.consumed = done_before + (file.size or 0)
            self._changed()

    def source(self, path: str, group: str, stream: str) -> WholeFile:
        """Return what reads a file from where it was read to."""
        return WholeFile(
            path,
            clock=self._clock,
            prefix=prefix_of(group, stream),
            positions=self._positions,
            chunk_bytes=self.options.chunk_bytes,
            longest_line_bytes=self.options.longest_line_bytes,
        )

    async def _hand_over(self, chunk: Chunk, result: ParsedChunk, ticks: Ticks, *, is_first: bool) -> None:
        alerts = []
        if result.times is not None:
            alerts += self._alert.begin_file(result.times) if is_first else []
            alerts += self._alert.feed(result.times)
        await ticks.put([result.completed], alerts)
        self._positions[chunk.part] = chunk.position
        self.summary.count(result)

    def _tell(self, chunk: Chunk) -> None:
        for event in chunk.events:
            if event.lost_bytes is not None:
                self._fail(EnvironmentFailed(event.message))
            else:
                self._notice(event.message)

    def _fail(self, error: HeelerError) -> None:
        self.summary.failures.append(error)
        self._notice(str(error))

    async def register(self, known: Format) -> None:
        """Make a format known to the lake, which belongs to the writer's thread."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.register, known)

    def destination(self, group: str, stream: str, known: Format, receipt: Receipt) -> Destination:
        """Return where the lines of a stream go."""
        return Destination(self._store, SOURCE, group, stream, known, receipt)


class _Reading:
    """One file while it is read: its format as soon as there is a chunk."""

    def __init__(self, ingest: Ingest, file: WholeFile, path: str, group: str, stream: str) -> None:
        self.recognition = Recognition(ingest.options.format, ingest.options.known)
        self._ingest = ingest
        self._file = file
        self._group = group
        self._stream = stream
        self._written_us = _written_us(path)
        self._days = Days(None if path == "-" else lambda: ingest.source(path, group, stream))

    @property
    def format(self) -> Format | None:
        """The format of the newest chunk."""
        return self.recognition.format

    async def prepare(self, chunk: Chunk) -> Callable[[Chunk], ParsedChunk | None]:
        before = self.recognition.format
        if chunk.data:
            sample = self._file.sample if before is None else chunk.data
            known = await asyncio.to_thread(self.recognition.format_for, sample, chunk.data)
        elif any(event.is_kept for event in chunk.events):
            known = before or PLAIN
        else:
            return _nothing
        if known is not before:
            await self._ingest.register(known)
        receipt = Receipt(chunk.received_us, self._written_us, self._ingest.options.zone)
        receipt = await self._days.known_for(chunk, known, receipt)
        return self._ingest.destination(self._group, self._stream, known, receipt).parse


def _written_us(path: str) -> int | None:
    """Return when a file was last written; None for standard input, and for what cannot be looked at."""
    if path == "-":
        return None
    try:
        return Path(path).stat().st_mtime_ns // 1000
    except OSError:
        return None


def _nothing(_: Chunk) -> None:
    """Parse a chunk that has only events which are not kept."""


def _size_of(paths: Sequence[str]) -> int | None:
    """Return the bytes of all files; what cannot be read is told when its turn comes."""
    if "-" in paths:
        return None
    return sum(Path(path).stat().st_size for path in paths if Path(path).is_file())


def _own_stream(path: str) -> str:
    return "stdin" if path == "-" else str(Path(path).absolute())


def _sentence(name: str, own: Summary, known: Format | None) -> str:
    if known is None:
        return f"{name}: nothing new"
    share = f", {own.parsed / own.lines * 100:.2f} % parsed" if own.unparsed else ""
    return f"{name}: {own.lines:,} lines as {known.name}{share}"
