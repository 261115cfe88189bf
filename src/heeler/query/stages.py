"""What stands behind ``|``: counting, sorting, limiting. Plain words, read one by one."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from heeler.errors import QueryError, UsageError
from heeler.query.fields import DERIVED, FIELDS, meant
from heeler.query.tree import Grouping, Limit, Measure, Sort, Stage, Top
from heeler.units import whole_seconds

MOST_ROWS = 1_000_000_000
USUAL_TOP = 10
NUMBERS = ("bytes", "duration", "status", "severity", "seq", "zone")
"""The fields that can be measured, beside attributes that hold numbers."""

_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?|100)")
_NUMBER = re.compile(r"[0-9]{1,10}")
_NAME = re.compile(r"[A-Za-z_@][A-Za-z0-9_.@-]*")
MEASURES = ("count", "sum", "avg", "min", "max")


class Word(Protocol):
    """A word and where it begins."""

    start_pos: int | None

    def __str__(self) -> str: ...


def stage(query: str, words: Sequence[Word], *, first: bool) -> Stage:
    """Read a stage of ``query``. ``first`` tells that it is the one that may count."""
    return _Words(query, words).stage(first=first)


class _Words:
    def __init__(self, query: str, words: Sequence[Word]) -> None:
        self._query = query
        self._words = list(self._split(words))
        self._next = 0

    @staticmethod
    def _split(words: Sequence[Word]) -> Iterator[tuple[str, int]]:
        """Part words at commas."""
        for word in words:
            for piece in re.finditer(r"[^,]+", str(word)):
                yield piece[0], (word.start_pos or 0) + piece.start()

    def _error(self, message: str, back: int = 0) -> QueryError:
        at = self._next - back
        place = self._words[at][1] if at < len(self._words) else len(self._query)
        return QueryError(message, self._query, place)

    def stage(self, *, first: bool) -> Stage:
        name = self._take("")
        reads = _STAGES.get(name) or (_STAGES["count"] if _PERCENTILE.fullmatch(name) else None)
        if reads is None:
            known = [*_STAGES, "p50", "p95", "p99"]
            raise self._error(
                f"Behind | stands {', '.join(known[:-1])} or {known[-1]}, not {name!r}.{meant(name, known)}", 1
            )
        if name not in ("sort", "limit") and not first:
            raise self._error(f"Only the first | can count; {name!r} stands behind another one.", 1)
        self._next -= 1
        read = reads(self)
        if self._next < len(self._words):
            raise self._error(f"Nothing is expected here behind | {read}.")
        return read

    def _take(self, what: str) -> str:
        if self._next >= len(self._words):
            raise self._error(what)
        self._next += 1
        return self._words[self._next - 1][0]

    def _peek(self) -> str:
        return self._words[self._next][0] if self._next < len(self._words) else ""

    def grouping(self) -> Grouping:
        every = None
        if self._peek() == "every":
            self._next += 1
            every = self._take("Behind every stands an interval, such as 10s or 5m.")
            try:
                whole_seconds(every, "The interval")
            except UsageError as error:
                raise self._error(str(error), 1) from None
        measure = self._measure() if every is None or self._peek() not in ("", "by") else Measure("count")
        by: tuple[str, ...] = ()
        if self._peek() == "by":
            self._next += 1
            by = self._fields()
        return Grouping(measure, by, every)

    def _measure(self) -> Measure:
        name = self._take("")
        if name == "count":
            return Measure(name)
        if name not in MEASURES and not _PERCENTILE.fullmatch(name):
            known = [*MEASURES, "p99"]
            raise self._error(f"What can be measured is {', '.join(known)}, not {name!r}.{meant(name, known)}", 1)
        field = self._field(f"Behind {name} stands the field that is measured, such as bytes.")
        if field in DERIVED or (field in FIELDS and field not in NUMBERS):
            raise self._error(f"{field} is no number; {', '.join(NUMBERS)} are, and attributes may be.", 1)
        return Measure(name, field)

    def _fields(self) -> tuple[str, ...]:
        found = [self._field("Here the fields stand to count by, such as status.")]
        while self._peek():
            found.append(self._field(""))
        return tuple(dict.fromkeys(found))

    def _field(self, missing: str) -> str:
        name = self._take(missing)
        if not _NAME.fullmatch(name):
            raise self._error(f"{name!r} is no field; its name is made of letters, digits and _ . @ -.", 1)
        return name

    def top(self) -> Top:
        self._next += 1
        number = USUAL_TOP
        if _NUMBER.fullmatch(self._peek()) or self._peek().startswith("-"):
            number = self._rows("top")
        return Top(number, self._fields())

    def sort(self) -> Sort:
        self._next += 1
        column = self._take("Behind sort stands a field or a column of the answer, such as sort -count.")
        descending = column.startswith("-")
        if not re.fullmatch(r"-?[A-Za-z_@][A-Za-z0-9_.@-]*", column):
            raise self._error(f"{column!r} is no field or column to sort by.", 1)
        return Sort(column.removeprefix("-"), descending)

    def limit(self) -> Limit:
        self._next += 1
        return Limit(self._rows("limit"))

    def _rows(self, what: str) -> int:
        text = self._take(f"Behind {what} stands a number of rows.")
        if not _NUMBER.fullmatch(text) or int(text) > MOST_ROWS:
            raise self._error(f"{what} takes a whole number from 0 to {MOST_ROWS:,}, not {text!r}.", 1)
        return int(text)


_STAGES: Mapping[str, Callable[[_Words], Stage]] = {
    **dict.fromkeys((*MEASURES, "every"), _Words.grouping),
    "top": _Words.top,
    "sort": _Words.sort,
    "limit": _Words.limit,
}
