"""Reading a rotated file that was compressed meanwhile: its lines, as if it were the file that it was."""

import os
from pathlib import Path

from heeler.sources.compressed import Content
from heeler.sources.file_identity import Identity, identity_of, open_regular
from heeler.sources.file_lines import NOTHING, Taken, whole_lines
from heeler.sources.file_position import MARK_BYTES, TELLING_BYTES, Place, digest

_HEAD_BYTES = 64 << 10


class PackedFile:
    """A compressed file and the offset in its content up to which lines have been taken. It does not grow.

    The same promises as those of `heeler.sources.file_lines.OpenFile`. What of it does not decode is told in
    ``trouble`` at the end.
    """

    grows = False
    at_end = False
    is_open = True
    is_deleted = False

    def __init__(self, path: Path) -> None:
        """Open ``path``. Raises as `open_regular` does."""
        self.path = path
        self._fd = open_regular(path)
        self.identity: Identity = identity_of(self._fd)
        self.written_ns = os.fstat(self._fd).st_mtime_ns  # compressing keeps it
        self.offset = 0
        self._rest = self._head = self._mark = b""
        self._content = self._again()

    def close(self) -> None:
        """Let go of the file. May be called more than once."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def trouble(self) -> str:
        """See `Content.trouble`."""
        return self._content.trouble

    @property
    def place(self) -> Place:
        """Where reading goes on."""
        return Place(self.identity, self.offset, digest(self._head), digest(self._mark), written_ns=self.written_ns)

    def resume(self, place: Place) -> bool:
        """Go to ``place`` if head and mark are those of what was read; else stay at the beginning, return False."""
        found = self._at(place)
        if found is None:
            return False
        content, self._head, self._mark = found
        self._content, self._rest, self.offset = content, b"", place.offset
        return True

    def holds(self, place: Place) -> bool:
        """See `OpenFile.holds`."""
        return self._at(place) is not None

    def _at(self, place: Place) -> tuple[Content, bytes, bytes] | None:
        """Return the content from ``place`` on, with head and mark, if they are those of what was read."""
        head = self._first(place.offset)
        if digest(head) != place.head:
            return None
        content = self._again()
        mark = content.skip(place.offset, MARK_BYTES) if place.offset else b""
        return (content, head, mark) if content.offset == place.offset and digest(mark) == place.mark else None

    def is_copy(self, place: Place) -> bool:
        """See `OpenFile.is_copy`."""
        found = self._at(place)
        return found is not None and not found[0].read(1)

    @property
    def end(self) -> Place:
        """See `OpenFile.end`."""
        content = self._again()
        head = content.read(MARK_BYTES) or b""
        tail = head + content.skip(1 << 62, MARK_BYTES)
        return Place(self.identity, content.offset, digest(head), digest(tail[-MARK_BYTES:]))

    def go_to_end(self) -> None:
        """See `OpenFile.go_to_end`."""
        content = self._again()
        self._head = content.read(MARK_BYTES) or b""
        self._mark = (self._head + content.skip(1 << 62, MARK_BYTES))[-MARK_BYTES:]
        self._content, self._rest, self.offset = content, b"", content.offset

    def tells(self, place: Place) -> bool:
        """See `OpenFile.tells`."""
        return place.offset >= TELLING_BYTES or self._again().skip(place.offset, 1) == b"\n"

    def begins_like(self, place: Place) -> bool:
        """See `OpenFile.begins_like`."""
        head = self._first(place.offset)
        if not head or digest(head) != place.head:
            return False
        content = self._again()
        content.skip(place.offset, 1)
        return content.offset < place.offset

    def same(self) -> bool:
        """Return True: nobody writes into a compressed file."""
        return True

    def take(self, most: int, longest: int) -> Taken:
        """See `OpenFile.take`."""
        self._fill(max(most, longest + 1))
        length = whole_lines(self._rest, longest)
        piece = not length and len(self._rest) > longest
        return self._pass(longest if piece else length, piece=piece)

    def pending(self) -> int:
        """See `OpenFile.pending`."""
        return len(self._rest)

    def take_rest(self, longest: int) -> Taken:
        """See `OpenFile.take_rest`."""
        return self._pass(min(longest, len(self._rest)), piece=False)

    def _pass(self, length: int, *, piece: bool) -> Taken:
        data, self._rest = self._rest[:length], self._rest[length:]
        if not data:
            return NOTHING
        self.offset += length
        self._head = (self._head + data[:MARK_BYTES])[:MARK_BYTES]
        self._mark = (self._mark + data[-MARK_BYTES:])[-MARK_BYTES:]
        return Taken(data, piece)

    def _first(self, most: int) -> bytes:
        """Return up to ``most`` bytes of the head."""
        if not self.offset:
            self._fill(_HEAD_BYTES)  # which is read next anyway
            return self._rest[: min(MARK_BYTES, most)]
        return self._again().read(min(MARK_BYTES, most)) or b""

    def _fill(self, most: int) -> None:
        if len(self._rest) < most:
            self._rest += self._content.read(most - len(self._rest)) or b""

    def _again(self) -> Content:
        return Content(_Bytes(self._fd), str(self.path), lambda: _Bytes(self._fd))


class _Bytes:
    """The bytes of an open file from its beginning."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._at = 0

    def read(self, most: int) -> bytes:
        data = os.pread(self._fd, most, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int) -> bool:
        self._at = offset
        return True
