"""Gathering parsed chunks to ticks, and committing them one after the other in a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed
from heeler.store import AlertRow, Completed, Tick
from heeler.store.lake import Lake
from heeler.store.upkeep import Upkeep

TICK_SECONDS = 1.0
"""How long lines wait for others before they are committed."""

UPKEEP_SECONDS = 0.1
"""How long the lake is looked after between two ticks."""

PAUSE_SECONDS = 5.0
"""How often a full disk is looked at again."""

TICK_BYTES = 16 << 20
"""So many bytes of lines are committed at once: waits for the disk are few, and memory is for twice as many lines."""


class Ticks:
    """What waits to be committed to a lake. One task writes; others hand over, and wait while there is no room.

    Between ticks, when nothing waits, the lake is looked after in short slices. While the disk is nearly full nothing
    is committed, so those who hand over wait. When a commit fails, `write` raises what it raised, and nothing of that
    tick or after it is stored.
    """

    def __init__(
        self,
        lake: Lake,
        writer: Executor,
        clock: Clock,
        notice: Callable[[str], None],
        *,
        tick_bytes: int = TICK_BYTES,
        upkeep: Upkeep | None = None,
    ) -> None:
        """``writer`` is an executor of one thread, which alone uses ``lake``; ``notice`` takes sentences for people."""
        self._lake = lake
        self._upkeep = upkeep or Upkeep(lake)
        self._notice = notice
        self._writer = writer
        self._clock = clock
        self._tick_bytes = tick_bytes
        self._ready: list[Completed] = []
        self._alerts: list[AlertRow] = []
        self._bytes = 0
        self._ended = False
        self._some, self._full, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def put(self, ready: Sequence[Completed], alerts: Sequence[AlertRow] = ()) -> None:
        """Hand over what one tick is to commit together, as soon as there is room."""
        while self._bytes >= self._tick_bytes:
            self._room.clear()
            await self._room.wait()
        self._ready += ready
        self._alerts += alerts
        self._bytes += sum(one.batch.bytes for one in ready)
        if self._ready or self._alerts:
            self._some.set()
        if self._bytes >= self._tick_bytes:
            self._full.set()

    def end(self) -> None:
        """Say that nothing more comes: `write` commits what is left, and returns."""
        self._ended = True
        self._some.set()
        self._full.set()

    async def write(self) -> None:
        """Commit until the end, a tick about once a second or when enough has come."""
        loop = asyncio.get_running_loop()
        while await self._is_due():
            await self._wait_for_disk()
            ready, alerts, is_busy = self._ready, tuple(self._alerts), self._bytes >= self._tick_bytes
            self._ready, self._alerts, self._bytes = [], [], 0
            if not self._ended:
                self._some.clear()
                self._full.clear()
            self._room.set()
            await loop.run_in_executor(self._writer, self._commit, ready, alerts)
            del ready
            if self._ended or not self._ready:
                for note in await loop.run_in_executor(self._writer, self._look_after, is_busy or self._ended):
                    self._notice(note)

    async def _wait_for_disk(self) -> None:
        """Wait until the disk has room beyond what must stay free, and say so when that begins and ends."""
        if not (reason := self._upkeep.pause_reason()):
            return
        self._notice(reason)
        while self._upkeep.pause_reason():
            await self._clock.sleep(PAUSE_SECONDS)
        self._notice(f"The disk of the lake in {self._lake.folder} has room again; taking in goes on.")

    def _look_after(self, is_busy: bool) -> list[str]:  # noqa: FBT001 - an executor passes no names
        """Do a slice of upkeep and return what people should know; a failure loses nothing and is tried again."""
        try:
            self._upkeep.step(self._clock.now_us(), UPKEEP_SECONDS, is_busy=is_busy)
        except EnvironmentFailed as error:
            self._upkeep.notes.append(str(error))
        notes, self._upkeep.notes = self._upkeep.notes, []
        return notes

    def _commit(self, ready: list[Completed], alerts: tuple[AlertRow, ...]) -> None:
        self._lake.commit(Tick(tuple(one.batch for one in ready), alerts), ready)

    async def _is_due(self) -> bool:
        """Wait until a tick is to be committed; return False when there is none left."""
        await self._some.wait()
        waits = {asyncio.ensure_future(self._clock.sleep(TICK_SECONDS)), asyncio.ensure_future(self._full.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return bool(self._ready or self._alerts)
