"""What ticks are committed to, and read back from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from heeler.model import Position, SourceEvent

if TYPE_CHECKING:  # whoever asks which process writes to a lake need not wait for the engines
    import polars as pl

    from heeler.formats import Format


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
    ``keys`` name what the rows were sent as; see `Store.seen`.
    """

    source: str
    part: str
    position: Position
    group: str
    stream: str
    format: "Format"
    records: "pl.DataFrame"
    received_us: int
    bytes: int
    unfinished_bytes: int = 0
    piece: bool = False
    events: tuple[SourceEvent, ...] = ()
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One transition of an alert, kept for ever. ``time_us`` is the start of the second that decided it.

    ``key`` is the group that it is of, ``start_us`` when the alert was triggered, 0 for what nobody follows, as in
    files that are taken in. Rule, key and start name an alert. ``details`` is a JSON object; ``notify`` names who is
    told.
    """

    rule: str
    state: str
    hits: int
    time_us: int
    zone_minutes: int
    key: str = ""
    start_us: int = 0
    details: str = "{}"
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that is committed at once."""

    batches: tuple[Batch, ...]
    alerts: tuple[AlertRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """A batch ready to be written: its rows but for seq, and what was counted of them, by table.

    Made beside the writer. What was counted of an unfinished line is apart, because it goes when the line is joined.
    """

    batch: Batch
    rows: "pl.DataFrame"
    counted: Mapping[str, "pl.DataFrame"]
    counted_unfinished: Mapping[str, "pl.DataFrame"]
    formats: Mapping[int, "Format"]
    """By their ids, the formats of the rows: the members of the batch's format."""


class Store(Protocol):
    """What ticks are committed to. Belongs to one thread at a time, but for `complete`.

    Whoever writes asks for `positions` once, before it reads, and begins each source there. `commit` is all or nothing:
    when it returns, everything in the tick is durable, the positions too, and sources may be acknowledged; when it
    raises, nothing was stored. `heeler.store.opening` says which URL names which store.
    """

    def positions(self, source: str) -> dict[str, Position]:
        """Return how far each part of ``source`` has been read, by part."""
        ...

    def seen(self, source: str, keys: Sequence[str]) -> frozenset[str]:
        """Return those of ``keys`` that were committed by ``source``.

        They are kept for a week, and no more than a million for each source.
        """
        ...

    def register(self, known: "Format") -> int:
        """Return the id of a format; a changed definition gets a new one. One that has members gives each an id.

        The definition is stored for ever, with the first tick that is committed after this.
        """
        ...

    def complete(self, batch: Batch) -> Completed:
        """Do for a batch what needs no order. May run in any thread once `register` knows the format."""
        ...

    def commit(self, tick: Tick, completed_batches: Sequence[Completed] | None = None) -> None:
        """Store a tick: all of it, durably, or nothing. ``completed_batches`` are its batches where that was done.

        Raises `EnvironmentFailed` where it could not be stored; the same tick can be tried again.
        """
        ...

    def close(self) -> None:
        """Let go of the store. May be called more than once."""
        ...
