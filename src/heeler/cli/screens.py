"""Running a session: on a full screen, or printing what it says."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from heeler.errors import Exit
from heeler.views.snapshot import Snapshot

if TYPE_CHECKING:
    from heeler.views.watching import Said


class Session(Protocol):
    """What can be watched: `heeler.views.watch.WatchSession` and the demo."""

    async def run(self, changed: Callable[[], None]) -> None:
        """Read the files to their end, or until cancelled, calling ``changed`` when `snapshot` would differ."""

    def snapshot(self) -> Snapshot:
        """Return what is to be shown now."""


def show(session: Session) -> int:
    """Show a session on the full screen until the user quits, and return the exit code."""
    from heeler.views.tui.app import run_watch  # noqa: PLC0415 - Textual takes a while to import, and plain needs none

    return run_watch(session)


def print_all(session: Session) -> int:
    """Run a session to its end; it prints by itself."""
    asyncio.run(session.run(lambda: None))
    return Exit.DONE


def printing(write: Callable[["Said"], str]) -> Callable[[Sequence["Said"]], None]:
    """Return a listener that prints blocks and alerts at once, so that a pipe sees them without delay."""

    def say(said: Sequence["Said"]) -> None:
        sys.stdout.write("".join(map(write, said)))
        sys.stdout.flush()

    return say


def notice(text: str) -> None:
    """Tell people something; it is no result."""
    sys.stderr.write(f"{text}\n")
