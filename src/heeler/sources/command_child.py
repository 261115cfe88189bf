"""One life of a command: its pipes, how it ended, and that nothing of it is left."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Mapping, Sequence
from pathlib import Path

_GUARD = Path(__file__).with_name("command_guard.py")
_READ_BYTES = 256 << 10
_WIDE = (50, 10_000)  # rows and columns of a terminal in which no program breaks a line
_ENDED = re.compile(r"(exited|killed) (\d+)", re.ASCII)


class Output:
    """One end of what a command writes: read without waiting."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.at_end = False
        os.set_blocking(fd, False)

    def take(self, most: int) -> bytes:
        """Return what is there now, at most ``most`` bytes."""
        taken = bytearray()
        while not self.at_end and len(taken) < most:
            try:
                block = os.read(self.fd, min(_READ_BYTES, most - len(taken)))
            except BlockingIOError:
                break
            except OSError:
                block = b""  # EIO: nobody has the terminal open any more
            self.at_end = not block
            taken += block
        return bytes(taken)

    def close(self) -> None:
        """Let go of it. May be called more than once."""
        self.at_end = True
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class Child:
    """A command that runs in a process group of its own, under a guard (see `heeler.sources.command_guard`)."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: str, pty: bool, grace_seconds: float
    ) -> None:
        """Start it, in a running loop, which takes milliseconds. Raises `OSError` where no process can be started."""
        self._loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as theirs:
            life, end = socket.socketpair()
            theirs.enter_context(end)
            out, their_out = _terminal() if pty else os.pipe()
            error, their_error = os.pipe()
            theirs.callback(os.close, their_out)
            theirs.callback(os.close, their_error)
            self._life = life
            self.output, self.errors = Output(out), Output(error)
            guard = [sys.executable, "-I", "-S", str(_GUARD), str(end.fileno()), str(grace_seconds), *command]
            try:
                self._guard = subprocess.Popen(  # noqa: S603 - what runs is what was configured, without a shell
                    guard,
                    stdin=subprocess.DEVNULL,
                    stdout=their_out,
                    stderr=their_error,
                    pass_fds=[end.fileno()],
                    start_new_session=True,
                    env=dict(environment),
                    cwd=folder or None,
                )
            except OSError:
                self.close()
                life.close()
                raise
        self._life.setblocking(False)  # noqa: FBT003 - named by the function
        self._told = b""
        self.ended: asyncio.Future[str] = self._loop.create_future()
        """How it ended, as words of a sentence: known when nothing of its group is left."""
        self._loop.add_reader(self._life.fileno(), self._hear)

    @property
    def group(self) -> int:
        """The number of its process group."""
        return self._guard.pid

    def end(self) -> None:
        """Have all of it end: SIGTERM now, SIGKILL after the grace. Does not wait; may be called more than once."""
        if not self.ended.done():
            with contextlib.suppress(OSError):  # the guard was killed; `ended` comes
                self._life.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of what it wrote and was not read."""
        self.output.close()
        self.errors.close()

    def _hear(self) -> None:
        try:
            told = self._life.recv(64)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if told:
            self._told += told
            return
        self._loop.remove_reader(self._life.fileno())
        self._life.close()
        # Were the guard killed, the group would still be there. Its number is taken as long as nobody reaped the guard.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._guard.pid, signal.SIGKILL)
        self._guard.wait()
        if not self.ended.done():
            self.ended.set_result(_how(self._told.decode("ascii", "replace")))


def _terminal() -> tuple[int, int]:
    """Return both ends of a terminal that leaves every byte as it is."""
    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(slave, _WIDE)
    return master, slave


def _how(told: str) -> str:
    found = _ENDED.fullmatch(told)
    if not found:
        return "was killed together with its guard"
    if found[1] == "exited":
        return f"exited with {found[2]}"
    try:
        return f"was killed by {signal.Signals(int(found[2])).name}"
    except ValueError:
        return f"was killed by signal {found[2]}"
