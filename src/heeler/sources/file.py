"""Files as a source: one path, read once to its end or followed for ever."""

import errno
import os
import select
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed, SourceUnavailable, UsageError
from heeler.model import CHUNK_BYTES, LONGEST_LINE_BYTES, Chunk, Position, SourceEvent
from heeler.sources import SourceHealth
from heeler.sources.blocking import BlockingSource, Reader
from heeler.sources.claims import Claims
from heeler.sources.descriptors import Descriptors
from heeler.sources.file_changes import Inotify, Waker
from heeler.sources.file_identity import NotRegular
from heeler.sources.file_lines import OpenFile
from heeler.sources.file_names import Names
from heeler.sources.file_position import WAITING, place_of, position_of, prefix_of
from heeler.sources.file_set import FileSet
from heeler.sources.rotated_files import Listings
from heeler.sources.row import Reading

GRACE_SECONDS = 60.0
"""How long a rotated file is looked at after its last growth. Writers that were not told of a rotation go on in it."""


class FileSource(BlockingSource):
    """Files. Implements `heeler.sources.Source`.

    With ``follow`` it follows paths, patterns and directories (see `Names`) for ever and survives what happens to log
    files; see `Follower`. Each file that stands at a path is a part, whose name `prefix_of` the group and the path
    begins; chunks have the path. It starts after the stored positions, else at the end of files that exist already
    unless ``from_start``.

    Without ``follow`` it reads one file to its end and ends; then a path of ``-`` means standard input.
    """

    def __init__(
        self,
        *paths: str | os.PathLike[str],
        clock: Clock,
        follow: bool,
        group: str = "default",
        from_start: bool = False,
        positions: Mapping[str, Position] = {},
        chunk_bytes: int = CHUNK_BYTES,
        longest_line_bytes: int = LONGEST_LINE_BYTES,
        grace_seconds: float = GRACE_SECONDS,
        most_open: int | None = None,
        waker: Waker | None = None,
    ) -> None:
        names = [os.fspath(path) for path in paths]
        if follow and "-" in names:
            raise UsageError("Standard input cannot be followed: it ends when its writer does. Leave out --follow.")
        reader: Reader
        if follow:
            waker = waker or Inotify(clock)
            descriptors = Descriptors(most_open)
            how = Reading(clock, chunk_bytes, longest_line_bytes, grace_seconds, descriptors, Listings(clock), Claims())
            files = {part[: part.rfind("\0")] for part in positions if not part.endswith(f"\0{WAITING}")}
            reader = FileSet(
                Names(names, lambda path: prefix_of(group, path)[:-1] in files),
                how,
                waker,
                group=group,
                positions=positions,
                from_start=from_start,
            )
        elif names == ["-"]:
            reader = _StandardInput(clock, max(chunk_bytes, longest_line_bytes), longest_line_bytes)
        else:
            path = Path(names[0]).absolute()
            reader = _Replay(path, clock, positions.get(str(path)), chunk_bytes, longest_line_bytes)
        self._name = "standard input" if names == ["-"] else names[0]
        self._follow = follow
        self._set = reader if isinstance(reader, FileSet) else None
        super().__init__(reader, waker)

    def health(self) -> SourceHealth:
        """See `Source.health`. It lives while it is read, also where no file is there yet."""
        health = super().health()
        if self._set is None:
            return health
        count, size, lag = self._set.sizes()
        files = "1 file" if count == 1 else f"{count:,} files"
        return replace(health, doing=f"follows {files}", size_bytes=size, lag_bytes=lag)

    def _next(self) -> Chunk | None:
        try:
            return super()._next()
        except OSError as error:
            sentence = f"Reading {self._name} failed: {error.strerror}."
            if self._follow:
                raise SourceUnavailable(f"{sentence} It is tried again from the last stored position.") from error
            raise EnvironmentFailed(f"{sentence} Check the disk or the server it is on, then start again.") from error


class _Replay:
    """Reads a file once, to its end."""

    def __init__(self, path: Path, clock: Clock, position: Position | None, chunk_bytes: int, longest: int) -> None:
        self.ended = False
        self._path = path
        self._clock = clock
        self._stored = position
        self._chunk_bytes = chunk_bytes
        self._longest = longest
        self._file: OpenFile | None = None

    def next(self) -> Chunk | None:
        events: tuple[SourceEvent, ...] = ()
        if self._file is None:
            self._file = open_once(self._path)
            events = self._resume(self._file)
        taken = self._file.take(self._chunk_bytes, self._longest)
        data = taken.data or (b"" if taken.hole_bytes else self._file.take_rest(self._longest).data)
        if not data and not events and not taken.hole_bytes:
            self.ended = True
            return None
        return Chunk(str(self._path), data, position_of(self._file.place), self._clock.now_us(), events)

    def noticed(self, changed: frozenset[str] | None) -> None:
        """Do nothing: it reads on in any case."""

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _resume(self, file: OpenFile) -> tuple[SourceEvent, ...]:
        if not self._stored or file.resume(place_of(self._stored)):
            return ()
        message = f"{self._path} is not the file that was read before; it is read from its start."
        return (SourceEvent("rewritten", message, lost_bytes=-1),)


def open_once(path: Path) -> OpenFile:
    """Open a file that must be there. Each failure is a sentence."""
    try:
        return OpenFile(path)
    except NotRegular as error:
        kind = "a directory" if path.is_dir() else "not a regular file"
        raise UsageError(f"{path} is {kind}. Name a file, or pipe into standard input and say -.") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceUnavailable(f"{path} does not exist. Check the name.") from error
    except OSError as error:
        remedy = "Give this user the right to read it." if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise EnvironmentFailed(f"{path} cannot be opened: {error.strerror}. {remedy}".rstrip()) from error


class _StandardInput:
    """Reads standard input to its end. Nothing can be read again, so positions only count."""

    _IDLE_MS = 250  # how long a thread waits for input: as long as closing may take
    _BLOCK = 1 << 20  # a read is given room for this much; a pipe holds no more
    _GATHER_MS = 50  # how long lines that are there wait for more, so that chunks are larger than a pipe

    def __init__(self, clock: Clock, most: int, longest: int) -> None:
        self.ended = False
        self._clock = clock
        self._most = most
        self._longest = longest
        self._offset = 0
        self._rest = bytearray()
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def next(self) -> Chunk | None:
        end = False
        wait = self._IDLE_MS
        while not end and len(self._rest) < self._most and self._poll.poll(wait):
            block = os.read(0, min(self._BLOCK, self._most - len(self._rest)))
            self._rest += block
            end, wait = not block, self._GATHER_MS
        feed = self._rest.rfind(b"\n") + 1
        data = bytes(self._rest[: feed or len(self._rest) - (0 if end else len(self._rest) % self._longest)])
        del self._rest[: len(data)]
        self._offset += len(data)
        self.ended = end and not data
        if not data:
            return None
        return Chunk("stdin", data, {"offset": self._offset}, self._clock.now_us())

    def noticed(self, changed: frozenset[str] | None) -> None:
        """Do nothing: it reads on in any case."""

    def close(self) -> None:
        self._rest.clear()
