"""One configured source while the process runs: made, read, and made again when it fails."""

import asyncio
import random
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial

from heeler.daemon.alerting import Alerting
from heeler.daemon.intake import Intake
from heeler.daemon.setup import Mirror, Prepare
from heeler.errors import HeelerError, SourceEnded
from heeler.formats.choose import PLAIN, Formats, format_named
from heeler.formats.timestamps import Receipt
from heeler.formats.zones import zone_named
from heeler.ingest.chunk import Destination, ParsedChunk
from heeler.ingest.recognition import Recognition
from heeler.model import Chunk, Position
from heeler.pipeline import parsed
from heeler.rules.engine import Engine
from heeler.rules.partial import Partial
from heeler.sources import Source, SourceContext, SourceHealth
from heeler.sources.file_position import storable
from heeler.sources.settings import SourceSettings
from heeler.store import AlertRow

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""A source that failed is made again after so long, and twice as long each time, as long as it goes on to fail."""

STEADY_S = 60.0
"""When it has run for so long the next failure is a first one again."""

MOST_STREAMS = 1_000
"""Streams whose format is remembered; of one that comes again after so many others it is looked for again."""

RATE_SECONDS = 10.0

Parsed = tuple[ParsedChunk, Engine | None]
"""A parsed chunk, and the rules that looked at it, if there are some."""


@dataclass(slots=True)
class SourceCounts:
    """What a source has given since the process began, and when."""

    lines: int = 0
    bytes: int = 0
    unparsed: int = 0
    restarts: int = 0
    events: int = 0
    last_error: str = ""
    last_line_us: int | None = None
    redacted: dict[str, int] = field(default_factory=dict)


class Rate:
    """Lines a second, over about `RATE_SECONDS`."""

    def __init__(self) -> None:
        self._steps: list[tuple[float, int]] = []

    def count(self, at: float, lines: int) -> None:
        """Add lines that came at ``at`` (monotonic seconds)."""
        self._steps = [step for step in self._steps if step[0] > at - RATE_SECONDS]
        if self._steps and self._steps[-1][0] > at - 1:
            at_before, before = self._steps.pop()
            self._steps.append((at_before, before + lines))
        else:
            self._steps.append((at, lines))

    def per_second(self, now: float) -> float:
        """Return the rate at ``now``."""
        return sum(lines for at, lines in self._steps if at > now - RATE_SECONDS) / RATE_SECONDS


class Collector:
    """Runs the source of one section of the configuration until it is stopped.

    ``prepare`` changes a chunk before anything else looks at it (redaction); ``mirror`` is given the lines as they were
    then, before they are committed.
    """

    def __init__(
        self,
        name: str,
        settings: SourceSettings,
        intake: Intake,
        known: Formats,
        *,
        chance: random.Random,
        prepare: Prepare | None = None,
        mirror: Mirror | None = None,
        alerting: Alerting | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.counts = SourceCounts()
        self.rate = Rate()
        self._intake = intake
        self._known = known
        self._chance = chance
        self._prepare = prepare
        self._mirror = mirror
        self._alerting = alerting
        self._zone = zone_named(settings.zone) if settings.zone else None
        self._source: Source | None = None
        self._stopping = asyncio.Event()
        self._ended = False
        self._streams: OrderedDict[tuple[str, str], Recognition] = OrderedDict()

    async def run(self) -> None:
        """Read the source until `stop`, or until it has ended; when it fails it is made again after a while."""
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            begun = self._intake.clock.monotonic()
            try:
                await self._read()
                break
            except SourceEnded:
                break
            except HeelerError as error:
                self._fail(str(error))
            except Exception as error:  # noqa: BLE001 - the others go on; the traceback goes to our own log
                self._fail(f"a fault of Heeler's: {error!r}", traceback.format_exc())
            finally:
                self._intake.release(self.name)
            if self._intake.clock.monotonic() - begun >= STEADY_S:
                wait_s = FIRST_WAIT_S
            await self._pause(wait_s * (0.5 + self._chance.random()))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        self._ended = True

    async def stop(self) -> None:
        """Let the source take nothing more in; `run` returns when what it took in is committed."""
        self._stopping.set()
        if self._source is not None:
            await self._source.stop()

    def health(self) -> SourceHealth:
        """Tell how the source fares."""
        if self._source is None:
            doing = "ended" if self._ended else "stopped" if self._stopping.is_set() else "waiting to try again"
            return SourceHealth(alive=False, doing=doing, last_error=self.counts.last_error)
        health = self._source.health()
        return replace(
            health,
            restarts=health.restarts + self.counts.restarts,
            last_error=health.last_error or self.counts.last_error,
        )

    @property
    def lines_a_second(self) -> float:
        """How many lines come a second at the moment."""
        return self.rate.per_second(self._intake.clock.monotonic())

    async def _read(self) -> None:
        namespace = self.settings.positions_under or self.name
        context = SourceContext(
            self.name,
            self._intake.clock,
            await self._intake.positions(self.name, namespace),
            lambda keys: self._intake.seen(namespace, keys),
            lambda text: self._intake.notice(f"{self.name}: {text}"),
        )
        self._source = self.settings.open(context)
        try:
            if self._stopping.is_set():
                return
            chunks = parsed(self._source, self._intake.workers, self._prepared, self._intake.settled)
            async with aclosing(chunks):
                async for chunk, (result, engine) in chunks:
                    try:
                        await self._hand_over(chunk, result, engine)
                    except HeelerError:
                        await self._intake.settled()  # who sent what was taken before hears of it still
                        raise
        finally:
            await self._source.close()
            self._source = None

    async def _prepared(self, chunk: Chunk) -> Callable[[Chunk], Parsed]:
        """Choose the format of a chunk's stream, and return what parses it."""
        if self._prepare is not None:
            chunk, redacted = await asyncio.to_thread(self._prepare, chunk)
            for rule, times in redacted.items():
                self.counts.redacted[rule] = self.counts.redacted.get(rule, 0) + times
        group, stream = self._place_of(chunk)
        if self._mirror is not None and chunk.data:
            await asyncio.to_thread(self._mirror.write, group, stream, _finished(chunk))
        recognition = self._recognition(chunk, group, stream)
        before = recognition.format
        known = before or PLAIN
        if chunk.data:
            known = await asyncio.to_thread(recognition.format_for, chunk.data, chunk.data)
        if known is not before:
            await self._intake.register(known)
        namespace = self.settings.positions_under or self.name
        receipt = Receipt(chunk.received_us, zone=self._zone)
        engine = self._alerting.engine if self._alerting is not None else None
        rules = engine.partials if engine is not None else None
        parse = Destination(self._intake.lake, namespace, group, stream, known, receipt, rules).parse
        return lambda _: (parse(chunk), engine)

    async def _hand_over(self, chunk: Chunk, result: ParsedChunk, engine: Engine | None) -> None:
        group, stream = self._place_of(chunk)
        for event in chunk.events:
            self.counts.events += 1
            if not event.repeated:
                self._intake.notice(f"{self.name}: {event.message}")
        self._recognition(chunk, group, stream).count(result.lines, result.parsed)
        alerts = partial(self._led_to, result.partials, engine)
        await self._intake.put(self.name, [result.completed], alerts, committed=self._committed, awaited=chunk.awaited)
        self._count(chunk, result)

    def _led_to(self, partials: Mapping[int, Partial], engine: Engine | None) -> Sequence[AlertRow]:
        return () if self._alerting is None or engine is None else self._alerting.led_to(partials, engine)

    def _count(self, chunk: Chunk, result: ParsedChunk) -> None:
        self.counts.lines += result.lines
        self.counts.bytes += result.bytes
        self.counts.unparsed += result.lines - result.parsed
        if result.lines:
            self.counts.last_line_us = chunk.received_us
            self.rate.count(self._intake.clock.monotonic(), result.lines)

    async def _committed(self, positions: Mapping[str, Position]) -> None:
        """Acknowledge. A source that cannot must not keep the others from their commits; its senders send again."""
        if self._source is None:
            return
        try:
            await self._source.committed(positions)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._tell(f"what was stored could not be acknowledged: {error!r}", traceback.format_exc())

    def _place_of(self, chunk: Chunk) -> tuple[str, str]:
        group = chunk.group or self.settings.group or self.name
        return storable(group), storable(chunk.stream or chunk.path or chunk.part)

    def _recognition(self, chunk: Chunk, group: str, stream: str) -> Recognition:
        key = group, stream
        if key not in self._streams:
            named = "" if chunk.part in self.settings.other_parts else self.settings.format
            given = format_named(named, self._known) if named else None
            self._streams[key] = Recognition(given, self._known)
            if len(self._streams) > MOST_STREAMS:
                self._streams.popitem(last=False)
        self._streams.move_to_end(key)
        return self._streams[key]

    def _fail(self, why: str, details: str = "") -> None:
        self.counts.restarts += 1
        self._tell(why, details)

    def _tell(self, why: str, details: str = "") -> None:
        self.counts.last_error = why
        self._intake.notice(f"{self.name}: {why}" + (f"\n{details}" if details else ""))

    async def _pause(self, seconds: float) -> None:
        """Wait, but not when it is stopped meanwhile."""
        waits: set[asyncio.Future[object]] = {
            asyncio.ensure_future(self._intake.clock.sleep(seconds)),
            asyncio.ensure_future(self._stopping.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _finished(chunk: Chunk) -> bytes:
    """Return the lines that will not come again."""
    return chunk.data[: len(chunk.data) - chunk.unfinished_bytes]
