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
from heeler.errors import EnvironmentFailed, NothingFound
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
    a sentence why it cannot; that is raised as `EnvironmentFailed`.
    """
    for file in (log_file, pid_file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EnvironmentFailed(f"The folder {file.parent} cannot be made: {error.strerror}.") from error
    ours, theirs = os.pipe()
    command = [sys.executable, "-m", "heeler", "run", *arguments, "--log", str(log_file), "--ready-fd", str(theirs)]
    with log_file.open("ab") as log:  # for what comes before the log is set up, or from the interpreter itself
        process = subprocess.Popen(  # noqa: S603 - it is this program again
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs], start_new_session=True
        )
    os.close(theirs)
    with open(ours, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
        said = _said(pipe.fileno(), READY_SECONDS)
    if said == b"ready":
        process.returncode = 0  # it lives on, and Python need not warn that it does
        pid_file.write_text(f"{process.pid}\n", encoding="ascii")
        return process.pid
    if said is None:
        process.kill()
        said = f"it did not begin within {READY_SECONDS:.0f} s.".encode()
    raise EnvironmentFailed(said.decode(errors="replace") or f"It ended at once; {log_file} may say why.")


def _said(descriptor: int, seconds: float) -> bytes | None:
    """Read what the process says until it closes the pipe; None when it says nothing for so long."""
    said = bytearray()
    while select.select([descriptor], [], [], seconds)[0]:
        block = os.read(descriptor, 65536)
        if not block:
            return bytes(said)
        said += block
    return None


def tell_starter(descriptor: int, what: str) -> None:
    """Tell whoever started this process ``ready``, or why it cannot run."""
    if descriptor >= 0:
        os.write(descriptor, what.encode())
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
