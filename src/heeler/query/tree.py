"""A query as a value. ``str()`` of it parses back to the same query.

What each node means, exactly. Engines are compiled from this page and tests hold them to it.

**The line** of a record is its original bytes without the ending. Its *text* is those bytes as UTF-8, where each
invalid sequence is one U+FFFD, as Python's ``decode("utf-8", "replace")`` has it. It does not matter which columns
hold it.

**Case** is folded for A to Z alone: ``é`` is not ``É``, and the Kelvin sign is no ``k``. Words, phrases and tokens are
folded; whole values, prefixes and regexes are not (``/(?i)…/`` folds, A to Z alone).

=================  =================================================================================================
`Text`             the value is part of the text of the line
`Token`            the same, and it is whole: where its first character is one of ``[A-Za-z0-9_]``, the one before it
                   in the line is none of these (or it begins there), and so at its end
`Regex`            the pattern (see `heeler.query.regex`) matches somewhere in the text of the line
`Equal`            by the kind of the field (`heeler.query.fields`): a *whole* value is the same, case included; a
                   *text* or attribute holds the value as `Token` says; a *number* is the same number
`Prefix`           the value of the field, a number as it is written in decimal, begins so, case included
`Match`            the pattern matches somewhere in the value, a number as it is written in decimal
`Exists`           the field has a value; an empty text is one
`Compare`          the field is a number, or a text that is written as one (``-?``, up to 15 digits, ``.`` and up to
                   15 more), and lies so
`Range`            the same, from low to high, both included
`Network`          the field is an IPv4 or IPv6 address (as `ipaddress` reads it, no zone) of the network
`When`             the time of the record: ``since`` and ``from`` from then on, ``until`` and ``to`` before then
`Not` `And` `Or`   as everywhere. There is no third value: **what a record does not have compares false**, so `Not`
                   keeps records without the field
=================  =================================================================================================

A field without a column of its own is looked up in the column ``attributes`` (`heeler.query.attributes`). A field that
a record's table does not have is missing there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Operator = Literal["<", "<=", ">", ">="]
Word = Literal["since", "from", "until", "to"]

_REST = r"[^\s()|]*"
BARE = re.compile(rf"""(?!(?:OR|AND|NOT)\Z)(?![A-Za-z_@][A-Za-z0-9_.@-]*:)[^\s()|"'=/@-]{_REST}""")
"""A word that can stand without quotes."""

BARE_TOKEN = re.compile(rf"[A-Za-z0-9_]{_REST}")
"""A token that can stand without quotes behind ``=``."""

BARE_VALUE = re.compile(rf"""(?!.*(?:\.\.|\*))(?![0-9A-Fa-f:.]+/[0-9]+\Z)(?![1-9]xx\Z)(?!/.*/\Z)[^\s()|"'<>=]{_REST}""")
"""A value of a field that can stand without quotes."""


def quoted(text: str, bare: re.Pattern[str]) -> str:
    """Return ``text`` as a query has it: as it is where that is a ``bare`` word, else in double quotes."""
    if bare.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def slashed(pattern: str) -> str:
    """Return a regex between slashes; one that stands in it has a backslash before it already."""
    return f"/{pattern}/"


@dataclass(frozen=True, slots=True)
class Text:
    """Part of the line."""

    value: str

    def __str__(self) -> str:
        return quoted(self.value, BARE)


@dataclass(frozen=True, slots=True)
class Token:
    """A whole token of the line, or several in a row with what stands between them."""

    value: str

    def __str__(self) -> str:
        return "=" + quoted(self.value, BARE_TOKEN)


@dataclass(frozen=True, slots=True)
class Regex:
    """A regex somewhere in the line. ``pattern`` is what stands between the slashes."""

    pattern: str

    def __str__(self) -> str:
        return slashed(self.pattern)


@dataclass(frozen=True, slots=True)
class Equal:
    """The field has this value, by its kind."""

    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{quoted(self.value, BARE_VALUE)}"


@dataclass(frozen=True, slots=True)
class Prefix:
    """The value of the field begins so."""

    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{quoted(self.value, BARE_VALUE)}*"


@dataclass(frozen=True, slots=True)
class Match:
    """A regex somewhere in the value of the field."""

    field: str
    pattern: str

    def __str__(self) -> str:
        return f"{self.field}:{slashed(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str

    def __str__(self) -> str:
        return f"{self.field}:*"


@dataclass(frozen=True, slots=True)
class Compare:
    """The field is a number that lies so. ``value`` is as it was written: ``500``, ``0.25``, ``warn``, ``200ms``."""

    field: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{self.operator}{self.value}"


@dataclass(frozen=True, slots=True)
class Range:
    """The field is a number from ``low`` to ``high``, both included."""

    field: str
    low: str
    high: str

    def __str__(self) -> str:
        return f"{self.field}:{self.low}..{self.high}"


@dataclass(frozen=True, slots=True)
class Network:
    """The field is an address of this network: ``10.0.0.0/8``, ``2001:db8::/32``."""

    field: str
    network: str

    def __str__(self) -> str:
        return f"{self.field}:{self.network}"


@dataclass(frozen=True, slots=True)
class When:
    """The time of the record, from or before a moment as `heeler.query.period` reads it."""

    word: Word
    moment: str

    def __str__(self) -> str:
        return f"{self.word}:{quoted(self.moment, BARE_VALUE)}"


@dataclass(frozen=True, slots=True)
class Not:
    """The condition does not hold."""

    part: "Condition"

    def __str__(self) -> str:
        return f"-{_grouped(self.part)}"


@dataclass(frozen=True, slots=True)
class And:
    """All hold; with no part, always. Made by `all_of`."""

    parts: tuple["Condition", ...] = ()

    def __str__(self) -> str:
        return " ".join(_grouped(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """One holds at least. Made by `any_of`."""

    parts: tuple["Condition", ...]

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


Leaf = Text | Token | Regex | Equal | Prefix | Match | Exists | Compare | Range | Network | When
Condition = Leaf | Not | And | Or
ALL = And()


def _grouped(part: Condition) -> str:
    return f"({part})" if isinstance(part, And | Or) else str(part)


def all_of(parts: Iterable[Condition]) -> Condition:
    """Return the conjunction, with nothing nested that need not be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Condition]) -> Condition:
    """Return the disjunction of one or more, with nothing nested that need not be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def none_of(part: Condition) -> Condition:
    """Return the negation; twice is not at all."""
    return part.part if isinstance(part, Not) else Not(part)


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Yield the conditions that are made of no others, from left to right."""
    if isinstance(condition, Not):
        yield from leaves(condition.part)
    elif isinstance(condition, And | Or):
        for part in condition.parts:
            yield from leaves(part)
    else:
        yield condition


def field_of(leaf: Leaf) -> str | None:
    """Return the field that a condition is about, None where it is the line or the time."""
    return None if isinstance(leaf, Text | Token | Regex | When) else leaf.field


@dataclass(frozen=True, slots=True)
class Measure:
    """What is computed of a group: ``count``, ``sum``, ``avg``, ``min``, ``max``, or ``p99.9`` for a percentile."""

    name: str
    field: str | None = None

    def __str__(self) -> str:
        return self.name if self.field is None else f"{self.name} {self.field}"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A measure by intervals of ``every`` (a duration as it was written) and by fields, or of everything."""

    measure: Measure
    by: tuple[str, ...] = ()
    every: str | None = None

    def __str__(self) -> str:
        every = f"every {self.every} " if self.every else ""
        by = f" by {', '.join(self.by)}" if self.by else ""
        return f"{every}{self.measure}{by}"


@dataclass(frozen=True, slots=True)
class Top:
    """The ``number`` most frequent values of some fields."""

    number: int
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"top {self.number} {', '.join(self.fields)}"


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of the answer, by a column of it."""

    column: str
    descending: bool = False

    def __str__(self) -> str:
        return f"sort {'-' if self.descending else ''}{self.column}"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many rows at most."""

    rows: int

    def __str__(self) -> str:
        return f"limit {self.rows}"


Stage = Grouping | Top | Sort | Limit


@dataclass(frozen=True, slots=True)
class Query:
    """What to find, and what to make of it. ``stages`` begin with a `Grouping` or `Top`, if there is one."""

    where: Condition = ALL
    stages: tuple[Stage, ...] = ()

    def __str__(self) -> str:
        return " | ".join(str(part) for part in (self.where, *self.stages)).strip()

    @property
    def finds_all(self) -> bool:
        """Whether every record is meant."""
        return self.where == ALL

    @property
    def summary(self) -> Grouping | Top | None:
        """What records are counted by, None where the records themselves are the answer."""
        first = self.stages[0] if self.stages else None
        return first if isinstance(first, Grouping | Top) else None

    def value_of(self, field: str) -> str | None:
        """Return what ``field`` must equal for a record to be found, if the query says."""
        parts = self.where.parts if isinstance(self.where, And) else (self.where,)
        return next((one.value for one in parts if isinstance(one, Equal) and one.field == field), None)
