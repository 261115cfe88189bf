"""The columns that sums are made of: a field of a query as a column that DuckDB reads, and a measure of it as SQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from sqlglot import exp

from heeler.formats import Format
from heeler.formats.section import sections
from heeler.query.attributes import attribute
from heeler.query.fields import FIELDS, Kind, field_named
from heeler.query.tree import Measure

LINE = "line"
STEM = pl.col("path").str.extract(r"^([^?]*)")
"""The path of a request without its query."""

_SECOND_US = 1_000_000
_NUMBERS = (Kind.NUMBER, Kind.SEVERITY, Kind.DURATION)


def value_of(frame: pl.DataFrame, name: str, formats: Mapping[int, Format]) -> pl.Series | None:
    """Return a field of each record, None where the table has no such column."""
    if name == "section":
        return _section(frame)
    if name == "stem":
        return frame.select(stem=STEM).to_series() if "path" in frame.columns else None
    if name == "class":
        return (frame["status"] // 100).cast(pl.String) + "xx" if "status" in frame.columns else None
    known = field_named(name)
    if known.column not in frame.columns:
        return None
    found = frame[known.column]
    if known.kind is Kind.FORMAT:
        names = {number: one.name for number, one in formats.items()}
        found = found.replace_strict(names, default=None, return_dtype=pl.String)
    elif known.kind is Kind.ATTRIBUTE:
        found = pl.Series([attribute(text, name) for text in found], dtype=pl.String)
    elif known.kind is Kind.DURATION:
        found = found.dt.total_microseconds()
    return found


def _section(frame: pl.DataFrame) -> pl.Series | None:
    if "path" not in frame.columns:
        return None
    found = frame.with_columns(section=sections(frame))
    return found.select(pl.when(pl.col("path").is_not_null()).then("section")).to_series()


def inner(name: str) -> str:
    """Return the name of a column of the records that a field is read from; no other column has it."""
    return f"field {name}"


def _is_number(name: str) -> bool:
    field = FIELDS.get(name.removeprefix("field "))
    return name == "seq" or (name.startswith("field ") and field is not None and field.kind in _NUMBERS)


def polars_type(name: str) -> Any:  # noqa: ANN401 - a type, or the class of one
    """Return the type of a column of the records, as Polars has it."""
    if name == "time":
        return pl.Datetime("us")
    if name == LINE:
        return pl.Binary
    if name == "format":
        return pl.Int32
    if name == "field parsed":
        return pl.Boolean
    return pl.Int64 if _is_number(name) else pl.String


def sql_type(name: str) -> str:
    """Return the type of a column of the records, as DuckDB has it."""
    types = {pl.Int64: "bigint", pl.Int32: "integer", pl.String: "varchar", pl.Boolean: "boolean", pl.Binary: "blob"}
    return "timestamp" if name == "time" else types[polars_type(name)]


def interval(seconds: int) -> exp.Expr:
    """Return the start of the interval that a time is in, as a TIMESTAMP; times before 1970 count as well."""
    us = exp.Anonymous(this="epoch_us", expressions=[column_of("time")])
    step = seconds * _SECOND_US
    whole = exp.Anonymous(this="floor", expressions=[exp.Div(this=us, expression=exp.Literal.number(step))])
    started = exp.Mul(this=exp.cast(whole, "bigint"), expression=exp.Literal.number(step))
    return exp.Anonymous(this="make_timestamp", expressions=[started])


def measured(measure: Measure) -> exp.Expr:
    """Return a measure of a group of records, but a percentile. A text that is no number has none."""
    if measure.field is None:
        return exp.Count(this=exp.Star())
    return exp.Anonymous(this=measure.name, expressions=[_number(measure.field)])


def _number(name: str) -> exp.Expr:
    """Return a field as a number; a duration is in seconds."""
    value: exp.Expr = column_of(inner(name))
    if not _is_number(inner(name)):
        return exp.TryCast(this=value, to=exp.DataType.build("double"))
    if FIELDS[name].kind is Kind.DURATION:
        return exp.Div(this=exp.cast(value, "double"), expression=exp.Literal.number(_SECOND_US))
    return value


def percentile(keys: Sequence[tuple[str, exp.Expr]], measure: Measure, records: exp.Expr) -> exp.Select:
    """Return the SELECT of a percentile by some keys, interpolated between the two values that it lies between.

    The values of each group are counted, and the counts added up in their order: that can be done on the disk, while
    the function of DuckDB keeps every value in memory.
    """
    value = _number(str(measure.field))
    names = [f"key{at}" for at in range(len(keys))]
    counted = exp.select(
        *(exp.alias_(key, name) for name, (_, key) in zip(names, keys, strict=True)),
        exp.alias_(value, "value"),
        exp.alias_(exp.Count(this=value.copy()), "number"),
    )
    counted = counted.from_(records).group_by(*(exp.Literal.number(at + 1) for at in range(len(keys) + 1)))
    own = {"partition_by": [exp.column(name) for name in names]}
    rising = exp.Order(expressions=[exp.Ordered(this=exp.column("value"), nulls_first=False)])
    total = exp.Window(this=exp.Sum(this=exp.column("number")), **own)
    reached = exp.Window(this=exp.Sum(this=exp.column("number")), order=rising, **own)
    added = exp.select("*", exp.alias_(total, "total"), exp.alias_(reached, "reached")).from_(
        counted.subquery("counted")
    )
    share = exp.cast(exp.Literal.string(repr(float(measure.name[1:]) / 100)), "double")
    place = exp.Mul(this=share, expression=exp.paren("total - 1"))
    low, high = (
        exp.Filter(
            this=exp.Min(this=exp.column("value")),
            expression=exp.Where(this=exp.GT(this=exp.column("reached"), expression=rounded)),
        )
        for rounded in (exp.Floor(this=place.copy()), exp.Ceil(this=place.copy()))
    )
    part = exp.Max(this=exp.Sub(this=place.copy(), expression=exp.Floor(this=place.copy())))
    between = exp.Add(
        this=low, expression=exp.Mul(this=exp.paren(exp.Sub(this=high, expression=low.copy())), expression=part)
    )
    return (
        exp.select(
            *(exp.alias_(exp.column(name), shown, quoted=True) for name, (shown, _) in zip(names, keys, strict=True)),
            exp.alias_(between, str(measure), quoted=True),
        )
        .from_(added.subquery("added"))
        .group_by(*(exp.column(name) for name in names))
    )


def column_of(name: str) -> exp.Column:
    """Return a column by its name, whatever stands in it."""
    return exp.column(exp.to_identifier(name, quoted=True))
