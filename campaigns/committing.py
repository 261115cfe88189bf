"""A source with a store in memory behind it: what tests, campaigns and benchmarks of listeners run it against."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from heeler.clock import Clock, SystemClock
from heeler.model import Chunk, Position
from heeler.sources import Source, SourceContext
from heeler.sources.settings import SourceSettings


@dataclass
class Memory:
    """What a store would hold: chunks that are committed, their keys and positions, and what people were told."""

    chunks: list[Chunk] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    positions: dict[str, Position] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)

    async def seen(self, keys: Sequence[str]) -> frozenset[str]:
        """See `heeler.sources.Seen`."""
        return frozenset(self.keys.intersection(keys))

    def context(self, clock: Clock | None = None) -> SourceContext:
        """Return what a source named ``web`` is made with."""
        return SourceContext("web", clock or SystemClock(), self.positions, self.seen, self.notices.append)

    @property
    def lines(self) -> list[bytes]:
        """Every committed line."""
        return b"".join(chunk.data for chunk in self.chunks).splitlines(keepends=True)

    def of(self, group: str, stream: str) -> bytes:
        """Return the committed bytes of one stream."""
        return b"".join(chunk.data for chunk in self.chunks if (chunk.group, chunk.stream) == (group, stream))


class Committing:
    """Reads a source and commits each chunk at once, or only when `commit` is called."""

    def __init__(self, source: Source, memory: Memory, *, at_once: bool = True) -> None:
        self.source, self.memory = source, memory
        self.waiting: list[Chunk] = []
        self.kept = True
        """Whether what is committed is remembered; a benchmark has no memory for it."""
        self._at_once = at_once
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Read until the source ends."""
        async for chunk in self.source.read():
            self.waiting.append(chunk)
            self._more.set()
            if self._at_once:
                await self.commit()

    async def arrived(self, count: int = 1) -> list[Chunk]:
        """Return the chunks that wait to be committed as soon as they are so many."""
        while len(self.waiting) < count:
            self._more.clear()
            await self._more.wait()
        return self.waiting

    async def commit(self) -> Mapping[str, Position]:
        """Commit what has come."""
        chunks, self.waiting = self.waiting, []
        positions: dict[str, Position] = {chunk.part: chunk.position for chunk in chunks}
        if self.kept:
            self.memory.chunks += chunks
            self.memory.keys.update(key for chunk in chunks for key in chunk.keys)
        self.memory.positions.update(positions)
        await self.source.committed(positions)
        return positions


@asynccontextmanager
async def committing(
    settings: SourceSettings, memory: Memory, clock: Clock | None = None, *, at_once: bool = True
) -> AsyncIterator[Committing]:
    """Run a source over ``memory``. Stops it in the order of the design: it is closed, drains, and is acknowledged."""
    running = Committing(settings.open(memory.context(clock)), memory, at_once=at_once)
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        await running.source.close()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(task, 10)
        await running.commit()
        await goodbye()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells; a test that waits in vain is ended by its time limit."""
    while not holds():  # noqa: ASYNC110 - there is no event for what the other side of a socket has noticed
        await asyncio.sleep(0.001)


async def goodbye() -> None:
    """Wait until nothing else runs: the connections of a closed source have been closed."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=5)
