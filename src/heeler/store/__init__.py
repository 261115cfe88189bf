"""What ticks are committed to, and read back from."""

from dataclasses import dataclass

import polars as pl

from heeler.formats import Format
from heeler.model import Position, SourceEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """The parsed lines of one chunk, on their way into a store.

    ``records`` has the columns that the format gave (see `heeler.formats.Format.parse`), one row per line, in the
    order of the lines, and for what is counted may have ``section``. ``bytes`` is what all lines took. Where
    ``unfinished_bytes`` is not 0, the last row is a line of so many of these bytes that may still grow: ``position``
    lies before it, and the next batch of the part that has rows must bring it again, perhaps longer; it keeps its
    seq then. A batch that brings anything else leaves the unfinished line as it is, for ever: its file was replaced.
    ``piece`` says that the last row is a piece of a line that goes on in the next batch; never both. ``events`` become
    records before these rows, see `heeler.store.events`. An empty position says that the part can be forgotten.
    """

    source: str
    part: str
    position: Position
    group: str
    stream: str
    format: Format
    records: pl.DataFrame
    received_us: int
    bytes: int
    unfinished_bytes: int = 0
    piece: bool = False
    events: tuple[SourceEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One transition of an alert, kept for ever. ``time_us`` is the start of the second that decided it."""

    rule: str
    state: str
    hits: int
    time_us: int
    zone_minutes: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that is committed at once."""

    batches: tuple[Batch, ...]
    alerts: tuple[AlertRow, ...] = ()
