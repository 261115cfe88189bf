"""Where lines come from. One file per kind of source; adding one is that file and a line in the registry of sources."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from heeler.model import Chunk, Position


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

    async def close(self) -> None:
        """Let go of files and connections. May be called more than once, and while `read` waits."""
        ...
