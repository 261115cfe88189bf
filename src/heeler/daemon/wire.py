"""What travels over the socket between a command and the process that writes to the lake.

A message is the length of its head (4 bytes, big-endian), the head as JSON, then blobs whose lengths the head tells
under ``blobs``. A reply has ``error`` where it failed. Both ends are the same version on one machine, so there is
nothing here for other programs; `heeler status --json` is.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from heeler.errors import EnvironmentFailed

LONGEST_HEAD_BYTES = 64 << 20
LONGEST_BLOBS_BYTES = 256 << 20
"""More is no message of ours. A tick that takes more is sent in pieces."""

SMALL_BYTES = 64 << 10
"""A head of no more needs no room kept for it."""

MESSAGE_SECONDS = 60.0
"""A message that has begun is whole by then: who sends it has it in memory."""

_LENGTH = struct.Struct(">I")

Head = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A head and its blobs."""

    head: Head
    blobs: tuple[bytes, ...] = ()

    def packed(self) -> bytes:
        """Return the bytes that travel."""
        head = json.dumps(self.head | {"blobs": [len(blob) for blob in self.blobs]}).encode()
        return b"".join((_LENGTH.pack(len(head)), head, *self.blobs))


class Room:
    """So many bytes of messages are in memory at once, whoever sends them; others wait, in their sockets."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Wait for so much room, and keep it while the context is open."""
        while self._left < size:
            self._freed.clear()
            await self._freed.wait()
        self._left -= size
        try:
            yield
        finally:
            self._left += size
            self._freed.set()


@dataclass(frozen=True, slots=True)
class Rooms:
    """Room for heads and for blobs, apart: who has a head waits for room for its blobs."""

    heads: Room = field(default_factory=lambda: Room(LONGEST_HEAD_BYTES))
    blobs: Room = field(default_factory=lambda: Room(LONGEST_BLOBS_BYTES))


async def receive(reader: asyncio.StreamReader, rooms: Rooms, held: AsyncExitStack) -> Message | None:
    """Read a message; None where the other end has closed. ``held`` keeps the room that it takes.

    Raises `EnvironmentFailed` for what is none, and for one that does not come to its end.
    """
    try:
        size = _length(await reader.readexactly(_LENGTH.size))
        if size > SMALL_BYTES:
            await held.enter_async_context(rooms.heads.taken(size))
        async with asyncio.timeout(MESSAGE_SECONDS):
            head = _head(await reader.readexactly(size))
        await held.enter_async_context(rooms.blobs.taken(sum(head["blobs"])))
        async with asyncio.timeout(MESSAGE_SECONDS):
            return Message(head, tuple([await reader.readexactly(size) for size in head["blobs"]]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    except TimeoutError:
        raise EnvironmentFailed(f"A message did not come to its end within {MESSAGE_SECONDS:.0f} s.") from None


def request(connection: socket.socket, message: Message) -> Message:
    """Send a message and return the reply. Blocks. Raises `EnvironmentFailed` where that cannot be, or it failed."""
    try:
        connection.sendall(message.packed())
        head = _head(_exactly(connection, _length(_exactly(connection, _LENGTH.size))))
        reply = Message(head, tuple(_exactly(connection, size) for size in head["blobs"]))
    except OSError as error:
        raise EnvironmentFailed(
            f"The process that writes to the lake went away: {error}. What it had not answered may not be stored; run "
            "this again, it goes on where it was."
        ) from error
    if "error" in reply.head:
        raise EnvironmentFailed(str(reply.head["error"]))
    return reply


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionResetError("the connection was closed")
        parts += part
    return bytes(parts)


def _length(packed: bytes) -> int:
    size: int = _LENGTH.unpack(packed)[0]
    if size > LONGEST_HEAD_BYTES:
        raise EnvironmentFailed(f"A message with a head of {size:,} bytes is none of Heeler's.")
    return size


def _head(packed: bytes) -> Head:
    try:
        head = json.loads(packed)
        sizes = head["blobs"]
        right = all(type(size) is int and size >= 0 for size in sizes) and sum(sizes) <= LONGEST_BLOBS_BYTES
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise EnvironmentFailed("What came over the socket is no message of Heeler's.") from error
    if not right or not isinstance(head, dict):
        raise EnvironmentFailed("What came over the socket is no message of Heeler's.")
    return head
