"""Syslog as a source: datagrams, TCP and TLS.

Each message is a line, byte for byte but for the framing of its transport and for newlines within it, which are written
``#012``. The stream is the address of the sender. A message says by itself which host it is of, and formats read that;
but it costs nothing to lie there, each lie would be a chunk and a stream of its own, and what relays forward stays in
order. Syslog knows no acknowledgement: what was received and not yet committed when Heeler is killed is lost.
"""

import asyncio
import functools
import ipaddress
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from heeler.config.values import Duration, PathIn, Size, Written
from heeler.model import LONGEST_LINE_BYTES, Chunk, Position, SourceEvent
from heeler.sources import Source, SourceContext, SourceHealth
from heeler.sources.settings import SourceSettings
from heeler.sources.syslog_address import Admission, Endpoint, endpoint_of
from heeler.sources.syslog_inbox import Inbox, Streams
from heeler.sources.syslog_tcp import Limits, TcpListener
from heeler.sources.syslog_tls import Certificates
from heeler.sources.syslog_udp import UdpListener

DRAIN_SECONDS = 2.0
"""How long a source that is closed goes on to read what was sent to it before."""


def _endpoint(value: object) -> object:
    return value if isinstance(value, Endpoint) else endpoint_of(str(value))


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            raise ValueError(
                f'{text!r} is no network: {error}. Write one such as "192.0.2.0/24" or "192.0.2.7".'
            ) from error
    return value


Listen = Annotated[Endpoint, BeforeValidator(_endpoint), Written("address", '"127.0.0.1:5514"', str)]
Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]


class SyslogSettings(SourceSettings):
    """Syslog over UDP, TCP and TLS. At least one of the three must be listened for."""

    udp: Listen | None = None
    """Where datagrams are received, "127.0.0.1:5514"; a port alone is one of the loopback."""

    tcp: Listen | None = None
    """Where TCP connections are accepted."""

    tls: Listen | None = None
    """Where TLS connections are accepted; needs a certificate."""

    certificate: PathIn | None = None
    """The file (PEM) with the certificate for TLS and those that signed it; a new one is used without a restart."""

    key: PathIn | None = None
    """The file (PEM) with the certificate's key, where it is another one."""

    clients: PathIn | None = None
    """The file (PEM) with the authorities that sign the certificates of TLS clients; empty to ask for none."""

    allow: Networks = Field(default=(), examples=[("192.0.2.0/24",)])
    """The networks that may send, ["192.0.2.0/24"]; this machine always may."""

    max_message: Annotated[Size, Field(ge=480, le=LONGEST_LINE_BYTES)] = 1 << 18
    """The longest message over TCP and TLS; of a longer one the rest is left out, with a record."""

    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 500
    """How many TCP, and how many TLS connections there may be at a time; half of them of one address."""

    idle: Annotated[Duration, Field(ge=0)] = 3600.0
    """After how long without a message a connection is closed; "0s" for never."""

    receive_buffer: Annotated[Size, Field(ge=1 << 16, le=1 << 30)] = 32 << 20
    """How much the kernel may hold of datagrams that were not yet received."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not (self.udp or self.tcp or self.tls):
            raise ValueError('Nothing is listened for: set udp, tcp or tls, such as udp = "127.0.0.1:5514".')
        if self.tls and not self.certificate:
            raise ValueError("tls needs a certificate: set certificate, and key where the key is in another file.")
        if self.certificate and not self.tls:
            raise ValueError('certificate is for TLS only: set tls, such as tls = "0.0.0.0:6514".')
        for name, endpoint in (("udp", self.udp), ("tcp", self.tcp), ("tls", self.tls)):
            if endpoint and not endpoint.is_loopback and not (self.allow or (name == "tls" and self.clients)):
                proof = ", or clients for TLS clients with a certificate" if name == "tls" else ""
                raise ValueError(
                    f"{name} = {str(endpoint)!r} lets anybody write to the log who reaches it. Say who may: set allow, "
                    f'such as allow = ["192.0.2.0/24"]{proof}.'
                )
        return self

    def open(self, context: SourceContext) -> Source:
        """See `SourceSettings.open`."""
        return SyslogSource(self, context)


class SyslogSource:
    """Listens, and gives what is sent. Implements `heeler.sources.Source`; parts are transports with a sender."""

    def __init__(self, settings: SyslogSettings, context: SourceContext) -> None:
        self._clock = context.clock
        self._group = settings.group or context.name
        self._inbox = Inbox(context.clock)
        self._running = False
        self._closing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._is_abandoned = False
        listen = functools.partial(
            TcpListener,
            admission=Admission(settings.allow),
            streams=Streams(),
            inbox=self._inbox,
            clock=self._clock,
            limits=Limits(settings.max_message, settings.max_connections, settings.idle),
        )
        buffer, allow = settings.receive_buffer, settings.allow
        self.udp = UdpListener(settings.udp, allow, self._inbox, self._clock, buffer) if settings.udp else None
        """Who receives datagrams."""
        self.tcp: list[TcpListener] = []
        """Who accepts connections."""
        if settings.tcp:
            self.tcp.append(listen(settings.tcp))
        if settings.tls and settings.certificate:
            certificates = Certificates(settings.certificate, settings.key, settings.clients, context.notice)
            self.tcp.append(listen(settings.tls, certificates=certificates))

    async def start(self) -> None:
        """Listen, so that what is sent from now on is received. `read` does it if nobody did."""
        if self._running or self._closing:
            return
        self._running = True
        try:
            for listener in self._listeners():
                await listener.start()
        except BaseException:
            self._is_abandoned = True
            await self.close()
            raise

    async def read(self) -> AsyncGenerator[Chunk, None]:
        """See `Source.read`. After `close` it gives what was received until then, and ends."""
        await self.start()
        try:
            while parcels := await self._inbox.take():
                received_us = self._clock.now_us()
                for parcel in parcels:
                    yield Chunk(
                        parcel.part,
                        b"".join(parcel.blocks),
                        {},
                        received_us,
                        tuple(parcel.events),
                        group=self._group,
                        stream=parcel.stream,
                    )
        finally:
            self._is_abandoned = True
            await self.close()

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: syslog has no acknowledgement."""

    async def stop(self) -> None:
        """See `Source.stop`."""
        await self.close()

    async def close(self) -> None:
        """See `Source.close`. Accepts no more, and takes what was sent before, for at most four seconds."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        for listener in self.tcp:
            listener.stop()
        if self.udp:
            await self.udp.stop()
        until = self._clock.monotonic() + DRAIN_SECONDS
        while any(listener.has_unread for listener in self.tcp) and self._clock.monotonic() < until:
            if self._is_abandoned:
                break
            await asyncio.sleep(0)
        for listener in self.tcp:
            if listener.has_unread:
                message = f"{listener.name} was closed before all that was sent to it was read; the rest is lost."
                self._inbox.put(listener.name, listener.name, SourceEvent("stopped", message, lost_bytes=-1))
            await listener.close()
        self._is_closed = True
        self._inbox.end()

    def health(self) -> SourceHealth:
        """See `Source.health`."""
        connections = sum(listener.connections for listener in self.tcp)
        listeners = self._listeners()
        counters = {
            "refused": sum(listener.refused for listener in listeners),
            "connections": sum(listener.accepted for listener in self.tcp),
            "failed_handshakes": sum(listener.failed_handshakes for listener in self.tcp),
            "idle_closed": sum(listener.idle for listener in self.tcp),
        }
        if self.udp:
            counters["kernel_drops"] = self.udp.kernel_drops
        return SourceHealth(
            alive=self._running and not self._is_closed and (self.udp is None or self.udp.is_alive),
            doing=f"listens at {', '.join(listener.name for listener in listeners)}; {connections} connections",
            lag_bytes=self._inbox.waiting_bytes,
            restarts=self.udp.restarts if self.udp else 0,
            last_error=next((listener.last_error for listener in listeners if listener.last_error), ""),
            counters=counters,
        )

    def _listeners(self) -> list[TcpListener | UdpListener]:
        return [*self.tcp, *([self.udp] if self.udp else [])]
