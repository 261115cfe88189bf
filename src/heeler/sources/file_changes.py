"""Being woken when files may have changed: the kernel tells (inotify), and somebody looks now and then in any case."""

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from heeler.clock import Clock

LOOK_SECONDS = 1.0
"""How often files are looked at in any case: notifications get lost, and network filesystems send none."""

POLL_SECONDS = 0.1
"""How often files are looked at where the kernel tells nothing. Lines are seen that much later."""

GATHER_SECONDS = 0.02
"""How long changes are gathered after some were told, so that a file that never rests costs little."""

_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC  # what IN_NONBLOCK and IN_CLOEXEC are
_MODIFY, _ATTRIB, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x4, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW, _IGNORED, _ONLYDIR = 0x400, 0x800, 0x4000, 0x8000, 0x1000000
_WANTED = _MODIFY | _ATTRIB | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name; inotify(7)
_BUFFER_BYTES = 64 << 10


class Waker(Protocol):
    """Tells a reader when to look again, and where. Made for one reader; only `wait` waits."""

    trouble: str
    """Why the kernel does not tell of all directories, as a sentence; empty where it does."""

    is_partial: bool
    """Whether `watch` should be called again soon: a directory was not there."""

    def watch(self, directories: Iterable[str], concerns: Callable[[str, bool], bool]) -> None:
        """Say in which directories changes matter from now on. Called in any thread; may block.

        ``concerns`` tells whether a path matters, and is told whether a file appeared there: busy neighbours must
        cost nothing.
        """
        ...

    async def wait(self, seconds: float) -> frozenset[str] | None:
        """Return when something may have changed since the last call returned, and at the latest after ``seconds``.

        Returns what `told` does. May return without a reason. Returns at once after `close`, also when it waits
        already.
        """
        ...

    def told(self) -> frozenset[str] | None:
        """Return the paths that changed since they were told last, None where anything may have; does not wait."""
        ...

    async def close(self) -> None:
        """Let go of threads and handles. May be called more than once."""
        ...


class Inotify:
    """Wakes by the kernel's notifications; polls where there are none: on another system, or with no watches left.

    Directories are watched, not files: a file that is renamed away takes its watch with it, and a thousand files in
    one directory need one watch. A queue that overflowed is told as: anything may have changed.
    """

    def __init__(self, clock: Clock) -> None:
        self.trouble = ""
        self.is_partial = False
        self._clock = clock
        self._libc = _Libc()
        self._fd: int | None = None  # negative where there are no notifications
        # Read on the event loop while `watch` runs in a thread, so values are replaced and never changed. One directory
        # may have several names.
        self._watches: dict[int, frozenset[str]] = {}
        self._watched: dict[str, int] = {}
        self._changed: set[str] = set()
        self._concerns: Callable[[str, bool], bool] = lambda _, __: True
        self._anything = False
        self._woken = asyncio.Event()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def watch(self, directories: Iterable[str], concerns: Callable[[str, bool], bool]) -> None:
        """See `Waker.watch`."""
        self._concerns = concerns
        if self._fd is None and not self._closed:
            self._fd = self._libc.init()
            if self._fd < 0:
                self.trouble = f"The kernel does not tell of changes here; files are looked at every {POLL_SECONDS} s."
        if self._fd is None or self._fd < 0 or self._closed:
            return
        wanted, fd = set(directories), self._fd
        watched = dict(self._watched)
        for directory in watched.keys() - wanted:
            watch = watched[directory]
            self._watched.pop(directory, None)
            self._watches[watch] = self._watches.get(watch, frozenset()) - {directory}
            if not self._watches[watch]:
                self._watches.pop(watch, None)
                self._libc.remove(fd, watch)
        failed, self.is_partial = "", False
        for directory in wanted - watched.keys():
            watch = self._libc.add(fd, directory)
            if watch >= 0:
                # What changed before the watch was set has told nobody: whoever asks for it looks after that.
                self._watched[directory] = watch
                self._watches[watch] = self._watches.get(watch, frozenset()) | {directory}
            elif -watch in (errno.ENOSPC, errno.ENOMEM):
                failed = f"No watch is left for {directory} (fs.inotify.max_user_watches)"
            else:
                self.is_partial = True
        self.trouble = f"{failed}; files are looked at every {POLL_SECONDS} s." if failed else ""

    async def wait(self, seconds: float) -> frozenset[str] | None:
        """See `Waker.wait`."""
        if self._closed:
            return frozenset()
        tells = self._fd is not None and self._fd >= 0
        if self._loop is None and self._fd is not None and tells:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._fd, self._read)
        polls = not tells or self.trouble or self.is_partial
        woken = asyncio.ensure_future(self._woken.wait())
        timer = asyncio.ensure_future(self._clock.sleep(min(seconds, POLL_SECONDS) if polls else seconds))
        try:
            await asyncio.wait({woken, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            timer.cancel()
            await asyncio.gather(woken, timer, return_exceptions=True)
        return self.told()

    def told(self) -> frozenset[str] | None:
        """See `Waker.told`."""
        self._woken.clear()
        changed, self._changed = frozenset(self._changed), set()
        anything, self._anything = self._anything, False
        return None if anything else changed

    async def close(self) -> None:
        """See `Waker.close`."""
        self._closed = True
        self._woken.set()
        fd, self._fd = self._fd, -1
        if fd is not None and fd >= 0:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(fd)
            os.close(fd)

    def _read(self) -> None:
        """Take what the kernel tells, then let it gather more: the same told twice in a row is one event there."""
        if self._closed or self._loop is None or self._fd is None:
            return
        try:
            block = os.read(self._fd, _BUFFER_BYTES)
        except BlockingIOError:
            return
        self.take(block)
        if self._changed or self._anything:
            self._woken.set()
        self._loop.remove_reader(self._fd)
        self._loop.call_later(GATHER_SECONDS, self._listen)

    def _listen(self) -> None:
        if not self._closed and self._loop is not None and self._fd is not None:
            self._loop.add_reader(self._fd, self._read)

    def take(self, block: bytes) -> None:
        """Take note of a block of events as the kernel writes them."""
        at = 0
        while at + _EVENT.size <= len(block):
            watch, mask, _, length = _EVENT.unpack_from(block, at)
            at += _EVENT.size + length
            if mask & _OVERFLOW:
                self._anything = True
            elif mask & (_DELETE_SELF | _MOVE_SELF | _IGNORED):
                self._lose(watch)
            else:
                name = os.fsdecode(block[at - length : at].rstrip(b"\0"))
                appeared = bool(mask & (_CREATE | _MOVED_TO))
                paths = (f"{directory.rstrip('/')}/{name}" for directory in self._watches.get(watch, ()))
                self._changed |= {path for path in paths if self._concerns(path, appeared)}

    def _lose(self, watch: int) -> None:
        """Take note that a directory went away; where it stood another may stand, which the next look watches."""
        for directory in self._watches.pop(watch, ()):
            self._watched.pop(directory, None)
            self._anything = True
        if self._fd is not None:
            self._libc.remove(self._fd, watch)


class _Libc:
    """The calls of inotify(7), which Python does not have."""

    def __init__(self) -> None:
        self._calls: Any = ctypes.CDLL(None, use_errno=True)

    def init(self) -> int:
        """Return a descriptor, negative where there is none."""
        if not hasattr(self._calls, "inotify_init1"):
            return -1
        return int(self._calls.inotify_init1(_NONBLOCK | _CLOEXEC))

    def add(self, fd: int, directory: str) -> int:
        """Watch a directory; return the number of the watch, or the negative number of the error."""
        watch = int(self._calls.inotify_add_watch(fd, os.fsencode(Path(directory)), _WANTED))
        return watch if watch >= 0 else -ctypes.get_errno()

    def remove(self, fd: int, watch: int) -> None:
        """Watch no more; a watch that went away by itself is no error."""
        self._calls.inotify_rm_watch(fd, watch)
