"""Where lines come from. One file per kind of source; adding one is that file and a line in the registry of sources."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from heeler.clock import Clock
from heeler.model import Chunk, Position

Seen = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Tells which of some keys are committed already. What is on its way and not committed yet, only the source knows."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source is made with, besides its settings.

    ``name`` is that of its section in the configuration; positions and keys are stored under it. ``positions`` are
    those that are stored, by part. ``notice`` takes sentences for people: a restart, a refused sender.
    """

    name: str
    clock: Clock
    positions: Mapping[str, Position]
    seen: Seen
    notice: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """How a source fares, for people and for monitoring. What is read of it, and how it parses, others count.

    ``alive`` is whether lines can come now: the child runs, the listener listens, the file is there. ``doing`` says in
    some words what it does. ``lag_bytes`` is what lies ready and is not read yet, ``size_bytes`` what the files that it
    follows or writes take; None where there is no such thing. ``counters`` are by name what else it counts
    (``kernel_drops``, ``refused``), each rising for as long as the source lives.
    """

    alive: bool
    doing: str = ""
    lag_bytes: int | None = None
    size_bytes: int | None = None
    restarts: int = 0
    last_error: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """A place that lines come from, with one or more parts (a file, a partition, a listener, a log group).

    A source is made from its settings and the positions stored for its parts. It never decides what is parsed or
    stored, and it may read ahead of what is committed.
    """

    def read(self) -> AsyncIterator[Chunk]:
        """Yield chunks as they come, parts in any order, the lines of one part in theirs.

        Called once. Must not block the event loop. Ends when there is nothing more to give, ever. Raises
        `SourceUnavailable` when the place cannot be read now; the caller makes a new source later.
        """
        ...

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """Take note that everything up to ``positions`` (by part) is durable.

        Called after each commit that holds chunks of this source, in order. This is where a source acknowledges.
        """
        ...

    async def stop(self) -> None:
        """Take nothing more in: `read` gives what was taken in already, and ends. May be called more than once.

        Senders that wait for a commit are answered by `committed` still.
        """
        ...

    async def close(self) -> None:
        """Let go of files and connections. May be called more than once, and while `read` waits."""
        ...

    def health(self) -> SourceHealth:
        """Tell how it fares. Cheap: asked every few seconds, from the event loop."""
        ...
