"""Being woken when a file may have changed: notifications of the kernel, and looking now and then."""

import asyncio
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Protocol

from watchfiles import watch

from heeler.clock import Clock

POLL_SECONDS = 0.25
"""How often a file is looked at where the kernel tells nothing. Lines are seen that much later."""

STEP_MS = 20
"""How long changes are gathered. A line is seen one to two steps late; half the step, more idle cost."""

DEBOUNCE_MS = 50
"""The longest that a file which never rests is gathered."""

REARM_SECONDS = 1.0
"""How often the watched directories are compared with those that exist: they may be renamed, or appear later."""


class Waker(Protocol):
    """Tells a reader when to look again. Made on the event loop for one reader; only `wait` waits."""

    async def wait(self, seconds: float) -> None:
        """Return when something may have changed since the last call returned, and at the latest after ``seconds``.

        May return without a reason. Returns at once after `close`, also when it waits already.
        """
        ...

    async def close(self) -> None:
        """Let go of threads and handles. May be called more than once."""
        ...


class NotifyWaker:
    """Wakes by the kernel's notifications for the directories of a path; polls while there are none.

    The directories are watched, not the file: a file that is renamed away takes its watch with it. The thread is its
    own: threads of the pool that reads are few, and some of them waiting for ever would stop all reading.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._changed = asyncio.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.watching = False
        """Whether notifications come. Without them the file is looked at every `POLL_SECONDS`."""

    async def wait(self, seconds: float) -> None:
        """See `Waker.wait`."""
        if self._stop.is_set():
            return
        if self._thread is None:
            arguments = (asyncio.get_running_loop(),)
            self._thread = threading.Thread(target=self._watch, args=arguments, name="heeler-notify", daemon=True)
            self._thread.start()
        changed = asyncio.ensure_future(self._changed.wait())
        timer = asyncio.ensure_future(self._clock.sleep(seconds if self.watching else min(seconds, POLL_SECONDS)))
        try:
            await asyncio.wait({changed, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
            timer.cancel()
            await asyncio.gather(changed, timer, return_exceptions=True)
        self._changed.clear()

    async def close(self) -> None:
        """See `Waker.close`."""
        self._stop.set()
        self._changed.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stop.is_set() and not loop.is_closed():
            try:
                self._watch_directories(loop)
            except (OSError, RuntimeError, ValueError):
                # No directory yet, no inotify, no watches left, a name that is not UTF-8: `wait` polls meanwhile.
                self.watching = False
                self._stop.wait(REARM_SECONDS)

    def _watch_directories(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake ``loop`` on changes until the directories are no longer the ones that are watched."""
        directories = self._directories()
        changes = watch(
            *(path for path, _ in directories),
            watch_filter=None,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            stop_event=self._stop,
            rust_timeout=int(REARM_SECONDS * 1000),
            yield_on_timeout=True,
            force_polling=False,
            recursive=False,
            ignore_permission_denied=True,
        )
        with closing(changes):
            for told in changes:
                # What changed before the watch was set has told nobody, so the first turn always wakes.
                if not self.watching or self._concerns(path for _, path in told):
                    self.watching = True
                    loop.call_soon_threadsafe(self._changed.set)
                if not told and self._directories() != directories:
                    self.watching = False
                    return

    def _directories(self) -> list[tuple[Path, tuple[int, int]]]:
        """Return the directory of the path, and that of the file when the path is a symbolic link elsewhere."""
        statuses = [(path, path.stat()) for path in sorted({self._path.parent, self._path.resolve().parent})]
        return [(path, (status.st_dev, status.st_ino)) for path, status in statuses]

    def _concerns(self, changed: Iterable[str]) -> bool:
        """Tell whether the file changed, or a rotated one of its name; a busy neighbour must cost nothing."""
        names = (self._path.name, self._path.resolve().name)
        return any(Path(path).name.startswith(names) for path in changed)
