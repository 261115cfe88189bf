"""What a reader of a lake reads: a segment, or a blob of the catalog."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from heeler.store.schema import TABLES
from heeler.store.segment import from_blob


@dataclass(frozen=True, slots=True)
class Piece:
    """A segment or a blob that may hold what is asked for. ``first_seq`` and ``last_seq`` are those of one stream.

    ``rows`` counts its records and ``times_us`` are the first and last time of them, both as the catalog has them.
    """

    table: str
    path: Path | None
    blob: bytes | None
    rows: int = 0
    times_us: tuple[int, int] = (0, 0)
    first_seq: int = 0
    last_seq: int = 0

    def frame(self) -> pl.LazyFrame:
        """Return the rows, with the columns of today's schema."""
        found = pl.scan_parquet(self.path) if self.path is not None else from_blob(self.blob or b"").lazy()
        names = found.collect_schema().names()
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in TABLES[self.table].items() if name not in names]
        return found.with_columns(missing).select(list(TABLES[self.table]))
