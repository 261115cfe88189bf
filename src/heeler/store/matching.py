"""Finding records in pieces of a lake, one column at a time.

Parquet keeps each value of a column once in each of its row groups, and Polars searches those values alone, as long as
a condition is about one column. So each test is looked up for itself, giving a mask over the rows of the piece, and the
masks are joined here: a whole expression over ten columns took fifteen times as long. What is dear, a whole line, comes
last and is looked at only where the rest holds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from heeler.errors import EnvironmentFailed
from heeler.formats import Format
from heeler.query.conditions import (
    ALWAYS,
    NEVER,
    All,
    Any,
    Attribute,
    Between,
    Line,
    Negated,
    Scope,
    Single,
    Test,
    all_of,
    compiled,
)
from heeler.query.frame import FrameTests
from heeler.query.tree import Condition
from heeler.store.piece import Piece
from heeler.store.schema import TABLES
from heeler.store.segment import ROW_GROUP_ROWS
from heeler.store.token_filter import Sought, candidates, sought_by

Rows = NDArray[np.bool_]
"""Which rows of a piece are meant."""

ROW = "row number"
"""The name of a column that no table has."""


@dataclass(frozen=True, slots=True)
class _Table:
    """What is asked of a table: tests of its columns, and the tokens that a record must have to pass them."""

    tests: Test
    sought: Sought | None
    engine: FrameTests


class Matcher:
    """The records that satisfy a condition, and lie between two times: the first included, the second not."""

    def __init__(
        self,
        condition: Condition,
        formats: Mapping[int, Format],
        *,
        now_us: int = 0,
        since_us: int | None = None,
        until_us: int | None = None,
    ) -> None:
        self._condition = condition
        self._formats = dict(formats)
        self._now_us = now_us
        self._since_us, self._until_us = since_us, until_us
        self._tables: dict[str, _Table] = {}

    def between(self, since_us: int, until_us: int) -> "Matcher":
        """Return a matcher of the same condition that also keeps to these times."""
        low = since_us if self._since_us is None else max(since_us, self._since_us)
        high = until_us if self._until_us is None else min(until_us, self._until_us)
        return Matcher(self._condition, self._formats, now_us=self._now_us, since_us=low, until_us=high)

    def tests(self, table: str) -> Test:
        """Return what a record of a table must pass."""
        return self._table(table).tests

    def _table(self, table: str) -> _Table:
        if table not in self._tables:
            engine = FrameTests(self._formats, table)
            whole = compiled(self._condition, Scope(set(TABLES[table]), self._formats, self._now_us))
            tests = engine.spread(whole)
            until_us = None if self._until_us is None else self._until_us - 1
            if self._since_us is not None or until_us is not None:
                tests = all_of([Between("time", self._since_us, until_us), tests])
            self._tables[table] = _Table(tests, sought_by(whole, engine.has_tokens_of), engine)
        return self._tables[table]

    def may_hold(self, piece: Piece) -> bool:
        """Tell whether a piece can have a record that matches, by what the catalog knows."""
        tests = self.tests(piece.table)
        if tests == NEVER:
            return False
        low, high = bounds_us(tests)
        return low <= piece.times_us[1] and piece.times_us[0] <= high

    def count(self, piece: Piece) -> int:
        """Return how many records of a piece match."""
        tests = self.tests(piece.table)
        if tests == ALWAYS and piece.rows:
            return piece.rows
        return int(self.rows(piece).sum())

    def rows(self, piece: Piece) -> Rows:
        """Return which rows of a piece match, of length 0 where a filter says that none does.

        Raises `EnvironmentFailed` where the piece cannot be read.
        """
        table = self._table(piece.table)
        try:
            if piece.path is None:
                return _of_blob(piece, table)
            among = candidates(piece.path, table.sought)
            if among is not None and not len(among):
                return among
            search = _Search(piece, table.engine)
            return search.rows(table.tests, np.ones(search.height, np.bool_) if among is None else among)
        except (OSError, pl.exceptions.ComputeError) as error:
            raise _unreadable(piece, error) from error

    def frames(self, piece: Piece, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield these columns of the records of a piece that match, a row group at a time and in its order."""
        if self.may_hold(piece):
            yield from taken(piece, self.rows(piece), columns)


def taken(piece: Piece, rows: Rows, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield these columns of some rows of a piece, a row group at a time. Raises `EnvironmentFailed`."""
    try:
        frame = piece.frame().select(columns)
        for start in range(0, len(rows), ROW_GROUP_ROWS):
            here = rows[start : start + ROW_GROUP_ROWS]
            if here.any():
                some = frame.slice(start, len(here)).collect()
                yield some if here.all() else some.filter(pl.Series(here))
    except (OSError, pl.exceptions.ComputeError) as error:
        raise _unreadable(piece, error) from error


def _of_blob(piece: Piece, table: _Table) -> Rows:
    found = piece.frame().collect().with_columns(found=table.engine.expression(table.tests))["found"]
    return found.to_numpy()


def bounds_us(tests: Test) -> tuple[int, int]:
    """Return the first and last time that a record which passes can have."""
    low, high = -(1 << 63), (1 << 63) - 1
    for test in tests.parts if isinstance(tests, All) else (tests,):
        if isinstance(test, Between) and test.column == "time":
            low = low if test.low is None else max(low, test.low)
            high = high if test.high is None else min(high, test.high)
    return low, high


class _Search:
    """One segment, searched test by test."""

    def __init__(self, piece: Piece, engine: FrameTests) -> None:
        self._engine = engine
        scanned = pl.scan_parquet(piece.path or "", row_index_name=ROW)
        names = scanned.collect_schema().names()
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in TABLES[piece.table].items() if name not in names]
        self._frame = scanned.with_columns(missing) if missing else scanned
        self.height = piece.rows or int(scanned.select(pl.len()).collect().item())

    def rows(self, test: Test, among: Rows) -> Rows:
        """Return which of the rows ``among`` pass a test."""
        if isinstance(test, All):
            for part in sorted(test.parts, key=_cost):
                if not among.any():
                    return among
                among = self.rows(part, among)
            return among
        if isinstance(test, Any):
            found = np.zeros(self.height, np.bool_)
            for part in sorted(test.parts, key=_cost):
                found |= self.rows(part, among & ~found)
            return found
        if isinstance(test, Negated):
            return among & ~self.rows(test.part, among)
        return self._single(test, among)

    def _single(self, test: Single, among: Rows) -> Rows:
        expression = self._engine.expression(test)
        found = np.zeros(self.height, np.bool_)
        for start, length in _spans(among):
            here = among[start : start + length]
            frame = self._frame.slice(start, length)
            if _cost(test) and not here.all():
                needed = [ROW, *expression.meta.root_names()]
                frame = frame.select(set(needed)).filter(pl.Series(here)).collect().lazy()
            found[frame.filter(expression).select(ROW).collect().to_series().to_numpy()] = True
        found &= among
        return found


def _cost(test: Test) -> int:
    """Return how dear a test is: 0 is a column, 1 the text in ``attributes``, 2 a line that has to be written."""
    if isinstance(test, All | Any):
        return max(map(_cost, test.parts), default=0)
    if isinstance(test, Negated):
        return _cost(test.part)
    source = getattr(test, "source", None)
    return 2 if isinstance(source, Line) else 1 if isinstance(source, Attribute) else 0


def _spans(among: Rows) -> Iterator[tuple[int, int]]:
    """Yield where the row groups that hold some of the rows begin, and how long they are; neighbours as one."""
    begin = None
    for start in range(0, len(among), ROW_GROUP_ROWS):
        is_needed = bool(among[start : start + ROW_GROUP_ROWS].any())
        if is_needed and begin is None:
            begin = start
        if not is_needed and begin is not None:
            yield begin, start - begin
            begin = None
    if begin is not None:
        yield begin, len(among) - begin


def _unreadable(piece: Piece, error: Exception) -> EnvironmentFailed:
    return EnvironmentFailed(
        f"{piece.path or 'A blob in the catalog'} cannot be read: {error}. `heeler store upkeep` names what is damaged "
        "and serves the rest."
    )
