"""One writer per lake: a lock that the kernel releases with the process."""

import fcntl
import os
from pathlib import Path

from heeler.errors import EnvironmentFailed

FILE = "lock"


class Locked(EnvironmentFailed):
    """Another process writes to the lake."""


class WriterLock:
    """Held while a process writes to a lake. The pid in the file is for people; the lock decides."""

    def __init__(self, folder: Path) -> None:
        """Take the lock, or raise `EnvironmentFailed` at once with the pid of who holds it."""
        path = folder / FILE
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise EnvironmentFailed(f"The lake in {folder} cannot be written: {error.strerror}.") from error
        self._held = False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._held = True
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            self.release()
            raise Locked(
                f"The lake in {folder} is being written by another process (pid {holder}); a lake has one writer. "
                "Stop that one, or name another lake with --store."
            ) from None
        except OSError as error:  # a full disk, or a file system without locks
            self.release()
            raise EnvironmentFailed(f"The lake in {folder} cannot be locked: {error.strerror}.") from error

    def release(self) -> None:
        """Let others write. May be called more than once."""
        if self._descriptor >= 0:
            if self._held:
                os.ftruncate(self._descriptor, 0)  # nobody writes now, which `holder` tells by that
            os.close(self._descriptor)
            self._descriptor = -1


def holder(folder: Path) -> int | None:
    """Return the process that writes to the lake in ``folder`` now, as far as its lock file tells; None for nobody.

    It does not try the lock, which could keep out a writer that begins at the same moment.
    """
    try:
        said = (folder / FILE).read_text(encoding="ascii").strip()
        os.kill(int(said), 0)
    except PermissionError:
        return int(said)  # it lives, as somebody else's
    except (OSError, ValueError):
        return None
    return int(said)
