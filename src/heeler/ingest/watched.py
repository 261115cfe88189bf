"""Storing what is watched, beside showing it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from heeler.clock import Clock
from heeler.formats import Format
from heeler.formats.timestamps import Receipt
from heeler.ingest.chunk import Destination
from heeler.ingest.files import SOURCE
from heeler.ingest.ticks import Ticks
from heeler.model import Chunk
from heeler.sources.file_position import storable
from heeler.store import AlertRow, Store

GROUP = "default"


class WatchStore:
    """Takes the chunks of followed files, and the alerts that they lead to, into a lake. Used once.

    ``positions`` says where reading goes on that was stored before, by part. The stream is the path.
    """

    def __init__(self, store: Store, clock: Clock, notice: Callable[[str], None]) -> None:
        self.positions = store.positions(SOURCE)
        self._store = store
        self._clock = clock
        self._notice = notice

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Commit what is put within this context, about once a second; at its end everything is durable.

        When the lake fails the context is cancelled, and this raises what the lake did.
        """
        watching = asyncio.current_task()
        with ThreadPoolExecutor(1, "write") as writer:
            self._writer = writer
            self._ticks = Ticks(self._store, writer, self._clock, self._notice)
            writes = asyncio.create_task(self._ticks.write())

            def cancel(done: asyncio.Task[None]) -> None:
                if watching is not None and not _went_well(done):
                    watching.cancel()

            writes.add_done_callback(cancel)
            try:
                yield
            finally:
                # Who waits for the end hears what the lake did; cancelled, it would hear only that.
                writes.remove_done_callback(cancel)
                self._ticks.end()
                await writes

    async def put(self, chunk: Chunk, known: Format, receipt: Receipt, alerts: Sequence[AlertRow]) -> None:
        """Hand over a chunk, what is known of it, and the alerts that it led to; they are committed together."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._store.register, known)
        destination = Destination(self._store, SOURCE, GROUP, storable(chunk.path or chunk.part), known, receipt)
        parsed = await asyncio.to_thread(destination.parse, chunk)
        await self._ticks.put([parsed.completed], alerts)

    async def put_alerts(self, alerts: Sequence[AlertRow]) -> None:
        """Hand over alerts that time alone led to."""
        await self._ticks.put((), alerts)


def _went_well(done: asyncio.Task[None]) -> bool:
    return done.cancelled() or done.exception() is None
