"""The columns that sums are made of: a field of a query as a column that DuckDB reads, and a measure of it as SQL."""

from collections.abc import Mapping
from typing import Any

import polars as pl
from sqlglot import exp

from heeler.formats import Format
from heeler.formats.section import sections
from heeler.query.attributes import attribute
from heeler.query.fields import FIELDS, Kind, field_named
from heeler.query.tree import Measure

LINE = "line"
_SECOND_US = 1_000_000
_NUMBERS = (Kind.NUMBER, Kind.SEVERITY, Kind.DURATION)


def value_of(frame: pl.DataFrame, name: str, formats: Mapping[int, Format]) -> pl.Series | None:
    """Return a field of each record, None where the table has no such column."""
    if name == "section":
        return _section(frame)
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
    """Return a measure of a group of records. A text that is no number has none; a duration is in seconds."""
    if measure.field is None:
        return exp.Count(this=exp.Star())
    name = inner(measure.field)
    value: exp.Expr = column_of(name)
    if not _is_number(name):
        value = exp.TryCast(this=value, to=exp.DataType.build("double"))
    elif FIELDS[measure.field].kind is Kind.DURATION:
        value = exp.Div(this=exp.cast(value, "double"), expression=exp.Literal.number(_SECOND_US))
    if measure.name.startswith("p"):
        share = exp.Literal.number(f"{float(measure.name[1:]) / 100:.6f}")
        return exp.Anonymous(this="quantile_cont", expressions=[value, share])
    return exp.Anonymous(this=measure.name, expressions=[value])


def column_of(name: str) -> exp.Column:
    """Return a column by its name, whatever stands in it."""
    return exp.column(exp.to_identifier(name, quoted=True))
