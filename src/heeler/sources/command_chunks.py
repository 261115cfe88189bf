"""The chunks of a command: its standard output and its standard error, each a part and a stream, over all its lives."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from heeler.clock import Clock
from heeler.model import Chunk, Position, SourceEvent
from heeler.sources.command_lines import Cut, Given, LineCutter, Lines
from heeler.sources.command_replay import tail_of

OUTPUT, ERRORS = "stdout", "stderr"
"""The parts of a command."""


class Chunks:
    """Makes chunks of what a command writes. Each method returns those that are complete."""

    def __init__(
        self, stream: str, clock: Clock, positions: Mapping[str, Position], *, repeats: int, longest: int
    ) -> None:
        self.lines = Lines(tail_of(positions.get(OUTPUT, {})), repeats, longest)
        self.error_lines = _count(positions.get(ERRORS, {}))
        """How many lines came on standard error."""
        self._stream = stream
        self._clock = clock
        self._longest = longest
        self._errors = LineCutter(longest)

    def begin(self) -> None:
        """Take note that the command is started."""
        self._errors = LineCutter(self._longest)
        self.lines.begin()

    def output(self, data: bytes) -> list[Chunk]:
        """Take what it wrote to its standard output."""
        return self._of_output(self.lines.feed(data, self._now))

    def errors(self, data: bytes) -> list[Chunk]:
        """Take what it wrote to its standard error."""
        return self._of_errors(self._errors.feed(data))

    def release(self) -> list[Chunk]:
        """Give on what is held: the command has had the time to repeat what it wrote before."""
        return self._of_output(self.lines.release(self._now))

    def end(self) -> list[Chunk]:
        """Take note that the command has ended: what is left has no ending."""
        return [*self._of_errors(self._errors.rest()), *self._of_output(self.lines.end(self._now))]

    def event(self, event: SourceEvent) -> Chunk:
        """Return a chunk of no line that tells of ``event``."""
        position = self.lines.tail.position
        return Chunk(OUTPUT, b"", position, self._clock.now_us(), (event,), stream=self._stream)

    @property
    def _now(self) -> str:
        return in_words(self._clock.now_us())

    def _of_output(self, given: Iterable[Given]) -> list[Chunk]:
        at = self._clock.now_us()
        return [
            Chunk(OUTPUT, one.cut.data, one.tail.position, at, one.events, piece=one.cut.piece, stream=self._stream)
            for one in given
        ]

    def _of_errors(self, cuts: Iterable[Cut]) -> list[Chunk]:
        chunks = []
        for cut in cuts:
            self.error_lines += cut.count
            position: Position = {"lines": self.error_lines}
            stream = f"{self._stream}.stderr"
            chunks.append(Chunk(ERRORS, cut.data, position, self._clock.now_us(), piece=cut.piece, stream=stream))
        return chunks


def in_words(time_us: int) -> str:
    """Write UTC microseconds as ISO 8601."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _count(position: Position) -> int:
    lines = position.get("lines")
    return lines if isinstance(lines, int) else 0
