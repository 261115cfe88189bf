"""Searching a lake: the records that match, in the order of their times, a window of time after the other.

Records of several streams and formats interleave by time. A window is as long as a few hundred thousand records of all
pieces may take, by their first and last times; so memory is bounded, the first records come before the last are found,
and where only the newest are wanted the search ends with the window that has enough.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from heeler.query.tree import Query
from heeler.store.matching import Matcher
from heeler.store.piece import Piece
from heeler.store.reading import LakeReader, lines_of
from heeler.store.schema import RECORD_TABLES

WINDOW_ROWS = 400_000
"""About so many records are looked at before what was found is handed on."""

FIRST_WINDOW_ROWS = 60_000
"""The first window of a search for the newest: most such searches end in it."""

ROWS_AT_ONCE = 20_000
"""So many lines are written out at once."""

LINE = "line"
"""The column with the bytes of the line and its ending."""

ORDER = ("time", "log_group", "log_stream", "seq")

Keep = Callable[[], None]
"""Called often; raises when the search shall end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to find, from one moment on and before another. Times in the query count from ``now_us``."""

    query: Query
    now_us: int
    since_us: int | None = None
    until_us: int | None = None


class Search:
    """One question to a lake, about records of these tables.

    ``going_on`` is called between pieces, and raises when time is over.
    """

    def __init__(
        self,
        reader: LakeReader,
        wanted: Wanted,
        going_on: Keep = lambda: None,
        tables: Sequence[str] = tuple(RECORD_TABLES),
    ) -> None:
        self.wanted = wanted
        self.going_on = going_on
        # The pieces first, the formats after them: a tick between the two may have brought a format.
        pieces = reader.pieces(tables)
        self.formats = dict(reader.formats())
        self.matcher = Matcher(
            wanted.query.where,
            self.formats,
            now_us=wanted.now_us,
            since_us=wanted.since_us,
            until_us=wanted.until_us,
        )
        self.pieces = [piece for piece in pieces if self.matcher.may_hold(piece)]

    def count(self) -> int:
        """Return how many records match."""
        total = 0
        for piece in self.pieces:
            self.going_on()
            total += self.matcher.count(piece)
        return total

    def oldest_first(self) -> Iterator[pl.DataFrame]:
        """Yield all lines that match, with all columns and `LINE`, in the order of their times."""
        for since_us, until_us in _windows(self.pieces, WINDOW_ROWS, WINDOW_ROWS):
            found = self._within(since_us, until_us)
            for start in range(0, found.height, ROWS_AT_ONCE):
                self.going_on()
                yield self._with_lines(found[start : start + ROWS_AT_ONCE])

    def newest(self, limit: int, of: Callable[[pl.DataFrame], pl.DataFrame] | None = None) -> Iterator[pl.DataFrame]:
        """Yield the ``limit`` newest lines that match, in the order of their times.

        ``of`` says which of some lines to count and yield, where not all.
        """
        found: list[pl.DataFrame] = []
        missing = limit
        windows = list(_windows(self.pieces, FIRST_WINDOW_ROWS, WINDOW_ROWS, from_end=True))
        for since_us, until_us in windows:
            if missing <= 0:
                break
            rows = self._within(since_us, until_us)
            rows = (of(rows) if of is not None and rows.height else rows).tail(missing)
            missing -= rows.height
            found.append(rows)
        for rows in reversed(found):
            for start in range(0, rows.height, ROWS_AT_ONCE):
                yield self._with_lines(rows[start : start + ROWS_AT_ONCE])

    def records_of(self, group: str, stream: str, seqs: pl.Series) -> pl.DataFrame:
        """Return the records of one stream with these seqs, with `LINE`."""
        own = (pl.col("log_group") == group) & (pl.col("log_stream") == stream) & pl.col("seq").is_in(seqs.implode())
        frames = []
        for piece in self.pieces:
            self.going_on()
            found = piece.frame().filter(own).collect()
            if found.height:
                frames.append(found)
        return self._with_lines(pl.concat(frames, how="diagonal"))

    def _within(self, since_us: int, until_us: int) -> pl.DataFrame:
        matcher = self.matcher.between(since_us, until_us)
        frames = []
        for piece in self.pieces:
            self.going_on()
            if matcher.may_hold(piece):
                columns = list(RECORD_TABLES[piece.table])
                frames += [frame.with_columns(table=pl.lit(piece.table)) for frame in matcher.frames(piece, columns)]
        return pl.concat(frames, how="diagonal").sort(ORDER) if frames else pl.DataFrame()

    def _with_lines(self, records: pl.DataFrame) -> pl.DataFrame:
        lines = lines_of(records, self.formats)
        return records.with_columns(pl.Series(LINE, lines, pl.Binary))


def neighbours(reader: LakeReader, stream: tuple[str, str], seqs: Sequence[int], count: int) -> list[pl.DataFrame]:
    """Return the records of one stream with these rising seqs, and up to ``count`` before and behind each, with `LINE`.

    Each frame is a run of records that follow each other.
    """
    known = next(one for one in reader.streams() if (one.group, one.stream) == stream)
    pieces = reader.pieces(list(RECORD_TABLES), known.id)
    edges = min(piece.first_seq for piece in pieces), max(piece.last_seq for piece in pieces)
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq - runs[-1][-1] <= 2 * count:
            runs[-1].append(seq)
        else:
            runs.append([seq])
    found = []
    for run in runs:
        reach, before, behind = count, 0, 0
        # Seqs have gaps where records were deleted, so the same number of records may lie further away.
        while True:
            low, high = run[0] - reach, run[-1] + reach
            records = _of_stream(pieces, stream, low, high)
            before, behind = int((records["seq"] < run[0]).sum()), int((records["seq"] > run[-1]).sum())
            if (before >= count or low <= edges[0]) and (behind >= count or high >= edges[1]):
                break
            reach *= 4
        records = records[max(0, before - count) : records.height - max(0, behind - count)]
        found.append(records.with_columns(pl.Series(LINE, lines_of(records, reader.formats()), pl.Binary)))
    return found


def _of_stream(pieces: Sequence[Piece], stream: tuple[str, str], low: int, high: int) -> pl.DataFrame:
    own = (pl.col("log_group") == stream[0]) & (pl.col("log_stream") == stream[1])
    found = own & pl.col("seq").is_between(low, high)
    near = [piece for piece in pieces if low <= piece.last_seq and high >= piece.first_seq]
    frames = [piece.frame().filter(found).collect().with_columns(table=pl.lit(piece.table)) for piece in near]
    return pl.concat(frames, how="diagonal").sort("seq")


def _windows(
    pieces: Sequence[Piece], first_rows: int, rows: int, *, from_end: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield spans of time that cover all pieces and have about so many of their records, as if these came evenly."""
    edges = sorted({edge for piece in pieces for edge in (piece.times_us[0], piece.times_us[1] + 1)})
    spans = list(pairwise(edges))
    budget = first_rows
    start: int | None = None
    held = 0.0
    for low, high in reversed(spans) if from_end else spans:
        density = sum(
            piece.rows / (piece.times_us[1] + 1 - piece.times_us[0])
            for piece in pieces
            if piece.times_us[0] <= low and high <= piece.times_us[1] + 1
        )
        at, end = (high, low) if from_end else (low, high)
        start = at if start is None else start
        while at != end:
            room = max(int((budget - held) / density), 1) if density else abs(end - at)
            step = min(room, abs(end - at))
            at = at - step if from_end else at + step
            held += density * step
            if held >= budget - 1:
                yield (at, start) if from_end else (start, at)
                start, held, budget = at, 0.0, rows
    if start is not None and edges and start != (edges[0] if from_end else edges[-1]):
        yield (edges[0], start) if from_end else (start, edges[-1])
