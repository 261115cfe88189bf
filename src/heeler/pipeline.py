"""How chunks travel: read by a source, parsed in worker threads, handed on in order, only a few at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import Executor
from typing import TypeVar

from heeler.model import Chunk
from heeler.sources import Source

T = TypeVar("T")

AHEAD = 2
"""Chunks that may wait, parsed or not, for whoever takes them. With their size this bounds the memory."""


async def parsed(
    source: Source,
    executor: Executor,
    prepare: Callable[[Chunk], Awaitable[Callable[[Chunk], T]]],
    settled: Callable[[], Awaitable[None]] | None = None,
) -> AsyncGenerator[tuple[Chunk, T], None]:
    """Yield the chunks of ``source`` in their order, each with what it was parsed to.

    ``prepare`` is awaited for each chunk in turn and says by which function it is parsed; that one runs in
    ``executor``, beside the parsing of other chunks. When nobody takes what is ready, the source is not read on. An
    error of the source or of a parser is raised here, after everything that came before it. The source is closed at the
    end, but where it ended or failed by itself not before ``settled`` returns: who sent what it gave may wait for an
    answer until that is committed.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[Chunk, asyncio.Future[T]] | None] = asyncio.Queue(AHEAD)

    async def read() -> None:
        try:
            async for chunk in source.read():
                parse = await prepare(chunk)
                result = loop.run_in_executor(executor, parse, chunk)
                result.add_done_callback(_hear)
                await queue.put((chunk, result))
        finally:
            # Without room for the mark the reader waits, as for any other chunk, unless it was cancelled.
            await queue.put(None)

    reader = asyncio.create_task(read())
    try:
        while (item := await queue.get()) is not None:
            chunk, result = item
            yield chunk, await result
        if settled is not None:
            await settled()
        await reader
    finally:
        reader.cancel()
        while not queue.empty():
            queue.get_nowait()
        # What it may have failed with lies behind what is not wanted any more.
        await asyncio.gather(reader, return_exceptions=True)
        await source.close()


def _hear(result: asyncio.Future[T]) -> None:
    """Take note of an error, so that one which nobody came to take is not reported as forgotten."""
    if not result.cancelled():
        result.exception()
