"""The process that receives datagrams, so that a busy interpreter loses none: `python -m` this, by `syslog_udp`.

It inherits the bound socket and one end of a socket pair. Over the pair it sends frames (see `FRAME`): whole lines of
one stream. When the other end is shut down or gone, it gives what the kernel still holds, and ends.
"""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
from collections import deque
from typing import NamedTuple

from heeler.clock import Clock, SystemClock
from heeler.sources.syslog_address import Admission
from heeler.sources.syslog_framing import one_line
from heeler.sources.syslog_inbox import MOST_STREAMS, Streams

FRAME = struct.Struct("!IIQ")
"""Bytes of the stream's name, bytes of the lines, datagrams refused so far; the name and the lines follow."""

NAP_MS = 2
"""How long datagrams gather in the kernel: waking up for each one would cost more than receiving it."""

_NICER = -10
_DATAGRAM = 65_535
_AT_ONCE = 2_000
_BATCH_BYTES = 1 << 18
_BATCH_SECONDS = 0.05
_MOST_STORED_REFUSALS = 1024


class Told(NamedTuple):
    """What the process is told, as JSON, in its only argument."""

    udp: int
    pair: int
    allow: list[str]
    buffer_bytes: int


class Receiver:
    """Moves datagrams from one socket to the other. Holds about ``buffer_bytes``; then the kernel holds, and drops."""

    def __init__(
        self, udp: socket.socket, pair: socket.socket, admission: Admission, buffer_bytes: int, clock: Clock
    ) -> None:
        self._udp = udp
        self._pair = pair
        self._admission = admission
        self._most = buffer_bytes
        self._clock = clock
        self._streams = Streams(MOST_STREAMS)
        self._names: dict[str, str | None] = {}
        self._lines: dict[str, list[bytes]] = {}
        self._gathered = self._waiting = self._refused = self._told_refused = 0
        self._since = 0.0
        self._frames: deque[memoryview] = deque()
        self._stopping = False

    def run(self) -> None:
        """Receive until the other end of the pair is gone, or shut down and all is given."""
        napping, working = select.poll(), select.poll()
        napping.register(self._pair, select.POLLIN)
        while True:
            has_room = self._waiting + self._gathered < self._most
            working.register(self._udp, select.POLLIN if has_room else 0)
            wants = 0 if self._stopping else select.POLLIN
            working.register(self._pair, wants | (select.POLLOUT if self._frames else 0))
            wait_ms = int(1000 * _BATCH_SECONDS) if self._gathered or self._stopping else None
            ready = dict(working.poll(0 if self._stopping and has_room else wait_ms))
            if ready.get(self._pair.fileno(), 0) & (select.POLLERR | select.POLLHUP | select.POLLIN):
                self._hear(ready[self._pair.fileno()])
            is_empty = self._receive() if has_room else False
            self._pack(at_once=self._stopping)
            self._send()
            if self._stopping and is_empty and not self._frames:
                return
            if not self._stopping and is_empty:
                napping.poll(NAP_MS)

    def _hear(self, ready: int) -> None:
        if ready & (select.POLLERR | select.POLLHUP):
            raise BrokenPipeError
        if not self._pair.recv(1):
            self._stopping = True

    def _receive(self) -> bool:
        """Take what is there, but not for ever. Returns whether nothing is left."""
        receive, lines, names = self._udp.recvfrom, self._lines, self._names
        taken = 0
        was_empty = not self._gathered
        try:
            for _ in range(_AT_ONCE):
                data, address = receive(_DATAGRAM)
                peer = address[0]
                name = names[peer] if peer in names else self._name(peer)
                if name is None:
                    self._refused += 1
                elif line := one_line(data):
                    lines.setdefault(name, []).append(bytes(line))
                    taken += len(line) + 1
        except BlockingIOError:
            return True
        finally:
            self._gathered += taken
            if was_empty and taken:
                self._since = self._clock.monotonic()
        return False

    def _name(self, peer: str) -> str | None:
        name = self._streams.of(peer) if self._admission.admits(peer) else None
        # Forged addresses are without number: what is not remembered is looked at again.
        if len(self._names) < MOST_STREAMS + _MOST_STORED_REFUSALS:
            self._names[peer] = name
        return name

    def _pack(self, *, at_once: bool) -> None:
        is_due = self._gathered and (
            at_once or self._gathered >= _BATCH_BYTES or self._clock.monotonic() - self._since >= _BATCH_SECONDS
        )
        if not is_due and not (self._refused != self._told_refused and not self._frames):
            return
        self._told_refused = self._refused
        for name, lines in (self._lines or {"": []}).items():
            stream, data = name.encode(), b"\n".join(lines) + b"\n" if lines else b""
            frame = FRAME.pack(len(stream), len(data), self._refused) + stream + data
            self._frames.append(memoryview(frame))
            self._waiting += len(frame)
        self._lines.clear()
        self._gathered = 0

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._frames:
                sent = self._pair.send(self._frames[0])
                self._waiting -= sent
                if sent == len(self._frames[0]):
                    self._frames.popleft()
                else:
                    self._frames[0] = self._frames[0][sent:]


def main() -> None:
    """Receive, as told in the argument."""
    # The signals of a terminal or of systemd reach the whole group. The parent says when to end: all is given first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # It needs little, but that little in time. Not everybody may: then it is one among all.
    with contextlib.suppress(PermissionError):
        os.nice(_NICER)
    told = Told(**json.loads(sys.argv[1]))
    udp, pair = socket.socket(fileno=told.udp), socket.socket(fileno=told.pair)
    udp.settimeout(0)
    pair.settimeout(0)
    # Nobody is there any more to tell it to: the parent is gone.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        Receiver(udp, pair, Admission(told.allow), told.buffer_bytes, SystemClock()).run()


if __name__ == "__main__":
    main()
