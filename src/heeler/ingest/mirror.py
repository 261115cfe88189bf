"""Plain files of what arrives: for each stream one that grows, and those that it was rotated to, byte for byte.

``FOLDER/GROUP/STREAM.log`` grows. When it is large or its period is over it becomes
``STREAM.log.20261125T101500.000000Z``, named by when that was. Names are made by `safe_name`: what a sender
calls itself never leads out of the folder, and two streams never share a file.
"""

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from heeler.clock import Clock
from heeler.errors import EnvironmentFailed
from heeler.model import Chunk
from heeler.units import SECOND_US

ROTATE_BYTES = 64 << 20
ROTATE_SECONDS = 86_400
MOST_OPEN = 64
"""How many files are open at a time: a hostile sender may name any number of streams."""

_LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^a-z0-9._-]")
_LIKE_A_HASH = re.compile(r"-[0-9a-f]{16}", re.ASCII)
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.ASCII)


def safe_name(name: str) -> str:
    """Return a name for a file: lower-case letters, digits, ``.``, ``_`` and ``-``, at most 97 characters.

    Different names give different ones: what does not stay as it is ends with a hash of it.
    """
    safe = _UNSAFE.sub("_", name.lower())[:_LONGEST_NAME]
    is_taken = _LIKE_A_HASH.fullmatch(safe[-17:]) or safe.startswith(".") or _DEVICES.match(safe)
    if safe == name and safe and not is_taken:
        return safe
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"_{safe.lstrip('.')}"[:_LONGEST_NAME] + f"-{digest}"


@dataclass(slots=True)
class _Open:
    fd: int
    size: int
    period: int
    is_whole: bool
    """Whether it ends with a newline: only there it is rotated."""


class Mirror:
    """Writes lines to plain files. All methods block; for one thread at a time.

    A file that was there is gone on with, after its rotation where it is due or its last line is torn. Lines are at the
    disk when `sync` returns, and those of a rotated file when it was rotated. Nothing is known of positions: lines that
    a source brings again after a crash stand there twice.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        clock: Clock,
        *,
        rotate_bytes: int = ROTATE_BYTES,
        rotate_seconds: float = ROTATE_SECONDS,
        most_open: int = MOST_OPEN,
    ) -> None:
        """Make the folder where it is not there. Raises `EnvironmentFailed`, as do all methods."""
        self._folder = Path(folder)
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._period_us = round(rotate_seconds * SECOND_US)
        self._most_open = most_open
        self._open: OrderedDict[tuple[str, str], _Open] = OrderedDict()
        self._unsynced: set[tuple[str, str]] = set()
        with self._told():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._base = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)

    def write(self, group: str, stream: str, data: bytes) -> None:
        """Append to the file of a stream, which is rotated before that where it is due."""
        if not data:
            return
        with self._told():
            key = (safe_name(group), safe_name(stream))
            file = self._of(key)
            if file.is_whole and file.size and self._is_due(file):
                self._rotate(key)
                file = self._of(key)
            if not file.size:
                file.period = self._clock.now_us() // self._period_us
            rest = memoryview(data)
            while rest:
                written = os.write(file.fd, rest)
                file.size += written
                file.is_whole = rest[written - 1] == 0x0A
                rest = rest[written:]
            self._unsynced.add(key)

    def write_chunk(self, chunk: Chunk, group: str, stream: str) -> None:
        """Append the lines of a chunk; ``group`` and ``stream`` are for one that says none itself."""
        self.write(chunk.group or group, chunk.stream or stream or chunk.path or chunk.part, chunk.data)

    def sync(self) -> None:
        """Return when everything written is at the disk."""
        with self._told():
            for key in list(self._unsynced):
                os.fsync(self._of(key).fd)
                self._unsynced.discard(key)

    def close(self) -> None:
        """Sync, and let go of all files. May be called more than once."""
        if self._base < 0:
            return
        try:
            self.sync()
        finally:
            while self._open:
                os.close(self._open.popitem()[1].fd)
            os.close(self._base)
            self._base = -1

    def _of(self, key: tuple[str, str]) -> _Open:
        """Return the file of a stream, opened where it is not."""
        if file := self._open.get(key):
            self._open.move_to_end(key)
            return file
        while len(self._open) >= self._most_open:
            oldest, closed = self._open.popitem(last=False)
            if oldest in self._unsynced:
                os.fsync(closed.fd)
                self._unsynced.discard(oldest)
            os.close(closed.fd)
        self._open[key] = file = self._opened(key)
        if file.size and not file.is_whole:
            # Whoever wrote last was killed within a line, which the next one must not become a part of.
            self._rotate(key)
            self._open[key] = file = self._opened(key)
        return file

    def _opened(self, key: tuple[str, str]) -> _Open:
        group, stream = key
        with self._group(group, make=True) as folder:
            # Whoever may write into the folder must not lead this anywhere by a link, nor have it wait for a pipe.
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
            fd = os.open(f"{stream}.log", flags, 0o600, dir_fd=folder)
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, f"{group}/{stream}.log is no regular file")
        is_whole = not status.st_size or os.pread(fd, 1, status.st_size - 1) == b"\n"
        written_us = status.st_mtime_ns // 1000 if status.st_size else self._clock.now_us()
        return _Open(fd, status.st_size, written_us // self._period_us, is_whole)

    def _is_due(self, file: _Open) -> bool:
        return file.size >= self._rotate_bytes or self._clock.now_us() // self._period_us != file.period

    def _rotate(self, key: tuple[str, str]) -> None:
        """Give the file of a stream the name under which it stays."""
        file = self._open.pop(key)
        self._unsynced.discard(key)
        group, stream = key
        try:
            os.fsync(file.fd)
        finally:
            os.close(file.fd)
        with self._group(group) as folder:
            with os.scandir(folder) as entries:
                taken = {entry.name for entry in entries}
            at = self._clock.now_us()
            while (name := f"{stream}.log.{_stamp(at)}") in taken:
                at += 1
            os.rename(f"{stream}.log", name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    @contextlib.contextmanager
    def _group(self, group: str, *, make: bool = False) -> Iterator[int]:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(group, 0o700, dir_fd=self._base)
                os.fsync(self._base)
        fd = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._base)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            remedy = "Check the disk and who may write there, or name another folder."
            raise EnvironmentFailed(f"The mirror in {self._folder} failed: {error.strerror}. {remedy}") from error


def _stamp(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // SECOND_US, UTC).strftime("%Y%m%dT%H%M%S") + f".{time_us % SECOND_US:06d}Z"
