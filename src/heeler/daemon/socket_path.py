"""Where the process that writes to a lake listens: a socket in the lake's folder, for its user alone."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heeler.errors import EnvironmentFailed

FILE = "socket"

LONGEST_PATH_BYTES = 100
"""The kernel takes no longer one for a socket (108 on Linux, 104 on macOS)."""


@contextmanager
def reachable(folder: Path) -> Iterator[str]:
    """Give a path to the socket in ``folder`` that is short enough, while the context is open."""
    path = os.fspath(folder / FILE)
    if len(os.fsencode(path)) <= LONGEST_PATH_BYTES:
        yield path
        return
    if not Path("/proc/self/fd").is_dir():
        raise EnvironmentFailed(f"The path {path} is too long for a socket; name a lake with a shorter one.")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{FILE}"
    finally:
        os.close(descriptor)


def listening(folder: Path) -> socket.socket:
    """Make the socket. Whoever calls holds the lock of the lake, so one that is there is a dead process's."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(folder) as path:
            (folder / FILE).unlink(missing_ok=True)
            # Nobody can connect before it listens, and by then it is this user's alone.
            own.bind(path)
            (folder / FILE).chmod(0o600)
        own.listen()
    except OSError as error:
        own.close()
        raise EnvironmentFailed(f"The socket {folder / FILE} cannot be made: {error.strerror}.") from error
    return own


def connect(folder: Path) -> socket.socket:
    """Connect to who writes to the lake in ``folder``.

    Raises `ConnectionRefusedError` where nobody listens, and `EnvironmentFailed` where that cannot be known.
    """
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with reachable(folder) as path:
            own.connect(path)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        own.close()
        raise ConnectionRefusedError(f"Nobody listens at {folder / FILE}.") from error
    except OSError as error:
        own.close()
        raise EnvironmentFailed(f"The socket {folder / FILE} cannot be used: {error.strerror}.") from error
    return own
