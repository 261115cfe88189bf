"""The only place that knows what time it is. Everybody else is handed a clock."""

import asyncio
import heapq
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait."""

    def now_us(self) -> int:
        """Wall time in UTC microseconds since 1970. May jump in both directions."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant. Never goes back; for durations and timers."""

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the event loop."""


class SystemClock:
    """The clock of this machine."""

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)


class FakeClock:
    """A clock that stands still until a test moves it.

    Sleepers wake in the order of their deadlines when `advance` passes them.
    """

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_us(self) -> int:
        """See `Clock.now_us`."""
        return self._now_us

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock by ``seconds``."""
        future = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, future))
        await future

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock: what a test waits on before it calls `advance`."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move both times on by ``seconds`` and let everybody who is due run."""
        until = self._monotonic + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, future = heapq.heappop(self._sleepers)
            self._step(at)
            if not future.done():
                future.set_result(None)
            for _ in range(10):
                await asyncio.sleep(0)
        self._step(until)

    def _step(self, until: float) -> None:
        self._now_us += round((until - self._monotonic) * 1e6)
        self._monotonic = until
