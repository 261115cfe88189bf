"""Where one message of syslog ends and the next begins: RFC 6587 on connections, one to a datagram on UDP.

Source: RFC 6587, 3.4.1 (octet counting) and 3.4.2 (non-transparent framing); RFC 5426, 3.1 (datagrams).
"""

import re
from collections.abc import Iterator

from heeler.model import SourceEvent

NEWLINE_WITHIN = b"#012"
"""What stands for a newline inside a message, as rsyslog writes it: one message is one line, and forges no other."""

# A count is believed only where a message follows it: all of them begin with their priority. So a line "10 apples" is
# a line, and one wrong count does not eat the connection. Seven digits: a longer count would be 10 MB to throw away.
_COUNT = re.compile(rb"([1-9][0-9]{0,6}) <")
_COUNT_SO_FAR = re.compile(rb"[1-9][0-9]{0,6} ?\Z")
_BETWEEN = re.compile(rb"[\n\0]+")
_NEWLINE, _NUL, _ZERO, _NINE = b"\n\x0009"

_Found = tuple[int, bytes | bytearray | SourceEvent]


def one_line(message: bytes | bytearray) -> bytes | bytearray:
    """Return a datagram or a counted message as one line without its end, byte for byte but for newlines within.

    Newlines and NULs at the end belong to the framing of some senders and are left out. So the line may be empty.
    """
    message = message.rstrip(b"\n\0")
    return message.replace(b"\n", NEWLINE_WITHIN) if b"\n" in message else message


class Framer:
    """Cuts what one connection sends into messages. How each is framed is seen anew at its beginning.

    A message is counted where it begins with one to seven digits, a space and a ``<``, else it ends with a newline.
    Of a message that is longer than ``longest_bytes`` the beginning is given; the rest is thrown away as it comes, and
    an event tells how much that was. Memory stays below ``longest_bytes`` and what is fed at once.
    """

    def __init__(self, longest_bytes: int) -> None:
        self.messages = 0
        self._longest = longest_bytes
        self._buffer = bytearray()
        self._searched = 0  # so far no newline was found in the buffer: bytes that drip in are looked at once
        self._uncounted = 0  # of a counted message that is too long, what is still to come
        self._in_long_line = False
        self._cut_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes | SourceEvent]:
        """Yield blocks of whole lines, each line a message, and events in their place between them."""
        self._buffer += data
        lines: list[bytes | bytearray] = []
        at = 0
        while (found := self._next(at)) is not None:
            at, message = found
            if isinstance(message, SourceEvent):
                yield from self._block(lines)
                yield message
            elif message:
                lines.append(message)
        del self._buffer[:at]
        yield from self._block(lines)

    def finish(self) -> Iterator[bytes | SourceEvent]:
        """Yield what there is of a message that will not be completed: the connection ended."""
        rest, self._buffer = self._buffer, bytearray()
        counted = _COUNT.match(rest)
        missing = self._uncounted
        if counted:
            missing = int(counted[1]) - (len(rest) - counted.end() + 1)
            rest = rest[counted.end() - 1 :]
        if line := one_line(rest):
            yield from self._block([line])
        if missing or self._in_long_line:
            self._cut_bytes += missing
            yield self._cut("The connection ended within a message", "did not come or are left out")

    def _next(self, at: int) -> _Found | None:
        """Return what stands at an index, empty for nothing, and the index after it. None: more must come first."""
        buffer = self._buffer
        if at == len(buffer):
            return None
        if self._uncounted or self._in_long_line:
            return self._throw_away(at)
        first = buffer[at]
        if first in (_NEWLINE, _NUL) and (between := _BETWEEN.match(buffer, at)):
            return between.end(), b""
        if _ZERO < first <= _NINE:
            if counted := _COUNT.match(buffer, at):
                return self._counted(counted.end() - 1, int(counted[1]))
            if _COUNT_SO_FAR.match(buffer, at):
                return None
        return self._line(at)

    def _line(self, at: int) -> _Found | None:
        buffer = self._buffer
        end = buffer.find(b"\n", max(at, self._searched))
        self._searched = 0
        length = (len(buffer) if end < 0 else end) - at
        if length > self._longest:
            self._in_long_line = True
            return at + self._longest, buffer[at : at + self._longest]
        if end < 0:
            self._searched = length  # as the buffer will begin with this line
            return None
        return end + 1, buffer[at:end].rstrip(b"\0") if buffer[end - 1] == _NUL else buffer[at:end]

    def _counted(self, begin: int, count: int) -> _Found | None:
        end = begin + min(count, self._longest)
        if end > len(self._buffer):
            return None
        self._uncounted = count - (end - begin)
        return end, one_line(self._buffer[begin:end])

    def _throw_away(self, at: int) -> _Found:
        is_line, size = self._in_long_line, len(self._buffer)
        end = self._buffer.find(b"\n", at) if is_line else at + self._uncounted
        is_whole = 0 <= end <= size
        thrown = (end if is_whole else size) - at
        self._cut_bytes += thrown
        if not is_whole:
            self._uncounted = max(0, self._uncounted - thrown)
            return size, b""
        self._in_long_line, self._uncounted = False, 0
        return end + is_line, self._cut("A message was too long", "are left out")

    def _cut(self, why: str, what: str) -> SourceEvent:
        lost, self._cut_bytes = self._cut_bytes, 0
        return SourceEvent("cut", f"{why}: {lost} bytes at its end {what}.", lost_bytes=lost)

    def _block(self, lines: list[bytes | bytearray]) -> Iterator[bytes]:
        if lines:
            self.messages += len(lines)
            yield b"\n".join(lines) + b"\n"
            lines.clear()
