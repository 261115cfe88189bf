"""Tests of the whole line as tests of the columns that it is made of.

A line that is not kept in ``raw`` is what its format writes: columns with text between them. A word without any
character of that text cannot reach from one column into the next, so it is in the line where it is in a column. Of any
other text the pieces between such characters must each be in a column; where all are, the line is written out and
looked at. Where nothing is known of a format the line is written out at once.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from heeler.formats import Format
from heeler.formats.fields import Attribute as AttributeField
from heeler.formats.fields import Request, Text
from heeler.formats.template import Template
from heeler.query.conditions import (
    All,
    Any,
    Column,
    Contains,
    Found,
    Line,
    Negated,
    OneOf,
    Present,
    Raw,
    Test,
    Written,
    all_of,
    any_of,
    is_word,
    negated,
    token_pattern,
)

_NUMBERS = re.compile(r"[0-9.-]+")
_TOKEN = re.compile("[A-Za-z0-9_]+")
_MOST_PIECES = 2
"""So many pieces of a text are looked for before lines are written out; more would cost as much as they spare."""

_RAW = Present(Column("raw"))


@dataclass(frozen=True, slots=True)
class Layout:
    """How formats write lines: text columns, other fields, and the characters that stand between them.

    ``tokens`` tells that no token reaches from a column into what stands beside it.
    """

    separators: frozenset[str]
    columns: frozenset[str]
    written: Mapping[Written, pl.Expr]
    tokens: bool

    def joined(self, other: "Layout") -> "Layout":
        """Return the layout of lines of either; columns that one does not have are null there."""
        return Layout(
            self.separators | other.separators,
            self.columns | other.columns,
            self.written,
            self.tokens and other.tokens,
        )


@dataclass(frozen=True, slots=True)
class Layouts:
    """The layouts of some formats, each with the ids of those that have it; None where nothing is known."""

    known: tuple[tuple[Layout | None, tuple[int, ...]], ...]

    @property
    def written(self) -> dict[Written, tuple[pl.Expr, list[int]]]:
        """What each field writes, and the ids of the formats that have it."""
        found: dict[Written, tuple[pl.Expr, list[int]]] = {}
        for layout, ids in self.known:
            for source, expression in layout.written.items() if layout else ():
                found.setdefault(source, (expression, []))[1].extend(ids)
        return found

    def has_tokens_of(self, text: str) -> bool:
        """Tell whether each token of a line that is one of ``text`` is a token of a text column, or a whole number.

        Not those of a time, nor of a number that is stored otherwise than it is written.
        """
        for layout, _ in self.known:
            if layout is None or not layout.tokens:
                return False
            for source, expression in layout.written.items():
                stored = source.columns in (("status",), ("bytes",))
                if not stored and any(_may_hold(source, expression, token) for token in _TOKEN.findall(text)):
                    return False
        return True

    def spread(self, test: Test) -> Test:
        """Return the test with every look at the line turned into looks at columns, as far as that can be."""
        if isinstance(test, All):
            return all_of(map(self.spread, test.parts))
        if isinstance(test, Any):
            return any_of(map(self.spread, test.parts))
        if isinstance(test, Negated):
            return negated(self.spread(test.part))
        if not isinstance(test, Contains | Found) or not isinstance(test.source, Line):
            return test
        own = [
            all_of([*([OneOf("format", ids)] if len(self.known) > 1 else []), _in_columns(test, layout)])
            for layout, ids in self.known
        ]
        in_raw = Contains(Raw(), test.text) if isinstance(test, Contains) else Found(Raw(), test.pattern)
        return any_of([all_of([Negated(_RAW), any_of(own)]), all_of([_RAW, in_raw])])


def layouts_of(formats: Mapping[int, Format], table: str) -> Layouts:
    """Return the layouts of the formats whose records live in a table."""
    found: dict[object, tuple[Layout | None, tuple[int, ...]]] = {}
    for number, known in formats.items():
        if known.table != table:
            continue
        layout = layout_of(known)
        # Formats are one where nothing but text columns differs: what is no part of a line is null in its record.
        key: object = None
        if layout is not None:
            key = frozenset(layout.written) if isinstance(known, Template) else number
        before = found.get(key)
        if before is None:
            found[key] = (layout, (number,))
        else:
            joined = layout.joined(before[0]) if layout and before[0] else None
            found[key] = (joined, (*before[1], number))
    return Layouts(tuple(found.values()))


def layout_of(known: Format) -> Layout | None:
    """Return how a format writes its lines, None where that cannot be told."""
    rendered = known.rendered()
    if rendered.meta.is_column():
        return Layout(frozenset(), frozenset({rendered.meta.output_name()}), {}, tokens=True)
    return _of_template(known) if isinstance(known, Template) else None


def _of_template(known: Template) -> Layout | None:
    literals = [known.prefix.decode(), *(part.after.decode() for part in known.parts)]
    if not all(literals[1:-1]):
        return None  # two fields side by side: a word may reach from one into the other
    columns: set[str] = set()
    written: dict[Written, pl.Expr] = {}
    for part in known.parts:
        if isinstance(part.field, Request) or (isinstance(part.field, Text) and not _is_attribute(part.field)):
            columns |= set(part.field.columns)
            literals += [" "] if isinstance(part.field, Request) else []
        else:
            names = ("attributes",) if _is_attribute(part.field) else tuple(part.field.columns)
            one = part.field.render()
            written[Written(str(one), names, part.field.width)] = one
    sides = [char for text in literals if text for char in (text[0], text[-1])]
    return Layout(frozenset("".join(literals)), frozenset(columns), written, not any(map(is_word, sides)))


def _is_attribute(one: object) -> bool:
    return isinstance(one, AttributeField)


def _in_columns(test: Contains | Found, layout: Layout | None) -> Test:
    """Return what must hold of the columns of a record whose line is not in ``raw``."""
    if layout is None:
        return test
    if isinstance(test, Contains):
        pieces = _pieces(test.text, layout)
        if pieces == [test.text]:
            return any_of(_holding(test.text, layout))
        return all_of([*(any_of(_holding(piece, layout)) for piece in pieces[:_MOST_PIECES]), test])
    texts = test.pattern.literals
    pieces = [piece for text in texts for piece in _pieces(text, layout)]
    if len(texts) == 1 and pieces == [texts[0]] and test.pattern == token_pattern(texts[0]) and layout.tokens:
        sources = [one.source for one in _holding(texts[0], layout)]
        return any_of(Found(source, test.pattern) for source in sources)
    return all_of([*(any_of(_holding(piece, layout)) for piece in pieces[:_MOST_PIECES]), test])


def _pieces(text: str, layout: Layout) -> list[str]:
    """Return the runs of characters that can only lie within one column, the most telling first."""
    runs = re.split("[" + re.escape("".join(sorted(layout.separators))) + "]+", text) if layout.separators else [text]
    # Numbers are looked for last: many columns may hold them, and in most lines something is the same.
    return sorted({run for run in runs if run}, key=lambda run: (_NUMBERS.fullmatch(run) is not None, -len(run), run))


def _holding(text: str, layout: Layout) -> Iterator[Contains]:
    """Yield a test for each column that could hold a text without separators."""
    yield from (Contains(Column(name), text) for name in sorted(layout.columns))
    for source, expression in sorted(layout.written.items(), key=lambda one: one[0].key):
        if _may_hold(source, expression, text):
            yield Contains(source, text)


def _may_hold(source: Written, expression: pl.Expr, text: str) -> bool:
    """Tell whether what a field writes can have ``text`` in it: most words are in no time and no number."""
    if source.width is not None and len(text) > source.width:
        return False
    if source.columns == ("time", "zone"):
        return any(_shape(text.lower()) in _shape(sample.lower()) for sample in _samples(expression))
    return source.columns == ("attributes",) or _NUMBERS.fullmatch(text) is not None


def _shape(text: str) -> str:
    return re.sub("[0-9]", "0", text)


def _samples(expression: pl.Expr) -> Sequence[str]:
    """Return how a field writes a time of each month, east and west of Greenwich."""
    months = [month * 31 * 86_400_000_000 + 1_000_000 for month in range(12)]
    frame = pl.DataFrame({"time": months * 2, "zone": [60] * 12 + [-60] * 12})
    return (
        frame.with_columns(pl.col("time").cast(pl.Datetime("us")), pl.col("zone").cast(pl.Int16))
        .select(expression)
        .to_series()
        .to_list()
    )
