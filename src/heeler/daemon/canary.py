"""Numbered lines that go the way of all lines, to see whether it is open: `heeler doctor --canary`."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Literal

from heeler.daemon.background import ask
from heeler.daemon.doctor import Finding
from heeler.errors import HeelerError
from heeler.model import Chunk, Position
from heeler.query.language import parse
from heeler.sources import SourceContext, SourceHealth
from heeler.sources.settings import SourceSettings
from heeler.store.opening import read_store

GROUP, STREAM = "heeler", "canary"
LINES = 100
CHUNKS = 4
"""They come in so many chunks, so that order between chunks is seen too."""


class CanarySettings(SourceSettings):
    """Lines of Heeler's own."""

    kind: Literal["canary"] = "canary"
    """What kind of source it is."""

    mark: str
    """What stands in each line of this run, and in no other."""

    def open(self, context: SourceContext) -> "CanarySource":
        """See `SourceSettings.open`."""
        return CanarySource(self.mark, context)


class CanarySource:
    """Gives `LINES` numbered lines and ends. Implements `heeler.sources.Source`."""

    def __init__(self, mark: str, context: SourceContext) -> None:
        self._mark = mark
        self._clock = context.clock
        self._closed = False

    async def read(self) -> AsyncGenerator[Chunk, None]:
        """See `Source.read`."""
        each = LINES // CHUNKS
        for first in range(1, LINES + 1, each):
            numbers = range(first, first + each)
            data = "".join(f"canary {self._mark} {number}\n" for number in numbers).encode()
            # The empty position leaves nothing behind that somebody would read on from.
            yield Chunk(STREAM, data, {}, self._clock.now_us(), group=GROUP, stream=STREAM, awaited=True)

    async def committed(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: whoever sent it looks into the store."""

    async def stop(self) -> None:
        """See `Source.stop`."""
        await self.close()

    async def close(self) -> None:
        """See `Source.close`."""
        self._closed = True

    def health(self) -> SourceHealth:
        """See `Source.health`."""
        return SourceHealth(alive=not self._closed)


def flown(folder: Path) -> Finding:
    """Let the process that collects into the lake in ``folder`` send its canary, and look for each line of it."""
    try:
        told = ask(folder, "canary")
        found = _numbers(folder, str(told["mark"]))
    except HeelerError as error:
        return Finding("canary", fine=False, sentence=str(error))
    lost = sorted(set(range(1, LINES + 1)) - set(found))
    doubled = sorted(number for number, times in Counter(found).items() if times > 1)
    if lost or doubled or found != sorted(found):
        what = f"{len(lost)} were lost, {len(doubled)} doubled" if lost or doubled else "they are in another order"
        sentence = f"Of {LINES} lines that were sent {what}; that must never be: please report it."
        return Finding("canary", fine=False, sentence=sentence)
    sentence = f"{LINES} lines were sent and found again, each once and in order; it took {told['seconds']:.2f} s."
    return Finding("canary", fine=True, sentence=sentence)


def _numbers(folder: Path, mark: str) -> list[int]:
    """Return the numbers of the lines with a mark, in the order in which they are stored."""
    query = parse(f'group:{GROUP} stream:{STREAM} "canary {mark}"')
    with closing(read_store(f"lake:{folder}")) as reader:
        lines = b"".join(reader.export(query)).splitlines()
    return [int(line.rpartition(b" ")[2]) for line in lines]
