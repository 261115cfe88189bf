"""The session of `heeler watch`: files in, blocks and alerts out, a snapshot for a screen at any time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, nullcontext
from dataclasses import dataclass

import polars as pl

from heeler.clock import Clock
from heeler.errors import SourceUnavailable
from heeler.formats import Format
from heeler.formats.choose import Formats
from heeler.formats.zones import Zone
from heeler.ingest.watched import WatchStore
from heeler.model import Chunk
from heeler.pipeline import parsed
from heeler.rules.alert import HighTraffic
from heeler.sources import Source
from heeler.store import AlertRow
from heeler.units import SECOND_US
from heeler.views.escape import printable
from heeler.views.invalid import InvalidLines
from heeler.views.merge import Merge
from heeler.views.snapshot import AlertLine, Block, Snapshot
from heeler.views.watched_file import Read, WatchedFile
from heeler.views.watched_files import WatchedFiles
from heeler.views.watching import RECENT_SECONDS, Said, Watching

WORKERS = 2
_TAIL_LINES = 200
_TAIL_BYTES = 64 << 10
_RETRY_SECONDS = 1.0
_NARROWEST_CHART_S = 60
_TICK_SECONDS = 1.0
"""How often time passes while nothing is logged: what it brings is late by this at most."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What to watch and how.

    ``format`` None means that each file's format is detected, among those that are ``known``; ``zone`` is that of
    stamps that name none; ``screen`` says that the last lines are kept for one.
    """

    paths: tuple[str, ...]
    rule: HighTraffic
    interval_s: int = 10
    replay: bool = False
    from_start: bool = False
    format: Format | None = None
    known: Formats | None = None
    zone: Zone | None = None
    screen: bool = False


class WatchSession:
    """Watches until the files end (a replay) or it is cancelled. Runs once.

    ``say`` is called with the blocks and alerts as they come, ``notice`` with sentences for people. Making a session
    opens the files, and raises what `WatchedFile.open` raises. With a ``store`` the lines and alerts are stored as
    well, and reading goes on where it was; not for a replay.
    """

    def __init__(
        self,
        options: WatchOptions,
        clock: Clock,
        *,
        invalid: InvalidLines,
        say: Callable[[Sequence[Said]], None],
        notice: Callable[[str], None],
        store: WatchStore | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._say = say
        self._notice = notice
        self._invalid = invalid
        self._store = store
        self._alerts: list[AlertRow] = []  # told, but not handed to the store yet
        self._watching = Watching(options.rule, options.interval_s)
        self._replayed = [
            WatchedFile(path, options.format, clock, known=options.known, zone=options.zone, replay=True)
            for path in options.paths
            if options.replay
        ]
        self._followed = WatchedFiles(
            () if options.replay else options.paths,
            options.format,
            clock,
            known=options.known,
            zone=options.zone,
            from_start=options.from_start,
            positions=store.positions if store else {},
        )
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._invalid_lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._history: deque[AlertLine] = deque(maxlen=_TAIL_LINES)
        self._last: Block | None = None
        self._skewed_in_merge = 0
        # Where event time stood when a line last moved it, and what the monotonic clock said then.
        self._newest_us: int | None = None
        self._since = clock.monotonic()

    async def run(self, changed: Callable[[], None]) -> None:
        """Read the files; ``changed`` is called whenever `snapshot` has become different."""
        try:
            with ThreadPoolExecutor(WORKERS, "parse") as executor:
                for file in filter(lambda file: file.beginning, self._followed):
                    self._say_how_it_fares(file.beginning)
                if self._options.replay:
                    await self._replay(executor, changed)
                else:
                    async with self._store.writing() if self._store else nullcontext():
                        await self._follow(executor, changed)
                        await self._keep_alerts()
        finally:
            for file in self._files:
                self._notice(file.sentence())
            if self._skewed:
                self._notice(f"{self._skewed:,} lines left out: their time lies more than a day ahead of all others")
            self._invalid.close()

    def snapshot(self) -> Snapshot:
        """Return what is to be shown now."""
        watching = self._watching
        newest_us = watching.clock.newest_us
        now_s = (newest_us if newest_us is not None else self._clock.now_us()) // SECOND_US
        # A chart of what was watched, not of ten minutes that are mostly empty.
        chart_s = min(max(now_s - watching.traffic.start_s, _NARROWEST_CHART_S), RECENT_SECONDS)
        return Snapshot(
            now_s=now_s,
            zone_minutes=watching.clock.zone_minutes,
            second_hits=watching.second_hits(chart_s),
            current=watching.traffic.current(),
            last=self._last,
            window_s=self._options.rule.window_s,
            window_hits=watching.hits_in_window(),
            threshold=float(self._options.rule.threshold),
            firing=watching.firing,
            history=tuple(self._history),
            lines=tuple(self._lines),
            invalid=tuple(self._invalid_lines),
            files=tuple(file.status() for file in self._files),
            parsed=watching.parsed,
            unparsed=watching.unparsed,
            skewed=self._skewed,
        )

    @property
    def _files(self) -> list[WatchedFile]:
        return [*self._replayed, *self._followed]

    @property
    def _skewed(self) -> int:
        return self._watching.clock.skewed + self._skewed_in_merge

    async def _replay(self, executor: Executor, changed: Callable[[], None]) -> None:
        streams = [self._replay_file(file, executor) for file in self._replayed]
        merge = Merge(streams)
        async with AsyncExitStack() as stack:
            for stream in streams:
                await stack.enter_async_context(aclosing(stream))
            async for records in merge if len(streams) > 1 else streams[0]:
                self._tell(self._watching.feed(records))
                changed()
        self._skewed_in_merge = merge.skewed
        self._tell(self._watching.finish())
        changed()

    async def _follow(self, executor: Executor, changed: Callable[[], None]) -> None:
        passing = asyncio.create_task(self._let_time_pass(changed))
        readers = [asyncio.create_task(self._read(made, executor, changed)) for made in self._followed.sources()]
        try:
            # Only a reader can fail; time passes until the last of them has ended, as standard input may.
            await asyncio.gather(*readers)
        finally:
            for task in (passing, *readers):
                task.cancel()
            await asyncio.gather(passing, *readers, return_exceptions=True)
        self._tell(self._watching.finish())
        changed()

    async def _read(self, made: Callable[[], Source], executor: Executor, changed: Callable[[], None]) -> None:
        files = self._followed
        while True:
            try:
                async with aclosing(self._records(made(), executor, files.of, files.note)) as stream:
                    async for records in stream:
                        before = self._watching.clock.newest_us
                        self._tell(self._watching.feed(records))
                        if self._watching.clock.newest_us != before:
                            self._newest_us, self._since = self._watching.clock.newest_us, self._clock.monotonic()
                        changed()
            except SourceUnavailable as error:
                self._say_how_it_fares(printable(str(error)))
                changed()
                await self._clock.sleep(_RETRY_SECONDS)
            else:
                files.end()
                return

    async def _let_time_pass(self, changed: Callable[[], None]) -> None:
        begun_us = self._clock.now_us()
        while True:
            await self._clock.sleep(_TICK_SECONDS)
            if self._newest_us is None:
                self._newest_us = begun_us
                self._watching.begin(begun_us, 0)
            elapsed_us = round((self._clock.monotonic() - self._since) * SECOND_US)
            second = self._second
            self._tell(self._watching.advance(self._newest_us + elapsed_us))
            await self._keep_alerts()
            if self._second != second:
                changed()

    @property
    def _second(self) -> int:
        return (self._watching.clock.newest_us or 0) // SECOND_US

    async def _replay_file(self, file: WatchedFile, executor: Executor) -> AsyncGenerator[pl.DataFrame, None]:
        async with aclosing(self._records(file.read_once(), executor, lambda _: file, lambda _: None)) as stream:
            async for records in stream:
                yield records
        file.state = "ended"

    async def _records(
        self,
        source: Source,
        executor: Executor,
        file_of: Callable[[Chunk], WatchedFile],
        note: Callable[[Chunk], None],
    ) -> AsyncGenerator[pl.DataFrame, None]:
        async def prepare(chunk: Chunk) -> Callable[[Chunk], Read]:
            return await file_of(chunk).prepare(chunk)

        async with aclosing(parsed(source, executor, prepare)) as chunks:
            async for chunk, read in chunks:
                records = read.records
                file_of(chunk).count(chunk, records)
                note(chunk)
                self._invalid.write(records)
                for event in chunk.events:
                    self._say_how_it_fares(printable(event.message))
                if self._options.screen:
                    self._keep_last_lines(chunk, records)
                yield records
                # Whoever took the records has told by now what they led to.
                if self._store:
                    alerts, self._alerts = self._alerts, []
                    await self._store.put(chunk, read.format, read.receipt, alerts)

    async def _keep_alerts(self) -> None:
        if self._store:
            alerts, self._alerts = self._alerts, []
            await self._store.put_alerts(alerts)

    def _say_how_it_fares(self, message: str) -> None:
        """Tell people what happens to a file; a screen shows it by itself."""
        if not self._options.screen:
            self._notice(message)

    def _keep_last_lines(self, chunk: Chunk, records: pl.DataFrame) -> None:
        lines = chunk.data[-_TAIL_BYTES:].splitlines()[-_TAIL_LINES:]
        self._lines.extend(printable(line) for line in lines)
        unparsed = records.filter(~pl.col("parsed"))["raw"].tail(_TAIL_LINES)
        self._invalid_lines.extend(printable(line) for line in unparsed)

    def _tell(self, said: Sequence[Said]) -> None:
        for one in said:
            if isinstance(one, Block):
                self._last = one
                self._invalid.interval()
            else:
                self._history.append(one)
                if self._store:
                    row = AlertRow(one.alert, one.state, one.hits, one.time_s * SECOND_US, one.zone_minutes)
                    self._alerts.append(row)
        if said:
            self._say(said)
