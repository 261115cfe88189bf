"""Letting a program go on whose clock stands still."""

import asyncio
from collections.abc import Callable

from heeler.clock import FakeClock

STEP_S = 0.5


async def until(clock: FakeClock, condition: Callable[[], object]) -> None:
    """Move the clock on until ``condition`` holds; threads are given time to end what they do."""
    async with asyncio.timeout(60):
        while not condition():
            await clock.advance(STEP_S)
            await asyncio.to_thread(lambda: None)


async def turned() -> None:
    """Let everything that can go on without the clock do so."""
    for _ in range(20):
        await asyncio.to_thread(lambda: None)
