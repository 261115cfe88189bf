"""Syslog over TCP and TLS. Source: RFC 6587 and RFC 5425."""

import asyncio
import contextlib
import functools
import select
import socket
import ssl
from dataclasses import dataclass

from heeler.clock import Clock
from heeler.sources.syslog_address import Admission, Endpoint
from heeler.sources.syslog_framing import Framer
from heeler.sources.syslog_inbox import Inbox, Streams
from heeler.sources.syslog_tls import Certificates

FIRST_MESSAGE_SECONDS = 60.0
"""How long a new connection may take for its first message."""

HANDSHAKE_SECONDS = 10.0
"""How long a TLS handshake may take."""

LOOK_SECONDS = 1.0
"""How often it is looked which connections have been idle for too long."""

_BACKLOG = 1024
_WAIT_FOR_DESCRIPTORS_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Limits:
    """What one TCP listener allows. ``idle_seconds`` of 0 is for ever."""

    longest_bytes: int
    connections: int
    idle_seconds: float

    @property
    def connections_of_one_peer(self) -> int:
        """Half of all: no single address can keep the others out."""
        return max(1, self.connections // 2)


class Connection(asyncio.Protocol):
    """One connection, from the end of its handshake on. Its lines go to the inbox."""

    def __init__(
        self, accepted: socket.socket, part: str, stream: str, *, inbox: Inbox, clock: Clock, longest_bytes: int
    ) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard = clock.monotonic()
        """When its last message was complete, or when it was accepted."""
        self.framer = Framer(longest_bytes)
        self.transport: asyncio.Transport | None = None
        self._accepted = accepted
        self._part = part
        self._stream = stream
        self._inbox = inbox
        self._clock = clock

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio makes for a stream
        self.transport = transport
        self._inbox.attach(transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        before = self.framer.messages
        for what in self.framer.feed(data):
            self._inbox.put(self._part, self._stream, what)
        if self.framer.messages != before:
            self.heard = self._clock.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`. What came of an unfinished message is given, whatever ended the connection."""
        del exc
        if self.transport:
            self._inbox.detach(self.transport)
        for what in self.framer.finish():
            self._inbox.put(self._part, self._stream, what)
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def has_unread(self) -> bool:
        """Whether the kernel holds bytes of it that were not read."""
        if self._accepted.fileno() < 0 or self.transport is None or self.transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._accepted, select.POLLIN)
        return bool(poll.poll(0))


class TcpListener:
    """Accepts connections at one address, with ``certificates`` over TLS."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        admission: Admission,
        streams: Streams,
        inbox: Inbox,
        clock: Clock,
        limits: Limits,
        certificates: Certificates | None = None,
    ) -> None:
        self.refused = self.idle = self.failed_handshakes = self.accepted = 0
        self.last_error = ""
        self.name = f"{'tls' if certificates else 'tcp'} {endpoint}"
        self._kind = "tls" if certificates else "tcp"
        self._endpoint = endpoint
        self._admission = admission
        self._streams = streams
        self._inbox = inbox
        self._clock = clock
        self._limits = limits
        self._certificates = certificates
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._serving: dict[asyncio.Task[None], Connection | None] = {}
        self._peers: dict[str, int] = {}

    @property
    def address(self) -> Endpoint:
        """Where it listens: the port is that of the kernel's choice where 0 was asked for."""
        return self._endpoint if self._socket is None else Endpoint(*self._socket.getsockname()[:2])

    @property
    def connections(self) -> int:
        """How many connections there are, with those in their handshake."""
        return len(self._serving)

    async def start(self) -> None:
        """Listen. Raises `SourceUnavailable` where the address or the certificate cannot be used."""
        if self._certificates:
            await asyncio.to_thread(self._certificates.current)
        self._socket = self._endpoint.bind(socket.SOCK_STREAM)
        self._socket.listen(_BACKLOG)
        self._tasks = {asyncio.create_task(self._accept(self._socket)), asyncio.create_task(self._look())}

    def stop(self) -> None:
        """Accept no more. What has connected goes on, but for handshakes."""
        for task in self._tasks:
            task.cancel()
        for task, connection in list(self._serving.items()):
            if connection is None or connection.transport is None:
                task.cancel()
        if self._socket:
            self._socket.close()

    @property
    def has_unread(self) -> bool:
        """Whether there are bytes that were sent and not read."""
        return any(connection is not None and connection.has_unread for connection in self._serving.values())

    async def close(self) -> None:
        """End all connections; what was read of them is in the inbox then. After `stop`."""
        for connection in self._serving.values():
            if connection and connection.transport:
                connection.transport.abort()
        await asyncio.gather(*self._tasks, *self._serving, return_exceptions=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(listening)
            except OSError as error:  # too many descriptors, or a connection that was gone already
                self.last_error = f"{self.name} could not accept a connection: {error.strerror}."
                await self._clock.sleep(_WAIT_FOR_DESCRIPTORS_SECONDS)
                continue
            peer = address[0]
            of_peer = self._peers.get(peer, 0)
            if (
                len(self._serving) >= self._limits.connections
                or of_peer >= self._limits.connections_of_one_peer
                or not self._admission.admits(peer)
            ):
                self.refused += 1
                self.last_error = f"{self.name} refused a connection from {peer}."
                accepted.close()
                continue
            self.accepted += 1
            self._peers[peer] = of_peer + 1
            task = asyncio.create_task(self._serve(accepted, peer))
            self._serving[task] = None
            task.add_done_callback(functools.partial(self._forget, peer))

    def _forget(self, peer: str, task: asyncio.Task[None]) -> None:
        del self._serving[task]
        self._peers[peer] -= 1
        if not self._peers[peer]:
            del self._peers[peer]

    async def _serve(self, accepted: socket.socket, peer: str) -> None:
        connection = Connection(
            accepted,
            f"{self._kind} {peer}",
            self._streams.of(peer),
            inbox=self._inbox,
            clock=self._clock,
            longest_bytes=self._limits.longest_bytes,
        )
        task = asyncio.current_task()
        assert task  # noqa: S101 - a coroutine that runs is in a task
        with contextlib.closing(accepted):
            accepted.settimeout(0)
            # A peer that vanished without a word (half open) is noticed by the kernel.
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            try:
                context = await asyncio.to_thread(self._certificates.current) if self._certificates else None
                self._serving[task] = connection
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection,
                    accepted,
                    ssl=context,
                    ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None,
                    ssl_shutdown_timeout=1.0 if context else None,
                )
            except (OSError, ssl.SSLError, TimeoutError) as error:
                self.failed_handshakes += 1
                self.last_error = f"{self.name}: the handshake with {peer} failed: {error}."
                return
            await connection.ended

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            now = self._clock.monotonic()
            for connection in list(self._serving.values()):
                if connection is None or connection.transport is None or connection.transport.is_closing():
                    continue
                allowed = self._limits.idle_seconds if connection.framer.messages else FIRST_MESSAGE_SECONDS
                if self._inbox.is_full or connection.has_unread:
                    connection.heard = now  # it is we who do not read
                elif allowed and now - connection.heard > allowed:
                    self.idle += 1
                    connection.transport.abort()
