"""Gathering parsed chunks to ticks, and committing them one after the other in a thread of its own."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from heeler.clock import Clock
from heeler.store import AlertRow, Tick
from heeler.store.lake import Completed, Lake

TICK_SECONDS = 1.0
"""How long lines wait for others before they are committed."""

TICK_BYTES = 16 << 20
"""So many bytes of lines are committed at once: waits for the disk are few, and memory is for twice as many lines."""


class Ticks:
    """What waits to be committed to a lake. One task writes; others hand over, and wait while there is no room.

    When a commit fails, `write` raises what it raised, and nothing of that tick or after it is stored.
    """

    def __init__(self, lake: Lake, writer: Executor, clock: Clock, tick_bytes: int = TICK_BYTES) -> None:
        """``writer`` is an executor of one thread, which alone uses ``lake``."""
        self._lake = lake
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
            ready, alerts = self._ready, tuple(self._alerts)
            self._ready, self._alerts, self._bytes = [], [], 0
            if not self._ended:
                self._some.clear()
                self._full.clear()
            self._room.set()
            await loop.run_in_executor(self._writer, self._commit, ready, alerts)
            del ready

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
