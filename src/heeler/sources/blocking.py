"""A source whose reading blocks: it is done in a thread, and ends without pulling a file from under it."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from heeler.model import Chunk, Position
from heeler.sources import SourceHealth
from heeler.sources.file_changes import LOOK_SECONDS, Waker


class Reader(Protocol):
    """Reads one path. All methods block; they are called in a thread, by one at a time."""

    ended: bool

    def noticed(self, changed: frozenset[str] | None) -> None:
        """Take note of the paths that changed, or with None that anything may have. Does not block."""

    def next(self) -> Chunk | None:
        """Return what comes next, or None where there is nothing now."""

    def close(self) -> None:
        """Let go of the path. May be called more than once."""


class BlockingSource:
    """Gives the chunks of a `Reader`. Implements `heeler.sources.Source`, also for its subclasses."""

    def __init__(self, reader: Reader, waker: Waker | None = None) -> None:
        self._reader = reader
        self._waker = waker
        self._lock = threading.Lock()
        self._closed = False

    async def read(self) -> AsyncGenerator[Chunk, None]:
        """See `Source.read`."""
        try:
            while not self._closed:
                chunk = await asyncio.to_thread(self._step)
                if chunk is not None:
                    yield chunk
                elif self._reader.ended:
                    return
                if self._waker is not None:
                    self._reader.noticed(self._waker.told() if chunk else await self._waker.wait(LOOK_SECONDS))
        finally:
            await self.close()

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: a file keeps its lines, and its position is stored with them."""

    async def stop(self) -> None:
        """See `Source.stop`: what is not read yet stays where it is."""
        await self.close()

    async def close(self) -> None:
        """See `Source.close`."""
        self._closed = True
        self._let_go()
        if self._waker is not None:
            await self._waker.close()

    def health(self) -> SourceHealth:
        """See `Source.health`."""
        return SourceHealth(alive=not self._closed and not self._reader.ended)

    def _step(self) -> Chunk | None:
        with self._lock:
            chunk = None if self._closed else self._next()
        self._let_go()
        return chunk

    def _next(self) -> Chunk | None:
        return self._reader.next()

    def _let_go(self) -> None:
        # A file must not be closed under the thread that reads it: its number may be another file's a moment later.
        # So whoever comes last closes, and the event loop never waits for a disk.
        if self._closed and self._lock.acquire(blocking=False):
            try:
                self._reader.close()
            finally:
                self._lock.release()
