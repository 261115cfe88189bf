"""Reading one file that may grow: whole lines from an offset on, and whether it is still the file that was read."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from heeler.sources.descriptors import Descriptors
from heeler.sources.file_identity import identity_of, open_regular
from heeler.sources.file_position import MARK_BYTES, TELLING_BYTES, Place, digest

_LONGEST_TORN_BLOCK = 64 << 10
"""So many NULs before and behind a hole belong to it: it is of whole blocks, and the writer began within one."""

_LEAST_READ_BYTES = 64 << 10


class Moved(OSError):
    """Another file stands at the path of one that was closed for a while."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read next: whole lines, or a ``piece`` of a long one, or a hole of so many bytes that holds nothing."""

    data: bytes = b""
    piece: bool = False
    hole_bytes: int = 0


NOTHING = Taken()


class OpenFile:
    """A regular file and the offset up to which its lines have been taken.

    Nothing is kept but the marks: an incomplete last line is read again when the file has grown, so a thousand
    followed files with half a line each cost no memory. With ``descriptors`` it may be closed between two reads, and
    opens itself again. Not safe for use by two threads at once.
    """

    trouble = ""
    grows = True

    def __init__(self, path: Path, descriptors: Descriptors | None = None) -> None:
        """Open ``path`` without ever waiting. Raises `OSError`, of which `NotRegular` is one."""
        self.path = path
        self.at_end = False
        self.offset = 0
        self._head = self._mark = b""
        self._in_long_line = False
        self._written_ns = 0
        self._descriptors = descriptors or Descriptors(1)
        self._fd = self._descriptors.open(path, self)
        try:
            self.identity = identity_of(self._fd)
            self._written_ns = self.written_ns
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file. May be called more than once."""
        self._descriptors.closed(self)
        self.suspend()

    def suspend(self) -> None:
        """Close it until it is read again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def is_open(self) -> bool:
        """Whether it is open now: then its inode cannot be given to another file."""
        return self._fd >= 0

    @property
    def is_deleted(self) -> bool:
        """Whether no name leads to it any more; only known while it is open."""
        return self.is_open and os.fstat(self._fd).st_nlink == 0

    @property
    def size(self) -> int:
        """Bytes in the file now. Only good for saying what happened: network filesystems report old sizes."""
        return os.fstat(self._opened()).st_size

    @property
    def written_ns(self) -> int:
        """When it was written last, by the clock of its file system. Orders files; decides nothing else."""
        return os.fstat(self._opened()).st_mtime_ns

    def read_at(self, offset: int, most: int) -> bytes:
        """Return up to ``most`` bytes that stand at ``offset`` now, without moving."""
        return os.pread(self._opened(), most, offset)

    @property
    def place(self) -> Place:
        """Where reading goes on."""
        return Place(self.identity, self.offset, digest(self._head), digest(self._mark), written_ns=self._written_ns)

    def resume(self, place: Place) -> bool:
        """Go to ``place`` if head and mark are those of what was read; else stay and return False."""
        if not self.holds(place):
            return False
        self.offset, self._written_ns = place.offset, place.written_ns
        self._head, self._mark = self._head_of(place.offset), self._before(place.offset)
        return True

    def holds(self, place: Place) -> bool:
        """Tell whether head and mark are those of what was read up to ``place``."""
        head, mark = self._head_of(place.offset), self._before(place.offset)
        return len(mark) == min(MARK_BYTES, place.offset) and (digest(head), digest(mark)) == (place.head, place.mark)

    def is_copy(self, place: Place) -> bool:
        """Tell whether this holds just what was read up to ``place``, and nothing more."""
        return self.size == place.offset and (
            digest(self._head_of(place.offset)),
            digest(self._before(place.offset)),
        ) == (place.head, place.mark)

    @property
    def end(self) -> Place:
        """The place behind all that the file holds now: what else holds it is a copy."""
        size = self.size
        return Place(self.identity, size, digest(self._head_of(size)), digest(self._before(size)))

    def go_to_end(self) -> None:
        """Take everything that the file holds now for read."""
        end = self.size
        self.offset, self._head, self._mark = end, self._head_of(end), self._before(end)

    def tells(self, place: Place) -> bool:
        """Tell whether so much was read up to ``place`` that it is known by its content alone: many bytes, or lines."""
        return place.offset >= TELLING_BYTES or self.read_at(place.offset - 1, 1) == b"\n"

    def begins_like(self, place: Place) -> bool:
        """Tell whether this is a copy that was made before all of ``place`` was read: shorter, with the same head."""
        head = self._head_of(place.offset)
        return self.size < place.offset and bool(head) and digest(head) == place.head

    def same(self) -> bool:
        """Tell whether head and mark are still those of what was read.

        The content decides, not the size: a file may be truncated and grow past the offset between two looks, and
        a network filesystem may show a size that is too small for a moment.
        """
        is_short = self.offset <= MARK_BYTES
        return self._before(self.offset) == self._mark and (is_short or self._head_of(self.offset) == self._head)

    def reopen(self) -> None:
        """Open the file at its path anew, which makes a network file system ask its server.

        Raises `Moved` and other `OSError`, and keeps what is open then.
        """
        fd = open_regular(self.path)
        if not identity_of(fd).may_be(self.identity):
            os.close(fd)
            raise Moved(errno.ESTALE, "another file stands there", str(self.path))
        before, self._fd = self._opened(), fd
        os.close(before)

    def rewind(self) -> None:
        """Start again at the first byte."""
        self.offset, self._head, self._mark, self._in_long_line = 0, b"", b"", False

    def skip(self, longest: int) -> None:
        """Go to the end: after the last newline, so that the line being written now is read whole.

        In a last line of more than ``longest`` bytes it is the very end; the search must not read a huge file.
        """
        size = self.size
        begin = max(0, size - longest)
        feed = self.read_at(begin, size - begin).rfind(b"\n") + 1
        self.offset = size if begin and not feed else begin + feed
        self._head, self._mark = self._head_of(self.offset), self._before(self.offset)
        self._written_ns = self.written_ns

    def take(self, most: int, longest: int) -> Taken:
        """Return the next whole lines, about ``most`` bytes, and move past them; `NOTHING` when none is complete.

        Of a line longer than ``longest`` it returns pieces of just so many bytes from the line's start: where the
        cuts are depends on the bytes alone, never on when they were read.
        """
        most = longest + 1 if self._in_long_line else most
        # Room for what is there, as room costs time; not for less, as a network file system may show an old size.
        most = min(most, max(_LEAST_READ_BYTES, self.size - self.offset))
        block = self.read_at(self.offset, most)
        length = whole_lines(block, longest)
        if not length and len(block) == most <= longest:
            block = self.read_at(self.offset, longest + 1)
            length = whole_lines(block, longest)
        if b"\0" in block and (hole := self._hole(len(block))):
            return self._before_hole(block, longest, *hole)
        self.at_end = not block
        if length or len(block) <= longest:
            return self._pass(block[:length], piece=False)
        return self._pass(block[:longest], piece=True)

    def pending(self) -> int:
        """Count the bytes after the last complete line. Asked after `take` returned nothing."""
        return max(0, self.size - self.offset)

    def take_rest(self, longest: int) -> Taken:
        """Return what stands after the last complete line and move past it: the line will never be completed."""
        block = self.read_at(self.offset, longest)
        hole = self._hole(len(block)) if b"\0" in block else None
        if hole is None:
            return self._pass(block, piece=False)
        begin, end = hole
        if begin > self.offset:
            return self._pass(block[: begin - self.offset], piece=False)
        return self._skip_hole(self.size if end is None else end)

    def _opened(self) -> int:
        if self._fd >= 0:
            self._descriptors.used(self)
            return self._fd
        self._fd = self._descriptors.open(self.path, self)
        if not identity_of(self._fd).may_be(self.identity):
            self.close()
            raise Moved(errno.ESTALE, "another file stands there", str(self.path))
        return self._fd

    def _pass(self, data: bytes, *, piece: bool) -> Taken:
        if not data:
            return NOTHING
        self._in_long_line = piece
        self._written_ns = self.written_ns
        self.offset += len(data)
        if len(self._head) < MARK_BYTES:
            self._head = (self._head + data[:MARK_BYTES])[:MARK_BYTES]
        self._mark = (self._mark + data[-MARK_BYTES:])[-MARK_BYTES:]
        return Taken(data, piece)

    def _before_hole(self, block: bytes, longest: int, begin: int, end: int | None) -> Taken:
        """Return what stands before a hole, which cuts the line that it lies in; then the hole.

        Without data behind it nobody knows yet how long it is.
        """
        torn = block[: begin - self.offset]
        begin -= min(len(torn) - len(torn.rstrip(b"\0")), _LONGEST_TORN_BLOCK)
        if begin > self.offset:
            block = block[: begin - self.offset]
            length = whole_lines(block, longest)
            return self._pass(block[: length or (0 if end is None else longest)], piece=False)
        return NOTHING if end is None else self._skip_hole(end)

    def _skip_hole(self, end: int) -> Taken:
        rest = self.read_at(end, _LONGEST_TORN_BLOCK)
        end += len(rest) - len(rest.lstrip(b"\0"))
        hole_bytes = end - self.offset
        self.offset, self._in_long_line = end, False
        self._head, self._mark = self._head_of(end), self._before(end)
        return Taken(hole_bytes=hole_bytes)

    def _hole(self, length: int) -> tuple[int, int | None] | None:
        """Return begin and end of the first hole in the next ``length`` bytes; no end if no data stands behind it."""
        fd = self._opened()
        try:
            begin = os.lseek(fd, self.offset, os.SEEK_HOLE)
            if begin >= min(self.offset + length, self.size):
                return None
            return begin, os.lseek(fd, begin, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return begin, None
            return None  # a file system that knows of no holes

    def _head_of(self, offset: int) -> bytes:
        return self.read_at(0, min(MARK_BYTES, offset))

    def _before(self, offset: int) -> bytes:
        length = min(MARK_BYTES, offset)
        return self.read_at(offset - length, length)


def whole_lines(data: bytes, longest: int) -> int:
    """Return how many bytes at the beginning of ``data`` are whole lines, none of more than ``longest`` bytes."""
    at = 0
    while (feed := data.rfind(b"\n", at, at + longest) + 1) > 0:
        at = feed
    return at
