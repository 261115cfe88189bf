"""A query as a Polars expression."""

import re
from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, ge, gt, le, lt, or_

import polars as pl

from heeler.formats import Format
from heeler.query import regex
from heeler.query.attributes import attribute
from heeler.query.conditions import (
    All,
    Any,
    Attribute,
    Begins,
    Between,
    Column,
    Contains,
    Digits,
    Found,
    Is,
    Measured,
    Negated,
    OneOf,
    Present,
    Raw,
    Same,
    Scope,
    Source,
    Test,
    Written,
    compiled,
)
from heeler.query.lines import Layouts, layouts_of
from heeler.query.tree import Condition

NUMBER = r"\A-?[0-9]{1,15}(?:\.[0-9]{1,15})?\z"
"""What `Measured` takes for a number, for RE2 and Rust."""

_OPERATORS = {"<": lt, "<=": le, ">": gt, ">=": ge}
_SAFE = re.compile(r"(?![0-9]+\Z)[A-Za-z0-9_@ .-]+")
"""Text that stands in JSON and logfmt as it is, unless it is escaped, which takes a backslash."""

_UNWRITTEN = "true"
"""The value of a key that stands alone in logfmt."""


class FrameTests:
    """Tests as expressions over records of one table, whose ``formats`` are known by id."""

    def __init__(self, formats: Mapping[int, Format], table: str) -> None:
        self._formats = formats
        self._layouts: Layouts = layouts_of(formats, table)
        self._written = self._layouts.written
        of_lines = {name for known in formats.values() if known.table == table for name in known.columns}
        self.line_columns = sorted(of_lines | {"raw", "format"})
        """The columns that a whole line is written from."""

    def spread(self, test: Test) -> Test:
        """Return a test of columns alone, as far as it can be."""
        return self._layouts.spread(test)

    def has_tokens_of(self, text: str) -> bool:
        """See `heeler.query.lines.Layouts.has_tokens_of`."""
        return self._layouts.has_tokens_of(text)

    def expression(self, test: Test) -> pl.Expr:  # noqa: PLR0911 - one answer for each kind of node
        """Return the Boolean expression of a test; never null."""
        if isinstance(test, All | Any):
            parts = [self.expression(part) for part in test.parts]
            joined = reduce(and_ if isinstance(test, All) else or_, parts) if parts else None
            return pl.lit(isinstance(test, All)) if joined is None else joined
        if isinstance(test, Negated):
            return ~self.expression(test.part)
        if isinstance(test, Between):
            return _between(test)
        if isinstance(test, OneOf):
            return pl.col(test.column).is_in(test.numbers).fill_null(value=False)
        if isinstance(test, Is):
            return (pl.col(test.column) == pl.lit(test.value)).fill_null(value=False)
        if isinstance(test, Present):
            return _column(test.source).is_not_null() if _is_column(test.source) else self._text(test).is_not_null()
        if isinstance(test, Contains | Found) and isinstance(test.source, Written):
            return self._of_written(test, test.source).fill_null(value=False)
        return self._of_text(test, self._text(test)).fill_null(value=False)

    def _of_written(self, test: Contains | Found, source: Written) -> pl.Expr:
        """Return a test of what a field writes of the columns; numbers and times are few, so each is written once."""
        expression, formats = self._written[source]
        if source.columns == ("attributes",):
            # What another format has in ``attributes`` may be nothing that this one can read.
            own = pl.when(pl.col("format").is_in(formats) & pl.col("raw").is_null()).then(pl.col("attributes"))
            return own.map_batches(
                lambda values: values.to_frame("attributes").select(self._of_text(test, expression)).to_series(),
                return_dtype=pl.Boolean,
                is_elementwise=True,
            )
        return pl.struct(*source.columns).map_batches(
            lambda values: _once(values, self._of_text(test, expression)),
            return_dtype=pl.Boolean,
            is_elementwise=True,
        )

    def _of_text(self, test: Contains | Found | Same | Begins | Measured, text: pl.Expr) -> pl.Expr:
        if isinstance(test, Contains):
            return holds(text, test.text)
        if isinstance(test, Found):
            found = text.str.contains(regex.for_rust(test.pattern.engine))
            # Looking for plain text first takes a tenth of the time where it is not there.
            needed = [holds(text, one) for one in test.pattern.literals]
            return reduce(and_, [*needed, found])
        if isinstance(test, Same):
            return text == pl.lit(test.text)
        if isinstance(test, Begins):
            return text.str.starts_with(test.text)
        number = pl.when(text.str.contains(NUMBER)).then(text).cast(pl.Float64)
        within: list[pl.Expr] = [_OPERATORS[operator](number, limit) for operator, limit in test.limits]
        return reduce(and_, within)

    def _text(self, test: Contains | Found | Same | Begins | Measured | Present) -> pl.Expr:
        """Return the text that a test looks at."""
        source = test.source
        if isinstance(source, Column):
            return pl.col(source.name)
        if isinstance(source, Digits):
            return pl.col(source.name).cast(pl.String)
        if isinstance(source, Attribute):
            return _attribute(source.name, test)
        if isinstance(source, Raw):
            return pl.col("raw").map_batches(readable, return_dtype=pl.String, is_elementwise=True)
        line = pl.struct(self.line_columns)
        return line.map_batches(self.line_texts, return_dtype=pl.String, is_elementwise=True)

    def line_texts(self, records: pl.Series) -> pl.Series:
        """Return the text of the line of each record, from a struct of the `line_columns`: String."""
        frame = records.struct.unnest()
        texts = readable(frame["raw"])
        ids = frame["format"].unique().drop_nulls().to_list()
        for number in ids:
            here = (frame["format"] == number) & texts.is_null()
            part = frame.filter(here)
            if part.height and number in self._formats:
                lines = part.select(self._formats[number].rendered()).to_series()
                places = here.arg_true()
                texts = texts.scatter(places, lines) if part.height < frame.height else lines
        return texts.alias(records.name)


def as_expression(
    condition: Condition, schema: pl.Schema, formats: Mapping[int, Format], table: str, now_us: int = 0
) -> pl.Expr:
    """Return the Boolean expression that a record of ``schema`` must satisfy; never null."""
    tests = FrameTests(formats, table)
    return tests.expression(tests.spread(compiled(condition, Scope(set(schema), formats, now_us))))


def holds(text: pl.Expr, part: str) -> pl.Expr:
    """Tell where a text has ``part`` in it, in any case of A to Z."""
    return text.str.contains_any([part], ascii_case_insensitive=True)


def readable(raw: pl.Series) -> pl.Series:
    """Return bytes as text, with each invalid UTF-8 sequence as U+FFFD."""
    try:
        return raw.cast(pl.String)
    except pl.exceptions.ComputeError:  # some of it is no UTF-8, and Polars says no more than that
        texts = [None if one is None else one.decode("utf-8", "replace") for one in raw.to_list()]
        return pl.Series(raw.name, texts, pl.String)


def _is_column(source: Source) -> bool:
    return isinstance(source, Column | Digits)


def _column(source: Source) -> pl.Expr:
    if not isinstance(source, Column | Digits):
        raise TypeError(source)
    return pl.col(source.name)


def _between(test: Between) -> pl.Expr:
    # Parquet is read by the bounds of its row groups only where the column stands alone.
    literal = (lambda value: pl.lit(value).cast(pl.Datetime("us"))) if test.column == "time" else _plain(test.column)
    parts = []
    if test.low is not None:
        parts.append(pl.col(test.column) >= literal(test.low))
    if test.high is not None:
        parts.append(pl.col(test.column) <= literal(test.high))
    return reduce(and_, parts).fill_null(value=False)


def _plain(column: str) -> Callable[[int], pl.Expr]:
    if column == "duration":
        return lambda value: pl.lit(value).cast(pl.Duration("us"))
    return lambda value: pl.lit(value, pl.Int64)


def _attribute(name: str, test: object) -> pl.Expr:
    """Return an attribute as text, null as well where the text that the test wants is not in ``attributes`` at all."""
    attributes = pl.col("attributes")
    wanted = [name.rpartition(".")[2]]
    if isinstance(test, Contains | Same | Begins):
        wanted.append(test.text)
    elif isinstance(test, Found):
        wanted += test.pattern.literals
    wanted = [text for text in wanted if _SAFE.fullmatch(text) and text.lower() not in _UNWRITTEN]
    escaped = attributes.str.contains("\\", literal=True)
    # What is looked for must stand in the text, unless it is escaped there; so most records need not be read.
    candidates = reduce(and_, [holds(attributes, text) for text in wanted], pl.lit(value=True)) | escaped
    return (
        pl.when(candidates)
        .then(attributes)
        .map_batches(
            lambda texts: pl.Series(texts.name, [attribute(text, name) for text in texts], pl.String),
            return_dtype=pl.String,
            is_elementwise=True,
        )
    )


def _once(values: pl.Series, test: pl.Expr) -> pl.Series:
    """Evaluate a test of some columns, given as a struct, once for each of their values."""
    frame = values.struct.unnest()
    changing = [name for name in frame.columns if name == frame.columns[0] or frame[name].n_unique() > 1]
    passed = frame.unique(changing).filter(test)
    if len(changing) == 1:
        return frame[changing[0]].is_in(passed[changing[0]].implode(), nulls_equal=True).alias(values.name)
    marked = frame.join(
        passed.with_columns(passed=True), on=frame.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return marked["passed"].alias(values.name)
