"""The way of chunks into the store, shared by all sources of a process: parsing threads, ticks, and who owns a part."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from heeler.clock import Clock
from heeler.daemon.traffic import TrafficCounters
from heeler.errors import EnvironmentFailed, SourceUnavailable
from heeler.formats import Format
from heeler.ingest.ticks import Alerts, Committed, Ticks
from heeler.model import Position
from heeler.store import Completed
from heeler.store.lake import Lake
from heeler.store.retention import Keep
from heeler.store.upkeep import Upkeep

T = TypeVar("T")

WORKERS = 2
"""Threads that parse. One more commits; the engines below have their own."""


@dataclass(slots=True)
class Counts:
    """What went through the whole process since it began."""

    ticks: int = 0
    lines: int = 0
    bytes: int = 0
    traffic: TrafficCounters = field(default_factory=TrafficCounters)


class Intake:
    """Commits what sources and other processes hand over, while its context is open. Used once.

    Everything that touches the lake runs in its one writer thread.
    """

    def __init__(self, lake: Lake, clock: Clock, notice: Callable[[str], None], keep: Keep | None = None) -> None:
        self.lake = lake
        self.clock = clock
        self.notice = notice
        self.counts = Counts()
        self._keep = keep
        # By source and part: who handed it over last, and in which turn. By owner: the turn in which it asked.
        self._last: dict[tuple[str, str], tuple[str, int]] = {}
        self._asked: dict[str, int] = {}
        self._turn = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Intake"]:
        """Commit what is put within this context; at its end everything is durable and acknowledged.

        When the lake fails for good the task that opened it is cancelled, and this raises what the lake did.
        """
        opener = asyncio.current_task()
        with ThreadPoolExecutor(1, "write") as self._writer, ThreadPoolExecutor(WORKERS, "parse") as self.workers:
            upkeep = Upkeep(self.lake, self._keep)
            self._ticks = Ticks(self.lake, self._writer, self.clock, self.notice, upkeep=upkeep, retries=True)
            writes = asyncio.create_task(self._ticks.write())

            def cancel(done: asyncio.Task[None]) -> None:
                if opener is not None and not done.cancelled() and done.exception() is not None:
                    opener.cancel()

            writes.add_done_callback(cancel)
            try:
                yield self
            finally:
                writes.remove_done_callback(cancel)
                self._ticks.end()
                await writes

    @property
    def waiting_bytes(self) -> int:
        """How many bytes of lines are parsed and not committed yet."""
        return self._ticks.bytes

    async def positions(self, owner: str, source: str) -> dict[str, Position]:
        """Return how far each part of ``source`` has been stored, for ``owner``, which reads on from there.

        What was put before counts: it is waited for. Else whoever reads on would read again what is on its way.
        """
        await self.settled()
        self._asked[owner] = self._turn
        return await self.in_writer(self.lake.positions, source)

    async def seen(self, source: str, keys: Sequence[str]) -> frozenset[str]:
        """Return those of ``keys`` that ``source`` has committed."""
        return await self.in_writer(self.lake.seen, source, keys)

    async def register(self, known: Format) -> None:
        """Make a format known to the lake."""
        await self.in_writer(self.lake.register, known)

    async def put(
        self,
        owner: str,
        ready: Sequence[Completed],
        alerts: Alerts = (),
        *,
        committed: Committed | None = None,
        awaited: bool = False,
    ) -> None:
        """Hand over what is to be committed together.

        ``owner`` is who reads these parts. Two that read the same part would store the same lines: raises
        `EnvironmentFailed` where another one reads it now, and `SourceUnavailable` where another one has read it since
        ``owner`` asked for positions; it has to begin again with those.
        """
        for one in ready:
            self._take((one.batch.source, one.batch.part), owner, one.batch.stream)
        await self._ticks.put(ready, alerts, committed=committed, awaited=awaited)
        for one in ready:
            self.counts.lines += one.rows.height
            self.counts.bytes += one.batch.bytes
            self.counts.traffic.add(one.counted.get("rollup"))

    def _take(self, part: tuple[str, str], owner: str, stream: str) -> None:
        last, turn = self._last.get(part, (owner, 0))
        if last != owner and last in self._asked:
            raise EnvironmentFailed(
                f"{stream} is read by {last} already, which stores its lines; a second reader would store them twice."
            )
        if last != owner and turn > self._asked.get(owner, 0):
            raise SourceUnavailable(f"{last} has stored lines of {stream} meanwhile; reading goes on behind them.")
        self._turn += 1
        self._last[part] = owner, self._turn

    async def settled(self) -> None:
        """Return when everything that was put before is durable, and whoever asked for that was told."""
        await self._ticks.settled()

    def release(self, owner: str) -> None:
        """Let others read the parts of ``owner``, which reads no more."""
        self._asked.pop(owner, None)

    async def in_writer(self, call: Callable[..., T], *arguments: object) -> T:
        """Run ``call``, which may use the lake, in the writer's thread, between ticks."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
