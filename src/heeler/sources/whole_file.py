"""Files that are read whole into a store, compressed or not, and standard input."""

import os
import select
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed, SourceUnavailable, UsageError
from heeler.model import CHUNK_BYTES, LONGEST_LINE_BYTES, Chunk, Position, SourceEvent
from heeler.sources.blocking import BlockingSource
from heeler.sources.compressed import Content
from heeler.sources.file import open_once
from heeler.sources.file_lines import OpenFile, whole_lines
from heeler.sources.file_position import MARK_BYTES, KnownFiles, Place, digest, position_of

SAMPLE_BYTES = 256 << 10
"""How much of the beginning of a file is looked at to tell its format."""


class WholeFile(BlockingSource):
    """One file, or standard input for ``-``, to its end. Implements `heeler.sources.Source`.

    A line longer than ``longest_line_bytes`` comes as pieces of just so many bytes. A last line without a newline
    comes as an unfinished chunk, except from standard input, which cannot grow after its end.

    A file is known by device, inode and content, see `heeler.sources.file_position.KnownFiles`, whose names begin with
    ``prefix``. A file that is followed has the same positions, so whoever reads it first, the other goes on. Standard
    input is always new.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        prefix: str = "",
        positions: Mapping[str, Position] = {},
        chunk_bytes: int = CHUNK_BYTES,
        longest_line_bytes: int = LONGEST_LINE_BYTES,
    ) -> None:
        """Open the file. Raises `UsageError` where there is none, `EnvironmentFailed` where it may not be read."""
        self.name = "standard input" if os.fspath(path) == "-" else str(Path(path).absolute())
        finder: _Finder
        finder = _StandardInput(prefix, clock) if os.fspath(path) == "-" else _StoredFile(Path(path), prefix, positions)
        self._lines = _Lines(finder, clock, chunk_bytes, longest_line_bytes)
        super().__init__(self._lines)

    @property
    def size(self) -> int | None:
        """Bytes in the file, None where that cannot be known."""
        return self._lines.finder.size

    @property
    def consumed(self) -> int:
        """Bytes of the file that were read so far, as they lie there."""
        return self._lines.content.consumed if self._lines.content else 0

    @property
    def sample(self) -> bytes:
        """The beginning of the content, known as soon as there is a chunk; of standard input that chunk's."""
        return self._lines.finder.sample

    def _next(self) -> Chunk | None:
        try:
            return super()._next()
        except OSError as error:
            raise EnvironmentFailed(
                f"Reading {self.name} failed: {error.strerror}. Check the disk or the server it is on, then start "
                "again; it goes on where it was."
            ) from error


class _Found:
    """The content of a part from where reading goes on, and what was read of its unfinished last line before."""

    def __init__(self, part: str, content: Content, event: SourceEvent | None = None) -> None:
        self.part = part
        self.content = content
        self.event = event
        self.mark = b""
        self.rest = b""
        self.trouble = ""
        """What was told before of the end of the content."""


class _Finder(Protocol):
    """Finds out where reading goes on, and tells the position after each chunk."""

    sample: bytes

    @property
    def size(self) -> int | None: ...

    def find(self) -> _Found: ...

    def position(self, offset: int, mark: bytes, rest: bytes, trouble: str) -> Position: ...

    def close(self) -> None: ...


class _StoredFile:
    """A regular file, of which earlier positions may be stored."""

    def __init__(self, path: Path, prefix: str, positions: Mapping[str, Position]) -> None:
        try:
            self._file: OpenFile | None = open_once(path.absolute())
        except SourceUnavailable as error:
            raise UsageError(str(error)) from error
        self._path = path.absolute()
        self.size: int | None = self._file.size
        self.sample = b""
        self._written_ns = self._file.written_ns
        self._known = KnownFiles(prefix, positions)
        self._place = Place(self._file.identity, 0, "", "")

    def find(self) -> _Found:
        self.sample = self._content().read(SAMPLE_BYTES) or b""
        known = self._known.of(self._place.identity)
        for part, place in known:
            if found := self._go_on(part, place):
                self._place = replace(place, identity=self._place.identity)
                return found
        event = None
        if known:
            message = f"{self._path} is not what was read before: its content is another. It is read from its start."
            event = SourceEvent("rewritten", message)
        part, generation = self._known.add(self._place.identity)
        self._place = replace(self._place, generation=generation)
        return _Found(part, self._content(), event)

    def _content(self) -> Content:
        return Content(self._raw(), str(self._path), self._raw)

    def _raw(self) -> "_RawFile":
        if self._file is None:
            raise ValueError(f"{self._path} is read although it was closed")
        return _RawFile(self._file)

    def _go_on(self, part: str, place: Place) -> _Found | None:
        """Return the content after ``place`` if what stands before, and began to stand there, was read."""
        if digest(self.sample[: min(MARK_BYTES, place.offset)]) != place.head:
            return None
        found = _Found(part, self._content())
        found.mark = found.content.skip(place.offset, MARK_BYTES)
        if found.content.offset != place.offset or digest(found.mark) != place.mark:
            return None
        found.rest = found.content.read(place.unfinished) or b""
        found.trouble = place.trouble
        return found if digest(found.rest) == place.unfinished_mark else None

    def position(self, offset: int, mark: bytes, rest: bytes, trouble: str) -> Position:
        head = digest(self.sample[: min(MARK_BYTES, offset)])
        place = replace(self._place, offset=offset, head=head, mark=digest(mark), written_ns=self._written_ns)
        return position_of(replace(place, unfinished=len(rest), unfinished_mark=digest(rest), trouble=trouble))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _StandardInput:
    """Standard input. Nothing can be read again, so positions only count."""

    size: int | None = None

    def __init__(self, prefix: str, clock: Clock) -> None:
        self._part = f"{prefix}stdin"
        self._clock = clock
        self.sample = b""

    def find(self) -> _Found:
        return _Found(self._part, Content(_RawInput(self._clock), "standard input"))

    def position(self, offset: int, mark: bytes, rest: bytes, trouble: str) -> Position:
        del mark, rest, trouble
        return {"offset": offset}

    def close(self) -> None:
        """Do nothing: standard input belongs to the process."""


class _RawFile:
    """The bytes of an open file from its beginning; several may read the same one."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.at = 0

    def read(self, most: int) -> bytes:
        data = self._file.read_at(self.at, most)
        self.at += len(data)
        return data

    def seek(self, offset: int) -> bool:
        self.at = offset
        return True


class _RawInput:
    """The bytes of standard input as they come."""

    _IDLE_MS = 250  # how long a thread waits for input: as long as closing may take
    _GATHER_MS = 50  # how long what is there waits for more, so that chunks are larger than a pipe
    _GATHER_SECONDS = 0.5  # and how long in all: a pipe that never rests must be stored too
    _BLOCK = 1 << 20  # a read is given room for this much; a pipe holds no more

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)
        self._since: float | None = None

    def read(self, most: int) -> bytes | None:
        now = self._clock.monotonic()
        gathers = self._since is not None and now - self._since < self._GATHER_SECONDS
        if self._since is not None and not gathers:
            self._since = None
            return None
        if not self._poll.poll(self._GATHER_MS if gathers else self._IDLE_MS):
            self._since = None
            return None
        self._since = now if self._since is None else self._since
        return os.read(0, min(self._BLOCK, most))

    def seek(self, offset: int) -> bool:
        del offset
        return False


class _Lines:
    """Cuts the content of a part into chunks of whole lines, pieces of long ones, and an unfinished last one."""

    def __init__(self, finder: _Finder, clock: Clock, chunk_bytes: int, longest: int) -> None:
        self.ended = False
        self.finder = finder
        self.content: Content | None = None
        self._clock = clock
        self._target = max(chunk_bytes, longest + 1)
        self._longest = longest
        self._part = ""
        self._events: tuple[SourceEvent, ...] = ()
        self._offset = 0
        self._mark = b""
        self._rest = b""
        self._told = 0
        self._trouble = ""

    def close(self) -> None:
        self.finder.close()

    def noticed(self, changed: frozenset[str] | None) -> None:
        """Do nothing: it reads on in any case."""

    def next(self) -> Chunk | None:
        content = self.content or self._find()
        while not self.ended:
            if len(self._rest) >= self._target and (chunk := self._take()):
                return chunk
            block = content.read(self._target - len(self._rest))
            if block:
                self._rest = self._rest + block if self._rest else block
            elif chunk := self._take():
                return chunk
            elif block is None:
                return None
            elif chunk := self._last():
                return chunk
            else:
                self.ended = True
                return self._end(content.trouble)
        return None

    def _find(self) -> Content:
        found = self.finder.find()
        self.content = found.content
        self._part, self._mark, self._rest = found.part, found.mark, found.rest
        self._offset = found.content.offset - len(found.rest)
        self._told = len(found.rest)
        self._trouble = found.trouble
        self._events = (found.event,) if found.event else ()
        return found.content

    def _take(self) -> Chunk | None:
        """Return the whole lines that are there, or a piece of a long one."""
        length = whole_lines(self._rest, self._longest)
        is_piece = not length and len(self._rest) > self._longest
        if is_piece:
            length = self._longest
        if not length:
            return None
        data, self._rest = self._rest[:length], self._rest[length:]
        return self._chunk(data, piece=is_piece)

    def _last(self) -> Chunk | None:
        """Return the last line if it has no newline and is not known yet."""
        if len(self._rest) <= self._told:
            return None
        data = self._rest
        if self.finder.size is None:
            self._rest = b""
            return self._chunk(data)
        self._told = len(data)
        return self._chunk(data, unfinished=data)

    def _end(self, trouble: str) -> Chunk | None:
        """Return what must be said of the file, behind its lines."""
        if trouble:
            repeated = trouble == self._trouble
            self._events = (*self._events, SourceEvent("damaged", trouble, lost_bytes=-1, repeated=repeated))
        self._trouble = trouble
        return self._chunk(b"", unfinished=self._rest) if self._events else None

    def _chunk(self, data: bytes, *, unfinished: bytes = b"", piece: bool = False) -> Chunk:
        if not unfinished:
            self._offset += len(data)
            self._mark = (self._mark + data[-MARK_BYTES:])[-MARK_BYTES:]
            self._told = 0
        position = self.finder.position(self._offset, self._mark, unfinished, self._trouble)
        events, self._events = self._events, ()
        if not self.finder.sample:
            self.finder.sample = data[:SAMPLE_BYTES]
        return Chunk(
            self._part,
            data,
            position,
            self._clock.now_us(),
            events,
            unfinished_bytes=len(unfinished) if data else 0,
            piece=piece,
        )
