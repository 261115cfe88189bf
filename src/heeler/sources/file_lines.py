"""Reading one open file: whole lines from an offset on, and whether it is still the file that was read before."""

import json
import os
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from heeler.model import Position

MARK_BYTES = 256
"""How many bytes before the offset tell a file that grew from one that was rewritten. A log line with its time fits."""

Identity = tuple[int, int]
"""Device and inode. A hint only: an inode is given to the next file as soon as its file is gone."""


class NotRegular(OSError):
    """A directory, FIFO, socket or device stands where a file should."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far one file has been read, and the mark that lets it be known again."""

    identity: Identity
    offset: int
    digest: str


BEGINNING: Position = {"device": None, "inode": None, "offset": 0, "hash": "", "earlier": ""}
"""The position of a file that is not there yet: whatever comes is read from its first byte."""


def position_of(places: list[Place]) -> Position:
    """Return the position that says how far each file of one path has been read, oldest first.

    All but the last are rotated files that somebody may still write to.
    """
    *earlier, last = places
    flat = [[*place.identity, place.offset, place.digest] for place in earlier]
    return {
        "device": last.identity[0],
        "inode": last.identity[1],
        "offset": last.offset,
        "hash": last.digest,
        "earlier": json.dumps(flat, separators=(",", ":")) if flat else "",
    }


def places_of(position: Position) -> list[Place]:
    """Return what `position_of` was given."""
    if position["inode"] is None:
        return []
    earlier = json.loads(str(position["earlier"] or "[]"))
    last = [int(str(position[key])) for key in ("device", "inode", "offset")]
    return [Place((row[0], row[1]), row[2], str(row[3])) for row in (*earlier, [*last, position["hash"]])]


def identity_at(path: Path) -> Identity:
    """Return which file stands at ``path`` without opening it. Raises `OSError`, of which `NotRegular` is one."""
    return _identity(path.stat(), path)


class OpenFile:
    """A regular file and the offset up to which its lines have been taken.

    Nothing is kept but the mark: an incomplete last line is read again when the file has grown, so a thousand
    followed files with half a line each cost no memory. Not safe for use by two threads at once.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path`` without ever waiting. Raises like `identity_at`."""
        # Looked at before it is opened, because opening can act (a tape rewinds), and after, because it may have been
        # replaced in between. O_NONBLOCK: opening a FIFO would wait for its writer.
        identity_at(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            self.identity = _identity(os.fstat(self._fd), path)
        except OSError:
            self.close()
            raise
        self.offset = 0
        self._mark = b""

    def close(self) -> None:
        """Let go of the file. May be called more than once."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    @property
    def size(self) -> int:
        """Bytes in the file now. Only good for saying what happened: network filesystems report old sizes."""
        return os.fstat(self._fd).st_size

    def read_at(self, offset: int, most: int) -> bytes:
        """Return up to ``most`` bytes that stand at ``offset`` now, without moving."""
        return os.pread(self._fd, most, offset)

    @property
    def place(self) -> Place:
        """Where reading goes on."""
        return Place(self.identity, self.offset, digest(self._mark))

    def resume(self, place: Place) -> bool:
        """Go to ``place`` if the bytes before it are those that were read; else stay and return False."""
        mark = self._before(place.offset)
        known = len(mark) == min(MARK_BYTES, place.offset) and digest(mark) == place.digest
        if known:
            self.offset, self._mark = place.offset, mark
        return known

    def same(self) -> bool:
        """Tell whether the bytes before the offset are still those that were read.

        The content decides, not the size: a file may be truncated and grow past the offset between two looks, and
        a network filesystem may show a size that is too small for a moment.
        """
        return self._before(self.offset) == self._mark

    def rewind(self) -> None:
        """Start again at the first byte."""
        self.offset, self._mark = 0, b""

    def skip(self, longest: int) -> None:
        """Go to the end: after the last newline, so that the line being written now is read whole.

        In a last line of more than ``longest`` bytes it is the very end; the search must not read a huge file.
        """
        size = self.size
        begin = max(0, size - longest)
        feed = os.pread(self._fd, size - begin, begin).rfind(b"\n") + 1
        self.offset = size if begin and not feed else begin + feed
        self._mark = self._before(self.offset)

    def take(self, most: int, longest: int) -> bytes:
        """Return the next whole lines, about ``most`` bytes, and move past them; empty when no line is complete.

        Of a line longer than ``longest`` it returns pieces, always multiples of ``longest`` from the line's start:
        where the cuts are depends on the bytes alone, never on when they were read.
        """
        block = os.pread(self._fd, most, self.offset)
        feed = block.rfind(b"\n") + 1
        if not feed and len(block) == most < longest:
            block = os.pread(self._fd, longest, self.offset)
            feed = block.rfind(b"\n") + 1
        return self._pass(block[: feed or len(block) - len(block) % longest])

    def pending(self) -> int:
        """Count the bytes after the last complete line. Asked after `take` returned nothing."""
        return max(0, self.size - self.offset)

    def take_rest(self, longest: int) -> bytes:
        """Return what stands after the last complete line and move past it: the line will never be completed."""
        return self._pass(os.pread(self._fd, longest, self.offset))

    def _pass(self, data: bytes) -> bytes:
        self.offset += len(data)
        self._mark = (self._mark + data[-MARK_BYTES:])[-MARK_BYTES:]
        return data

    def _before(self, offset: int) -> bytes:
        length = min(MARK_BYTES, offset)
        return os.pread(self._fd, length, offset - length)


def _identity(status: os.stat_result, path: Path) -> Identity:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(path)
    return (status.st_dev, status.st_ino)


def digest(mark: bytes) -> str:
    """Return what tells these bytes from others, in hexadecimal."""
    return blake2b(mark, digest_size=16).hexdigest()
