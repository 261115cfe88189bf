"""A process between Heeler and a command: it starts the command, and ends all of it when Heeler says so or dies.

Started as a script, by path, with nothing of Heeler: ``command_guard.py FD GRACE_SECONDS COMMAND…``. ``FD`` is one end
of a pair of sockets. When the other end is closed, by Heeler or by its death, the whole process group gets SIGTERM and,
if something of it is left after the grace, SIGKILL. The same happens when the command ends by itself: nothing of it
lives on. Before that last signal, which ends the guard as well, it writes how the command ended: ``exited 3``,
``killed 15``.

Why a process: the parent-death signal reaches one process and none of its children, it is lost when that one runs a
setuid program, and it is sent when the thread that forked ends, whatever the rest of Heeler does. A socket closes when
Heeler is gone, whichever way it went. The command itself has the parent-death signal, should the guard be killed.
"""

import ctypes
import os
import select
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_CANNOT_RUN, _NOT_FOUND = 126, 127  # what shells exit with


def main(arguments: list[str]) -> None:
    """Run the command to its end. Does not return."""
    life, grace_seconds, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    os.set_inheritable(life, False)  # noqa: FBT003 - named by the function
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    # Handlers and not SIG_IGN: the command would inherit what is ignored.
    for number in (signal.SIGCHLD, signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _wake)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        # Children whose parent ends come to the guard, so that it can tell when the last one is gone.
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = os.getpid()
    child = os.fork()
    if not child:
        _become(command, guard, prctl)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    status = _ended(child, life, woken, grace_seconds)
    how = f"killed {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exited {os.waitstatus_to_exitcode(status)}"
    try:
        os.write(life, how.encode())
    except OSError:
        pass  # nobody is left to be told
    finally:
        os.killpg(0, signal.SIGKILL)


def _ended(child: int, life: int, woken: int, grace_seconds: float) -> int:
    """Return the status of ``child`` when nothing of the group is left, or the grace is over."""
    ending, status, watched = False, signal.SIGKILL.value, [life, woken]
    while True:
        ready, _, _ = select.select(watched, [], [])
        signals = os.read(woken, 4096) if woken in ready else b""
        try:
            while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
                if reaped[0] == child:
                    status, ready = reaped[1], [*ready, life]
        except ChildProcessError:
            return status
        if ending and signal.SIGALRM in signals:
            return status
        if not ending and life in ready:
            ending, watched = True, [woken]
            signal.setitimer(signal.ITIMER_REAL, max(grace_seconds, 0.001))
            os.killpg(0, signal.SIGTERM)


def _become(command: list[str], guard: int, prctl: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores some, and what is ignored stays so
    if callable(prctl):
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL.value, 0, 0, 0)
        if os.getppid() != guard:  # it died before the signal was asked for
            os._exit(_CANNOT_RUN)
    try:
        os.execvp(command[0], command)  # noqa: S606 - to run without a shell is the point
    except OSError as error:
        os.write(2, os.fsencode(f"{command[0]} cannot be run: {error.strerror}.\n"))
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_RUN)


def _wake(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the number of the signal is in the pipe."""


if __name__ == "__main__":
    main(sys.argv[1:])
