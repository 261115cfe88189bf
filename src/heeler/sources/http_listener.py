"""The listener of an http source: takes connections, as many as are allowed, and drops those that are too slow."""

import asyncio
import ssl

from heeler.clock import Clock
from heeler.errors import SourceUnavailable
from heeler.sources.http_connection import Connection, Handler, Limits
from heeler.sources.listening import Address

SWEEP_SECONDS = 0.5
"""How often connections are looked at; one may take so much longer than it is allowed."""

CLOSING_SECONDS = 10.0
"""How long connections may wait for their answers after `Listener.close`."""

BACKLOG = 512


class _Handshake(asyncio.Protocol):
    """A connection before TLS. The handshake is begun here, so that one which never ends is counted like the others."""

    def __init__(self, listener: "Listener", secured: ssl.SSLContext) -> None:
        self._listener, self._secured = listener, secured
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        transport.pause_reading()
        connection = self._listener.connection()
        if connection is None:
            transport.abort()
            return
        self._task = asyncio.get_running_loop().create_task(self._upgrade(transport, connection))

    async def _upgrade(self, transport: asyncio.Transport, connection: Connection) -> None:
        seconds = self._listener.limits.head_seconds
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport, connection, self._secured, server_side=True, ssl_handshake_timeout=seconds
            )
        except (OSError, ConnectionError) as error:
            self._listener.failed_handshake(connection, error)
            transport.abort()
            return
        if secure is None:
            self._listener.failed_handshake(connection, ConnectionAbortedError("it went away"))
            return
        connection.connection_made(secure)


class Listener:
    """One listening socket and its connections.

    Where there are as many connections as may be, a new one takes the place of the one that has waited longest
    for the head of a request, so that those who only hold connections do not keep others out.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        clock: Clock,
        *,
        most: int,
        secured: ssl.SSLContext | None,
    ) -> None:
        self.limits = limits
        self.counters = {"connections_dropped": 0, "handshakes_failed": 0}
        self.last_error = ""
        self._handler, self._clock = handler, clock
        self._most, self._secured = most, secured
        self._connections: dict[Connection, None] = {}
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self, address: Address) -> int:
        """Listen, and return the port. Raises `SourceUnavailable`."""
        secured = self._secured
        factory = self._connection_or_none if secured is None else lambda: _Handshake(self, secured)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                factory, address.host or None, address.port, backlog=BACKLOG
            )
        except OSError as error:
            raise SourceUnavailable(
                f"Nothing can listen on {address} ({error.strerror or error}). Choose another address in `listen`, or "
                "stop what listens there."
            ) from error
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep())
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None and not self._closing

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def close(self) -> None:
        """Take no more connections, and close each as soon as what it asked is answered, or soon in any case."""
        if self._closing:
            return
        self._closing = True
        if self._server is not None:
            self._server.close()
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep(CLOSING_SECONDS))
        for connection in list(self._connections):
            connection.end()
        if not self._connections:
            self._sweeping.cancel()

    def connection(self) -> Connection | None:
        """Return a new connection, or None where there is no place for it."""
        if len(self._connections) >= self._most:
            idle = next((one for one in self._connections if one.is_waiting), None)
            if idle is None:
                self.counters["connections_dropped"] += 1
                return None
            self._drop(idle)
        made = Connection(self._handler, self.limits, self._clock, self._forget)
        self._connections[made] = None
        return made

    def failed_handshake(self, connection: Connection, error: Exception) -> None:
        """Forget a connection that has not become a secure one."""
        self.counters["handshakes_failed"] += 1
        self.last_error = f"A TLS handshake failed: {error}"
        self._forget(connection)

    def _connection_or_none(self) -> asyncio.Protocol:
        return self.connection() or _Nobody()

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if self._closing and not self._connections and self._sweeping is not None:
            self._sweeping.cancel()

    def _drop(self, connection: Connection) -> None:
        self.counters["connections_dropped"] += 1
        self._forget(connection)
        connection.expire()

    async def _sweep(self, seconds: float | None = None) -> None:
        """Drop who is late; with ``seconds``, everybody after these, and end when nobody is left."""
        until = None if seconds is None else self._clock.monotonic() + seconds
        while until is None or self._connections:
            await self._clock.sleep(SWEEP_SECONDS)
            now = self._clock.monotonic()
            is_over = until is not None and now >= until
            for connection in [one for one in self._connections if is_over or one.deadline <= now]:
                self._drop(connection)


class _Nobody(asyncio.Protocol):
    """A connection for which there is no place."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        if isinstance(transport, asyncio.Transport):
            transport.abort()
