"""What was received and not yet given on, by the sender's address."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from heeler.clock import Clock
from heeler.model import CHUNK_BYTES, SourceEvent

GATHER_SECONDS = 0.1
"""How long lines wait for others of their sender: a chunk costs the same whether it holds one line or thousands."""

MOST_STREAMS = 1024
"""Addresses that get a stream of their own for as long as a source lives; see `OTHERS`."""

OTHERS = "others"
"""The stream of all addresses after the first `MOST_STREAMS`, so that forged ones cannot fill the catalog."""


class Pausable(Protocol):
    """What reading can be held up at: a transport of asyncio."""

    def pause_reading(self) -> None:
        """Read no more until told. May be called again."""

    def resume_reading(self) -> None:
        """Read on. May be called again."""


class Streams:
    """Gives each address its stream, the first `most` of them."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._known: set[str] = set()
        self._most = most

    def of(self, address: str) -> str:
        """Return the stream of an address."""
        if address in self._known:
            return address
        if len(self._known) == self._most:
            return OTHERS
        self._known.add(address)
        return address


@dataclass(slots=True)
class Parcel:
    """Lines of one part and stream, and what happened before them."""

    part: str
    stream: str
    events: list[SourceEvent] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)


class Inbox:
    """Gathers lines by part and stream. When it holds ``most_bytes``, whatever is attached is not read on.

    What a transport had read already still comes, so it may hold a read of each more than that.
    """

    def __init__(self, clock: Clock, most_bytes: int = CHUNK_BYTES) -> None:
        self._clock = clock
        self._most = most_bytes
        self._bytes = 0
        self._parcels: dict[tuple[str, str], list[Parcel]] = {}
        self._attached: set[Pausable] = set()
        self._told = asyncio.Event()
        self._ended = False

    @property
    def is_full(self) -> bool:
        """Whether nothing is read until `take` made room."""
        return self._bytes >= self._most

    @property
    def waiting_bytes(self) -> int:
        """How much it holds."""
        return self._bytes

    def attach(self, transport: Pausable) -> None:
        """Hold this transport up when there is no room, until it is detached."""
        self._attached.add(transport)
        if self.is_full:
            transport.pause_reading()

    def detach(self, transport: Pausable) -> None:
        """Forget a transport that is gone."""
        self._attached.discard(transport)

    def put(self, part: str, stream: str, what: bytes | SourceEvent) -> None:
        """Add whole lines, or an event that comes after those that were added before."""
        parcels = self._parcels.setdefault((part, stream), [])
        if not parcels or (isinstance(what, SourceEvent) and parcels[-1].blocks):
            parcels.append(Parcel(part, stream))
        if isinstance(what, SourceEvent):
            parcels[-1].events.append(what)
        else:
            parcels[-1].blocks.append(what)
            was_full = self.is_full
            self._bytes += len(what)
            if self.is_full and not was_full:
                for transport in self._attached:
                    transport.pause_reading()
        self._told.set()

    def end(self) -> None:
        """Say that nothing more comes."""
        self._ended = True
        self._told.set()

    async def take(self) -> list[Parcel]:
        """Wait until there is something, gather what comes soon after, and return it. Empty: nothing comes any more."""
        await self._told.wait()
        if not (self.is_full or self._ended):
            await self._clock.sleep(GATHER_SECONDS)
        taken = [parcel for parcels in self._parcels.values() for parcel in parcels]
        self._parcels, self._bytes = {}, 0
        if not self._ended:
            self._told.clear()
        for transport in self._attached:
            transport.resume_reading()
        return taken
