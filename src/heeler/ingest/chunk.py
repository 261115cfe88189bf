"""From the bytes of one chunk to rows that are ready to be committed: what the worker threads do."""

from dataclasses import dataclass, replace

import polars as pl

from heeler.formats import Format
from heeler.formats.choose import PLAIN, guesses
from heeler.formats.lines import NO_ENDING, Lines, split
from heeler.ingest.alerts import COLUMNS
from heeler.model import Chunk
from heeler.store import Batch
from heeler.store.lake import Completed, Lake

FEWEST_PARSED = 0.1
"""A format that fits a smaller share of the lines is met by chance: the file is plain text."""

_SAMPLE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ParsedChunk:
    """A chunk on its way into a tick. ``times`` has `heeler.ingest.alerts.COLUMNS`, None where nothing is counted."""

    completed: Completed
    times: pl.DataFrame | None
    lines: int
    parsed: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the lines of a file go. ``source`` is under which name its position is stored."""

    lake: Lake
    source: str
    group: str
    stream: str
    format: Format

    def parse(self, chunk: Chunk) -> ParsedChunk:
        """Turn a chunk into rows. Runs in any thread; the lake must know the format."""
        counts = self.format.table == "access"
        records = self._piece(chunk.data) if chunk.piece else self._records(split(chunk.data), counts=counts)
        batch = Batch(
            self.source,
            chunk.part,
            chunk.position,
            self.group,
            self.stream,
            self.format,
            records,
            chunk.received_us,
            len(chunk.data),
            chunk.unfinished_bytes,
            chunk.piece,
            tuple(event for event in chunk.events if event.is_kept),
        )
        done = self.lake.complete(batch)
        # What was parsed is in the rows now; it need not be in memory twice until the tick is committed.
        lean = replace(done, batch=replace(batch, records=records.clear()))
        times = records.select(COLUMNS) if counts and "time" in records.columns else None
        return ParsedChunk(lean, times, records.height, int(records["parsed"].sum()), len(chunk.data))

    def _records(self, lines: Lines, *, counts: bool) -> pl.DataFrame:
        return self.format.parse(lines, {*self.format.columns, "section"} if counts else None)

    def _piece(self, data: bytes) -> pl.DataFrame:
        """Keep a piece of a long line as it is: it means nothing by itself, and what it holds may not even be text."""
        piece = pl.DataFrame({"ending": [NO_ENDING], "parsed": [False], "raw": [data]})
        shape = self._records(split(b""), counts=False)
        return pl.concat([shape, piece.cast({"ending": pl.UInt8})], how="diagonal")


def format_of(sample: bytes) -> Format:
    """Return the format that fits the beginning of a file best; plain text where none does."""
    sample = sample[:_SAMPLE_BYTES]
    lines = split(sample[: sample.rfind(b"\n") + 1] or sample)
    best = guesses(lines)
    return best[0].format if best and best[0].rate >= FEWEST_PARSED else PLAIN
