"""What an http source was sent and has not acknowledged yet: numbered, bounded, and each batch once."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from heeler.model import Chunk
from heeler.sources import Seen
from heeler.sources.http_request import Refused, too_busy

PART = "listener"
"""The one part of an http source. Its position is the number of the last chunk."""


JOINED_BYTES = 2 << 20
"""Bodies of one stream are given together up to about so many bytes."""


@dataclass(slots=True)
class _Batch:
    first: int
    last: int
    done: "asyncio.Future[None]"
    bytes: int
    key: str


class Batches:
    """Batches on their way from a sender to the store.

    The chunks of a batch get rising numbers, each with a key of its own where the batch has one: a batch of which only
    some chunks were committed when the process died is completed when it comes again. ``room_bytes`` bounds what is
    here, from the first byte of a body to its commit; a single batch may be larger than that.
    """

    def __init__(self, committed: int, room_bytes: int, seen: Seen) -> None:
        """Go on behind ``committed``, the number of the last chunk that the store has."""
        self.bytes = 0
        self.repeated = 0
        self._number = self._given = committed
        self._room_bytes = room_bytes
        self._seen = seen
        self._chunks: deque[Chunk] = deque()
        self._batches: deque[_Batch] = deque()
        self._by_key: dict[str, asyncio.Future[None]] = {}
        self._some = asyncio.Event()
        self._closed = False

    def take(self, size: int) -> bool:
        """Count ``size`` more bytes; return False where there is no room for them."""
        if self._closed or (self.bytes and self.bytes + size > self._room_bytes):
            return False
        self.bytes += size
        return True

    def give_back(self, size: int) -> None:
        """Count ``size`` bytes less."""
        self.bytes -= size

    @property
    def is_open(self) -> bool:
        """Whether anything can be taken now."""
        return not self._closed and self.bytes < self._room_bytes

    async def store(self, chunks: Sequence[Chunk], key: str, held: int = 0) -> None:
        """Return when all chunks are committed, now or earlier under the same key.

        ``held`` bytes were counted for them already. They are taken over, so that what was read to its end is not
        refused for others that have only begun. Raises `Refused` where there is no room or the source is closed.
        """
        if not chunks:
            return self.give_back(held)
        if key and (other := self._by_key.get(key)):
            self.give_back(held)
            self.repeated += 1
            return await asyncio.shield(other)
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(hear)
        if key:
            self._by_key[key] = done
        try:
            await self._offer(chunks, key, done, held)
        except BaseException:
            # Whoever waits for this batch under the same key must not wait for ever, and may send it again.
            self._settle(key, done, stored=False)
            raise
        return await asyncio.shield(done)

    async def _offer(self, chunks: Sequence[Chunk], key: str, done: "asyncio.Future[None]", held: int) -> None:
        try:
            chunks = await self._new(chunks, key) if key else chunks
        except BaseException:
            self.give_back(held)
            raise
        if not chunks:
            self.give_back(held)
            self.repeated += 1
            self._settle(key, done, stored=True)
            return
        size = sum(len(chunk.data) for chunk in chunks)
        is_alone = self.bytes <= held
        self.give_back(held)
        if self._closed or (size > held and not is_alone and self.bytes + size > self._room_bytes):
            raise too_busy()
        self.bytes += size
        first = self._number + 1
        for self._number, chunk in enumerate(chunks, first):
            self._chunks.append(replace(chunk, part=PART, position={"batch": self._number}, awaited=True))
        self._batches.append(_Batch(first, self._number, done, size, key))
        self._some.set()

    async def _new(self, chunks: Sequence[Chunk], key: str) -> Sequence[Chunk]:
        """Return those chunks that are not committed, each with its key."""
        keyed = [replace(chunk, keys=(f"{key}/{at}",)) for at, chunk in enumerate(chunks)]
        known = await self._seen([chunk.keys[0] for chunk in keyed])
        return [chunk for chunk in keyed if chunk.keys[0] not in known]

    async def next(self) -> Chunk | None:
        """Return the next chunk when there is one, and None when nothing comes any more."""
        while not self._chunks and not self._closed:
            self._some.clear()
            await self._some.wait()
        if not self._chunks:
            return None
        chunks = [self._chunks.popleft()]
        size = len(chunks[0].data)
        # Many small bodies wait under load; parsing and storing each by itself would cost more than its lines do.
        while self._chunks and _follows(chunks[-1], self._chunks[0]) and size < JOINED_BYTES:
            chunks.append(self._chunks.popleft())
            size += len(chunks[-1].data)
        self._given += len(chunks)
        if len(chunks) == 1:
            return chunks[0]
        keys = tuple(key for chunk in chunks for key in chunk.keys)
        return replace(chunks[-1], data=b"".join(chunk.data for chunk in chunks), keys=keys)

    def committed(self, number: int) -> None:
        """Acknowledge every batch whose chunks are all numbered up to ``number``."""
        while self._batches and self._batches[0].last <= number:
            batch = self._batches.popleft()
            self.give_back(batch.bytes)
            self._settle(batch.key, batch.done, stored=True)

    def close(self) -> None:
        """Take nothing more, and refuse what nobody has begun to take from here; the rest may still be committed."""
        self._closed = True
        while self._batches and self._batches[-1].first > self._given:
            batch = self._batches.pop()
            for _ in range(batch.first, batch.last + 1):
                self._chunks.pop()
            self.give_back(batch.bytes)
            self._settle(batch.key, batch.done, stored=False)
        self._some.set()

    @property
    def waiting(self) -> int:
        """How many batches are not committed yet."""
        return len(self._batches)

    def _settle(self, key: str, done: "asyncio.Future[None]", *, stored: bool) -> None:
        if self._by_key.get(key) is done:
            del self._by_key[key]
        if done.done():
            return
        if stored:
            done.set_result(None)
        else:
            done.set_exception(Refused(503, "Heeler stops, or has no room. Send it again in a moment."))


def _follows(chunk: Chunk, other: Chunk) -> bool:
    """Tell whether a chunk can be joined to the one before it: whole lines of the same stream."""
    same = (chunk.group, chunk.stream) == (other.group, other.stream)
    return same and not chunk.piece and not other.piece and chunk.data.endswith(b"\n")


def hear(done: "asyncio.Future[Any]") -> None:
    """Take note of a refusal that nobody waits for any more, because its sender has gone."""
    if not done.cancelled():
        done.exception()
