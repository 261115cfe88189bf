"""How many files may be open at once: few, however many are followed."""

import errno
import resource
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from heeler.sources.file_identity import open_regular

MOST_OPEN = 256
"""Followed files that are kept open. The others are opened when they change, which costs a moment each time."""

_OTHERS = 32  # descriptors that the store, threads and the terminal need; a quarter of the limit where that is less
_EXHAUSTED = (errno.EMFILE, errno.ENFILE)


class Closable(Protocol):
    """An open file that can be closed for a while."""

    at_end: bool
    """Whether nothing of it is unread: then closing it risks least, should it be deleted meanwhile."""

    def suspend(self) -> None:
        """Close it. It opens itself when it is needed."""


class Descriptors:
    """Keeps the files open that were used last, so many at most. For one thread at a time."""

    def __init__(self, most: int | None = None) -> None:
        self._most = _allowed() if most is None else most
        self._open: OrderedDict[int, Closable] = OrderedDict()

    def open(self, path: Path, owner: Closable) -> int:
        """Open ``path`` for ``owner``, closing others where there are too many. Raises as `open_regular` does."""
        while len(self._open) >= self._most:
            self._close_one()
        while True:
            try:
                descriptor = open_regular(path)
            except OSError as error:
                if error.errno not in _EXHAUSTED or not self._open:
                    raise
                self._close_one()
            else:
                self._open[id(owner)] = owner
                return descriptor

    def used(self, owner: Closable) -> None:
        """Take note that a file is being read: others are closed before it."""
        if id(owner) in self._open:
            self._open.move_to_end(id(owner))

    def closed(self, owner: Closable) -> None:
        """Take note that a file is not open any more."""
        self._open.pop(id(owner), None)

    def _close_one(self) -> None:
        first = next((one for one in self._open.values() if one.at_end), next(iter(self._open.values())))
        first.suspend()
        self.closed(first)


def _allowed() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = Path("/proc/self/fd")
    others = len(list(own.iterdir())) if own.is_dir() else 0
    free = soft - others - _OTHERS
    return max(4, min(MOST_OPEN, free if free > 0 else soft // 4))
