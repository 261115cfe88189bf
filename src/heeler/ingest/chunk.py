"""From the bytes of one chunk to rows that are ready to be committed: what the worker threads do."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from heeler.formats import Format, members_of
from heeler.formats.lines import NO_ENDING, Lines, split
from heeler.formats.text import text_of
from heeler.formats.timestamps import Receipt
from heeler.ingest.alerts import COLUMNS
from heeler.model import Chunk
from heeler.rules.partial import Partial, Partials, Seen
from heeler.store import Batch, Completed, Store
from heeler.store.records import requests_of


@dataclass(frozen=True, slots=True)
class ParsedChunk:
    """A chunk on its way into a tick. ``times`` has `heeler.ingest.alerts.COLUMNS`, None where nothing is counted.

    ``partials`` is what it adds to the windows of rules, where there are some.
    """

    completed: Completed
    times: pl.DataFrame | None
    lines: int
    parsed: int
    bytes: int
    partials: Mapping[int, Partial] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the lines of a chunk go, and what is known of them.

    ``source`` is under which name the position of the file is stored. ``rules`` make partials of what is not
    unfinished, as that comes again.
    """

    store: Store
    source: str
    group: str
    stream: str
    format: Format
    receipt: Receipt
    rules: Partials | None = None

    def parse(self, chunk: Chunk) -> ParsedChunk:
        """Turn a chunk into rows. Runs in any thread; the store must know the format."""
        counts = any(member.table == "access" for member in members_of(self.format))
        records = self._piece(chunk.data) if chunk.piece else self._records(split(chunk.data), counts=counts)
        batch = Batch(
            self.source,
            chunk.part,
            chunk.position,
            chunk.group or self.group,
            chunk.stream or self.stream,
            self.format,
            records,
            chunk.received_us,
            len(chunk.data),
            chunk.unfinished_bytes,
            chunk.piece,
            tuple(event for event in chunk.events if event.is_kept),
            chunk.keys,
        )
        done = self.store.complete(batch)
        # What was parsed is in the rows now; it need not be in memory twice until the tick is committed.
        lean = replace(done, batch=replace(batch, records=records.clear()))
        requests = requests_of(self.format, records)
        is_timed = requests is not None and "time" in requests.columns
        times = requests.filter("parsed").select(COLUMNS) if requests is not None and is_timed else None
        partials = self.rules.of(self._seen(chunk, done)) if self.rules is not None and not chunk.piece else {}
        return ParsedChunk(lean, times, records.height, int(records["parsed"].sum()), len(chunk.data), partials)

    def _seen(self, chunk: Chunk, done: Completed) -> Seen:
        count = done.rows.height - bool(chunk.unfinished_bytes)
        lines = text_of(split(chunk.data).readable())
        return Seen(done.rows.head(count), lines.head(count), done.formats)

    def _records(self, lines: Lines, *, counts: bool) -> pl.DataFrame:
        return self.format.parse(lines, {*self.format.columns, "section"} if counts else None, self.receipt)

    def _piece(self, data: bytes) -> pl.DataFrame:
        """Keep a piece of a long line as it is: it means nothing by itself, and what it holds may not even be text."""
        piece = pl.DataFrame({"ending": [NO_ENDING], "parsed": [False], "raw": [data]})
        shape = self.format.parse(split(b""))
        if "member" in shape.columns:
            piece = piece.with_columns(member=pl.lit(0, pl.UInt8))
        return pl.concat([shape, piece.cast({"ending": pl.UInt8})], how="diagonal")
