"""A process of its own that collects: started, found and stopped by others."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from heeler.clock import Clock
from heeler.daemon.socket_path import connect
from heeler.daemon.wire import Head, Message, request
from heeler.errors import EnvironmentFailed, Exit, NothingFound, UsageError
from heeler.store.lock import holder

READY_SECONDS = 60.0
"""So long a process may take to begin: a large lake that lost its catalog takes some time."""

STOP_SECONDS = 15.0
"""It ends within ten seconds; then something is wrong."""

POLL_SECONDS = 0.05


def start(arguments: Sequence[str], log_file: Path, pid_file: Path) -> int:
    """Run ``heeler run`` with ``arguments`` detached, and return its process id when it has begun.

    The id is written to ``pid_file`` for people and programs; whether it runs only the lock of the lake tells.

    It is executed anew, never forked: threads and engines may run here. It tells over a pipe that it has begun, or by
    a sentence why it cannot; that is raised, as `UsageError` where its exit code says so, else as `EnvironmentFailed`.
    """
    for file in (log_file, pid_file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailed(f"The folder {file.parent} cannot be made: {error.strerror}.") from error
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "heeler", "run", *arguments, "--log", str(log_file), "--ready-fd", str(theirs)]
    try:
        with log_file.open("ab") as log:  # for what comes before the log is set up, or from the interpreter itself
            process = subprocess.Popen(  # noqa: S603 - it is this program again
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs], start_new_session=True
            )
    except OSError as error:
        os.close(ours)
        raise EnvironmentFailed(f"Heeler's own log {log_file} cannot be written: {error.strerror}.") from error
    finally:
        os.close(theirs)
    with open(ours, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
        said = _said(pipe.fileno(), READY_SECONDS)
    if said == b"ready":
        try:
            pid_file.write_text(f"{process.pid}\n", encoding="ascii")
        except OSError as error:
            process.terminate()
            raise EnvironmentFailed(f"{pid_file} cannot be written: {error.strerror}.") from error
        process.returncode = 0  # it lives on, and Python need not warn that it does
        return process.pid
    if said is None:
        process.kill()
        said = f"It did not begin within {READY_SECONDS:.0f} s.".encode()
    kind = UsageError if process.wait() == Exit.USAGE else EnvironmentFailed
    raise kind(said.decode(errors="replace") or f"It ended at once; {log_file} may say why.")


def _said(descriptor: int, seconds: float) -> bytes | None:
    """Read what the process says until it closes the pipe; None when it says nothing for so long."""
    said = bytearray()
    while select.select([descriptor], [], [], seconds)[0]:
        block = os.read(descriptor, 65536)
        if not block:
            return bytes(said)
        said += block
    return None


class Starter:
    """Whoever started this process and waits to hear, over the pipe ``descriptor``; -1 where nobody does."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, what: str) -> None:
        """Say ``ready``, or why this process cannot run. Heard once: later the descriptor may be another file's."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        try:
            os.write(descriptor, what.encode())
        except BrokenPipeError:
            return  # it was interrupted; what it started runs
        finally:
            os.close(descriptor)


def ask(folder: Path, what: str) -> Head:
    """Ask the process that collects into the lake in ``folder``. Raises `NothingFound` where none runs."""
    try:
        connection = connect(folder)
    except ConnectionRefusedError as error:
        raise NothingFound(f"Nothing collects into the lake in {folder}.") from error
    with connection:
        connection.settimeout(READY_SECONDS)
        return request(connection, Message({"do": what})).head


def stop(folder: Path, clock: Clock) -> int:
    """Ask the process to end, and return its process id when it has let go of the lake.

    Raises `NothingFound` where none runs, and `EnvironmentFailed` for one that does not end.
    """
    pid = int(ask(folder, "status")["pid"])
    ask(folder, "stop")
    until = clock.monotonic() + STOP_SECONDS
    while holder(folder) == pid:
        if clock.monotonic() > until:
            raise EnvironmentFailed(
                f"The process {pid} did not end within {STOP_SECONDS:.0f} s. Heeler's own log may say why; "
                f"`kill -9 {pid}` ends it, and loses nothing that was committed."
            )
        select.select([], [], [], POLL_SECONDS)
    return pid
