"""Syslog over UDP: the process that receives is started, heard, and started again. Source: RFC 5426."""

import asyncio
import contextlib
import json
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Callable

from heeler.clock import Clock
from heeler.model import SourceEvent
from heeler.sources.syslog_address import Endpoint
from heeler.sources.syslog_inbox import Inbox
from heeler.sources.syslog_udp_receiver import FRAME, Told

HELD_BYTES = 32 << 20
"""How much the process that receives holds while we are slow. After that the kernel's buffer fills, and drops."""

GAP_SECONDS = 10.0
"""How often dropped datagrams become a record, while they are dropped."""

LOOK_SECONDS = 1.0
"""How often the kernel is asked what it dropped."""

RESTART_SECONDS = 1.0
"""How long a process that ended is not started again, so that one which cannot start costs little."""

_DRAIN_SECONDS = 2.0
_PAIR_BYTES = 1 << 20
_RECEIVE_BUFFER_FORCE = 33  # SO_RCVBUFFORCE: beyond net.core.rmem_max, with CAP_NET_ADMIN
_MEMORY_INFO = 55  # SO_MEMINFO: nine numbers, the last of which counts what was dropped
_KERNEL_TELLS = platform.system() == "Linux"
_MEMORY = struct.Struct("=9I")


def _the(frames: "Frames") -> Callable[[], "Frames"]:
    return lambda: frames


class Frames(asyncio.Protocol):
    """Reads what the process sends and puts it into the inbox."""

    def __init__(self, inbox: Inbox) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.refused = 0
        self._inbox = inbox
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio makes for a stream
        self._transport = transport
        self._inbox.attach(transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= FRAME.size:
            name_bytes, line_bytes, self.refused = FRAME.unpack_from(self._buffer, at)
            lines_at = at + FRAME.size + name_bytes
            if lines_at + line_bytes > len(self._buffer):
                break
            if line_bytes:
                name = self._buffer[at + FRAME.size : lines_at].decode()
                self._inbox.put(f"udp {name}", name, bytes(self._buffer[lines_at : lines_at + line_bytes]))
            at = lines_at + line_bytes
        del self._buffer[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        del exc
        if self._transport:
            self._inbox.detach(self._transport)
        if not self.ended.done():
            self.ended.set_result(None)


class UdpListener:
    """Receives datagrams at one address, in a process of its own.

    The socket is bound here and stays when that process ends: what arrives meanwhile waits in the kernel, and what the
    kernel drops is asked of the socket.
    """

    def __init__(
        self, endpoint: Endpoint, allow: tuple[str, ...], inbox: Inbox, clock: Clock, buffer_bytes: int
    ) -> None:
        self.restarts = 0
        self.kernel_drops = 0
        self.buffer_bytes = 0
        """How large the kernel's buffer is in fact."""
        self.last_error = ""
        self.name = f"udp {endpoint}"
        self.process: subprocess.Popen[bytes] | None = None
        self._endpoint = endpoint
        self._allow = allow
        self._inbox = inbox
        self._clock = clock
        self._wanted_bytes = buffer_bytes
        self._socket: socket.socket | None = None
        self._pair: socket.socket | None = None
        self._frames: Frames | None = None
        self._refused_before = 0
        self._told_drops = 0
        self._told_at = -GAP_SECONDS
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def address(self) -> Endpoint:
        """Where it listens: the port is that of the kernel's choice where 0 was asked for."""
        return self._endpoint if self._socket is None else Endpoint(*self._socket.getsockname()[:2])

    @property
    def refused(self) -> int:
        """Datagrams of those who may not send."""
        return self._refused_before + (self._frames.refused if self._frames else 0)

    @property
    def is_alive(self) -> bool:
        """Whether the process that receives runs."""
        return self.process is not None and self.process.poll() is None

    async def start(self) -> None:
        """Bind, and start the process. Raises `SourceUnavailable` where the address cannot be used."""
        self._socket = self._endpoint.bind(socket.SOCK_DGRAM)
        self._enlarge(self._socket)
        self._tasks = [asyncio.create_task(self._supervise(self._socket)), asyncio.create_task(self._look())]

    async def stop(self) -> None:
        """Have the process give what was received, and end it. It has two seconds."""
        self._stopping = True
        if self._pair:
            with contextlib.suppress(OSError):  # it may have ended by itself just now
                self._pair.shutdown(socket.SHUT_WR)
        done, _ = await asyncio.wait(self._tasks[:1], timeout=_DRAIN_SECONDS) if self._tasks else (set(), None)
        if self._tasks and not done:
            self._end_process()
            self._tasks[0].cancel()
            self._gap(
                "stopped", f"{self.name} was stopped before all that had been received was taken; the rest is lost."
            )
        for task in self._tasks[1:]:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._count_drops(at_once=True)
        if self._socket:
            self._socket.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _enlarge(self, bound: socket.socket) -> None:
        try:
            bound.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, self._wanted_bytes // 2)  # the kernel doubles it
        except OSError:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._wanted_bytes // 2)
        self.buffer_bytes = bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        if self.buffer_bytes < self._wanted_bytes - 1:
            self.last_error = (
                f"{self.name}: the kernel allows a receive buffer of {self.buffer_bytes} bytes instead of "
                f"{self._wanted_bytes}; bursts may be dropped. Set net.core.rmem_max to {self._wanted_bytes // 2}."
            )

    async def _supervise(self, bound: socket.socket) -> None:
        while True:
            frames = self._frames = Frames(self._inbox)
            started = self._clock.monotonic()
            pair, theirs = self._pair, _ = socket.socketpair()
            with theirs:
                try:
                    process = self.process = self._spawn(bound, pair, theirs)
                except OSError as error:  # no memory, too many processes
                    pair.close()
                    self.last_error = f"{self.name}: the process that receives cannot be started: {error.strerror}."
                    await self._clock.sleep(RESTART_SECONDS)
                    continue
            try:
                transport, _ = await asyncio.get_running_loop().connect_accepted_socket(_the(frames), pair)
                if self._stopping:  # while there was no process: this one takes what the kernel holds
                    pair.shutdown(socket.SHUT_WR)
                await frames.ended
                transport.abort()
            finally:
                pair.close()
                self._end_process()
                code = await asyncio.shield(asyncio.to_thread(process.wait))
                self._refused_before, self._frames = self.refused, None
            if self._stopping:
                return
            self.restarts += 1
            self.last_error = f"{self.name}: the process that receives ended with {code} and was started again."
            self._gap(
                "receiver_ended", f"The process that receives at {self.name} ended with {code}; what it held is lost."
            )
            await self._clock.sleep(max(0.0, RESTART_SECONDS - (self._clock.monotonic() - started)))

    def _spawn(self, bound: socket.socket, pair: socket.socket, theirs: socket.socket) -> subprocess.Popen[bytes]:
        pair.settimeout(0)
        pair.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PAIR_BYTES)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PAIR_BYTES)
        told = Told(bound.fileno(), theirs.fileno(), list(self._allow), HELD_BYTES)
        # It dies with us: our end of the pair, which nobody else inherits, is closed then.
        return subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "heeler.sources.syslog_udp_receiver", json.dumps(told._asdict())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(bound.fileno(), theirs.fileno()),
        )

    def _end_process(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()

    async def _look(self) -> None:
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self._count_drops(at_once=False)

    def _count_drops(self, *, at_once: bool) -> None:
        if self._socket is None or self._socket.fileno() < 0 or not _KERNEL_TELLS:
            return
        dropped = _MEMORY.unpack(self._socket.getsockopt(socket.SOL_SOCKET, _MEMORY_INFO, _MEMORY.size))[-1]
        self.kernel_drops += (dropped - self.kernel_drops) % (1 << 32)
        now = self._clock.monotonic()
        if self.kernel_drops > self._told_drops and (at_once or now - self._told_at >= GAP_SECONDS):
            count, self._told_drops, self._told_at = self.kernel_drops - self._told_drops, self.kernel_drops, now
            self.last_error = f"{self.name}: {count} datagrams were dropped by the kernel."
            self._gap("dropped", f"{count} datagrams to {self.name} were dropped by the kernel: its buffer was full.")

    def _gap(self, what: str, message: str) -> None:
        # It cannot be known whose they were, so they belong to the listener.
        self._inbox.put(self.name, self.name, SourceEvent(what, message, lost_bytes=-1))
