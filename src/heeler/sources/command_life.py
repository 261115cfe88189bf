"""One life of a command, from its start to when nothing of it is left."""

from collections.abc import Callable, Iterable

from heeler.model import Chunk
from heeler.sources.command_child import Child
from heeler.sources.command_chunks import Chunks
from heeler.sources.command_failure import Complaints

REPLAY_SECONDS = 5.0
"""How long after its first line a command may take to repeat what it wrote before."""

_OUTPUT_BYTES, _ERROR_BYTES = 2 << 20, 1 << 18
"""How much is read at once: the event loop stands still meanwhile."""


class Life:
    """One life. ``start`` starts the command; where that cannot be, the life is over as it begins."""

    def __init__(
        self, start: Callable[[], Child], chunks: Chunks, secrets: Iterable[str], stall_seconds: float | None
    ) -> None:
        self.child: Child | None = None
        self.has_lines = False
        """Whether there was anything on its standard output."""
        self.stalled = False
        """Whether it was ended because it was silent."""
        self.complaints = Complaints(secrets)
        self._chunks = chunks
        self._stall_seconds = stall_seconds
        self._silent_seconds = 0.0
        self._held_seconds = 0.0
        self._failure = ""
        chunks.begin()
        try:
            self.child = start()
        except OSError as error:
            self._failure = f"cannot be started: {error.strerror}"

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left but what it wrote."""
        return self.child is None or self.child.ended.done()

    @property
    def how(self) -> str:
        """How it ended, or that it runs: what follows "The command"."""
        if self.child is None:
            return self._failure
        ended = self.child.ended.result() if self.child.ended.done() else "runs"
        return f"was silent for {self._stall_seconds:g} s, and {ended}" if self.stalled else ended

    @property
    def patience_seconds(self) -> float | None:
        """How long to wait for it, None for ever."""
        waits = []
        if self._stall_seconds is not None and not self.stalled:
            waits.append(self._stall_seconds - self._silent_seconds)
        if self._chunks.lines.is_holding:
            waits.append(REPLAY_SECONDS - self._held_seconds)
        return max(min(waits), 0.0) if waits else None

    def waited(self, seconds: float) -> None:
        """Take note that it was waited for. Only that counts: while nobody takes its lines it has to be silent."""
        self._silent_seconds += seconds
        if self._chunks.lines.is_holding:
            self._held_seconds += seconds

    def take(self) -> list[Chunk]:
        """Read what it wrote; where there is nothing and it was silent for too long, have it end."""
        if self.child is None:
            return []
        errors = self.child.errors.take(_ERROR_BYTES)
        output = self.child.output.take(_OUTPUT_BYTES)
        self.complaints.hear(errors)
        chunks = [*self._chunks.errors(errors), *self._chunks.output(output)]
        if self._chunks.lines.is_holding and self._held_seconds >= REPLAY_SECONDS:
            chunks += self._chunks.release()
        if output:
            self.has_lines, self._silent_seconds = True, 0.0
        elif self._stall_seconds is not None and self._silent_seconds >= self._stall_seconds and not self.is_over:
            self.stalled = True
            self.child.end()
        return chunks

    def close(self) -> list[Chunk]:
        """Let go of it, and return the lines that have no ending."""
        if self.child is not None:
            self.child.close()
        return self._chunks.end()
